//! Authorizations told in short as bytes: the template as it was written out once, in
//! two parts, then what is the payout's own.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Compact, Reader, Unreadable, Writer, append,
    fields::{fields, shared, variants},
    from_bytes,
    read::{Read as Outcome, read_all},
};
use crate::domain::{
    account::Position,
    allowed::{Allowed, OPERATION},
    amount::{Amount, Currency},
    change::Record,
    instant::Instant,
    limit::OnReturn,
    meter::Shape,
    name::{Id, MAX_ID, OperatorName, PlatformName, ShopName},
    named::Named,
    order::Order,
    request::{Fingerprint, RequestKey},
    template::{
        Common, Constants, FactSource, FactSources, Over, Part, PartOf, Read, Template, Written,
    },
    text::Text,
    told::{InShort, Placed, Told},
    value::{Facts, Value},
    who::{Author, RoleSet},
};

/// Begins a record that is told at length.
pub(super) const AT_LENGTH: u8 = 0;
/// Begins one that is told in short.
pub(super) const IN_SHORT: u8 = 1;
/// Bytes of a record of which each may be a text that is as long as the record.
const ALL_AS_LONG: usize = 8 * 1024;
/// More bytes than 200 facts have, of which each is a list of 200 texts of 256
/// characters at most.
const MOST_WRITTEN_OUT: usize = 128 * 1024 * 1024;

/// Appends a record's bytes.
pub fn append_allowed(out: &mut Vec<u8>, allowed: &Allowed<'_>) {
    let Allowed { template, sequence, at, author, id, request, content, order, .. } = allowed;
    let Allowed { payee, purpose, facts, amount, numbers, positions, .. } = allowed;
    let own = template.written.bytes(|| own_bytes(template));
    let common = template.common.written.bytes(|| {
        let mut bytes = Vec::new();
        append(&mut bytes, &*template.common);
        bytes
    });
    let mut writer = Writer::new(std::mem::take(out));
    let to = &mut writer;
    to.byte(IN_SHORT);
    to.length(own.len());
    to.bytes(own);
    to.length(common.len());
    to.bytes(common);
    sequence.write(to);
    at.write(to);
    author.caller.write(to);
    match &author.actor {
        None => to.byte(actor::NOBODY),
        same if *same == template.operator => to.byte(actor::THE_OPERATOR),
        Some(other) => {
            to.byte(actor::ANOTHER);
            other.write(to);
        }
    }
    to.plain(id.as_str());
    let RequestKey { platform, parent, operation, id: request_id } = request;
    let is_of_shop = platform.platform == template.shop.platform
        && is_name_of(parent, &template.shop)
        && operation == OPERATION;
    to.byte(u8::from(is_of_shop));
    if !is_of_shop {
        platform.write(to);
        parent.write(to);
        operation.write(to);
    }
    to.plain(request_id);
    content.write(to);
    let Order { name, paid, place_time, facts: registered, asserted_by, .. } = order;
    to.plain(name.order.as_str());
    paid.write(to);
    place_time.write(to);
    registered.write(to);
    asserted_by.write(to);
    order.source_time.write(to);
    order.caller.write(to);
    payee.write(to);
    purpose.write(to);
    (***facts).write(to);
    amount.write(to);
    write_all(numbers, to);
    write_all(positions, to);
    *out = writer.out;
}

fn write_all<'a, T: Compact>(all: &'a [T], to: &mut Writer<'a>) {
    to.length(all.len());
    all.iter().for_each(|one| one.write(to));
}

/// A template without what it has in common with others, which stands by itself: who
/// reads many records has read it before.
fn own_bytes(template: &Template) -> Vec<u8> {
    let Template { shop, operator, revision, facts, meters, common: _, written: _ } = template;
    let mut writer = Writer::new(Vec::new());
    let to = &mut writer;
    shop.write(to);
    operator.write(to);
    revision.write(to);
    facts.write(to);
    meters.write(to);
    writer.out
}

fn read_own(bytes: &[u8], common: Arc<Common>) -> Outcome<Template> {
    read_all(bytes, |from| {
        let shop = ShopName::read(from)?;
        if shop.platform.as_str().len() > MAX_ID || shop.shop.as_str().len() > MAX_ID {
            return Err(Unreadable("a shop has no such name"));
        }
        Ok(Template {
            shop,
            operator: Compact::read(from)?,
            revision: Compact::read(from)?,
            facts: Compact::read(from)?,
            meters: Compact::read(from)?,
            common,
            written: Written::default(),
        })
    })
}

/// What templates of records that were read lately have in common, by their bytes:
/// there are few.
#[derive(Debug, Default)]
pub struct Commons(VecDeque<(Box<[u8]>, Arc<Common>)>);

impl Commons {
    fn read(&mut self, bytes: &[u8]) -> Outcome<Arc<Common>> {
        /// How many are kept.
        const MOST: usize = 8;
        if let Some(at) = self.0.iter().position(|(known, _)| **known == *bytes) {
            // Those that are asked for stay.
            if let Some(known) = self.0.remove(at) {
                let common = known.1.clone();
                self.0.push_front(known);
                return Ok(common);
            }
        }
        let common: Arc<Common> = Arc::new(from_bytes(bytes)?);
        if !common.can_be() {
            return Err(Unreadable("its template is of no policy"));
        }
        self.0.truncate(MOST - 1);
        self.0.push_front((bytes.into(), common.clone()));
        Ok(common)
    }
}

/// A record from all of these bytes.
///
/// # Errors
/// If they are none.
pub fn told_from_bytes(bytes: &[u8], commons: &mut Commons) -> Result<Told, Unreadable> {
    match bytes.split_first() {
        Some((&IN_SHORT, rest)) => {
            let told = read_all(rest, |from| read_told(from, commons))?;
            Ok(Told::InShort(Box::new(told)))
        }
        _ => from_bytes(bytes).map(|record| Told::AtLength(Arc::new(record))),
    }
}

/// Who acted.
mod actor {
    pub(super) const NOBODY: u8 = 0;
    pub(super) const THE_OPERATOR: u8 = 1;
    pub(super) const ANOTHER: u8 = 2;
}

/// Whether a text is the name of this shop.
fn is_name_of(text: &str, shop: &ShopName) -> bool {
    let rest = text.strip_prefix("platforms/");
    let rest = rest.and_then(|rest| rest.strip_prefix(shop.platform.as_str()));
    let rest = rest.and_then(|rest| rest.strip_prefix("/shops/"));
    rest == Some(shop.shop.as_str())
}

/// Reads a record that was told in short, behind its first byte.
pub(super) fn read(from: &mut Reader<'_>) -> Outcome<Record> {
    let told = read_told(from, &mut Commons::default())?;
    told.allowed().record().ok_or(Unreadable("it does not fit its template"))
}

fn read_told(from: &mut Reader<'_>, commons: &mut Commons) -> Outcome<InShort> {
    let whole = from.left();
    let length = from.length()?;
    let own = from.bytes(length)?;
    let length = from.length()?;
    let common = commons.read(from.bytes(length)?)?;
    let template = Arc::new(read_own(own, common)?);
    let (sequence, at): (u64, Instant) = (Compact::read(from)?, Compact::read(from)?);
    let caller: Text = Compact::read(from)?;
    let actor: Option<OperatorName> = match from.byte()? {
        actor::NOBODY => None,
        actor::THE_OPERATOR => template.operator.clone(),
        actor::ANOTHER => Some(Compact::read(from)?),
        _ => return Err(Unreadable("nobody knows who acted")),
    };
    let id = Id::kept(from.plain()?.into());
    let shop = template.shop.clone();
    let (platform, parent, operation): (PlatformName, Text, Text) = if bool::read(from)? {
        (shop.platform(), shop.text().into(), OPERATION.into())
    } else {
        (Compact::read(from)?, Compact::read(from)?, Compact::read(from)?)
    };
    let request = RequestKey { platform, parent, operation, id: from.plain()?.into() };
    let content = Fingerprint::read(from)?;
    let name = shop.order(Id::kept(from.plain()?.into()));
    let paid: Option<(Amount, Currency)> = Compact::read(from)?;
    let place_time: Option<Instant> = Compact::read(from)?;
    let facts: Arc<Facts> = Compact::read(from)?;
    let asserted_by = RoleSet::read(from)?;
    let source_time = Instant::read(from)?;
    let sent_by: Text = Compact::read(from)?;
    let order = Order {
        name,
        paid,
        place_time,
        facts,
        asserted_by,
        source_time,
        update_time: at,
        caller: sent_by,
    };
    let (payee, purpose): (Text, Text) = (Compact::read(from)?, Compact::read(from)?);
    let facts: Named<Value> = Compact::read(from)?;
    let amount = Amount::read(from)?;
    let numbers: Vec<(Amount, Amount)> = Compact::read(from)?;
    let positions: Vec<Position> = Compact::read(from)?;
    let told = InShort {
        template,
        sequence,
        at,
        author: Author { caller, actor },
        id,
        request,
        content,
        order,
        payee,
        purpose,
        facts: Arc::new(facts),
        amount,
        numbers,
        positions,
        placed: Placed::default(),
    };
    let allowed = told.allowed();
    if !allowed.fits() {
        return Err(Unreadable("it does not fit its template"));
    }
    // A text may stand for many by its place: what nobody could send is not written out.
    if whole > ALL_AS_LONG && allowed.written_out() > MOST_WRITTEN_OUT {
        return Err(Unreadable("its facts are longer than they can be"));
    }
    drop(allowed);
    Ok(told)
}

/// It is not part of what is written.
impl Compact for Written {
    fn write<'a>(&'a self, _: &mut Writer<'a>) {}

    fn read(_: &mut Reader<'_>) -> Outcome<Self> {
        Ok(Self::default())
    }
}

shared!(Constants, FactSources);

fields! {
    Common {
        currency, hold, next_revision, sources, dimensions, limits, measures, parts, draws, written,
    }
    Part { of, shape, rolling, adds_amount, counts, on_return }
}

variants! {
    FactSource {
        0 Configured,
        1 Payee,
        2 Purpose,
        3 OrderId,
        4 OrderExists,
        5 OrderPaid,
        6 OrderPlaceTime,
        7 Order(key),
        8 Request(key),
    }
    Read {
        0 Nothing,
        1 Empty(window),
        2 Numbers(window),
    }
    PartOf {
        0 Meter(place),
        1 Order{rule, scope, window_start},
    }
    Over {
        0 Fact(index),
        1 IdOfShop(index),
    }
    Shape {
        0 Fixed,
        1 Rolling,
        2 ByAmount,
    }
    OnReturn {
        0 Keep,
        1 Restore,
    }
}

//! Keys as bytes whose order is the order of [`Key`]: what blocks are sorted
//! by. Hardly decoded, because a row knows its key; only that something is due is
//! all in its key.
//!
//! A tag per variant, then the parts in order. Texts end in `00 01` with `00`
//! inside written `00 ff`; numbers are big-endian; lists and options put a 1
//! before each element and a 0 at their end. The tags are on disk: a new
//! variant of [`Key`] goes to the end.

use super::{codec::Fields, runs::Filtered};
use crate::domain::{
    cell::Celled,
    freeze::Target,
    instant::Instant,
    key::Key,
    name::{Id, PayoutName, ProgrammeName},
    request::RequestKey,
    text::Text,
};

/// Tag of cells.
const CELL: u8 = 18;
/// Tag of what is due.
const DUE: u8 = 19;

/// Below every key as bytes, and above.
pub(super) const BEFORE_ALL: &[u8] = &[1];
pub(super) const AFTER_ALL: &[u8] = &[DUE + 1];

/// A key as bytes that sort as keys do.
pub fn encode_key(key: &Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    append_key(key, &mut bytes);
    bytes
}

/// The same behind other bytes.
pub(super) fn append_key(key: &Key, bytes: &mut Vec<u8>) {
    let mut out = Bytes(bytes);
    match key {
        Key::Platform(name) => out.tag(1).ids([&name.platform]),
        Key::Shop(name) => out.tag(2).ids([&name.platform, &name.shop]),
        Key::Operator(name) => out.tag(3).ids([&name.platform, &name.shop, &name.operator]),
        Key::Grant(name) => {
            out.tag(4).ids([&name.platform, &name.shop, &name.operator, &name.programme])
        }
        Key::Account(name) => out.tag(5).ids([&name.platform, &name.shop, &name.account]),
        Key::Balance(name) => out.tag(6).ids([&name.platform, &name.shop, &name.account]),
        Key::Movement(name, reference) => {
            out.tag(7).ids([&name.platform, &name.shop, &name.account]).text(reference)
        }
        Key::MovementNumber(name, number) => {
            out.tag(8).ids([&name.platform, &name.shop, &name.account]).long(*number)
        }
        Key::Order(name) => out.tag(9).ids([&name.platform, &name.shop, &name.order]),
        Key::Payout(name) => out.tag(10).ids([&name.platform, &name.shop, &name.payout]),
        Key::PayoutOfOrder(name, payout) => {
            out.tag(11).ids([&name.platform, &name.shop, &name.order, payout])
        }
        Key::Decision(name) => out.tag(12).ids([&name.platform, &name.shop, &name.decision]),
        Key::Request(key) => {
            let RequestKey { platform, parent, operation, id } = key;
            out.tag(13).ids([&platform.platform]).text(parent).text(operation).text(id)
        }
        Key::Programme(name) => out.tag(14).programme(name),
        Key::Revision(name) => out.tag(15).programme(&name.programme).short(name.number),
        Key::Freeze(name) => out.tag(16).ids([&name.platform, &name.freeze]),
        Key::Freezes(target) => out.tag(17).target(target),
        Key::Cell(key) => {
            let Celled { programme, scope, window_start } = &**key;
            out.tag(CELL).tag(key.is_of_an_order().into());
            out.programme(programme).list(scope).instant(*window_start)
        }
        Key::Due(at, name) => {
            out.tag(DUE).instant(Some(*at)).ids([&name.platform, &name.shop, &name.payout])
        }
    };
}

/// When something is due and for which payout, of a key as bytes. `None`: of another
/// kind, or of names that are no ids.
pub(super) fn due(key: &[u8]) -> Option<(Instant, PayoutName)> {
    let mut fields = Fields(key);
    if (fields.byte()?, fields.byte()?) != (DUE, 1) {
        return None;
    }
    let seconds = fields.long()? ^ (1 << 63);
    let at = Instant::from_parts(seconds.cast_signed(), fields.short()?.cast_signed())?;
    let mut id = || {
        let length = fields.0.iter().position(|byte| *byte == 0)?;
        let id = str::from_utf8(fields.bytes(length)?).ok()?;
        (fields.array()? == [0, 1]).then_some(())?;
        Id::parse(id)
    };
    let payout = PayoutName { platform: id()?, shop: id()?, payout: id()? };
    fields.0.is_empty().then_some((at, payout))
}

/// Whether a key as bytes is of a row in which the parts of payouts are added up:
/// [`Key::runs`].
pub(super) fn is_running(key: &[u8]) -> bool {
    matches!(key.first(), Some(&(6 | CELL)))
}

/// Whether a row is read in order, and hardly ever by its key as bytes: movements by
/// number, payouts of an order, and what is due.
pub(super) fn is_read_in_order(key: &[u8]) -> bool {
    matches!(key.first(), Some(&(8 | 11 | DUE)))
}

/// Whether a row is of a payout, or its request's, its decision's, or when something is
/// due for it, and is let go of with it.
pub(super) fn passes_with_its_payout(key: &[u8]) -> bool {
    matches!(key.first(), Some(&(10..=13 | DUE)))
}

/// Whether a row is a payout.
pub(super) fn is_payout(key: &[u8]) -> bool {
    key.first() == Some(&10)
}

/// Whether a row may be found without an entry (`implied.rs`): payouts of orders,
/// decisions, and meters of orders. None of them is ever deleted.
pub(super) fn may_be_implied(key: &[u8]) -> bool {
    matches!(key, [11 | 12, ..] | [CELL, 1, ..])
}

/// Whether a key as bytes goes into the filters of runs. Payouts and decisions are
/// many, and who asks for one knows that it is there, mostly while it is new. Orders,
/// their meters and requests are as many, and are asked for when they are nowhere:
/// orders and requests by every payout, meters by a start that makes rows again. If this
/// changes, so does the number of the form of runs.
pub(super) fn filtered(key: &[u8]) -> Filtered {
    match key {
        key if is_read_in_order(key) => Filtered::Never,
        [10 | 12, ..] => Filtered::InSmall,
        _ => Filtered::Always,
    }
}

/// The shortest start of `above` that is greater than `below`, for `below` <
/// `above`.
pub(super) fn separator<'a>(below: &[u8], above: &'a [u8]) -> &'a [u8] {
    let same = below.iter().zip(above).take_while(|(a, b)| a == b).count();
    above.get(..=same).unwrap_or(above)
}

struct Bytes<'a>(&'a mut Vec<u8>);

impl Bytes<'_> {
    fn tag(&mut self, tag: u8) -> &mut Self {
        self.0.push(tag);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        if bytes.contains(&0) {
            self.with_zeros(bytes);
        } else {
            self.0.extend_from_slice(bytes);
        }
        self.0.extend_from_slice(&[0, 1]);
        self
    }

    #[cold]
    fn with_zeros(&mut self, bytes: &[u8]) {
        for (number, part) in bytes.split(|byte| *byte == 0).enumerate() {
            if number > 0 {
                self.0.extend_from_slice(&[0, 0xff]);
            }
            self.0.extend_from_slice(part);
        }
    }

    fn ids<const N: usize>(&mut self, ids: [&Id; N]) -> &mut Self {
        for id in ids {
            self.text(id.as_str());
        }
        self
    }

    fn programme(&mut self, name: &ProgrammeName) -> &mut Self {
        self.ids([&name.platform, &name.programme])
    }

    fn target(&mut self, target: &Target) -> &mut Self {
        match target {
            Target::Shop(name) => self.tag(1).ids([&name.platform, &name.shop]),
            Target::Operator(name) => self.tag(2).ids([&name.platform, &name.shop, &name.operator]),
            Target::Account(name) => self.tag(3).ids([&name.platform, &name.shop, &name.account]),
        }
    }

    fn list(&mut self, texts: &[Text]) -> &mut Self {
        for text in texts {
            self.tag(1).text(text);
        }
        self.tag(0)
    }

    fn instant(&mut self, instant: Option<Instant>) -> &mut Self {
        let Some(instant) = instant else { return self.tag(0) };
        let (seconds, nanos) = instant.to_parts();
        // Flipping the sign bit puts negative numbers below positive ones;
        // nanoseconds are never negative.
        self.tag(1).long(seconds.cast_unsigned() ^ (1 << 63)).short(nanos.cast_unsigned())
    }

    fn long(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn short(&mut self, number: u32) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }
}

//! EventService: what happened, read from the journal.

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};

use super::{
    auth::{READ, require_role, require_shop, require_whole_platform},
    convert::{self, to_time},
    page::{self, MOST_BYTES},
    problems::Problems,
    receipt::{self, Style},
    render::fill,
    service::{Api, Language},
};
use crate::{
    domain::{
        change::{Change, Record},
        decision::Decision,
        event::{Event, EventKind},
        key::Key,
        name::{PayoutName, PlatformName, ShopName},
        payout::Payout,
        refusal::{Reason, Refusal},
        row::Row,
    },
    engine::View,
    proto::v1::{self, event::Kind, event_service_server::EventService},
};

/// Records looked through in one call at the most: a page may come back short,
/// with `more` set.
const MOST_RECORDS: usize = 20_000;
/// Records looked through in one go; decisions go on in between.
const CHUNK: usize = 1000;

/// What an event takes on a page beside its own bytes, at most.
const AROUND_AN_EVENT: usize = 6;

/// A place in the journal: behind event `index` of record `sequence`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cursor {
    sequence: u64,
    index: usize,
    /// Of what the record is, so that a place in another journal is not taken
    /// for one in this: a backup from before it was put back, say.
    check: u32,
}

impl Cursor {
    const START: Self = Self { sequence: 0, index: usize::MAX, check: 0 };

    /// Behind an event of a record.
    fn behind(record: &Record, index: usize) -> Self {
        let digest = Sha256::new()
            .chain_update(record.sequence.to_be_bytes())
            .chain_update(record.at.0.as_nanosecond().to_be_bytes())
            .chain_update(record.author.caller.as_bytes())
            .chain_update(record.operation.as_bytes())
            .finalize();
        let check = digest.first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
        Self { sequence: record.sequence, index, check }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::START);
        }
        let mut parts = text.strip_prefix('c')?.split('.');
        let (sequence, index, check) = (parts.next()?, parts.next()?, parts.next()?);
        let cursor = Self {
            sequence: sequence.parse().ok()?,
            index: index.parse().ok()?,
            check: u32::from_str_radix(check, 16).ok()?,
        };
        // Each has one spelling.
        (cursor.text() == text).then_some(cursor)
    }

    fn text(self) -> String {
        format!("c{}.{}.{:08x}", self.sequence, self.index, self.check)
    }

    /// That this journal has the place.
    fn known(self, view: &mut View<'_>) -> Result<(), Refusal> {
        let Some(before) = self.sequence.checked_sub(1) else { return Ok(()) };
        let records = view.records(before, 1)?;
        let is_here = records.first().is_some_and(|record| {
            let index = self.index == usize::MAX || self.index < record.events.len();
            index && Self::behind(record, self.index) == self
        });
        if is_here {
            return Ok(());
        }
        let message = "The journal does not have the place of the cursor.";
        Err(Refusal::new(Reason::PageTokenInvalid, message).at(
            "cursor",
            "Was the service restored from a backup? Begin with a cursor from before it, or with none.",
        ))
    }
}

/// Whose events are wanted.
#[derive(Clone)]
enum Parent {
    Platform(PlatformName),
    Shop(ShopName),
}

impl Parent {
    fn parse(text: &str) -> Option<Self> {
        PlatformName::parse(text)
            .map(Self::Platform)
            .or_else(|| ShopName::parse(text).map(Self::Shop))
    }

    fn wants(&self, event: &Event) -> bool {
        match (self, &event.shop) {
            (Self::Platform(platform), Some(shop)) => shop.platform == platform.platform,
            // What concerns no shop names its platform in its resource, or none.
            (Self::Platform(platform), None) => match &event.kind {
                EventKind::Configured(name) => {
                    let name: &str = name;
                    let platform = platform.to_string();
                    name == platform || name.starts_with(&format!("{platform}/"))
                }
                _ => true,
            },
            (Self::Shop(wanted), shop) => shop.as_ref() == Some(wanted),
        }
    }
}

fn kind(kind: &EventKind) -> Kind {
    match kind {
        EventKind::Configured(_) => Kind::Configured,
        EventKind::Decided(_) => Kind::Decided,
        EventKind::PayoutChanged { .. } => Kind::PayoutChanged,
        EventKind::Movement(_) => Kind::Movement,
        EventKind::Alert { .. } => Kind::Alert,
        EventKind::Freeze(_) => Kind::Freeze,
    }
}

#[tonic::async_trait]
impl EventService for Api {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let parent = convert::name(
            &request.parent,
            "parent",
            "platforms/* or platforms/*/shops/*",
            Parent::parse,
            &mut problems,
        );
        let cursor = Cursor::parse(&request.cursor);
        if cursor.is_none() {
            problems.add(
                Reason::PageTokenInvalid,
                "cursor",
                "Send the cursor of an event, or next_cursor.",
            );
        }
        let both = problems.finish(parent.zip(cursor))?;
        let (parent, cursor) = both;
        require_role(&caller, READ)?;
        match &parent {
            Parent::Platform(platform) => require_whole_platform(&caller, platform)?,
            Parent::Shop(shop) => require_shop(&caller, shop)?,
        }
        let kinds: Vec<Kind> =
            request.kinds.iter().filter_map(|k| Kind::try_from(*k).ok()).collect();
        let size = page::size(request.page_size);
        let wanted = Wanted { parent, kinds, language };
        let mut listing = Listing::after(cursor, size);
        for _ in 0..MOST_RECORDS / CHUNK {
            let wanted = wanted.clone();
            let read = move |view: &mut View<'_>| {
                exists(view, &wanted.parent)?;
                listing.from.known(view)?;
                listing.read(view, &wanted)?;
                Ok(listing)
            };
            listing = self.engine.read(read).await?;
            if listing.ended.is_some() {
                break;
            }
        }
        Ok(Response::new(listing.page()))
    }
}

fn exists(view: &mut View<'_>, parent: &Parent) -> Result<(), Refusal> {
    let (platform, shop) = match parent {
        Parent::Platform(platform) => (platform.clone(), None),
        Parent::Shop(shop) => (shop.platform(), Some(shop)),
    };
    if view.row(&Key::Platform(platform.clone()))?.is_none() {
        return Err(Refusal::new(
            Reason::PlatformNotFound,
            format!("There is no platform {platform}."),
        ));
    }
    if let Some(shop) = shop
        && view.row(&Key::Shop(shop.clone()))?.is_none()
    {
        return Err(Refusal::new(Reason::ShopNotFound, format!("There is no shop {shop}.")));
    }
    Ok(())
}

/// Which events are wanted, and in which language.
#[derive(Clone)]
struct Wanted {
    parent: Parent,
    kinds: Vec<Kind>,
    language: Language,
}

impl Wanted {
    fn has(&self, event: &Event) -> bool {
        self.parent.wants(event)
            && (self.kinds.is_empty() || self.kinds.contains(&kind(&event.kind)))
    }
}

/// Why a listing ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The page is full, and there is more.
    Page,
    /// The journal ends here.
    Journal,
}

/// A page that is being read.
#[derive(Debug)]
struct Listing {
    from: Cursor,
    size: usize,
    events: Vec<v1::Event>,
    /// What they take on the wire.
    bytes: usize,
    /// Where to go on.
    cursor: Cursor,
    /// The last record that was looked at.
    after: u64,
    ended: Option<End>,
}

impl Listing {
    fn after(from: Cursor, size: usize) -> Self {
        // The cursor's own record may have more events behind it.
        let after = from.sequence.saturating_sub(1);
        Self { from, size, events: Vec::new(), bytes: 0, cursor: from, after, ended: None }
    }

    /// Looks through some records.
    fn read(&mut self, view: &mut View<'_>, wanted: &Wanted) -> Result<(), Refusal> {
        let records = view.records(self.after, CHUNK)?;
        for record in &records {
            self.after = record.sequence;
            for (index, event) in record.events.iter().enumerate() {
                let seen = (record.sequence, index) <= (self.from.sequence, self.from.index);
                if seen {
                    continue;
                }
                let behind = Cursor::behind(record, index);
                if wanted.has(event) {
                    let event = to_event(view, record, event, behind, wanted.language)?;
                    if !self.push(event) {
                        return Ok(());
                    }
                }
                self.cursor = behind;
            }
        }
        // Records without a wanted event are behind the reader too.
        if let Some(last) = records.last().filter(|last| last.sequence >= self.from.sequence) {
            self.cursor = Cursor::behind(last, usize::MAX);
        }
        if records.len() < CHUNK {
            self.ended = Some(End::Journal);
        }
        Ok(())
    }

    /// Puts an event on the page, if there is room: for one there always is.
    fn push(&mut self, event: v1::Event) -> bool {
        let bytes = self.bytes + event.encoded_len() + AROUND_AN_EVENT;
        let too_large = bytes > MOST_BYTES && !self.events.is_empty();
        if self.events.len() == self.size || too_large {
            self.ended = Some(End::Page);
            return false;
        }
        self.bytes = bytes;
        self.events.push(event);
        true
    }

    fn page(self) -> v1::ListEventsResponse {
        v1::ListEventsResponse {
            events: self.events,
            next_cursor: self.cursor.text(),
            more: self.ended != Some(End::Journal),
        }
    }
}

fn to_event(
    view: &mut View<'_>,
    record: &Record,
    event: &Event,
    cursor: Cursor,
    language: Language,
) -> Result<v1::Event, Refusal> {
    let mut out = v1::Event {
        cursor: cursor.text(),
        kind: kind(&event.kind).into(),
        effect_time: Some(to_time(event.effect_time)),
        record_time: Some(to_time(record.at)),
        shop: event.shop.as_ref().map(ToString::to_string).unwrap_or_default(),
        caller: record.author.caller.to_string(),
        actor: record.author.actor.as_ref().map(ToString::to_string).unwrap_or_default(),
        operation: record.operation.to_string(),
        ..v1::Event::default()
    };
    match &event.kind {
        EventKind::Configured(name) | EventKind::Movement(name) | EventKind::Freeze(name) => {
            out.resource = name.to_string();
        }
        EventKind::Decided(name) => {
            out.resource = name.to_string();
            if let Some(decision) = decided(record, name) {
                out.receipt = receipt_of(view, record, decision, language);
            }
        }
        EventKind::PayoutChanged { payout, from, to } => {
            out.resource = payout.to_string();
            out.from_state = from.map_or(v1::PayoutState::Unspecified, receipt::state).into();
            out.to_state = receipt::state(*to).into();
        }
        EventKind::Alert { id, resource, severity, audience } => {
            out.resource = resource.to_string();
            out.alert = id.to_string();
            out.severity = receipt::severity(*severity).into();
            out.audience = audience.to_string();
            out.text = alert_text(view, record, id, resource, language)?;
        }
    }
    Ok(out)
}

/// The decision that a record put there.
fn decided<'a>(
    record: &'a Record,
    name: &crate::domain::name::DecisionName,
) -> Option<&'a Decision> {
    record.changes.iter().filter_map(Change::as_put).find_map(|row| match row {
        Row::Decision(decision) if decision.name == *name => Some(decision.as_ref()),
        _ => None,
    })
}

fn put_payout(record: &Record) -> Option<&Payout> {
    record.changes.iter().filter_map(Change::as_put).find_map(|row| match row {
        Row::Payout(payout) => Some(payout.as_ref()),
        _ => None,
    })
}

fn receipt_of(
    view: &View<'_>,
    record: &Record,
    decision: &Decision,
    language: Language,
) -> Option<v1::Receipt> {
    let policy = view.policy(&decision.revision)?;
    let style = Style { language, full: false };
    Some(receipt::of_decision(decision, put_payout(record), false, &policy, style, record.at))
}

/// The text of one of the policy's alerts. Bursar's own have none.
fn alert_text(
    view: &mut View<'_>,
    record: &Record,
    id: &str,
    resource: &str,
    language: Language,
) -> Result<String, Refusal> {
    let Some(name) = PayoutName::parse(resource) else { return Ok(String::new()) };
    let row;
    let payout = match put_payout(record) {
        Some(payout) => payout,
        None => {
            row = view.row(&Key::Payout(name))?;
            match row.as_deref() {
                Some(Row::Payout(payout)) => payout.as_ref(),
                _ => return Ok(String::new()),
            }
        }
    };
    let Some(policy) = view.policy(&payout.revision) else { return Ok(String::new()) };
    let Some(alert) = policy.alerts.iter().find(|a| &*a.id == id) else { return Ok(String::new()) };
    let reason = || {
        let text = policy.reason_text(payout.state, &payout.reason);
        text.map_or_else(|| payout.reason.to_string(), |t| t.get(language.tag()).to_owned())
    };
    Ok(fill(alert.text.get(language.tag()), |name| match name {
        "payout" => Some(payout.name.to_string()),
        "amount" => Some(payout.amount.text(policy.currency.decimals())),
        "unit" => Some(policy.currency.code().to_owned()),
        "reason" => Some(reason()),
        _ => None,
    }))
}

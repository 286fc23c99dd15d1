//! EventService: what happened, read from the journal.

use std::sync::Arc;

use prost::Message;
use tonic::{Request, Response, Status};

use super::{
    auth::{READ, require_role, require_shop, require_whole_platform},
    convert,
    convert_event::{kind, payout_of_alert, put_payout, to_event},
    cursor::Cursor,
    page::{self, MOST_BYTES},
    problems::Problems,
    service::{Api, Language},
};
use crate::{
    domain::{
        change::Record,
        event::{Event, EventKind},
        key::Key,
        name::{PlatformName, ShopName},
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
                    let row = payout_row(view, record, event)?;
                    let payout = match row.as_deref() {
                        Some(Row::Payout(payout)) => Some(payout.as_ref()),
                        _ => None,
                    };
                    let event = to_event(record, event, behind, wanted.language, &*view, payout);
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

/// The payout that an alert is about, where its record does not have it.
fn payout_row(
    view: &mut View<'_>,
    record: &Record,
    event: &Event,
) -> Result<Option<Arc<Row>>, Refusal> {
    match payout_of_alert(event) {
        Some(name) if put_payout(record).is_none() => view.row(&Key::Payout(name)),
        _ => Ok(None),
    }
}

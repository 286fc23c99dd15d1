//! What a command came to: changes, events, and an answer.

use super::reply::Reply;
use crate::domain::{
    allowed::Allowed,
    change::Change,
    event::{Event, EventKind},
    finding::Severity,
    instant::Instant,
    name::ShopName,
    refusal::Refusal,
};

/// What a command came to.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// What it changes, in order.
    pub changes: Vec<Change>,
    /// What it tells readers.
    pub events: Vec<Event>,
    /// What it answers.
    pub answer: Result<Reply, Refusal>,
}

/// What a command came to, as short as it can be told.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// Changes, events and an answer.
    Judged(Judgement),
    /// An authorization that every rule allowed, and the answer.
    Allowed(Box<Allowed<'a>>, Reply),
}

impl Judgement {
    /// An answer that changes nothing.
    pub fn only(answer: Result<Reply, Refusal>) -> Self {
        Self { changes: Vec::new(), events: Vec::new(), answer }
    }
}

/// Collects changes and events while a command is judged.
#[derive(Debug, Default)]
pub struct Out {
    /// What it changes.
    pub changes: Vec<Change>,
    /// What it tells readers.
    pub events: Vec<Event>,
}

impl Out {
    /// With room for so many changes and events.
    pub fn with_room(changes: usize, events: usize) -> Self {
        Self { changes: Vec::with_capacity(changes), events: Vec::with_capacity(events) }
    }

    /// With an answer.
    pub fn answer(self, answer: Result<Reply, Refusal>) -> Judgement {
        Judgement { changes: self.changes, events: self.events, answer }
    }

    /// Tells readers something.
    pub fn tell(&mut self, effect_time: Instant, shop: Option<ShopName>, kind: EventKind) {
        self.events.push(Event { effect_time, shop, kind });
    }

    /// Raises an alert of Bursar's own about a resource of a shop.
    pub fn alert(&mut self, at: Instant, shop: &ShopName, id: &str, resource: &str) {
        let kind = EventKind::Alert {
            id: id.into(),
            resource: resource.into(),
            severity: Severity::High,
            audience: "operations".into(),
        };
        self.tell(at, Some(shop.clone()), kind);
    }
}

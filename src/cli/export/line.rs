//! One line: a record, with the events that it told and the resources as it left
//! them.

use serde_json::{Map, Value};

use super::{
    books::Books,
    plain::plain,
    resource::{name_of, resource},
};
use crate::{
    api::{convert_event::to_event, cursor::Cursor, service::Language},
    domain::{
        change::{Change, Record},
        event::EventKind,
        row::Row,
    },
    proto::v1,
};

/// A record's line.
///
/// # Errors
/// Something that it needs is not in the journal.
pub(super) fn of(record: &Record, books: &Books, language: Language) -> Result<Value, String> {
    let mut line = Map::new();
    let mut set = |name: &str, value: Value| drop(line.insert(name.to_owned(), value));
    set("type", "record".into());
    set("sequence", record.sequence.into());
    set("record_time", record.at.to_string().into());
    set("operation", (*record.operation).into());
    set("caller", (*record.author.caller).into());
    if let Some(actor) = &record.author.actor {
        set("actor", actor.to_string().into());
    }
    let requests = record.changes.iter().filter_map(Change::as_put).find_map(|row| match row {
        Row::Request(request) => Some(request),
        _ => None,
    });
    if let Some(request) = requests {
        set("request_id", (*request.key.id).into());
        set("parent", (*request.key.parent).into());
    }
    let events = (0..record.events.len()).map(|index| event(record, index, books, language));
    set("events", Value::Array(events.collect::<Result<_, _>>()?));
    let mut resources = Vec::new();
    let mut gone = Vec::new();
    for change in &record.changes {
        match change {
            Change::Put(row) => resources.extend(resource(row, record, books, language)?),
            Change::Delete(key) => gone.extend(name_of(key).map(Value::String)),
            // What is added up of payouts and movements, which are there.
            Change::Meter(_) | Change::Balance(_) => {}
        }
    }
    set("resources", Value::Array(resources));
    if !gone.is_empty() {
        set("deleted", Value::Array(gone));
    }
    Ok(Value::Object(line))
}

/// An event, as `ListEvents` tells it.
fn event(
    record: &Record,
    index: usize,
    books: &Books,
    language: Language,
) -> Result<Value, String> {
    let Some(event) = record.events.get(index) else { return Ok(Value::Null) };
    let told = to_event(record, event, Cursor::behind(record, index), language, books, None);
    // What an event is about has to be there: a line says everything or there is
    // none. A new kind of event does not compile until that is said of it here.
    let (is_there, name) = match &event.kind {
        EventKind::Configured(name) | EventKind::Freeze(name) => (writes(record, name), &**name),
        EventKind::Decided(_) => (told.receipt.is_some(), &*told.resource),
        EventKind::PayoutChanged { .. } => (writes(record, &told.resource), &*told.resource),
        // Named by its account.
        EventKind::Movement(name) => (moves(record), &**name),
        // About anything, or nothing.
        EventKind::Alert { resource, .. } => (true, &**resource),
    };
    if is_there {
        plain::<v1::Event>(&told, "bursar.v1.Event")
    } else {
        Err(format!("record {} says that {name} changed, and does not say how", record.sequence))
    }
}

/// Whether a record makes a resource what it is, or takes it away.
fn writes(record: &Record, name: &str) -> bool {
    let mut names = record.changes.iter().filter_map(|change| name_of(&change.key()));
    names.any(|written| written == name)
}

fn moves(record: &Record) -> bool {
    let mut rows = record.changes.iter().filter_map(Change::as_put);
    rows.any(|row| matches!(row, Row::Movement(_)))
}

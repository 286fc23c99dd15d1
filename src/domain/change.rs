//! Changes and records: what the journal keeps, and the one way in which they
//! make rows. Live state, recovery and verification all go through `apply`.

use std::{collections::HashMap, sync::Arc};

use super::{
    account::BalanceChange, event::Event, instant::Instant, key::Key, meter::MeterChange, row::Row,
    text::Text, who::Author,
};

/// One change of state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A row as it is from now on.
    Put(Arc<Row>),
    /// A row that is gone.
    Delete(Key),
    /// A payout's part of a meter.
    Meter(MeterChange),
    /// The money on an account.
    Balance(BalanceChange),
}

impl Change {
    /// A row as it is from now on.
    pub fn put(row: Row) -> Self {
        Self::Put(Arc::new(row))
    }

    /// The row that it puts there.
    pub fn as_put(&self) -> Option<&Row> {
        if let Self::Put(row) = self { Some(row) } else { None }
    }

    /// The same, to be shared.
    pub fn as_shared(&self) -> Option<&Arc<Row>> {
        if let Self::Put(row) = self { Some(row) } else { None }
    }

    /// Whether it adds to what a row has, instead of writing or removing it whole.
    pub fn adds(&self) -> bool {
        matches!(self, Self::Meter(_) | Self::Balance(_))
    }

    /// Whether it adds to the row that another one adds to, as far as that can be
    /// told at once.
    pub fn is_in_row_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Meter(change), Self::Meter(other)) => change.key.cell == other.key.cell,
            _ => false,
        }
    }

    /// The row it changes.
    pub fn key(&self) -> Key {
        match self {
            Self::Put(row) => row.key(),
            Self::Delete(key) => key.clone(),
            Self::Meter(change) => Key::Cell(change.key.cell.clone()),
            Self::Balance(change) => Key::Balance(change.account.clone()),
        }
    }

    /// The row after it, from the row before it.
    pub fn apply(&self, row: Option<Arc<Row>>) -> Option<Arc<Row>> {
        match self {
            Self::Put(row) => Some(row.clone()),
            Self::Delete(_) => None,
            Self::Meter(change) => Some(change.step().apply(row)),
            Self::Balance(change) => Some(change.applied_to(row)),
        }
    }
}

/// Rows that follow from a change of a row: when something is due for a payout.
/// First what was due before and is not any more.
pub fn following(
    before: Option<&Row>,
    after: Option<&Row>,
) -> impl Iterator<Item = (Key, Option<Row>)> + use<> {
    let due = |row: Option<&Row>| match row {
        Some(Row::Payout(payout)) => payout.due.map(|at| (at, payout.name.clone())),
        _ => None,
    };
    let (before, after) = (due(before), due(after));
    let gone = before.clone().filter(|_| before != after);
    let new = after.filter(|after| before.as_ref() != Some(after));
    let gone = gone.map(|(at, payout)| (Key::Due(at, payout), None));
    gone.into_iter().chain(new.map(|(at, payout)| {
        let row = Row::Due(at, payout);
        (row.key(), Some(row))
    }))
}

/// A row as these changes made it: as the last of them wrote it whole, or else
/// all of them together of nothing.
pub fn made_by(changes: &[Change], is_it: impl Fn(&Key) -> bool) -> Option<Arc<Row>> {
    let whole = changes.iter().rev().filter_map(Change::as_shared).find_map(|row| {
        let key = row.key();
        if key.runs() {
            return None;
        }
        if is_it(&key) {
            return Some(row.clone());
        }
        let mut rows = following(None, Some(row));
        rows.find_map(|(key, row)| row.filter(|_| is_it(&key))).map(Arc::new)
    });
    whole.or_else(|| {
        let changes = changes.iter().filter(|change| is_it(&change.key()));
        changes.fold(None, |row, change| change.apply(row))
    })
}

/// Everything one operation did. The unit of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its place in the journal, from 1 without gaps.
    pub sequence: u64,
    /// When it was written; never before the record before it.
    pub at: Instant,
    /// Who did it.
    pub author: Author,
    /// What was called, or the id of the timer.
    pub operation: Text,
    /// What it changed, in order.
    pub changes: Vec<Change>,
    /// What it tells readers.
    pub events: Vec<Event>,
}

/// Rows by key.
pub type Rows = HashMap<Key, Option<Arc<Row>>, foldhash::fast::RandomState>;

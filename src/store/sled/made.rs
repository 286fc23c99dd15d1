//! Rows as a journal makes them, for who compares them with those that are served. Of a
//! row that one record wrote whole it keeps the record's number, as the store does. All
//! of them need not fit into memory: when there are too many, half of them are forgotten,
//! and whoever asks reads the journal again for the other half.

use std::{collections::BTreeMap, hash::BuildHasher, sync::Arc};

use foldhash::fast::FixedState;

use super::{
    damage::Damage,
    sort_key::{due, encode_key},
};
use crate::domain::{
    change::{Change, Record, following},
    instant::Instant,
    key::Key,
    row::Row,
    told::Told,
};

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Made {
    /// As it is.
    Row(Arc<Row>),
    /// As this record wrote it; of a payout, when something is due.
    At(u64, Option<Instant>),
}

/// Which rows: into how many parts they are cut, a power of two, and which of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    of: u64,
    number: u64,
}

impl Part {
    /// The first one; of all there is, until it is cut.
    pub(super) const FIRST: Self = Self { of: 1, number: 0 };

    /// The one after it.
    pub(super) fn next(self) -> Option<Self> {
        let number = self.number + 1;
        (number < self.of).then_some(Self { number, ..self })
    }

    /// How many there are, and how many came before it.
    pub(super) fn count(self) -> (u64, u64) {
        (self.of, self.number)
    }

    /// Whether a row is of it. What is due for a payout is where the payout is.
    pub(super) fn has(self, key: &Key) -> bool {
        if self.of == 1 {
            return true;
        }
        let bytes = match key {
            Key::Due(_, payout) => encode_key(&Key::Payout(payout.clone())),
            key => encode_key(key),
        };
        self.takes(&bytes)
    }

    /// The same of a key as bytes.
    pub(super) fn has_bytes(self, key: &[u8]) -> bool {
        match due(key) {
            Some((_, payout)) => self.takes(&encode_key(&Key::Payout(payout))),
            None => self.takes(key),
        }
    }

    fn takes(self, key: &[u8]) -> bool {
        FixedState::default().hash_one(key) % self.of == self.number
    }
}

/// The rows of a part.
#[derive(Debug)]
pub(super) struct MadeRows {
    pub(super) part: Part,
    pub(super) rows: BTreeMap<Key, Made>,
    /// Most of them.
    most: usize,
}

impl MadeRows {
    /// None yet. The first part is cut when there are more than so many.
    pub(super) fn new(part: Part, most: usize) -> Self {
        Self { part, rows: BTreeMap::new(), most }
    }

    /// Takes a row that is kept of records that are no more.
    pub(super) fn keep(&mut self, row: Row) {
        self.put(row.key(), Some(Made::Row(Arc::new(row))));
    }

    /// Takes a record.
    ///
    /// # Errors
    /// If rows that are made of it one by one are others than those of it as a whole.
    pub(super) fn take(&mut self, told: &Told, record: &Record) -> Result<(), Damage> {
        for change in &record.changes {
            let key = change.key();
            if self.part.has(&key) {
                self.apply(key, change, record.sequence);
            }
        }
        // Once for all parts.
        if self.part.number == 0 && matches!(told, Told::InShort(_)) {
            self.check(told, record)?;
        }
        Ok(())
    }

    fn apply(&mut self, key: Key, change: &Change, sequence: u64) {
        let before = self.rows.remove(&key);
        if let (Key::Payout(name), Some(at)) = (&key, before.as_ref().and_then(due_of)) {
            self.rows.remove(&Key::Due(at, name.clone()));
        }
        let after = match change {
            Change::Delete(_) => None,
            Change::Put(row) if key.passes() => {
                let at = if let Row::Payout(payout) = &**row { payout.due } else { None };
                if let (Key::Payout(name), Some(at)) = (&key, at) {
                    self.put(Key::Due(at, name.clone()), Some(Made::At(sequence, None)));
                }
                Some(Made::At(sequence, at))
            }
            change => {
                let before = before.and_then(|made| match made {
                    Made::Row(row) => Some(row),
                    // What adds up is always as it is.
                    Made::At(..) => None,
                });
                change.apply(before).map(Made::Row)
            }
        };
        self.put(key, after);
    }

    fn put(&mut self, key: Key, made: Option<Made>) {
        let Some(made) = made.filter(|_| self.part.has(&key)) else { return };
        self.rows.insert(key, made);
        while self.rows.len() > self.most && self.part.number == 0 {
            self.part.of *= 2;
            let part = self.part;
            self.rows.retain(|key, _| part.has(key));
        }
    }

    /// Whether the rows that a record in short makes one by one are those of the whole.
    fn check(&self, told: &Told, record: &Record) -> Result<(), Damage> {
        let puts = record.changes.iter().filter_map(Change::as_shared);
        for row in puts.filter(|row| row.key().passes()) {
            let due = following(None, Some(row)).filter_map(|(_, due)| due).map(Arc::new);
            for row in due.chain([row.clone()]) {
                let key = row.key();
                let alone = told.row(|it| *it == key).map_err(Damage::misfit(record.sequence))?;
                if alone.as_ref() != Some(&row) {
                    return Err(Damage::Row { key: format!("{key:?}") });
                }
            }
        }
        Ok(())
    }
}

/// When something is due for a payout.
fn due_of(made: &Made) -> Option<Instant> {
    match made {
        Made::At(_, due) => *due,
        Made::Row(row) => match &**row {
            Row::Payout(payout) => payout.due,
            _ => None,
        },
    }
}

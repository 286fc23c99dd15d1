//! Rows by key, each in a place that stays its own for as long as it is held: who
//! comes back to the same rows finds them by their places, without their keys.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use slab::Slab;

use crate::domain::{key::Key, row::Row};

/// A row, and what the store does not know of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: Key,
    pub row: Option<Arc<Row>>,
    /// The last record that changed it since the store had it.
    pub changed: Option<u64>,
    /// Nobody had it before.
    pub is_new: bool,
    /// The record that changed it last is the only one that ever did, and only
    /// added to it.
    pub alone: bool,
}

impl Entry {
    /// A row as the store has it.
    pub fn new(key: Key, row: Option<Arc<Row>>) -> Self {
        let is_new = row.is_none();
        Self { key, row, changed: None, is_new, alone: false }
    }

    /// Takes note that a record changed it; `adds`: it only added to it. Whether that is
    /// the first since the store had it.
    pub fn change(&mut self, sequence: u64, adds: bool) -> bool {
        let last = self.changed.replace(sequence);
        let alone = match last {
            Some(last) => self.alone && last == sequence,
            None => self.is_new,
        };
        self.alone = alone && adds;
        last.is_none()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Held {
    places: HashMap<Key, usize, RandomState>,
    entries: Slab<Entry>,
}

impl Held {
    /// With room for so many.
    pub fn with_room(rows: usize) -> Self {
        Self {
            places: HashMap::with_capacity_and_hasher(rows, RandomState::default()),
            entries: Slab::with_capacity(rows),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The row under a key.
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.at(self.place(key)?)
    }

    /// Where the row under a key is.
    pub fn place(&self, key: &Key) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// The row in a place.
    pub fn at(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, place: usize) -> Option<&mut Entry> {
        self.entries.get_mut(place)
    }

    /// Holds a row that is not here, and says where.
    pub fn insert(&mut self, entry: Entry) -> usize {
        let key = entry.key.clone();
        let place = self.entries.insert(entry);
        let before = self.places.insert(key, place);
        debug_assert!(before.is_none(), "a row is held once");
        place
    }

    /// Lets go of the row under a key.
    pub fn remove(&mut self, key: &Key) -> Option<Entry> {
        let place = self.places.remove(key)?;
        self.entries.try_remove(place)
    }

    /// Lets go of the row in a place.
    pub fn remove_at(&mut self, place: usize) -> Option<Entry> {
        let entry = self.entries.try_remove(place)?;
        self.places.remove(&entry.key);
        Some(entry)
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        self.places.clear();
        self.entries.clear();
    }
}

/// Where the rows are held that one operator's payouts come back to, in an order that
/// whoever took them knows.
#[derive(Debug)]
pub struct Seats {
    /// How often rows had moved.
    pub(super) moves: u64,
    pub(super) places: Box<[usize]>,
}

//! Rows that changed and are not at rest yet. Rows that one record made are kept
//! as its number, because the journal has them already: those of payouts and of
//! what belongs to one, which are written whole, and meters and balances that
//! nobody had before and that no other record changed. Others as they are.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::RandomState;

use crate::domain::{
    change::{Change, following},
    key::Key,
    row::Row,
};

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    /// As it is.
    Row(Arc<Row>),
    /// As this record made it.
    At(u64),
    /// It was deleted.
    Gone,
}

impl Slot {
    /// A row that records changed, this one last; `alone`: this one alone, see
    /// [`Changed`](crate::store::Changed).
    pub(super) fn new(key: &Key, row: Option<Arc<Row>>, sequence: u64, alone: bool) -> Self {
        match row {
            None => Self::Gone,
            // The record that made it is all that is kept of it.
            Some(_) if alone || key.passes() => Self::At(sequence),
            Some(row) => Self::Row(row),
        }
    }
}

/// A row as these changes made it: as the last of them wrote it whole, or else
/// all of them together of nothing.
pub(super) fn made_by(changes: &[Change], is_it: impl Fn(&Key) -> bool) -> Option<Arc<Row>> {
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

/// Rows by key.
#[derive(Debug, Default)]
pub(super) struct Layer {
    slots: HashMap<Key, Slot, RandomState>,
    order: Mutex<Order>,
}

/// The keys in order, as far as somebody asked for it.
#[derive(Debug, Default)]
pub(super) struct Order {
    sorted: BTreeSet<Key>,
    new: Vec<Key>,
}

impl Order {
    /// The keys of a range.
    pub(super) fn range(&self, range: Range<Key>) -> impl DoubleEndedIterator<Item = &Key> {
        self.sorted.range(range)
    }
}

impl Layer {
    /// An empty one with room for so many rows: making room later takes as long as
    /// judging a thousand payouts.
    pub(super) fn with_room(rows: usize) -> Self {
        let slots = HashMap::with_capacity_and_hasher(rows, RandomState::default());
        let new = Vec::with_capacity(rows);
        Self { slots, order: Mutex::new(Order { new, ..Order::default() }) }
    }

    /// Forgets all rows and keeps the room.
    pub(super) fn clear(&mut self) {
        let order = self.order.get_mut().unwrap_or_else(PoisonError::into_inner);
        order.sorted.clear();
        order.new.clear();
        self.slots.clear();
    }

    /// What is known of a row.
    pub(super) fn get(&self, key: &Key) -> Option<&Slot> {
        self.slots.get(key)
    }

    /// Keeps a row.
    pub(super) fn put(&mut self, key: Key, slot: Slot) {
        match self.slots.entry(key) {
            Entry::Occupied(mut place) => drop(place.insert(slot)),
            Entry::Vacant(place) => {
                let order = self.order.get_mut().unwrap_or_else(PoisonError::into_inner);
                order.new.push(place.key().clone());
                place.insert(slot);
            }
        }
    }

    /// The keys in order.
    pub(super) fn order(&self) -> MutexGuard<'_, Order> {
        // Sorting does not panic; a set of keys is whole at any time.
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let new = std::mem::take(&mut order.new);
        order.sorted.extend(new);
        order
    }

    /// All rows, in no order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Key, &Slot)> {
        self.slots.iter()
    }
}

//! Rows in memory: all that decisions read often, and what changed since the
//! last checkpoint. Remembers deletions until a checkpoint wrote them.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Range},
    ops::Bound,
    sync::Arc,
};

use super::sort_key::SortKey;
use crate::domain::row::Row;

/// A row in memory, or that it was deleted.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The row.
    pub(super) row: Option<Arc<Row>>,
    /// The last record that was applied to it.
    pub(super) sequence: u64,
}

/// The rows in memory.
#[derive(Debug, Default)]
pub(super) struct Hot {
    rows: BTreeMap<SortKey, Slot>,
    changed: BTreeSet<SortKey>,
}

impl Hot {
    /// What is known of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Slot> {
        self.rows.get(key)
    }

    /// A row as a record left it.
    pub(super) fn change(&mut self, key: SortKey, slot: Slot) {
        self.changed.insert(key.clone());
        self.rows.insert(key, slot);
    }

    /// A row as a checkpoint has it.
    pub(super) fn put_back(&mut self, key: SortKey, slot: Slot) {
        self.rows.insert(key, slot);
    }

    /// What is known of a range of keys.
    pub(super) fn range<'a>(&'a self, from: &[u8], to: &[u8]) -> Range<'a, SortKey, Slot> {
        self.rows.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
    }

    /// What changed since the last checkpoint, in order.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&SortKey, &Slot)> {
        self.changed.iter().filter_map(|key| self.rows.get_key_value(key))
    }

    /// A checkpoint has written all changes: forgets deletions and rows that
    /// are read rarely.
    pub(super) fn settle(&mut self) {
        for key in std::mem::take(&mut self.changed) {
            if self.rows.get(&key).is_some_and(|slot| slot.row.as_deref().is_none_or(is_cold)) {
                self.rows.remove(&key);
            }
        }
    }
}

/// Whether a row is read rarely: blocks have it, memory need not.
pub(super) fn is_cold(row: &Row) -> bool {
    match row {
        Row::Payout(payout) => payout.state.is_final(),
        Row::Movement(_)
        | Row::MovementNumber(..)
        | Row::Order(_)
        | Row::PayoutOfOrder(..)
        | Row::Decision(_)
        | Row::Request(_) => true,
        Row::Platform(_)
        | Row::Shop(_)
        | Row::Operator(_)
        | Row::Grant(_)
        | Row::Account(_)
        | Row::Balance(_)
        | Row::Programme(_)
        | Row::Revision(_)
        | Row::Freeze(_)
        | Row::Freezes(_)
        | Row::Meter(..)
        | Row::Due(..) => false,
    }
}

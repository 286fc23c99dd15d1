//! Which meters and balances at rest lack a record that the other rows at rest have.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{damage::Damage, layer::Slot, rows::Rows};
use crate::domain::{
    change::{Change, Record},
    key::Key,
};

/// What is known of them while records are applied in order.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// The last record that one at rest has, where that is still to come. Reading it again
    /// for each record before would take longer than everything else.
    ahead: HashMap<Key, u64, RandomState>,
}

impl Behind {
    /// Of the rows that a record changed, the meters and balances that are as they were
    /// before it.
    pub(super) fn keys(&mut self, rows: &Rows, record: &Record) -> Result<Vec<Key>, Damage> {
        let mut behind: Vec<Key> = Vec::new();
        for key in record.changes.iter().map(Change::key).filter(Key::runs_on) {
            if behind.last() != Some(&key) && self.lacks(&key, rows, record.sequence)? {
                behind.push(key);
            }
        }
        Ok(behind)
    }

    fn lacks(&mut self, key: &Key, rows: &Rows, sequence: u64) -> Result<bool, Damage> {
        match self.ahead.get(key) {
            Some(last) if *last >= sequence => return Ok(false),
            Some(_) => drop(self.ahead.remove(key)),
            None => {}
        }
        let last = match rows.find(key)? {
            Slot::Gone => 0,
            Slot::At(last) | Slot::If(last) | Slot::Row(_, last) | Slot::Order { at: last, .. } => {
                last
            }
        };
        if last > sequence {
            self.ahead.insert(key.clone(), last);
        }
        Ok(last < sequence)
    }
}

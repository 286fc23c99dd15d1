//! Counts what passes by while a journal is copied. Every record is decoded for
//! it: one that cannot be read is found when it is copied, not when it is needed.

use std::collections::BTreeSet;

use crate::domain::{
    change::{Change, Record},
    instant::Instant,
    row::Row,
};

/// What passed by.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) platforms: BTreeSet<String>,
    pub(super) decisions: u64,
    pub(super) payouts: u64,
    pub(super) last: Option<Instant>,
}

impl Survey {
    /// Counts a record.
    pub(super) fn take(&mut self, record: &Record) {
        self.last = Some(record.at);
        for row in record.changes.iter().filter_map(Change::as_put) {
            match row {
                Row::Platform(platform) => {
                    self.platforms.insert(platform.name.to_string());
                }
                Row::Decision(decision) => {
                    self.decisions += 1;
                    self.payouts += u64::from(decision.payout.is_some());
                }
                _ => {}
            }
        }
    }
}

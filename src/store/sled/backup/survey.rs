//! Counts what passes by while a journal is copied. Every record is read for it: one
//! that cannot be read is found when it is copied, not when it is needed. One in short
//! is not made at length.

use std::collections::BTreeSet;

use crate::domain::{
    change::{Change, Record},
    instant::Instant,
    row::Row,
    told::Told,
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
    pub(super) fn take(&mut self, record: &Told) {
        match record {
            Told::AtLength(record) => self.take_at_length(record),
            Told::InShort(told) => {
                self.last = Some(told.at);
                // What was allowed has a payout.
                self.decisions += 1;
                self.payouts += 1;
            }
        }
    }

    fn take_at_length(&mut self, record: &Record) {
        self.last = Some(record.at);
        record.changes.iter().filter_map(Change::as_put).for_each(|row| self.keep(row));
    }

    /// Counts a row that is kept of records that are no more, or that a record wrote.
    pub(super) fn keep(&mut self, row: &Row) {
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

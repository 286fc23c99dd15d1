//! How a store is kept.

use std::{sync::Arc, time::Duration};

use super::{
    runs,
    sort_key::filtered,
    sync::{Disk, RealDisk},
};

/// Meters and balances that are taken with a record when they wait for long. A payout
/// changes about five.
const RUNNING_WITH_A_RECORD: usize = 12;
/// Checkpoints after which they wait for long.
const RUNNING_CHECKPOINTS: u64 = 4;
/// Most of them that wait: a start applies again what they lack, and the engine keeps
/// them in memory.
const MOST_RUNNING: usize = 65_536;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records after which a checkpoint is written.
    pub checkpoint_records: u64,
    /// Bytes from which on a file of the journal is followed by another.
    pub segment_bytes: u64,
    /// Records from which on `tidy` writes a checkpoint: below, replaying them
    /// costs less than writing it.
    pub tidy_records: u64,
    /// Bytes of the journal that a start reads through at most before it serves,
    /// besides what rows at rest do not have. What is older is read through while it
    /// serves, and damage there ends the serving.
    pub checked_bytes: u64,
    /// How far the fence may be behind while commits come in.
    pub fence_every: Duration,
    /// What makes data durable.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checkpoint_records: 20_000,
            segment_bytes: 64 * 1024 * 1024,
            tidy_records: 1000,
            checked_bytes: 256 * 1024 * 1024,
            fence_every: Duration::from_millis(100),
            disk: Arc::new(RealDisk),
        }
    }
}

impl Options {
    /// How many meters and balances are taken with a record, where so many wait and the
    /// one that waits longest was changed so many records ago.
    pub(super) fn takes_running(&self, waiting: usize, records: u64) -> usize {
        let is_long = records >= self.checkpoint_records.saturating_mul(RUNNING_CHECKPOINTS);
        let old = if is_long { RUNNING_WITH_A_RECORD } else { 0 };
        waiting.saturating_sub(MOST_RUNNING).max(old)
    }

    /// How rows at rest are kept.
    pub(super) fn of_runs(&self) -> runs::Options {
        let (disk, filtered) = (self.disk.clone(), filtered as _);
        runs::Options { disk, filtered, ..runs::Options::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_and_balances_are_taken_when_they_wait_long_or_are_many() {
        let options = Options { checkpoint_records: 100, ..Options::default() };
        assert_eq!(options.takes_running(MOST_RUNNING, 399), 0);
        assert_eq!(options.takes_running(MOST_RUNNING, 400), RUNNING_WITH_A_RECORD);
        assert_eq!(options.takes_running(MOST_RUNNING + 5, 0), 5);
        assert_eq!(options.takes_running(MOST_RUNNING + 5, 400), RUNNING_WITH_A_RECORD);
        assert_eq!(options.takes_running(MOST_RUNNING + 50, 400), 50);
        let never = Options { checkpoint_records: u64::MAX, ..options };
        assert_eq!(never.takes_running(9, u64::MAX - 1), 0);
    }
}

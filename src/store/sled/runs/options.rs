//! How runs are kept.

use std::sync::Arc;

use super::{
    super::sync::{Disk, RealDisk},
    pace::Pace,
};

/// Whether a key goes into the filters of runs. Where it does not, `get` reads a
/// block of each run until it is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filtered {
    /// It is nearly always read in order, with its neighbours.
    Never,
    /// Unless the run is a large one: it is asked for when it is there, and mostly
    /// while it is new.
    InSmall,
    /// It is asked for when no run may have it.
    Always,
}

/// How many keys of a run go into filters.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Counts {
    /// Of those that always do.
    pub(super) always: u64,
    /// Of those that do unless the run is a large one.
    pub(super) small: u64,
}

impl Counts {
    /// Counts a key.
    pub(super) fn add(&mut self, filtered: Filtered) {
        match filtered {
            Filtered::Never => {}
            Filtered::InSmall => self.small += 1,
            Filtered::Always => self.always += 1,
        }
    }

    /// How many are in the filter of a run.
    pub(super) fn of(self, is_large: bool) -> u64 {
        if is_large { self.always } else { self.always.saturating_add(self.small) }
    }
}

impl Filtered {
    /// Whether the key is in the filter of a run that has it.
    pub(super) fn is_in(self, is_large: bool) -> bool {
        match self {
            Self::Never => false,
            Self::InSmall => !is_large,
            Self::Always => true,
        }
    }
}

/// How runs are kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many runs of one level are merged into one of the next: at least 2.
    pub fan_in: usize,
    /// From how many entries on a run is a large one: there are few of those, and
    /// most of all entries are in them.
    pub large: u64,
    /// Bytes of blocks kept in memory, of all runs together.
    pub cache_bytes: u64,
    /// Frozen tables that may be on their way to rest: at least 1.
    pub in_flight: usize,
    /// Which keys go into the filters of runs. Always the same for a directory.
    pub filtered: fn(&[u8]) -> Filtered,
    /// How fast the background thread writes while nobody waits for it.
    pub pace: Pace,
    /// Makes data durable.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fan_in: 8,
            large: 4_000_000,
            cache_bytes: 32 * 1024 * 1024,
            in_flight: 2,
            filtered: |_| Filtered::Always,
            pace: Pace::default(),
            disk: Arc::new(RealDisk),
        }
    }
}

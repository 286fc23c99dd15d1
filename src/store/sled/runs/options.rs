//! How runs are kept.

use std::{fmt, sync::Arc};

use super::super::sync::{Disk, RealDisk};

type Predicate = dyn Fn(&[u8], &[u8]) -> bool + Send + Sync;

/// Whether an entry, a key and its value, is still wanted. Asked when runs are
/// merged, by the thread that does it: an entry that is not wanted may be seen
/// until then, and never again after it.
#[derive(Clone)]
pub struct Keep(Arc<Predicate>);

impl Keep {
    /// Asks this.
    pub fn new(keep: impl Fn(&[u8], &[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(keep))
    }

    pub(super) fn wants(&self, key: &[u8], value: &[u8]) -> bool {
        (self.0)(key, value)
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keep")
    }
}

/// How runs are kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many runs of one level are merged into one of the next: at least 2.
    pub fan_in: usize,
    /// Bytes of blocks kept in memory, of all runs together.
    pub cache_bytes: u64,
    /// Frozen tables that may be on their way to rest: at least 1.
    pub in_flight: usize,
    /// What merging lets go of, beside what was deleted or replaced.
    pub keep: Keep,
    /// Makes data durable.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fan_in: 8,
            cache_bytes: 32 * 1024 * 1024,
            in_flight: 2,
            keep: Keep::new(|_, _| true),
            disk: Arc::new(RealDisk),
        }
    }
}

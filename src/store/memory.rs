//! The reference store: everything in memory, nothing durable beyond the
//! process. What the other stores must agree with.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Changed, Commit, Scan, Store, StoreError, Tip};
use crate::domain::{change::Record, key::Key, row::Row};

#[derive(Debug, Default)]
struct Inner {
    rows: BTreeMap<Key, Arc<Row>>,
    records: Vec<Arc<Record>>,
}

/// Rows and records in memory. Clones share them, so that a service can be
/// stopped and started on the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store of its own with the same rows and records.
    #[must_use]
    pub fn fork(&self) -> Self {
        let inner = self.lock();
        let copy = Inner { rows: inner.rows.clone(), records: inner.records.clone() };
        Self { inner: Arc::new(Mutex::new(copy)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while committing leaves nothing half done: rows and records
        // are only changed by the infallible end of `commit`.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn tip(&self) -> Tip {
        self.records.last().map_or(Tip::EMPTY, |r| Tip { sequence: r.sequence, at: r.at })
    }
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        Ok(self.lock().tip())
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
        let inner = self.lock();
        Ok(keys.iter().map(|key| inner.rows.get(key).cloned()).collect())
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let mut expected = inner.tip().sequence;
        for record in &commit.records {
            expected += 1;
            if record.sequence != expected {
                return Err(StoreError::Conflict);
            }
        }
        inner.records.extend(commit.records.into_iter().map(Arc::new));
        for Changed { key, row, .. } in commit.rows {
            match row {
                Some(row) => inner.rows.insert(key, row),
                None => inner.rows.remove(&key),
            };
        }
        Ok(())
    }

    /// Clones have the same rows.
    fn is_shared(&self) -> bool {
        true
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        if scan.from >= scan.to {
            return Ok(Vec::new());
        }
        let inner = self.lock();
        let range =
            inner.rows.range(scan.from.clone()..scan.to.clone()).map(|(_, row)| row.clone());
        Ok(if scan.reverse {
            range.rev().take(scan.limit).collect()
        } else {
            range.take(scan.limit).collect()
        })
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        let inner = self.lock();
        let from = inner.records.partition_point(|record| record.sequence <= after);
        Ok(inner.records.iter().skip(from).take(limit).cloned().collect())
    }
}

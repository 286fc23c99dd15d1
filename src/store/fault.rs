//! A store for tests of what drives stores: it serves only what was asked for,
//! and commits conflict by a schedule.

use std::{collections::HashSet, sync::Arc};

use super::{Commit, Scan, Store, StoreError, Tip};
use crate::domain::{
    change::{Record, Rows},
    key::Key,
    row::Row,
};

/// Most loads between a `begin` and its `commit`.
const MAX_LOADS: usize = 2;

/// Wraps a store. Fatal when a commit changes a row that was not loaded since
/// `begin`, or after more than two loads: both are defects of the caller.
#[derive(Debug)]
pub struct FaultStore<S> {
    store: S,
    loaded: HashSet<Key>,
    loads: usize,
    commits: u64,
    conflicts: fn(u64) -> bool,
}

impl<S: Store> FaultStore<S> {
    /// Over a store. The nth commit, counted from 0, conflicts if `conflicts`
    /// says so; its records are not written.
    pub fn new(store: S, conflicts: fn(u64) -> bool) -> Self {
        Self { store, loaded: HashSet::new(), loads: 0, commits: 0, conflicts }
    }

    /// Commits so far, those that conflicted too.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// The store inside.
    pub fn into_inner(self) -> S {
        self.store
    }
}

impl<S: Store> Store for FaultStore<S> {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        self.loaded.clear();
        self.loads = 0;
        self.store.begin()
    }

    fn load(&mut self, keys: &[Key]) -> Result<Rows, StoreError> {
        self.loads += 1;
        let mut rows = self.store.load(keys)?;
        rows.retain(|key, _| keys.contains(key));
        self.loaded.extend(keys.iter().cloned());
        Ok(rows)
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        let turn = self.commits;
        self.commits += 1;
        if self.loads > MAX_LOADS {
            return Err(StoreError::Fatal(format!("{} loads for one commit", self.loads)));
        }
        if let Some((key, _)) = commit.rows.iter().find(|(key, _)| !self.loaded.contains(key)) {
            return Err(StoreError::Fatal(format!("{key:?} is written and was not loaded")));
        }
        if (self.conflicts)(turn) { Err(StoreError::Conflict) } else { self.store.commit(commit) }
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        self.store.scan(scan)
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.store.records(after, limit)
    }

    fn open_payouts(&mut self) -> Result<Vec<Arc<Row>>, StoreError> {
        self.store.open_payouts()
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        self.store.tidy()
    }
}

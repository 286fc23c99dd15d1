//! A store for tests of what drives stores: it serves only what was asked for,
//! and commits conflict by a schedule.

use std::{collections::HashSet, sync::Arc};

use super::{Commit, Scan, Store, StoreError, Tip};
use crate::domain::{
    change::{Change, Record, Rows},
    key::Key,
    row::Row,
};

/// Wraps a store. Fatal when a commit changes a meter or balance that was not
/// loaded since `begin`: what it changes from was made up then, a defect of the
/// caller. Whole rows may be put unseen.
#[derive(Debug)]
pub struct FaultStore<S> {
    store: S,
    loaded: HashSet<Key>,
    loads: usize,
    most_loads: usize,
    commits: u64,
    conflicts: fn(u64) -> bool,
}

impl<S: Store> FaultStore<S> {
    /// Over a store. The nth commit, counted from 0, conflicts if `conflicts`
    /// says so; its records are not written.
    pub fn new(store: S, conflicts: fn(u64) -> bool) -> Self {
        Self { store, loaded: HashSet::new(), loads: 0, most_loads: 0, commits: 0, conflicts }
    }

    /// Commits so far, those that conflicted too.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// The most loads that one commit took.
    pub fn most_loads(&self) -> usize {
        self.most_loads
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
        self.most_loads = self.most_loads.max(self.loads);
        let changes = commit.records.iter().flat_map(|record| &record.changes);
        let partial = changes.filter(|c| matches!(c, Change::Meter(_) | Change::Balance(_)));
        if let Some(key) = partial.map(Change::key).find(|key| !self.loaded.contains(key)) {
            return Err(StoreError::Fatal(format!("{key:?} is changed and was not loaded")));
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

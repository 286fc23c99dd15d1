//! The store seam: load rows, commit records, list. Stores never judge.
//!
//! One writer drives a store: `begin`, two `load`s, then `commit`. A command
//! whose rows depend on what a command before it in the same batch changed (a
//! revision that was activated, an order that came along) loads once more: its
//! rows cannot be known before.
//!
//! `commit` is atomic; it is durable when [`Store::when_durable`] says so, and
//! nothing is told to anybody before. The same suite (`tests/store`) runs
//! against every store.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

use crate::domain::{
    allowed::Allowed,
    change::{Record, following},
    instant::Instant,
    key::Key,
    row::Row,
};

pub mod fault;
pub mod memory;
pub mod sled;

/// Why a store could not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else changed a row that was loaded. Nothing was committed;
    /// begin again.
    #[error("a row that was loaded has changed since")]
    Conflict,
    /// The store cannot be relied on any more; the service must stop answering.
    #[error("{0}")]
    Fatal(String),
}

/// Everything a batch did, made durable together.
#[derive(Debug, Default)]
pub struct Commit {
    /// What the journal keeps, in sequence.
    pub records: Vec<Record>,
    /// The rows that the records changed, and those that follow from them, as
    /// they are after them, each once.
    pub rows: Vec<Changed>,
    /// The first record whose change of a meter or balance is neither in `rows` nor in
    /// those of a commit before. `None`: all are.
    pub lacks: Option<u64>,
}

/// A row that records changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Its key.
    pub key: Key,
    /// As it is now. `None`: it is gone.
    pub row: Option<Arc<Row>>,
    /// The last record that changed it.
    pub sequence: u64,
    /// Whether that record alone makes it, of nothing: nobody had it before, and
    /// all that changed it are changes of that record that add to it.
    pub alone: bool,
}

impl Commit {
    /// Records with the rows that they make of others. `before` gives a row as
    /// it was.
    pub fn of(records: Vec<Record>, mut before: impl FnMut(&Key) -> Option<Arc<Row>>) -> Self {
        let mut rows: BTreeMap<Key, Changed> = BTreeMap::new();
        for record in &records {
            for change in &record.changes {
                let key = change.key();
                let sequence = record.sequence;
                let (row, alone) = match rows.remove(&key) {
                    Some(Changed { row, sequence: last, alone, .. }) => {
                        (row, alone && last == sequence)
                    }
                    None => {
                        let row = before(&key);
                        let is_new = row.is_none();
                        (row, is_new)
                    }
                };
                let after = change.apply(row.clone());
                for (key, row) in following(row.as_deref(), after.as_deref()) {
                    let row = row.map(Arc::new);
                    rows.insert(key.clone(), Changed { key, row, sequence, alone: false });
                }
                let alone = alone && change.adds();
                rows.insert(key.clone(), Changed { key, row: after, sequence, alone });
            }
        }
        Self { records, rows: rows.into_values().collect(), lacks: None }
    }
}

/// Told when everything that was committed before is durable, or that it will
/// never be.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Which rows to list: keys from `from` (inclusive) to `to` (exclusive), both of one
/// kind, and of payouts of an order both of one order. Decisions and meters are asked
/// for by name; who lists them may be told a part of them.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Lowest key.
    pub from: Key,
    /// Bound above.
    pub to: Key,
    /// Highest first.
    pub reverse: bool,
    /// At most this many.
    pub limit: usize,
}

/// Where a journal ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tip {
    /// The last sequence; 0 if there is none.
    pub sequence: u64,
    /// When the last record was written.
    pub at: Instant,
}

impl Tip {
    /// Of an empty journal.
    pub const EMPTY: Self = Self { sequence: 0, at: Instant::MIN };
}

/// Where rows and the journal are kept.
pub trait Store: Send {
    /// Starts a unit of work and gives the journal's end; what was loaded and
    /// not committed before is forgotten.
    fn begin(&mut self) -> Result<Tip, StoreError>;

    /// The rows under these keys, in their order. `None`: there is none.
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError>;

    /// Takes records and makes their rows current, all or nothing. They may
    /// become durable later, in the order of the commits, or when that is asked
    /// for: whoever tells others of them waits for [`Store::when_durable`].
    fn commit(&mut self, commit: Commit) -> Result<(), StoreError>;

    /// Whether it takes authorizations that are told in short.
    fn takes_allowed(&self) -> bool {
        false
    }

    /// Takes a commit, and the record of such an authorization behind it. The rows
    /// that it makes alone are not among those of the commit.
    fn commit_allowed(&mut self, _: &Allowed<'_>, _: Commit) -> Result<(), StoreError> {
        Err(StoreError::Fatal("it takes no authorizations that are told in short".to_owned()))
    }

    /// Calls back when all that was committed so far is durable, or the store
    /// failed before it was; from any thread, or before this returns.
    fn when_durable(&mut self, done: Done) {
        done(Ok(()));
    }

    /// How many of the meters and balances that changed since it had them it takes with
    /// the next commit, where so many wait and the one that waits longest was changed
    /// by the record `oldest`. Others may be left out, and are not to be loaded from
    /// here until they came.
    fn takes_running(&self, waiting: usize, oldest: u64) -> usize {
        let _ = (waiting, oldest);
        usize::MAX
    }

    /// Whether somebody else may change rows: what was loaded is then current
    /// only until the commit, which may conflict.
    fn is_shared(&self) -> bool;

    /// Rows in a range of keys, in order.
    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError>;

    /// Records after a sequence, oldest first, at most `limit`.
    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError>;

    /// Puts away what can be put away: a checkpoint, listing blocks. Called
    /// when there is nothing else to do and when the service stops.
    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

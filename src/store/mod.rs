//! The store seam: load rows, commit records, list. Stores never judge.
//!
//! One writer drives a store: `begin`, two `load`s, then `commit`. A command
//! whose rows depend on what a command before it in the same batch changed (a
//! revision that was activated, an order that came along) loads once more: its
//! rows cannot be known before.
//!
//! `commit` is atomic and durable when it returns, or nothing happened. The
//! same suite (`tests/store`) runs against every store.

use std::sync::Arc;

use thiserror::Error;

use crate::domain::{
    change::{Record, Rows},
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
    /// The rows that the records changed, as they are after them.
    pub rows: Vec<(Key, Option<Arc<Row>>)>,
}

/// Which rows to list: keys from `from` (inclusive) to `to` (exclusive).
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

    /// The rows under these keys. A key without a row comes back as `None`;
    /// no other keys come back.
    fn load(&mut self, keys: &[Key]) -> Result<Rows, StoreError>;

    /// Makes records durable and their rows current, all or nothing.
    fn commit(&mut self, commit: Commit) -> Result<(), StoreError>;

    /// Rows in a range of keys, in order.
    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError>;

    /// Records after a sequence, oldest first, at most `limit`.
    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError>;

    /// Every payout that is pending or processing, for what is due by itself.
    fn open_payouts(&mut self) -> Result<Vec<Arc<Row>>, StoreError>;

    /// Puts away what can be put away: a checkpoint, listing blocks. Called
    /// when there is nothing else to do and when the service stops.
    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

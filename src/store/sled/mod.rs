//! The embedded store: a journal that a reply waits for, rows in memory, and
//! rows at rest in sled.
//!
//! A data directory holds
//! - `bursar.lock`, held while a process has it open;
//! - `durable.fence`, how far the journal was durable (`fence.rs`);
//! - `journal/`, every commit in order (`journal/`);
//! - `sled/`, rows at rest: the trees `blocks` (lowest key → packed rows),
//!   `parts` (pieces of what is too large for a block) and `head` (the
//!   checkpoint).
//!
//! Commit: a frame of records is written and synced; then it is done. Rows
//! follow in memory and reach sled with the next checkpoint, which is a matter
//! of memory and restart time only: the journal alone makes all rows, and does
//! so whenever those at rest are not exactly what the last checkpoint left.
//!
//! No transactions and no `apply_batch` in sled: both take a lock that the
//! whole process shares. What is refused at start-up and what heals is told in
//! `recover.rs`.
//!
//! Not detected at start-up: a whole last commit that vanished and that the
//! fence did not know yet; a journal, fence and checkpoint that were all put
//! back to the same older state; a journal rewritten with a chain of its own
//! together with the fence and the head.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use self::{
    hot::Slot,
    recover::Opened,
    sort_key::SortKey,
    sync::{Disk, RealDisk, Stage},
};
use super::{Commit, Scan, Store, StoreError, Tip};
use crate::domain::{
    change::{Record, Rows},
    key::Key,
    row::Row,
};

mod block;
mod blocks;
mod census;
mod checkpoint;
mod codec;
mod damage;
mod database;
mod fence;
mod hot;
mod journal;
mod lock;
mod parts;
mod recover;
mod rows;
mod sort_key;
pub mod sync;
mod verify;

pub use self::{
    damage::Damage,
    recover::{Start, rebuild_fence},
    sort_key::encode_key,
    verify::{Report, verify},
};

/// Most bytes of a value in sled; see `database.rs` for why.
const MAX_VALUE: usize = 6000;
/// Most bytes of a key in sled.
const MAX_KEY: usize = 480;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// sled's page cache.
    pub cache_bytes: u64,
    /// Records after which a checkpoint is written.
    pub checkpoint_records: u64,
    /// Bytes of journal after which a checkpoint is written.
    pub checkpoint_bytes: usize,
    /// Bytes from which on a file of the journal is followed by another.
    pub segment_bytes: u64,
    /// Records from which on `tidy` writes a checkpoint: below, replaying them
    /// costs less than writing it.
    pub tidy_records: u64,
    /// How far the fence may be behind while commits come in.
    pub fence_every: Duration,
    /// What makes data durable.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * 1024 * 1024,
            checkpoint_records: 20_000,
            checkpoint_bytes: 8 * 1024 * 1024,
            segment_bytes: 64 * 1024 * 1024,
            tidy_records: 1000,
            fence_every: Duration::from_millis(100),
            disk: Arc::new(RealDisk),
        }
    }
}

/// Rows and records in a data directory.
#[derive(Debug)]
pub struct SledStore {
    inner: Opened,
    options: Options,
    /// Journal since the last checkpoint: records, and bytes of this process.
    since: (u64, usize),
    /// Why nothing is answered any more.
    broken: Option<String>,
}

impl SledStore {
    /// Opens a data directory, or makes one.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Damage> {
        let inner = recover::open(dir, &options)?;
        // What was replayed is not in a checkpoint either.
        let since = (inner.start.replayed, 0);
        Ok(Self { inner, options, since, broken: None })
    }

    /// What start-up found and did.
    pub fn start(&self) -> Start {
        self.inner.start
    }

    /// Does something, unless the store is broken; after damage it is.
    fn guard<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, Damage>,
    ) -> Result<T, StoreError> {
        if let Some(why) = &self.broken {
            return Err(StoreError::Fatal(why.clone()));
        }
        act(self).map_err(|damage| {
            let why = damage.to_string();
            tracing::error!(%why, "the store is not used any more");
            self.broken = Some(why.clone());
            StoreError::Fatal(why)
        })
    }

    fn write(&mut self, commit: &Commit, rows: Vec<(SortKey, Slot)>) -> Result<(), Damage> {
        let Opened { journal, fence, tip, rest, .. } = &mut self.inner;
        let disk = &*self.options.disk;
        let appended = journal.append(&commit.records)?;
        journal.sync(Stage::Journal, disk)?;
        journal.accept(&appended);
        for (key, slot) in rows {
            rest.rows.hot.change(key, slot);
        }
        if let Some(record) = commit.records.last() {
            *tip = Tip { sequence: record.sequence, at: record.at };
        }
        fence.follow(journal.end(), disk)?;
        self.since.0 += commit.records.len() as u64;
        self.since.1 += appended.bytes;
        let Options { checkpoint_records, checkpoint_bytes, .. } = self.options;
        if self.since.0 >= checkpoint_records || self.since.1 >= checkpoint_bytes {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Damage> {
        self.inner.checkpoint(&self.options)?;
        self.since = (0, 0);
        Ok(())
    }
}

impl Store for SledStore {
    /// Also moves the fence if it was left behind, so that it follows while
    /// nothing is committed, as long as somebody asks now and then.
    fn begin(&mut self) -> Result<Tip, StoreError> {
        self.guard(|store| {
            let Opened { journal, fence, tip, .. } = &mut store.inner;
            fence.follow(journal.end(), &*store.options.disk)?;
            Ok(*tip)
        })
    }

    fn load(&mut self, keys: &[Key]) -> Result<Rows, StoreError> {
        self.guard(|store| {
            keys.iter().map(|key| Ok((key.clone(), store.inner.rest.rows.get(key)?))).collect()
        })
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        let tip = self.begin()?;
        for (expected, record) in (tip.sequence + 1..).zip(&commit.records) {
            if record.sequence != expected {
                return Err(StoreError::Conflict);
            }
        }
        let rows = with_sequences(&commit).map_err(StoreError::from)?;
        if commit.records.is_empty() {
            return Ok(());
        }
        self.guard(|store| store.write(&commit, rows))
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        let (from, to) = (encode_key(&scan.from), encode_key(&scan.to));
        self.guard(|store| {
            let rows = store.inner.rest.rows.scan(&from, &to, scan.reverse, scan.limit)?;
            Ok(rows.into_iter().map(|(_, row)| row).collect())
        })
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.guard(|store| store.inner.journal.records(after).take(limit).collect())
    }

    fn open_payouts(&mut self) -> Result<Vec<Arc<Row>>, StoreError> {
        self.guard(|store| Ok(store.inner.rest.rows.open_payouts()))
    }

    /// Moves the fence to the end, and writes a checkpoint if enough was
    /// committed since the last.
    fn tidy(&mut self) -> Result<(), StoreError> {
        self.guard(|store| {
            let end = store.inner.journal.end();
            store.inner.fence.write(end, &*store.options.disk)?;
            let enough = store.since.0 >= store.options.tidy_records;
            if enough { store.checkpoint() } else { Ok(()) }
        })
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // After an error the fence must stay where it was known to be right.
        if self.broken.is_none() {
            let end = self.inner.journal.end();
            if let Err(why) = self.inner.fence.write(end, &*self.options.disk) {
                tracing::error!(%why, "the fence is behind the journal");
            }
        }
    }
}

/// The rows of a commit with the records that changed them last. Rows and
/// changes have to name the same keys, or a restart would bring back others
/// than were answered from.
fn with_sequences(commit: &Commit) -> Result<Vec<(SortKey, Slot)>, Damage> {
    let mut sequences: HashMap<Key, u64> = HashMap::new();
    for record in &commit.records {
        for change in &record.changes {
            sequences.insert(change.key(), record.sequence);
        }
    }
    let rows: HashMap<&Key, &Option<Arc<Row>>> =
        commit.rows.iter().map(|(key, row)| (key, row)).collect();
    if let Some(key) = sequences.keys().find(|key| !rows.contains_key(key)) {
        return Err(Damage::Defect(format!("{key:?} was changed and has no row")));
    }
    let place = |(key, row): (&Key, &Option<Arc<Row>>)| {
        let sequence = sequences.get(key).copied();
        let sequence = sequence
            .ok_or_else(|| Damage::Defect(format!("{key:?} has a row and was not changed")))?;
        Ok((encode_key(key).into(), Slot { row: row.clone(), sequence }))
    };
    rows.into_iter().map(place).collect()
}

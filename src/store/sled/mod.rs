//! The embedded store: a journal that a reply waits for, rows in memory, and
//! rows at rest in files that are written once. It began as a store on sled, and
//! keeps that name for whoever has it in a command (docs/decisions/0054).
//!
//! A data directory holds
//! - `bursar.lock`, held while a process has it open;
//! - `durable.fence`, how far the journal was durable (`fence.rs`);
//! - `journal/`, every commit in order (`journal/`), but for those that were let go of;
//! - `base/`, what is kept of those (`base.rs`, `retain.rs`);
//! - `runs/`, rows at rest: a manifest, and files of rows in order (`runs/`).
//!
//! Commit: rows change in memory, the record is written out as bytes, and a
//! thread of its own writes and syncs a frame of what was committed while the
//! next batch is judged. Replies wait for that. Rows are put to rest behind it,
//! which is a matter of memory and restart time only: the journal (with `base/`, where
//! records were let go of) makes all rows, and does so whenever those at rest cannot be used. Rows that one
//! record made are not written twice: at rest there is the number of that record
//! (`layer.rs`).
//!
//! What is refused at start-up and what heals is told in
//! `recover.rs`.
//!
//! Not detected at start-up: damage of the journal before what rows at rest have
//! and before the last `Options::checked_bytes`, which is found a little later; a
//! whole last commit that vanished and that the
//! fence did not know yet; a journal, fence and rows at rest that were all put
//! back to the same older state; a journal rewritten with a chain of its own
//! together with the fence and the mark of the rows.

use std::{
    cell::RefCell,
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::{
    compact::Commons,
    journal::Written,
    layer::Slot,
    mark::{Mark, Sealed},
    recover::Opened,
    rows::Keyed,
};
use super::{Changed, Commit, Done, Scan, Store, StoreError, Tip};
use crate::domain::{allowed::Allowed, change::Record, key::Key, minted, row::Row, told::Told};

pub mod backup;
mod base;
mod behind;
mod belongings;
mod codec;
pub mod compact;
mod damage;
mod fence;
mod implied;
mod journal;
mod keeping;
mod layer;
mod lock;
mod made;
mod mark;
mod options;
mod pipeline;
mod rebase;
mod recover;
mod retain;
mod rows;
mod runs;
mod sort_key;
mod sorting;
pub mod sync;
mod verify;

#[cfg(test)]
mod tests;

pub use self::{
    damage::Damage,
    keeping::Counted,
    options::Options,
    recover::{Start, rebuild_fence},
    retain::{Gone, Retain, Retained, Stage, retain},
    sort_key::encode_key,
    verify::{MOST_ROWS, Report, verify, verify_in_parts},
};

/// Most bytes of a key at rest. The contract bounds texts by characters, and a
/// cell is named by up to 16 of 1,024 bytes each, a byte 0 of which takes two.
const MAX_KEY: usize = 64 * 1024;

/// Bytes of durable records that are kept in memory, for whoever goes on with a
/// payout that was just authorized.
const RECENT: usize = 8 * 1024 * 1024;

/// What is read of a journal.
#[derive(Debug)]
pub enum Item<'a, R> {
    /// A row that is kept of records that are no more.
    Kept(&'a Row),
    /// A record.
    Record(&'a R),
}

/// Records that were read before they were durable.
#[derive(Debug, Default)]
struct Lately {
    last: Option<Arc<Told>>,
    commons: Commons,
}

/// Rows and records in a data directory.
#[derive(Debug)]
pub struct SledStore {
    inner: Opened,
    dir: PathBuf,
    options: Options,
    /// Up to where rows were closed last, to be put away.
    sealed: Sealed,
    /// Whether they wait for the journal to be durable so far.
    seal_waits: bool,
    /// The last record that was let go of.
    base: u64,
    /// Where the journal will end.
    tip: Tip,
    /// The first record whose change of a meter or balance the rows do not have.
    lacks: Option<u64>,
    /// Records that were committed and not sent to the disk yet.
    draft: Written,
    /// How many records there will be room for.
    room: usize,
    /// Commits that may still be on their way to the disk, and some before them:
    /// what was written last is asked for first.
    recent: VecDeque<Arc<Written>>,
    /// Bytes of those.
    recent_bytes: usize,
    /// What was read of those.
    read: RefCell<Lately>,
}

impl SledStore {
    /// Opens a data directory, or makes one.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Damage> {
        let inner = recover::open(dir, &options)?;
        let (sealed, tip) = (inner.sealed, inner.tip);
        let base = inner.pipeline.journal().base().sequence;
        Ok(Self {
            inner,
            dir: dir.to_owned(),
            options,
            sealed,
            seal_waits: false,
            base,
            tip,
            lacks: None,
            draft: Written::default(),
            room: 0,
            recent: VecDeque::new(),
            recent_bytes: 0,
            read: RefCell::default(),
        })
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
        if let Some(why) = self.inner.pipeline.broken() {
            return Err(StoreError::Fatal(why));
        }
        act(self).map_err(|damage| {
            if damage.is_of_rows() {
                recover::condemn(&self.dir);
            } else if damage.is_of_the_journal() {
                self.inner.pipeline.journal().suspect();
            }
            let why = damage.to_string();
            self.inner.pipeline.break_off(&why);
            StoreError::Fatal(why)
        })
    }

    fn take(&mut self, commit: Commit, allowed: Option<&Allowed<'_>>) -> Result<(), Damage> {
        let Commit { records, rows, lacks } = commit;
        for record in &records {
            self.draft.push(record)?;
        }
        if let Some(record) = records.last() {
            self.tip = Tip { sequence: record.sequence, at: record.at };
        }
        if let Some(allowed) = allowed {
            self.draft.push_allowed(allowed)?;
            if minted::record(allowed.id) != Some(allowed.sequence) {
                let decision = allowed.template.shop.decision(allowed.id.clone());
                self.inner.rows.put(&Key::Decision(decision), Slot::At(allowed.sequence));
            }
            for key in allowed.keys() {
                // Nobody wrote the order before.
                let slot = match &key {
                    Key::Order(_) => Slot::Order { at: allowed.sequence, first: allowed.sequence },
                    _ => Slot::At(allowed.sequence),
                };
                self.inner.rows.put(&key, slot);
            }
            debug_assert!(
                allowed.implied().all(|key| {
                    let found = self.inner.rows.find(&key);
                    matches!(found, Ok(Slot::If(at)) if at == allowed.sequence)
                }),
                "what has no entry is not found"
            );
            self.tip = Tip { sequence: allowed.sequence, at: allowed.at };
        }
        for Changed { key, row, sequence, alone } in rows {
            let slot = Slot::new(&key, row, sequence, alone);
            self.inner.rows.keep(&key, slot, sequence)?;
        }
        self.lacks = lacks;
        let since = self.tip.sequence.saturating_sub(self.sealed.tip.sequence);
        if since >= self.options.checkpoint_records {
            self.seal()?;
        }
        Ok(())
    }

    /// Whether records follow the last one.
    fn follows(&mut self, commit: &Commit, last: Option<u64>) -> Result<(), StoreError> {
        let tip = self.begin()?;
        let sequences = commit.records.iter().map(|record| record.sequence).chain(last);
        let follow = (tip.sequence + 1..).zip(sequences).all(|(expected, it)| it == expected);
        if follow { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Sends what was committed to the disk: commits that come one after the other
    /// go there together.
    fn send(&mut self) -> Result<(), Damage> {
        if self.draft.is_empty() {
            return Ok(());
        }
        // As many as came lately: making room later copies what is written already.
        self.room = self.draft.count().max(self.room - self.room / 8);
        let next = Written::with_room(self.room);
        let records = Arc::new(std::mem::replace(&mut self.draft, next));
        self.recent_bytes += records.size();
        self.recent.push_back(records.clone());
        self.inner.pipeline.commit(records);
        let durable = self.inner.pipeline.durable();
        let is_durable = |records: &Written| records.span().is_none_or(|(_, last)| last <= durable);
        while self.recent_bytes > RECENT
            && let Some(oldest) = self.recent.pop_front_if(|records| is_durable(records))
        {
            self.recent_bytes -= oldest.size();
        }
        self.inner.rows.settle()?;
        self.put_away()
    }

    /// Closes the rows as they are, to be put away.
    fn seal(&mut self) -> Result<(), Damage> {
        self.send()?;
        if self.seal_waits {
            // Those of before go first.
            self.inner.pipeline.wait().map_err(|error| Damage::Defect(error.to_string()))?;
            self.put_away()?;
        }
        self.inner.rows.seal();
        let running = self.lacks.map_or(self.tip.sequence, |lacks| lacks.saturating_sub(1));
        self.sealed = Sealed { tip: self.tip, running };
        self.seal_waits = true;
        Ok(())
    }

    /// Begins to put away what was sealed, once the journal has all of it: rows at
    /// rest must not be ahead of it, and decisions do not wait for that.
    fn put_away(&mut self) -> Result<(), Damage> {
        let Sealed { tip, running } = self.sealed;
        if !self.seal_waits || tip.sequence > self.inner.pipeline.durable() {
            return Ok(());
        }
        self.seal_waits = false;
        let mark = Mark::find(&self.inner.pipeline.journal(), tip, running)?;
        self.inner.rows.freeze(mark)
    }

    /// A record that was committed lately. `None`: the journal has it.
    fn recent(&self, sequence: u64) -> Result<Option<Arc<Told>>, Damage> {
        let Lately { last, commons } = &mut *self.read.borrow_mut();
        if let Some(last) = last.as_ref().filter(|last| last.sequence() == sequence) {
            return Ok(Some(last.clone()));
        }
        let recent = self.recent.iter().map(|records| &**records);
        let mut all = std::iter::once(&self.draft).chain(recent.rev());
        let Some(found) = all.find_map(|records| records.record(sequence, commons)) else {
            return Ok(None);
        };
        Ok(Some(last.insert(Arc::new(found?)).clone()))
    }

    /// A row as a slot says.
    fn row(&self, slot: Slot, is_it: impl Fn(&Key) -> bool) -> Result<Option<Arc<Row>>, Damage> {
        match slot {
            Slot::Gone => Ok(None),
            Slot::Row(row, _) => Ok(Some(row)),
            Slot::At(sequence) | Slot::Order { at: sequence, .. } => {
                let found = self.made_by(sequence, is_it)?;
                found.map(Some).ok_or_else(|| Damage::unmade(sequence))
            }
            // A name may say anything.
            Slot::If(sequence) => self.made_by(sequence, is_it),
        }
    }

    /// A row as a record made it, if that is there and did.
    fn made_by(
        &self,
        sequence: u64,
        is_it: impl Fn(&Key) -> bool,
    ) -> Result<Option<Arc<Row>>, Damage> {
        if !self.has(sequence) {
            return Ok(None);
        }
        self.record(sequence)?.row(is_it).map_err(Damage::misfit(sequence))
    }

    /// Whether the journal has a record or will have it.
    fn has(&self, sequence: u64) -> bool {
        self.base < sequence && sequence <= self.tip.sequence
    }

    /// A record that the journal has or will have.
    fn record(&self, sequence: u64) -> Result<Arc<Told>, Damage> {
        match self.recent(sequence)? {
            Some(record) => Ok(record),
            None => self.inner.pipeline.journal().record(sequence),
        }
    }

    /// The row under a key.
    fn find(&self, key: &Key) -> Result<Option<Arc<Row>>, Damage> {
        let rows = &self.inner.rows;
        match rows.find(key)? {
            // Its name may say a record that did not make it.
            slot @ Slot::If(_) => match self.row(slot, |it| it == key)? {
                None => self.row(rows.entry(key)?, |it| it == key),
                found => Ok(found),
            },
            slot => self.row(slot, |it| it == key),
        }
    }

    /// Puts the payout of an order that is found by it where it belongs.
    fn with_implied(&self, scan: &Scan, mut rows: Vec<Arc<Row>>) -> Result<Vec<Arc<Row>>, Damage> {
        let (Key::PayoutOfOrder(order, _), Key::PayoutOfOrder(to, _)) = (&scan.from, &scan.to)
        else {
            return Ok(rows);
        };
        // Nobody asks for those of several orders at once.
        let Slot::Order { first, .. } = self.inner.rows.entry(&Key::Order(order.clone()))? else {
            return Ok(rows);
        };
        if order != to {
            return Err(Damage::Defect("payouts of several orders are asked for".to_owned()));
        }
        if !self.has(first) {
            return Err(Damage::unmade(first));
        }
        for payout in self.record(first)?.payouts_of(order) {
            let key = Key::PayoutOfOrder(order.clone(), payout.clone());
            let is_before = |row: &Arc<Row>| match scan.reverse {
                true => row.key() > key,
                false => row.key() < key,
            };
            let place = rows.partition_point(is_before);
            let is_there = rows.get(place).is_some_and(|row| row.key() == key);
            if (&scan.from..&scan.to).contains(&&key) && !is_there {
                rows.insert(place, Arc::new(Row::PayoutOfOrder(order.clone(), payout.clone())));
            }
        }
        rows.truncate(scan.limit);
        Ok(rows)
    }
}

impl Drop for SledStore {
    /// What was committed is written, unless nothing can be any more.
    fn drop(&mut self) {
        if !self.draft.is_empty()
            && let Err(error) = self.guard(Self::send)
        {
            tracing::error!(%error, "the last commits were not written");
        }
    }
}

impl Store for SledStore {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        self.guard(|store| Ok(store.tip))
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
        self.guard(|store| keys.iter().map(|key| store.find(key)).collect())
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        self.follows(&commit, None)?;
        if commit.records.is_empty() && commit.rows.is_empty() {
            self.lacks = commit.lacks;
            return Ok(());
        }
        self.guard(|store| store.take(commit, None))
    }

    fn takes_allowed(&self) -> bool {
        true
    }

    fn commit_allowed(&mut self, allowed: &Allowed<'_>, commit: Commit) -> Result<(), StoreError> {
        self.follows(&commit, Some(allowed.sequence))?;
        self.guard(|store| store.take(commit, Some(allowed)))
    }

    fn when_durable(&mut self, done: Done) {
        match self.guard(Self::send) {
            Ok(()) => self.inner.pipeline.tell(done),
            Err(error) => done(Err(error)),
        }
    }

    /// Those that wait for long, or are too many: the longer they wait the more often
    /// they changed meanwhile, and a start applies again what they lack.
    fn takes_running(&self, waiting: usize, oldest: u64) -> usize {
        self.options.takes_running(waiting, self.tip.sequence.saturating_sub(oldest))
    }

    /// The directory is locked.
    fn is_shared(&self) -> bool {
        false
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        self.guard(|store| {
            let found = store.inner.rows.scan(&scan.from, &scan.to, scan.reverse, scan.limit)?;
            let row = |(key, slot): Keyed| {
                let row = match (sort_key::due(&key), &slot) {
                    // All of it is in its key: no record has to be read for it.
                    (Some((at, payout)), Slot::At(_)) => Some(Arc::new(Row::Due(at, payout))),
                    _ => store.row(slot, |it| encode_key(it) == key)?,
                };
                Ok(row.into_iter())
            };
            let rows: Vec<_> = found.into_iter().map(row).collect::<Result<_, _>>()?;
            store.with_implied(scan, rows.into_iter().flatten().collect())
        })
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.guard(|store| {
            store.send()?;
            let mut journal = store.inner.pipeline.journal();
            let durable = journal.end().sequence;
            let mut records: Vec<Arc<Record>> =
                journal.records(after)?.take(limit).collect::<Result<_, _>>()?;
            drop(journal);
            for sequence in durable.max(after) + 1..=store.tip.sequence {
                if records.len() >= limit {
                    break;
                }
                let record = store.recent(sequence)?.ok_or(Damage::Gap { sequence })?;
                records.push(record.record().map_err(Damage::misfit(sequence))?);
            }
            Ok(records)
        })
    }

    /// Moves the fence to the end, and puts rows away if enough was committed
    /// since the last time.
    fn tidy(&mut self) -> Result<(), StoreError> {
        self.guard(Self::send)?;
        self.inner.pipeline.wait()?;
        self.guard(|store| {
            store.inner.pipeline.move_fence()?;
            // What the next start would apply.
            let behind = store.tip.sequence.saturating_sub(store.sealed.running);
            if behind > 0 && behind >= store.options.tidy_records {
                store.seal()?;
            }
            // All that was committed is durable.
            store.put_away()?;
            store.inner.rows.wait()
        })
    }
}

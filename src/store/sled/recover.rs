//! Opening a data directory: what is refused, what heals, and how rows come
//! back.
//!
//! | found | done |
//! |---|---|
//! | nothing | a new store |
//! | a database without a fence | refused before sled opens it |
//! | a fence that says more than nothing, without a database | refused |
//! | a gap, a damaged chunk, a broken chain, an end below fence or head | refused, naming the record |
//! | the beginning of a commit after the last whole one, above the fence | dropped |
//! | a checkpoint that was not finished | its rows are used as far as they came |
//! | blocks that are damaged or are not those that the head counted | written again from the journal |

use std::{fs, path::Path};

use super::{
    Options,
    blocks::Blocks,
    checkpoint::{self, Head, Heads},
    damage::Damage,
    database::{Database, sync_all},
    fence::Fence,
    journal::{Checked, End, Journal, check},
    lock::Lock,
    rows::Rows,
    sync::Stage,
};
use crate::{domain::instant::Instant, store::Tip};

/// What start-up found and did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Start {
    /// The last record of the journal.
    pub sequence: u64,
    /// Records that were applied to the checkpoint's rows.
    pub replayed: u64,
    /// Chunks of a commit that was never answered, and dropped.
    pub torn_chunks: u64,
    /// Whether blocks were damaged and written again from the journal.
    pub rebuilt: bool,
}

/// An open data directory. Fields are dropped in this order: the lock last.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) rows: Rows,
    pub(super) journal: Journal,
    pub(super) heads: Heads,
    pub(super) head: Head,
    pub(super) tip: Tip,
    pub(super) start: Start,
    pub(super) database: Database,
    pub(super) fence: Fence,
    #[expect(dead_code, reason = "held, not read")]
    pub(super) lock: Lock,
}

/// Whether what can be mended is mended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// To serve: torn tails are dropped, damaged blocks are written again.
    Serve,
    /// To look: nothing is changed beyond what opening sled changes.
    Verify,
}

/// Opens a data directory.
pub(super) fn open(dir: &Path, options: &Options, purpose: Purpose) -> Result<Opened, Damage> {
    let lock = enter(dir, purpose)?;
    let fence = find_fence(dir, options)?;
    let is_new = !Database::exists(dir);
    let database = Database::open(dir, options.cache_bytes)?;
    if is_new {
        sync_entries(dir)?;
    }
    let heads = Heads::open(&database)?;
    let head = match heads.read() {
        Err(why @ Damage::Unreadable { .. }) if purpose == Purpose::Serve => {
            tracing::warn!(%why, "the checkpoint is not used");
            Head::none()
        }
        head => head?,
    };
    let chunks = database.tree("journal")?;
    let witnesses = [("the fence", fence.end()), ("the checkpoint", head.end)];
    let Checked { end, torn } = check(&chunks, &witnesses)?;
    let start =
        Start { sequence: end.sequence, torn_chunks: torn.len() as u64, ..Start::default() };
    if purpose == Purpose::Serve {
        for chunk in torn {
            chunks.remove(chunk.to_be_bytes())?;
        }
        // What was found may be in the kernel's hands only; from here on it is
        // answered from.
        database.sync(Stage::Start, &*options.disk)?;
    }
    let rows = Rows::new(Blocks::new(database.tree("blocks")?, database.tree("parts")?));
    let mut opened = Opened {
        rows,
        journal: Journal::new(chunks, end),
        heads,
        tip: Tip { sequence: head.end.sequence, at: head.at },
        head,
        start,
        database,
        fence,
        lock,
    };
    let unfinished = opened.warm(purpose)?;
    opened.replay(options, purpose)?;
    if purpose == Purpose::Serve {
        opened.fence.write(end, &*options.disk)?;
        if unfinished {
            opened.checkpoint(options)?;
        }
    }
    report(dir, opened.start);
    Ok(opened)
}

impl Opened {
    /// Reads the checkpoint's rows; says whether one was left unfinished.
    fn warm(&mut self, purpose: Purpose) -> Result<bool, Damage> {
        let why = match self.rows.warm() {
            Ok(()) if self.rows.blocks.census() == self.head.census => return Ok(false),
            Ok(()) if self.heads.is_underway(&self.head)? => return Ok(true),
            Ok(()) => Damage::Unreadable {
                what: "the checkpoint".to_owned(),
                why: "its blocks are not those that its head counted".to_owned(),
            },
            Err(damage @ Damage::Unreadable { .. }) => damage,
            Err(damage) => return Err(damage),
        };
        if purpose == Purpose::Verify {
            return Err(why);
        }
        tracing::warn!(%why, "rows are made again from the whole journal");
        self.heads.clear()?;
        self.rows.blocks.clear()?;
        self.rows.warm()?;
        self.head = Head::none();
        self.tip = Tip::EMPTY;
        self.start.rebuilt = true;
        Ok(true)
    }

    /// Applies the records after the checkpoint.
    fn replay(&mut self, options: &Options, purpose: Purpose) -> Result<(), Damage> {
        let Self { rows, journal, tip, start, database, heads, .. } = self;
        let (mut since, end) = (0, journal.end());
        for record in journal.records(self.head.end.sequence) {
            let record = record?;
            rows.apply(&record)?;
            *tip = Tip { sequence: record.sequence, at: record.at };
            start.replayed += 1;
            since += 1;
            // Cold rows of a long journal must not all be in memory at once.
            // No head yet: which chunk a record ends in is not known here.
            if purpose == Purpose::Serve && since >= options.checkpoint_records {
                since = 0;
                checkpoint::put_away(database, heads, rows, end, &*options.disk)?;
            }
        }
        Ok(())
    }

    /// Writes a checkpoint of everything.
    pub(super) fn checkpoint(&mut self, options: &Options) -> Result<(), Damage> {
        let end = self.journal.end();
        if end == self.head.end {
            return Ok(());
        }
        self.fence.write(end, &*options.disk)?;
        let place = (end, self.tip.at);
        self.head =
            checkpoint::write(&self.database, &self.heads, &mut self.rows, place, &*options.disk)?;
        Ok(())
    }
}

/// Takes the directory's lock; makes the directory if it is to serve.
fn enter(dir: &Path, purpose: Purpose) -> Result<Lock, Damage> {
    if purpose == Purpose::Serve {
        fs::create_dir_all(dir).map_err(Damage::io(dir))?;
    } else if !Database::exists(dir) && !Fence::path(dir).exists() {
        return Err(Damage::Nothing(dir.to_owned()));
    }
    Lock::take(dir)
}

/// The fence that goes with the database, or a new one if both are new.
fn find_fence(dir: &Path, options: &Options) -> Result<Fence, Damage> {
    let every = options.fence_every;
    match (Fence::open(dir, every)?, Database::exists(dir)) {
        (Some(fence), true) => Ok(fence),
        (Some(fence), false) if fence.end() == End::default() => Ok(fence),
        (Some(fence), false) => Err(Damage::BelowFence { have: 0, fence: fence.end().sequence }),
        (None, true) => Err(Damage::FenceMissing(Fence::path(dir))),
        (None, false) => {
            let fence = Fence::create(dir, every, &*options.disk, End::default())?;
            sync_entries(dir)?;
            Ok(fence)
        }
    }
}

/// Makes durable that a directory is there, and what is in it.
fn sync_entries(dir: &Path) -> Result<(), Damage> {
    sync_all(dir)?;
    match dir.canonicalize().map_err(Damage::io(dir))?.parent() {
        Some(parent) => sync_all(parent),
        None => Ok(()),
    }
}

/// Writes a fence for a journal that lost it, if the journal hangs together up
/// to its end. It cannot tell whether records are missing there: that is what
/// the lost fence knew.
pub fn rebuild_fence(dir: &Path, options: &Options) -> Result<Tip, Damage> {
    let _lock = enter(dir, Purpose::Verify)?;
    if let Some(fence) = Fence::open(dir, options.fence_every)? {
        return Err(Damage::Defect(format!(
            "{} is there and says record {}",
            Fence::path(dir).display(),
            fence.end().sequence
        )));
    }
    let database = Database::open(dir, options.cache_bytes)?;
    let head = Heads::open(&database)?.read()?;
    let chunks = database.tree("journal")?;
    let end = check(&chunks, &[("the checkpoint", head.end)])?.end;
    database.sync(Stage::Start, &*options.disk)?;
    Fence::create(dir, options.fence_every, &*options.disk, end)?;
    sync_all(dir)?;
    let last = Journal::new(chunks, end).records(end.sequence.saturating_sub(1)).next();
    let at = last.transpose()?.map_or(Instant::MIN, |record| record.at);
    Ok(Tip { sequence: end.sequence, at })
}

fn report(dir: &Path, start: Start) {
    let Start { sequence, replayed, torn_chunks, rebuilt } = start;
    let path = dir.display();
    if torn_chunks > 0 {
        tracing::warn!(%path, sequence, torn_chunks, "a commit that was never answered is dropped");
    }
    tracing::info!(%path, sequence, replayed, rebuilt, "the store is open");
}

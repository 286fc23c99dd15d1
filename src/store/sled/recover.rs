//! Opening a data directory: what is refused, what heals, and how rows come
//! back.
//!
//! | found | done |
//! |---|---|
//! | nothing | a new store |
//! | a journal without a fence | refused before anything is opened |
//! | a fence that says more than nothing, without a journal | refused |
//! | a gap, a damaged commit, a broken chain, an end below fence or checkpoint | refused, naming the record |
//! | part of a commit after the last whole one, above the fence | dropped |
//! | rows at rest that are damaged, or not those of the last checkpoint | made again from the journal |
//! | a database that sled cannot open, or files of it that sled does not sync | removed, and made again from the journal |

use std::{fs, path::Path};

use super::{
    Options,
    blocks::Blocks,
    checkpoint::{self, Head, Heads},
    damage::Damage,
    database::{Database, sync_all},
    fence::Fence,
    journal::{Checked, End, Journal},
    lock::Lock,
    rows::Rows,
};
use crate::{domain::instant::Instant, store::Tip};

/// What start-up found and did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Start {
    /// The last record of the journal.
    pub sequence: u64,
    /// Records that were applied to the checkpoint's rows.
    pub replayed: u64,
    /// Bytes of a commit that was never answered, and dropped.
    pub torn_bytes: u64,
    /// Whether rows at rest were not those of the last checkpoint, and were
    /// made again from the journal. Always so after a kill or a power failure
    /// in the middle of a checkpoint.
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
    /// To serve: torn tails are dropped, damaged rows are made again.
    Serve,
    /// To look: nothing is changed beyond what opening sled changes.
    Verify,
}

/// Opens a data directory.
pub(super) fn open(dir: &Path, options: &Options, purpose: Purpose) -> Result<Opened, Damage> {
    let lock = enter(dir, purpose)?;
    let disk = &*options.disk;
    let fence = find_fence(dir, options, purpose)?;
    let (mut journal, Checked { end, torn }) = if Journal::exists(dir)? {
        Journal::open(dir, options.segment_bytes, disk, &[("the fence", fence.end())])?
    } else {
        let journal = Journal::create(dir, options.segment_bytes)?;
        sync_entries(dir)?;
        (journal, Checked::default())
    };
    if purpose == Purpose::Serve {
        journal.heal(torn > 0)?;
    }
    let (database, heads, head, usable) = open_rows(dir, options, purpose)?;
    journal.saw(("the checkpoint", head.end))?;
    let rows = Rows::new(Blocks::new(database.tree("blocks")?, database.tree("parts")?));
    let mut opened = Opened {
        rows,
        journal,
        heads,
        tip: Tip { sequence: head.end.sequence, at: head.at },
        head,
        start: Start { sequence: end.sequence, torn_bytes: torn, ..Start::default() },
        database,
        fence,
        lock,
    };
    opened.start.rebuilt = !(usable && opened.warm(purpose)?);
    match purpose {
        Purpose::Verify if opened.start.rebuilt => {}
        Purpose::Verify => opened.replay(None)?,
        Purpose::Serve => {
            if opened.start.rebuilt {
                opened.discard_rows()?;
            }
            opened.replay(Some(options))?;
            opened.fence.write(end, disk)?;
            if opened.start.rebuilt {
                opened.checkpoint(options)?;
            }
        }
    }
    report(dir, opened.start);
    Ok(opened)
}

/// What is at rest, and whether it can be used. All of it can be made again, so
/// whatever is wrong with it is no reason not to serve.
fn open_rows(
    dir: &Path,
    options: &Options,
    purpose: Purpose,
) -> Result<(Database, Heads, Head, bool), Damage> {
    let found = Database::open(dir, options.cache_bytes).and_then(|database| {
        let heads = Heads::open(&database)?;
        let head = heads.read()?;
        Ok((database, heads, head))
    });
    match found {
        Ok((database, heads, head)) => Ok((database, heads, head, true)),
        Err(why) if purpose == Purpose::Serve && why.is_of_rows() => {
            tracing::warn!(%why, "rows at rest cannot be used");
            Database::remove(dir)?;
            let database = Database::open(dir, options.cache_bytes)?;
            let heads = Heads::open(&database)?;
            Ok((database, heads, Head::none(), false))
        }
        Err(why) => Err(why),
    }
}

impl Opened {
    /// Reads the checkpoint's rows. Says whether they are exactly those.
    fn warm(&mut self, purpose: Purpose) -> Result<bool, Damage> {
        let why = match self.rows.warm() {
            Ok(()) if self.rows.blocks.census() == self.head.census => return Ok(true),
            Ok(()) => "its blocks are not those that its head counted".to_owned(),
            Err(damage @ Damage::Unreadable { .. }) if purpose == Purpose::Serve => {
                damage.to_string()
            }
            Err(damage) => return Err(damage),
        };
        tracing::warn!(%why, "the checkpoint is not used");
        Ok(false)
    }

    /// Forgets every checkpoint: the journal makes all rows.
    fn discard_rows(&mut self) -> Result<(), Damage> {
        tracing::warn!(records = self.start.sequence, "rows are made again from the whole journal");
        self.heads.clear()?;
        self.rows.clear()?;
        self.head = Head::none();
        self.tip = Tip::EMPTY;
        Ok(())
    }

    /// Applies the records after the checkpoint. With options, rows are put away
    /// on the way, so that a long tail does not have to fit into memory.
    fn replay(&mut self, put_away: Option<&Options>) -> Result<(), Damage> {
        let Self { rows, journal, tip, start, database, .. } = self;
        let mut since = 0;
        for record in journal.records(self.head.end.sequence) {
            let record = record?;
            rows.apply(&record)?;
            *tip = Tip { sequence: record.sequence, at: record.at };
            start.replayed += 1;
            since += 1;
            if let Some(options) = put_away.filter(|o| since >= o.checkpoint_records) {
                since = 0;
                checkpoint::put_away(database, rows, &*options.disk)?;
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
    } else if !Journal::exists(dir)? && !Fence::path(dir).exists() {
        return Err(Damage::Nothing(dir.to_owned()));
    }
    Lock::take(dir)
}

/// The fence that goes with the journal, or a new one if both are new.
fn find_fence(dir: &Path, options: &Options, purpose: Purpose) -> Result<Fence, Damage> {
    let every = options.fence_every;
    match (Fence::open(dir, every)?, Journal::exists(dir)?) {
        (Some(fence), true) => Ok(fence),
        (Some(fence), false) if fence.end() == End::default() && purpose == Purpose::Serve => {
            Ok(fence)
        }
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
    let disk = &*options.disk;
    let (journal, Checked { end, .. }) = Journal::open(dir, options.segment_bytes, disk, &[])?;
    // The checkpoint may know of a later end. Without one, nobody does.
    if let Ok(database) = Database::open(dir, options.cache_bytes) {
        journal.saw(("the checkpoint", Heads::open(&database)?.read()?.end))?;
    }
    Fence::create(dir, options.fence_every, disk, end)?;
    sync_all(dir)?;
    let last = journal.records(end.sequence.saturating_sub(1)).next();
    let at = last.transpose()?.map_or(Instant::MIN, |record| record.at);
    Ok(Tip { sequence: end.sequence, at })
}

fn report(dir: &Path, start: Start) {
    let Start { sequence, replayed, torn_bytes, rebuilt } = start;
    let path = dir.display();
    if torn_bytes > 0 {
        tracing::warn!(%path, sequence, torn_bytes, "a commit that was never answered is dropped");
    }
    tracing::info!(%path, sequence, replayed, rebuilt, "the store is open");
}

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
//! | rows at rest that are damaged, or not those of the last checkpoint; a database that sled cannot open, or files of it that sled does not sync | the database is removed, and made again from the journal |

use std::{fs, path::Path};

use super::{
    Options,
    checkpoint::AtRest,
    damage::Damage,
    database::sync_all,
    fence::Fence,
    journal::{Checked, End, Journal},
    lock::Lock,
    pipeline::Pipeline,
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
    pub(super) rest: AtRest,
    pub(super) tip: Tip,
    pub(super) start: Start,
    pub(super) pipeline: Pipeline,
    #[expect(dead_code, reason = "held, not read")]
    pub(super) lock: Lock,
}

/// What is in a data directory, before anything of it was changed.
pub(super) struct Found {
    /// Rows at rest. `None`: they are not exactly those of the last checkpoint.
    pub(super) rest: Option<AtRest>,
    pub(super) journal: Journal,
    pub(super) checked: Checked,
    pub(super) fence: Fence,
    lock: Lock,
}

/// Whether what can be mended is mended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// To serve: torn tails are dropped, damaged rows are made again.
    Serve,
    /// To look: nothing is changed beyond what opening sled changes.
    Verify,
}

/// Looks at a data directory; refuses what would lose an answer.
pub(super) fn find(dir: &Path, options: &Options, purpose: Purpose) -> Result<Found, Damage> {
    let lock = enter(dir, purpose)?;
    let fence = find_fence(dir, options, purpose)?;
    let (journal, checked) = if Journal::exists(dir)? {
        let witnesses = [("the fence", fence.end())];
        Journal::open(dir, options.segment_bytes, &*options.disk, &witnesses)?
    } else {
        let journal = Journal::create(dir, options.segment_bytes)?;
        sync_entries(dir)?;
        (journal, Checked::default())
    };
    let rest = match AtRest::open(dir, options, &journal) {
        Ok(rest) => Some(rest),
        // All of it can be made again, so it is no reason not to serve.
        Err(why) if why.is_of_rows() => {
            tracing::warn!(%why, "rows at rest are not used");
            None
        }
        Err(why) => return Err(why),
    };
    Ok(Found { rest, journal, checked, fence, lock })
}

/// Opens a data directory to serve it.
pub(super) fn open(dir: &Path, options: &Options) -> Result<Opened, Damage> {
    let Found { rest, mut journal, checked, mut fence, lock } = find(dir, options, Purpose::Serve)?;
    journal.heal(checked.torn > 0)?;
    let end = checked.end;
    let rebuilt = rest.is_none();
    let rest = match rest {
        Some(rest) => rest,
        None => {
            tracing::warn!(records = end.sequence, "rows are made again from the whole journal");
            AtRest::anew(dir, options)?
        }
    };
    let start = Start { sequence: end.sequence, torn_bytes: checked.torn, rebuilt, replayed: 0 };
    let tip = rest.tip();
    let mut replay = Replay { rest, tip, start };
    replay.run(&journal, options)?;
    fence.write(end, &*options.disk)?;
    let Replay { rest, tip, start } = replay;
    let pipeline = Pipeline::start(journal, fence, options.disk.clone(), options.fence_every)?;
    let mut opened = Opened { rest, tip, start, pipeline, lock };
    if rebuilt {
        opened.checkpoint(tip, options)?;
    }
    report(dir, opened.start);
    Ok(opened)
}

/// Rows on their way to where the journal ends.
struct Replay {
    rest: AtRest,
    tip: Tip,
    start: Start,
}

impl Replay {
    /// Applies the records after the checkpoint. Rows are put away on the way,
    /// so that a long tail does not have to fit into memory.
    fn run(&mut self, journal: &Journal, options: &Options) -> Result<(), Damage> {
        let Self { rest, tip, start } = self;
        let mut since = 0;
        for record in journal.records(rest.head.end.sequence) {
            let record = record?;
            rest.rows.apply(&record)?;
            *tip = Tip { sequence: record.sequence, at: record.at };
            start.replayed += 1;
            since += 1;
            if since >= options.checkpoint_records {
                since = 0;
                rest.put_away(&*options.disk)?;
            }
        }
        Ok(())
    }
}

impl Opened {
    /// Writes a checkpoint of rows that are where the journal ends.
    pub(super) fn checkpoint(&mut self, tip: Tip, options: &Options) -> Result<(), Damage> {
        let end = self.pipeline.journal().end();
        if end == self.rest.head.end {
            return Ok(());
        }
        self.pipeline.move_fence()?;
        self.rest.checkpoint(end, tip.at, &*options.disk)
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
        (Some(fence), false) if fence.end() == End::default() => match purpose {
            Purpose::Serve => Ok(fence),
            Purpose::Verify => Err(Damage::Nothing(dir.to_owned())),
        },
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
    // The checkpoint may know of a later end. If it cannot be read, nobody does.
    match AtRest::open(dir, options, &journal) {
        Err(why) if !why.is_of_rows() => return Err(why),
        _ => {}
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

//! Opening a data directory: what is refused, what heals, and how rows come
//! back.
//!
//! | found | done |
//! |---|---|
//! | nothing | a new store |
//! | a journal without a fence | refused before anything is opened |
//! | a fence that says more than nothing, without a journal | refused |
//! | a gap, a damaged commit, a broken chain, an end below fence or checkpoint | refused, naming the record; in old files of a large journal a little later (`journal/older.rs`) |
//! | part of a commit after the last whole one, above the fence | dropped |
//! | a base that cannot be read, or that the journal does not go on from | refused |
//! | files of the journal before the base | removed: rows are in the base (`base.rs`) |
//! | rows at rest from before the base | they get what it has in place of records that are no more (`rebase.rs`) |
//! | rows at rest that are damaged, or not those of the last checkpoint | they are put aside, and made again from the journal |

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Options,
    base::Base,
    behind::Behind,
    damage::Damage,
    fence::Fence,
    journal::{Checked, Depth, End, Journal},
    layer::Slot,
    lock::Lock,
    mark::{Mark, Sealed},
    pipeline::Pipeline,
    rebase::{put_aside, rebase, tidy},
    rows::Rows,
    runs::{self, Runs, Sizes},
    sync::sync_all,
};
use crate::{
    domain::{
        change::{Record, following, made_by},
        key::Key,
    },
    store::Tip,
};

/// What start-up found and did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Start {
    /// The last record of the journal.
    pub sequence: u64,
    /// Records that were applied to rows at rest: to all, or to the meters and balances
    /// that lacked them.
    pub replayed: u64,
    /// Bytes of a commit that was never answered, and dropped.
    pub torn_bytes: u64,
    /// Bytes of the journal that are read through while it serves.
    pub older_bytes: u64,
    /// Whether rows at rest could not be used, and were made again from the
    /// whole journal.
    pub rebuilt: bool,
}

/// An open data directory. Fields are dropped in this order: the lock last.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) rows: Rows,
    /// Up to where rows are at rest or on their way.
    pub(super) sealed: Sealed,
    pub(super) tip: Tip,
    pub(super) start: Start,
    pub(super) pipeline: Pipeline,
    pub(super) lock: Lock,
}

/// What is in a data directory, before anything of it was changed.
pub(super) struct Found {
    /// Rows at rest, and up to where they go. `None`: they cannot be used.
    pub(super) rest: Option<(Rows, Mark)>,
    /// What is kept of records that are no more.
    pub(super) base: Base,
    pub(super) journal: Journal,
    pub(super) checked: Checked,
    pub(super) fence: Fence,
    pub(super) lock: Lock,
}

/// Whether what can be mended is mended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// To serve: torn tails are dropped, damaged rows are made again.
    Serve,
    /// To look: nothing is changed but what opening rows at rest tidies up after a kill.
    Verify,
}

/// Looks at a data directory; refuses what would lose an answer.
pub(super) fn find(dir: &Path, options: &Options, purpose: Purpose) -> Result<Found, Damage> {
    let lock = enter(dir, purpose)?;
    let base = Base::find(dir)?;
    if purpose == Purpose::Serve {
        base.make_durable(dir, &*options.disk)?;
    }
    let is_there = Journal::exists(dir)?;
    if base.path().is_some() && !is_there {
        return Err(Damage::Gap { sequence: base.tip().sequence + 1 });
    }
    let fence = find_fence(dir, options, purpose)?;
    let (journal, checked) = if is_there {
        let witnesses = [("the fence", fence.end())];
        let depth = match purpose {
            Purpose::Serve => depth(dir, options),
            Purpose::Verify => Depth::All,
        };
        let disk = &*options.disk;
        Journal::open(dir, base.end(), options.segment_bytes, disk, depth, &witnesses)?
    } else {
        let journal = Journal::create(dir, options.segment_bytes)?;
        sync_entries(dir)?;
        (journal, Checked::default())
    };
    let rest = match at_rest(dir, options, &journal, &base, purpose) {
        Ok(rest) => Some(rest),
        // All of it can be made again, so it is no reason not to serve.
        Err(why) if why.is_of_rows() => {
            tracing::warn!(%why, "rows at rest are not used");
            None
        }
        Err(why) => return Err(why),
    };
    Ok(Found { rest, base, journal, checked, fence, lock })
}

/// Where rows are at rest.
pub(super) fn runs_path(dir: &Path) -> PathBuf {
    dir.join("runs")
}

/// A file that is there if what is beside it is damaged.
fn condemned(runs: &Path) -> PathBuf {
    runs.join("damaged")
}

/// How much of a journal is checked before it is served: what rows at rest do not
/// have, and some before it. All of it where they have nothing or cannot be used.
fn depth(dir: &Path, options: &Options) -> Depth {
    let path = runs_path(dir);
    let mark =
        (!condemned(&path).exists()).then(|| runs::mark(&path).and_then(|it| Mark::parse(&it)));
    match mark {
        Some(Ok(mark)) => Depth::From(mark.running_end, options.checked_bytes),
        // Why is said when they are opened.
        Some(Err(_)) | None => Depth::All,
    }
}

/// Has the next start make the rows again: something at rest is damaged.
pub(super) fn condemn(dir: &Path) {
    let path = runs_path(dir);
    let make = || {
        File::create(condemned(&path))?.sync_all()?;
        // A file whose name is not durable may be gone after a power failure.
        File::open(&path)?.sync_all()
    };
    if let Err(error) = make() {
        tracing::error!(%error, path = %path.display(), "remove this directory: it is damaged");
    }
}

/// Rows at rest as they begin: as the base has them.
fn anew(
    dir: &Path,
    options: &Options,
    journal: &Journal,
    base: &Base,
) -> Result<(Rows, Mark), Damage> {
    put_aside(dir)?;
    tidy(dir)?;
    base.check()?;
    base.begin_rows(&runs_path(dir))?;
    at_rest(dir, options, journal, base, Purpose::Serve)
}

/// Room for rows is made beforehand for the payouts of one checkpoint, of this
/// many at most.
const MOST_ROOM: u64 = 20_000;

/// Rows at rest, if they are of this journal.
fn at_rest(
    dir: &Path,
    options: &Options,
    journal: &Journal,
    base: &Base,
    purpose: Purpose,
) -> Result<(Rows, Mark), Damage> {
    let path = runs_path(dir);
    let unusable = |why: &str| {
        let what = path.display().to_string();
        Err(Damage::Unreadable { what, why: why.to_owned() })
    };
    let no_more = base.tip().sequence;
    let is_known = |mark: Mark| {
        journal.saw(("the rows at rest", mark.end))?;
        journal.saw(("meters and balances at rest", mark.running_end))?;
        // What they saw may end before the frame that their last record is in.
        let have = journal.end().sequence;
        if mark.tip.sequence > have {
            return Err(Damage::BelowFence { have, fence: mark.tip.sequence });
        }
        Ok(())
    };
    let mark = runs::mark(&path).and_then(|mark| Mark::parse(&mark));
    // Before anything else: also rows that cannot be used may know of a later end than
    // the journal has.
    if let Ok(mark) = &mark
        && mark.running >= no_more
    {
        is_known(*mark)?;
    }
    if condemned(&path).exists() {
        return unusable("it was found damaged");
    }
    let mark = mark?;
    if mark.running < no_more || mark.base > no_more {
        return unusable("it does not go on from what is kept of records that are no more");
    }
    if mark.base < no_more {
        if purpose == Purpose::Verify {
            return unusable("it is of before records were let go of");
        }
        rebase(dir, base, options)?;
    }
    let (runs, mark) = Runs::open(&path, options.of_runs())?;
    let mark = Mark::parse(&mark)?;
    // A payout has four entries, one of a known order five.
    let room = usize::try_from(options.checkpoint_records.min(MOST_ROOM) * 5).unwrap_or_default();
    Ok((Rows::new(runs, room), mark))
}

/// Opens a data directory to serve it.
pub(super) fn open(dir: &Path, options: &Options) -> Result<Opened, Damage> {
    let Found { rest, base, mut journal, checked, mut fence, lock } =
        find(dir, options, Purpose::Serve)?;
    if rest.is_none() {
        journal.read_through()?;
    }
    if rest.is_none() {
        // All will be made of it, and files before it are about to go.
        base.check()?;
    }
    // What a kill left may take the room that a start needs.
    tidy(dir)?;
    Base::remove_drafts(dir)?;
    journal.heal(checked.torn > 0)?;
    let end = checked.end;
    let mut rebuilt = rest.is_none();
    let (mut rows, mark) = match rest {
        Some(rest) => rest,
        None => {
            tracing::warn!(records = end.sequence, "rows are made again from the whole journal");
            anew(dir, options, &journal, &base)?
        }
    };
    let mut from = mark.running;
    let (tip, sealed) = match replay(&mut rows, mark, &mut journal, options) {
        Err(why) if why.is_of_rows() && !rebuilt => {
            tracing::warn!(%why, "rows at rest are not used");
            journal.read_through()?;
            rebuilt = true;
            drop(rows);
            let (begun, mark) = anew(dir, options, &journal, &base)?;
            rows = begun;
            from = mark.running;
            replay(&mut rows, mark, &mut journal, options)?
        }
        replayed => replayed?,
    };
    fence.write(end, &*options.disk)?;
    base.remove_older(dir)?;
    let older_bytes = journal.older().map_or(0, |older| older.bytes());
    let torn_bytes = checked.torn;
    let replayed = tip.sequence.saturating_sub(from);
    let start = Start { sequence: end.sequence, torn_bytes, older_bytes, rebuilt, replayed };
    report(dir, start, rows.sizes()?);
    let pipeline = Pipeline::start(journal, fence, options.disk.clone(), options.fence_every)?;
    Ok(Opened { rows, sealed, tip, start, pipeline, lock })
}

/// How many records are applied at a time.
const PAGE: usize = 1000;

/// Applies the records after those that rows at rest have, and of those that only meters
/// and balances lack what they changed of them. Rows are put away on the way, so that a
/// long tail does not have to fit into memory, but for the names of meters that are ahead.
/// Says where it ended, and up to where rows are
/// put away.
pub(super) fn replay(
    rows: &mut Rows,
    mark: Mark,
    journal: &mut Journal,
    options: &Options,
) -> Result<(Tip, Sealed), Damage> {
    let (mut tip, mut done, mut since) = (mark.tip, mark.running, 0);
    let mut sealed = Sealed { tip, running: done };
    let mut behind = Behind::default();
    loop {
        let records = journal.records(done)?.take(PAGE);
        let records: Vec<Arc<Record>> = records.collect::<Result<_, _>>()?;
        let Some(last) = records.last() else { break };
        for record in &records {
            if record.sequence > mark.tip.sequence {
                apply(rows, record, |_| true, journal)?;
            } else {
                let keys = behind.keys(rows, record)?;
                apply(rows, record, |key| keys.contains(key), journal)?;
            }
        }
        done = last.sequence;
        if done > tip.sequence {
            tip = Tip { sequence: done, at: last.at };
        }
        since += records.len() as u64;
        rows.settle()?;
        if since >= options.checkpoint_records {
            since = 0;
            rows.seal();
            rows.freeze(Mark::find(journal, tip, done)?)?;
            sealed = Sealed { tip, running: done };
        }
    }
    Ok((tip, sealed))
}

/// Applies a record to those of the rows.
fn apply(
    rows: &mut Rows,
    record: &Record,
    is_among: impl Fn(&Key) -> bool,
    journal: &mut Journal,
) -> Result<(), Damage> {
    let mut made_alone: Option<Key> = None;
    for (number, change) in record.changes.iter().enumerate() {
        let key = change.key();
        if !is_among(&key) {
            continue;
        }
        // A payout changes several meters of a row.
        if made_alone.as_ref() == Some(&key) {
            if change.adds() {
                continue;
            }
            made_alone = None;
        }
        // What is written whole does not need the row before, except to know what
        // followed from it. Looking costs more than all the rest.
        let before = match change.adds() || matches!(key, Key::Payout(_)) {
            true => rows.find(&key)?,
            false => Slot::Gone,
        };
        let mut made = |sequence: u64| {
            let is_it = |it: &Key| *it == key;
            if sequence == record.sequence {
                Ok(made_by(record.changes.get(..number).unwrap_or_default(), is_it))
            } else if journal.has(sequence) {
                journal.record(sequence)?.row(is_it).map_err(Damage::misfit(sequence))
            } else {
                Ok(None)
            }
        };
        let alone = match &before {
            Slot::Gone => true,
            Slot::At(sequence) | Slot::If(sequence) => *sequence == record.sequence,
            Slot::Order { .. } | Slot::Row(..) => false,
        };
        let before = match before {
            // Whoever asks for it has it made.
            _ if change.adds() && alone => None,
            Slot::Gone => None,
            Slot::Row(row, _) => Some(row),
            Slot::If(at) => made(at)?,
            Slot::At(at) | Slot::Order { at, .. } => {
                Some(made(at)?.ok_or_else(|| Damage::unmade(at))?)
            }
        };
        if change.adds() && (alone || before.is_none()) {
            rows.keep(&key, Slot::At(record.sequence), record.sequence)?;
            made_alone = Some(key);
            continue;
        }
        let after = change.apply(before.clone());
        for (key, row) in following(before.as_deref(), after.as_deref()) {
            let slot = Slot::new(&key, row.map(Arc::new), record.sequence, false);
            rows.keep(&key, slot, record.sequence)?;
        }
        let slot = Slot::new(&key, after, record.sequence, false);
        rows.keep(&key, slot, record.sequence)?;
    }
    Ok(())
}

/// Takes the directory's lock; makes the directory if it is to serve.
pub(super) fn enter(dir: &Path, purpose: Purpose) -> Result<Lock, Damage> {
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
    let base = Base::find(dir)?;
    if let Some(fence) = Fence::open(dir, options.fence_every)? {
        return Err(Damage::Defect(format!(
            "{} is there and says record {}",
            Fence::path(dir).display(),
            fence.end().sequence
        )));
    }
    let disk = &*options.disk;
    let (mut journal, Checked { end, .. }) =
        Journal::open(dir, base.end(), options.segment_bytes, disk, Depth::All, &[])?;
    // The rows at rest may know of a later end. If their mark cannot be read, nobody does.
    match at_rest(dir, options, &journal, &base, Purpose::Verify) {
        Err(why) if !why.is_of_rows() => return Err(why),
        _ => {}
    }
    Fence::create(dir, options.fence_every, disk, end)?;
    sync_all(dir)?;
    let last = journal.records(end.sequence.saturating_sub(1))?.next();
    let at = last.transpose()?.map_or(base.tip().at, |record| record.at);
    Ok(Tip { sequence: end.sequence, at })
}

fn report(dir: &Path, start: Start, at_rest: Sizes) {
    let Start { sequence, replayed, torn_bytes, older_bytes, rebuilt } = start;
    let path = dir.display();
    if torn_bytes > 0 {
        tracing::warn!(%path, sequence, torn_bytes, "a commit that was never answered is dropped");
    }
    if older_bytes > 0 {
        tracing::info!(%path, older_bytes, "old files of the journal are checked while it serves");
    }
    let Sizes { runs, entries, bytes, memory } = at_rest;
    tracing::info!(%path, runs, entries, bytes, memory, "rows at rest");
    tracing::info!(%path, sequence, replayed, rebuilt, "the store is open");
}

//! Lets go of the oldest files of a journal that nothing serves. What may still matter
//! of their records is kept as rows (`keeping.rs`); everything else of them is gone.
//!
//! 1. all of the journal is read through, and rows at rest are brought up to its end;
//! 2. a base is made of the records that go (and of the base of before), beside it;
//! 3. rows at rest are made anew beside those that are there: none says a record that
//!    goes (`rebase.rs`);
//! 4. the base is compared with what the records that go make, and these rows with what
//!    the base and the records that are left make;
//! 5. the base gets its name: from here on it counts. A kill before leaves all as it
//!    was; after a kill later the next start does what is left to do;
//! 6. the new rows get into the place of the others, and the files go.

use std::{fs, path::Path, time::Duration};

use super::{
    Options,
    backup::NOTE,
    base::Base,
    belongings,
    damage::Damage,
    journal::{End, Journal},
    keeping::{self, Counted},
    mark::Mark,
    pipeline::Pipeline,
    rebase,
    recover::{self, Opened, Purpose},
    rows::Rows,
    verify::{MOST_ROWS, compare_base, compare_next},
};
use crate::{domain::instant::Instant, store::Tip};

/// What is to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retain {
    /// Records stay that are not older than this before now, or before the last record
    /// if that was earlier: a clock that is wrong lets too much stay.
    pub keep: Duration,
    /// Now.
    pub now: Instant,
    /// Only look.
    pub dry_run: bool,
    /// Do not compare what is kept, and rows, with what the records make.
    pub unchecked: bool,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// So many records that go are done, of so many.
    Going(u64, u64),
    /// This record of those that stay is read, for rows of one of so many parts.
    Comparing(u64, u64, u64),
}

/// What was let go of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retained {
    /// Where the journal ends.
    pub tip: Tip,
    /// Records before it may go.
    pub before: Instant,
    /// The oldest record that there was.
    pub oldest: Option<Tip>,
    /// What went. `None`: no whole file of the journal was old enough.
    pub gone: Option<Gone>,
    /// Why something is left to be done, which the next start does.
    pub unfinished: Option<String>,
}

/// Records that went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone {
    /// The last of them.
    pub last: Tip,
    /// How many.
    pub records: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Payouts that went, and what is kept. `None`: it was only looked.
    pub counted: Option<Counted>,
}

/// Lets go of records that are old enough, as far as whole files of the journal have no
/// others.
///
/// # Errors
/// Why not. Nothing has changed then, but what a start mends.
pub fn retain(
    dir: &Path,
    options: &Options,
    what: &Retain,
    progress: &mut dyn FnMut(Stage),
) -> Result<Retained, Damage> {
    if dir.join(NOTE).exists() {
        return Err(Damage::Backup(dir.to_owned()));
    }
    // As a start does it, but not where there is nothing.
    drop(recover::enter(dir, Purpose::Verify)?);
    // Dropped the other way round, the lock last.
    let Opened { lock, pipeline, tip, mut rows, .. } = recover::open(dir, options)?;
    let done = put_away(&mut rows, tip, &pipeline).and_then(|()| {
        let cut = Cut::find(&mut pipeline.journal(), tip, what)?;
        let gone = match cut.end {
            Some(_) if !what.dry_run => cut.make(dir, options, what, &rows, &pipeline, progress)?,
            Some(end) => Some(cut.gone(end, dir, None)?),
            None => None,
        };
        Ok((cut, gone))
    });
    let named = done.and_then(|(cut, gone)| match gone.filter(|gone| gone.counted.is_some()) {
        Some(Gone { last, .. }) => {
            // Something else may have found damage meanwhile.
            pipeline.broken().map_or(Ok(()), |why| Err(Damage::Defect(why)))?;
            Base::publish(dir, last.sequence, &*options.disk)?;
            Ok((cut, gone, true))
        }
        None => Ok((cut, gone, false)),
    });
    let (cut, gone, is_named) = named.inspect_err(|why| {
        remember(why, dir, &pipeline);
        // What cannot be removed is by the next start.
        let _ = rebase::tidy(dir).and_then(|()| Base::remove_drafts(dir));
    })?;
    drop(rows);
    drop(pipeline);
    let finished = if is_named { finish(dir, options) } else { Ok(()) };
    drop(lock);
    let unfinished = finished.err().map(|why| why.to_string());
    Ok(Retained { tip, before: cut.before, oldest: cut.oldest, gone, unfinished })
}

/// Does what is left to do when a base has its name, as a start does it.
fn finish(dir: &Path, options: &Options) -> Result<(), Damage> {
    let (base, disk) = (Base::find(dir)?, &*options.disk);
    base.make_durable(dir, disk)?;
    rebase::put_in_place(dir, disk)?;
    Journal::remove_before(dir, base.end(), disk)?;
    base.remove_older(dir)
}

/// Has the next start look closer.
fn remember(why: &Damage, dir: &Path, pipeline: &Pipeline) {
    if why.is_of_rows() {
        recover::condemn(dir);
    } else if why.is_of_the_journal() {
        pipeline.journal().suspect();
    }
}

/// Brings all rows to rest.
fn put_away(rows: &mut Rows, tip: Tip, pipeline: &Pipeline) -> Result<(), Damage> {
    let journal = pipeline.journal();
    let mark = Mark::whole(tip, journal.end_by(tip.sequence)?, journal.base().sequence);
    drop(journal);
    rows.seal();
    rows.freeze(mark)?;
    rows.wait()
}

/// What may go.
#[derive(Debug)]
struct Cut {
    /// The earlier of now and the last record.
    now: Instant,
    before: Instant,
    oldest: Option<Tip>,
    /// Where the journal was before.
    base: End,
    /// Where it ends with what may go, and when the last record of that was written.
    end: Option<(End, Instant)>,
}

impl Cut {
    fn find(journal: &mut Journal, tip: Tip, what: &Retain) -> Result<Self, Damage> {
        // A clock that is wrong by years would have all go, and so would a record that was
        // written by one.
        let now = tip.at.min(what.now);
        let before = now.minus(what.keep);
        let (base, ends) = (journal.base(), journal.ends().collect::<Vec<End>>());
        let oldest = journal.records(0)?.next().transpose()?;
        let oldest = oldest.map(|it| Tip { sequence: it.sequence, at: it.at });
        // Time never decreases.
        let (mut old, mut young) = (0, ends.len());
        let mut end = None;
        while let Some(it) = ends.get((old + young) / 2).filter(|_| old < young) {
            let at = journal.record(it.sequence)?.at();
            if at < before {
                old = (old + young) / 2 + 1;
                end = Some((*it, at));
            } else {
                young = (old + young) / 2;
            }
        }
        Ok(Self { now, before, oldest, base, end })
    }

    fn gone(
        &self,
        (end, at): (End, Instant),
        dir: &Path,
        counted: Option<Counted>,
    ) -> Result<Gone, Damage> {
        let mut bytes = 0;
        for file in Journal::files_before(dir, end)? {
            bytes += fs::metadata(&file).map_err(Damage::io(&file))?.len();
        }
        let records = end.sequence - self.base.sequence;
        Ok(Gone { last: Tip { sequence: end.sequence, at }, records, bytes, counted })
    }

    /// Makes the base and the rows that go on from it.
    fn make(
        &self,
        dir: &Path,
        options: &Options,
        what: &Retain,
        rows: &Rows,
        pipeline: &Pipeline,
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Option<Gone>, Damage> {
        let Some((end, at)) = self.end else { return Ok(None) };
        let mut journal = pipeline.journal();
        // A start has not read old files, and nobody can read these again.
        journal.read_through()?;
        let mark = Mark::whole(Tip { sequence: end.sequence, at }, end, end.sequence);
        let going = &mut |done, all| progress(Stage::Going(done, all));
        let counted = keeping::make(dir, mark, rows, &mut journal, self.now, options, going)?;
        rows.idle()?;
        let base = Base::drafted(dir, mark);
        let gone = rebase::make(dir, &base, options)?;
        if gone != counted.gone {
            let over = counted.gone;
            let why = format!("{over} payouts are over, and rows lack {gone} then");
            return Err(Damage::Defect(why));
        }
        if !what.unchecked {
            let mut again = |part, of, record| progress(Stage::Comparing(record, part, of));
            let before = Base::find(dir)?;
            compare_draft(&base, &before, counted, &mut journal, MOST_ROWS, &mut again)?;
            compare_next(&rebase::next(dir), &base, &mut journal, options, MOST_ROWS, again)?;
        }
        Ok(Some(self.gone((end, at), dir, Some(counted))?))
    }
}

/// Compares a base that does not count yet with what the records make that go.
pub(super) fn compare_draft(
    draft: &Base,
    before: &Base,
    counted: Counted,
    journal: &mut Journal,
    most: usize,
    progress: impl FnMut(u64, u64, u64),
) -> Result<(), Damage> {
    belongings::check(draft)?;
    let lost = compare_base(draft, before, journal, most, progress)?;
    if lost == counted.gone {
        return Ok(());
    }
    let over = counted.gone;
    let why = format!("{over} payouts are over, and {lost} would not be kept");
    Err(Damage::Defect(why))
}

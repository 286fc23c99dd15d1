//! Lets go of the oldest files of a journal that nothing serves. What may still matter
//! of their records is kept as rows (`keeping.rs`); everything else of them is gone.
//!
//! 1. rows at rest are brought up to the journal's end;
//! 2. a base is made of the records that go (and of the base of before), beside it;
//! 3. rows at rest are made anew beside those that are there: none says a record that
//!    goes (`rebase.rs`). This also looks whether the base has all that it has to;
//! 4. the base gets its name: from here on it counts. A kill before leaves all as it
//!    was; after a kill later the next start does what is left to do;
//! 5. the new rows get into the place of the others, and the files go.

use std::{fs, path::Path, time::Duration};

use super::{
    Options,
    base::Base,
    damage::Damage,
    journal::{End, Journal},
    keeping::{self, Counted},
    mark::Mark,
    pipeline::Pipeline,
    rebase,
    recover::{self, Opened},
    rows::Rows,
};
use crate::{domain::instant::Instant, store::Tip};

/// What was let go of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retained {
    /// Where the journal ends.
    pub tip: Tip,
    /// Records before it may go.
    pub before: Instant,
    /// The oldest record that there was.
    pub oldest: Option<Tip>,
    /// What went. `None`: no whole file of the journal was old enough.
    pub gone: Option<Gone>,
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

/// Lets go of records that are older than the last one by so much, as far as whole files
/// of the journal have no others; or only looks, if `dry`. `progress` is told how many
/// records of how many are done.
///
/// # Errors
/// Why not. Nothing is lost then.
pub fn retain(
    dir: &Path,
    options: &Options,
    keep: Duration,
    dry: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Retained, Damage> {
    // As a start does it, but not where there is nothing.
    drop(recover::enter(dir, recover::Purpose::Verify)?);
    let Opened { mut rows, tip, pipeline, lock, .. } = recover::open(dir, options)?;
    let done = put_away(&mut rows, tip, &pipeline).and_then(|()| {
        let cut = Cut::find(&mut pipeline.journal(), tip, keep)?;
        match cut.end {
            Some(_) if !dry => cut.make(dir, options, &rows, &pipeline, progress),
            Some(end) => Ok(Some(cut.gone(end, dir, None)?)),
            None => Ok(None),
        }
        .map(|gone| (cut, gone))
    });
    let (cut, mut gone) = done.inspect_err(|why| remember(why, dir, &pipeline))?;
    drop(rows);
    drop(pipeline);
    if let Some(Gone { last, counted: Some(_), .. }) = &mut gone {
        let base = Base::publish(dir, last.sequence)?;
        rebase::put_in_place(dir)?;
        Journal::remove_before(dir, base.end())?;
        base.tidy(dir)?;
    }
    drop(lock);
    Ok(Retained { tip, before: cut.before, oldest: cut.oldest, gone })
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
    let mark = Mark { tip, end: journal.end_by(tip.sequence)?, base: journal.base().sequence };
    drop(journal);
    rows.seal();
    rows.freeze(mark)?;
    rows.wait()
}

/// What may go.
#[derive(Debug)]
struct Cut {
    before: Instant,
    oldest: Option<Tip>,
    /// Where the journal was before.
    base: End,
    /// Where it ends with what may go, and when the last record of that was written.
    end: Option<(End, Instant)>,
}

impl Cut {
    fn find(journal: &mut Journal, tip: Tip, keep: Duration) -> Result<Self, Damage> {
        // Not by a clock: one that is wrong by years would have all go.
        let before = tip.at.minus(keep);
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
        Ok(Self { before, oldest, base, end })
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
        rows: &Rows,
        pipeline: &Pipeline,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Option<Gone>, Damage> {
        let Some((end, at)) = self.end else { return Ok(None) };
        let tip = Tip { sequence: end.sequence, at };
        let mark = Mark { tip, end, base: end.sequence };
        let counted = keeping::make(dir, mark, rows, &mut pipeline.journal(), options, progress)?;
        rows.idle()?;
        rebase::make(dir, &Base::drafted(dir, mark), options)?;
        Ok(Some(self.gone((end, at), dir, Some(counted))?))
    }
}

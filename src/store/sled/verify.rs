//! Checks a data directory that nothing serves: the journal by itself, and
//! that it makes exactly the rows that start-up would serve.
//!
//! Decisions are recomputed by the caller, who is given every record in order. A torn
//! tail is reported and left as it is; so are rows that have to be made again, and the
//! next start is told so; files of rows that a kill left unfinished are removed.

use std::{path::Path, sync::Arc};

use super::{
    Item, Options,
    base::Base,
    damage::Damage,
    journal::Journal,
    layer::Slot,
    made::{Made, MadeRows, Part},
    mark::Mark,
    recover::{Found, Purpose, condemn, find, replay, runs_path},
    rows::Rows,
    runs::{self, Runs},
    sort_key::{AFTER_ALL, BEFORE_ALL, encode_key, filtered, is_payout, passes_with_its_payout},
};
use crate::{
    domain::{change::Record, key::Key, row::Row},
    store::Tip,
};

/// What was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Where the journal ends.
    pub tip: Tip,
    /// The last record that was let go of; 0, if none was.
    pub no_more: u64,
    /// How many commits it has.
    pub commits: u64,
    /// The record up to which the fence says it was durable.
    pub fence: u64,
    /// The record that the checkpoint goes up to.
    pub checkpoint: u64,
    /// How many rows there are.
    pub rows: usize,
    /// Bytes of a commit that was never answered.
    pub torn_bytes: u64,
    /// Whether rows at rest were not compared, because they are not there, far behind, or
    /// damaged: the next start makes what is missing, or all of them, again.
    pub rows_incomplete: bool,
}

/// Most rows that are held in memory while they are compared: some 2 GB of them.
pub const MOST_ROWS: usize = 3_000_000;

/// Checks chain, checksums, gaps, fence and rows. `each` is given every row that is kept
/// of records that are no more, and then every record, in order; what it says is wrong
/// ends the check.
pub fn verify(
    dir: &Path,
    options: &Options,
    each: impl FnMut(Item<'_, Arc<Record>>) -> Result<(), Damage>,
) -> Result<Report, Damage> {
    verify_in_parts(dir, options, MOST_ROWS, each, |_, _, _| {})
}

/// The same with at most so many rows in memory: of more, a part is compared at a time,
/// each with another reading of the journal. `progress` is told which part of how many it
/// is, as far as that is known, and which record.
pub fn verify_in_parts(
    dir: &Path,
    options: &Options,
    most: usize,
    mut each: impl FnMut(Item<'_, Arc<Record>>) -> Result<(), Damage>,
    mut progress: impl FnMut(u64, u64, u64),
) -> Result<Report, Damage> {
    let Found { rest, base, mut journal, checked, fence, lock: _lock } =
        find(dir, options, Purpose::Verify)?;
    base.check()?;
    let checkpoint = rest.as_ref().map_or(0, |(_, mark)| mark.tip.sequence);
    let mut served = Served::Unread(rest);
    let mut tip = base.tip();
    let each = |item: Item<'_, Arc<Record>>| {
        if let Item::Record(record) = &item {
            tip = follows(tip, record)?;
        }
        each(item)
    };
    let compare = |made: &MadeRows, journal: &mut Journal| {
        // What can be said of the journal was said when they are looked at.
        served.read(dir, journal, options)?;
        served.compare(made, dir, journal)
    };
    let until = journal.end().sequence;
    let rows = in_parts(&base, until, &mut journal, most, each, compare, &mut progress)?;
    Ok(Report {
        tip,
        no_more: base.tip().sequence,
        commits: checked.end.commit,
        fence: fence.end().sequence,
        checkpoint,
        rows,
        torn_bytes: checked.torn,
        rows_incomplete: !matches!(served, Served::Rows(_)),
    })
}

/// Compares rows that nobody serves yet with what a base and the records behind it make.
pub(super) fn compare_next(
    runs: &Path,
    base: &Base,
    journal: &mut Journal,
    options: &Options,
    most: usize,
    mut progress: impl FnMut(u64, u64, u64),
) -> Result<(), Damage> {
    let (runs, mark) = Runs::open(runs, options.of_runs())?;
    let checkpoint = Mark::parse(&mark)?.tip.sequence;
    if checkpoint != journal.end().sequence {
        return Err(Damage::Defect(format!("rows go up to record {checkpoint}")));
    }
    let rows = Rows::new(runs, 0);
    let compare = |made: &MadeRows, journal: &mut Journal| compare(made, &rows, journal);
    let until = journal.end().sequence;
    in_parts(base, until, journal, most, |_| Ok(()), compare, &mut progress).map(drop)
}

/// Compares a base that does not count yet with what all the records make that it stands
/// for, and the base of before: every row of it, and that it lacks none but those that go
/// with their payout. Says how many payouts it lacks.
pub(super) fn compare_base(
    draft: &Base,
    before: &Base,
    journal: &mut Journal,
    most: usize,
    mut progress: impl FnMut(u64, u64, u64),
) -> Result<u64, Damage> {
    let (until, mut gone) = (draft.tip().sequence, 0);
    let compare = |made: &MadeRows, journal: &mut Journal| {
        gone += compare_kept(made, draft, journal)?;
        Ok(())
    };
    in_parts(before, until, journal, most, |_| Ok(()), compare, &mut progress)?;
    Ok(gone)
}

/// The same of a part.
fn compare_kept(made: &MadeRows, draft: &Base, journal: &mut Journal) -> Result<u64, Damage> {
    let (part, mut gone) = (made.part, 0);
    let mut made = made.rows.iter().map(|(key, made)| (encode_key(key), key, made)).peekable();
    draft.rows(|bytes, row| {
        if !part.has_bytes(bytes) {
            return Ok(());
        }
        while let Some((other, key, made)) = made.next_if(|(other, ..)| other.as_slice() < bytes) {
            gone += u64::from(lost(&other, key, made, journal)?);
        }
        match made.next_if(|(other, ..)| other == bytes) {
            Some((_, key, made)) => is_same(key, made, Slot::Row(Arc::new(row), 0), journal),
            None => Err(differs(&row.key())),
        }
    })?;
    for (bytes, key, made) in made {
        gone += u64::from(lost(&bytes, key, made, journal)?);
    }
    Ok(gone)
}

/// That a row which is made need not be kept. Says whether it is a payout: then it is
/// over. Whoever made the base thought so; here it is read as it was made.
fn lost(bytes: &[u8], key: &Key, made: &Made, journal: &mut Journal) -> Result<bool, Damage> {
    let defect = |why: &str| Err(Damage::Defect(format!("{key:?} is not {why}kept")));
    if !passes_with_its_payout(bytes) {
        return defect("");
    }
    if !is_payout(bytes) {
        return Ok(false);
    }
    match as_it_is(key, made, journal)?.as_deref() {
        Some(Row::Payout(payout)) if payout.state.is_final() && payout.due.is_none() => Ok(true),
        _ => defect("over and would not be "),
    }
}

/// Compares a part of the rows at a time, as they were made until a record. Says how many
/// there are.
fn in_parts(
    base: &Base,
    until: u64,
    journal: &mut Journal,
    most: usize,
    mut each: impl FnMut(Item<'_, Arc<Record>>) -> Result<(), Damage>,
    mut compare: impl FnMut(&MadeRows, &mut Journal) -> Result<(), Damage>,
    progress: &mut impl FnMut(u64, u64, u64),
) -> Result<usize, Damage> {
    let (mut part, mut rows) = (Part::FIRST, 0);
    loop {
        let is_first = part == Part::FIRST;
        let mut made = MadeRows::new(part, most);
        base.rows(|_, row| {
            if is_first {
                each(Item::Kept(&row))?;
            }
            made.keep(row);
            Ok::<(), Damage>(())
        })?;
        for sequence in base.tip().sequence + 1..=until {
            let told = journal.record(sequence)?;
            let record = told.record().map_err(Damage::misfit(sequence))?;
            if is_first {
                each(Item::Record(&record))?;
            }
            made.take(&told, &record)?;
            let (of, before) = made.part.count();
            progress(before + 1, of, sequence);
        }
        rows += made.rows.len();
        compare(&made, journal)?;
        part = match made.part.next() {
            Some(next) => next,
            None => return Ok(rows),
        };
    }
}

/// Where the journal ends with a record.
fn follows(tip: Tip, record: &Record) -> Result<Tip, Damage> {
    if record.at < tip.at {
        return Err(Damage::Unreadable {
            what: format!("record {}", record.sequence),
            why: "it is older than the record before it".to_owned(),
        });
    }
    Ok(Tip { sequence: record.sequence, at: record.at })
}

/// Most records that are applied to all rows at rest to compare them: these are in memory.
const MOST_TAIL: u64 = 500_000;

/// Rows as a start would serve them.
enum Served {
    /// Those at rest, which were not looked at yet.
    Unread(Option<(Rows, Mark)>),
    /// With what the journal has besides.
    Rows(Rows),
    /// A start has to make them again, or most of them.
    Unusable,
}

impl Served {
    /// Takes them as a start does.
    fn read(&mut self, dir: &Path, journal: &mut Journal, options: &Options) -> Result<(), Damage> {
        let Self::Unread(rest) = self else { return Ok(()) };
        let Some((mut rows, mark)) = rest.take() else {
            *self = Self::Unusable;
            return Ok(());
        };
        if journal.end().sequence - mark.tip.sequence > MOST_TAIL {
            *self = Self::Unusable;
            return Ok(());
        }
        // In memory: nothing is put away by looking.
        let options = Options { checkpoint_records: u64::MAX, ..options.clone() };
        let whole = runs::verify(&runs_path(dir), filtered)?.into_iter().next().map_or(Ok(()), Err);
        let replayed = whole.and_then(|()| replay(&mut rows, mark, journal, &options));
        *self = Self::Rows(rows);
        self.unless_of_rows(replayed.map(drop), dir)
    }

    /// Damage that the journal makes good is none: the next start is told to have all of
    /// these rows made again, since it does not look at all of them itself.
    fn unless_of_rows(&mut self, looked: Result<(), Damage>, dir: &Path) -> Result<(), Damage> {
        match looked {
            Err(why) if why.is_of_rows() => {
                condemn(dir);
                *self = Self::Unusable;
                Ok(())
            }
            looked => looked,
        }
    }

    /// Compares those of a part with what the journal makes.
    fn compare(
        &mut self,
        made: &MadeRows,
        dir: &Path,
        journal: &mut Journal,
    ) -> Result<(), Damage> {
        let Self::Rows(rows) = self else { return Ok(()) };
        let compared = compare(made, rows, journal);
        self.unless_of_rows(compared, dir)
    }
}

/// How many rows are compared at a time.
const PAGE: usize = 1000;

/// Compares what the journal makes with what would be served.
fn compare(made: &MadeRows, served: &Rows, journal: &mut Journal) -> Result<(), Damage> {
    let part = made.part;
    let mut made = made.rows.iter().map(|(key, made)| (encode_key(key), key, made)).peekable();
    let (mut from, to) = (BEFORE_ALL.to_vec(), AFTER_ALL.to_vec());
    loop {
        let page = served.scan_between(from..to.clone(), false, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        // Right behind it.
        from = [last.as_slice(), &[0]].concat();
        for (bytes, slot) in page {
            // What is made before it is found without an entry of its own.
            while let Some((_, key, row)) = made.next_if(|(other, ..)| *other < bytes) {
                implied(key, row, served, journal)?;
            }
            match made.next_if(|(other, ..)| *other == bytes) {
                Some((_, key, row)) => is_same(key, row, slot, journal)?,
                None => is_of_another_part(part, &bytes, slot, journal)?,
            }
        }
    }
    made.try_for_each(|(_, key, row)| implied(key, row, served, journal))
}

/// That a row is found though it has no entry.
fn implied(key: &Key, made: &Made, served: &Rows, journal: &mut Journal) -> Result<(), Damage> {
    match served.find(key)? {
        slot @ Slot::If(_) => is_same(key, made, slot, journal),
        _ => Err(differs(key)),
    }
}

/// That what is served under a key is what the journal makes.
fn is_same(key: &Key, made: &Made, slot: Slot, journal: &mut Journal) -> Result<(), Damage> {
    let says = match slot {
        Slot::At(at) | Slot::If(at) | Slot::Order { at, .. } => Some(at),
        Slot::Gone | Slot::Row(..) => None,
    };
    // That it made the row was seen when it was read.
    if says.is_some_and(|says| matches!(made, Made::At(at, _) if *at == says)) {
        return Ok(());
    }
    let row = as_it_is(key, made, journal)?;
    let found = row_of(slot, |it| it == key, journal)?;
    if found.is_some() && found == row { Ok(()) } else { Err(differs(key)) }
}

/// A row that is made.
fn as_it_is(key: &Key, made: &Made, journal: &mut Journal) -> Result<Option<Arc<Row>>, Damage> {
    match made {
        Made::At(at, _) => made_by(*at, |it| it == key, journal),
        Made::Row(row) => Ok(Some(row.clone())),
    }
}

/// That a row which is not made is of another part.
fn is_of_another_part(
    part: Part,
    bytes: &[u8],
    slot: Slot,
    journal: &mut Journal,
) -> Result<(), Damage> {
    if !part.has_bytes(bytes) {
        return Ok(());
    }
    let row = row_of(slot, |it| encode_key(it) == bytes, journal)?;
    Err(row.map_or_else(|| Damage::Row { key: "?".into() }, |row| differs(&row.key())))
}

/// The row of a slot.
fn row_of(
    slot: Slot,
    is_it: impl Fn(&Key) -> bool,
    journal: &mut Journal,
) -> Result<Option<Arc<Row>>, Damage> {
    Ok(match slot {
        Slot::Gone => None,
        Slot::Row(row, _) => Some(row),
        Slot::If(sequence) => made_by(sequence, is_it, journal)?,
        Slot::At(sequence) | Slot::Order { at: sequence, .. } => {
            let found = made_by(sequence, is_it, journal)?;
            Some(found.ok_or_else(|| Damage::unmade(sequence))?)
        }
    })
}

/// A row as a record made it, if that is there and did.
fn made_by(
    sequence: u64,
    is_it: impl Fn(&Key) -> bool,
    journal: &mut Journal,
) -> Result<Option<Arc<Row>>, Damage> {
    if !journal.has(sequence) {
        return Ok(None);
    }
    journal.record(sequence)?.row(is_it).map_err(Damage::misfit(sequence))
}

fn differs(key: &Key) -> Damage {
    Damage::Row { key: format!("{key:?}") }
}

//! Checks a data directory that nothing serves: the journal by itself, and
//! that it makes exactly the rows that start-up would serve.
//!
//! Decisions are recomputed by the caller, who is given every record in order. A torn
//! tail and rows that have to be made again are reported and left as they are; files of
//! rows that a kill left unfinished are removed. All rows are held in memory while this
//! runs.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    Item, Options,
    damage::Damage,
    journal::Journal,
    layer::Slot,
    recover::{Found, Purpose, find, replay, runs_path},
    rows::Rows,
    runs,
    sort_key::{SortKey, encode_key, filtered},
};
use crate::{
    domain::{
        change::{Record, following},
        instant::Instant,
        key::Key,
        name::{Id, PayoutName, PlatformName},
        row::Row,
    },
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
    /// Whether rows at rest are damaged, so that a start, or who reads them, has
    /// them made again.
    pub rows_incomplete: bool,
}

/// Checks chain, checksums, gaps, fence and rows. `each` is given every row that is kept
/// of records that are no more, and then every record, in order; what it says is wrong
/// ends the check.
pub fn verify(
    dir: &Path,
    options: &Options,
    mut each: impl FnMut(Item<'_, Arc<Record>>) -> Result<(), Damage>,
) -> Result<Report, Damage> {
    let Found { rest, base, mut journal, checked, fence, lock: _lock } =
        find(dir, options, Purpose::Verify)?;
    let mut rows: BTreeMap<SortKey, Arc<Row>> = BTreeMap::new();
    base.check()?;
    base.rows(|key, row| {
        each(Item::Kept(&row))?;
        rows.insert(key.into(), Arc::new(row));
        Ok::<(), Damage>(())
    })?;
    let mut tip = base.tip();
    for record in journal.records(0)? {
        let record = record?;
        if record.at < tip.at {
            return Err(Damage::Unreadable {
                what: format!("record {}", record.sequence),
                why: "it is older than the record before it".to_owned(),
            });
        }
        tip = Tip { sequence: record.sequence, at: record.at };
        apply(&mut rows, &record);
        each(Item::Record(&record))?;
    }
    let mut rows_incomplete = rest.is_none();
    let checkpoint = rest.as_ref().map_or(0, |(_, mark)| mark.tip.sequence);
    if let Some((mut served, mark)) = rest {
        // In memory: nothing is put away by looking.
        let options = Options { checkpoint_records: u64::MAX, ..options.clone() };
        let whole = runs::verify(&runs_path(dir), filtered)?.into_iter().next().map_or(Ok(()), Err);
        let compared = whole
            .and_then(|()| replay(&mut served, mark.tip, &mut journal, &options))
            .and_then(|_| compare(&rows, &served, &mut journal));
        match compared {
            // The journal makes them again.
            Err(why) if why.is_of_rows() => rows_incomplete = true,
            compared => compared?,
        }
    }
    Ok(Report {
        tip,
        no_more: base.tip().sequence,
        commits: checked.end.commit,
        fence: fence.end().sequence,
        checkpoint,
        rows: rows.len(),
        torn_bytes: checked.torn,
        rows_incomplete,
    })
}

fn apply(rows: &mut BTreeMap<SortKey, Arc<Row>>, record: &Record) {
    for change in &record.changes {
        let key: SortKey = encode_key(&change.key()).into();
        let before = rows.remove(&key);
        let after = change.apply(before.clone());
        for (key, row) in following(before.as_deref(), after.as_deref()) {
            let key: SortKey = encode_key(&key).into();
            match row {
                Some(row) => drop(rows.insert(key, Arc::new(row))),
                None => drop(rows.remove(&key)),
            }
        }
        if let Some(row) = after {
            rows.insert(key, row);
        }
    }
}

/// How many rows are compared at a time.
const PAGE: usize = 1000;

/// Compares what the journal makes with what would be served.
fn compare(
    made: &BTreeMap<SortKey, Arc<Row>>,
    served: &Rows,
    journal: &mut Journal,
) -> Result<(), Damage> {
    let mut made = made.iter().peekable();
    let id = Id::after_all;
    let to = Key::Due(Instant::MAX, PayoutName { platform: id(), shop: id(), payout: id() });
    let mut from = Key::Platform(PlatformName { platform: Id::before_all() });
    loop {
        let mut last = None;
        for (key, slot) in served.scan(&from, &to, false, PAGE)? {
            if encode_key(&from) == key {
                continue;
            }
            // What is made before it is found without an entry of its own.
            while let Some((_, row)) = made.next_if(|(other, _)| ***other < *key) {
                implied(row, served, journal)?;
            }
            let found = row_of(slot, |it| encode_key(it) == key, journal)?;
            let next = made.next().map(|(_, row)| row);
            if next != found.as_ref() {
                let row = next.or(found.as_ref());
                return Err(row.map_or_else(|| Damage::Row { key: "?".into() }, |row| differs(row)));
            }
            last = next.map(|row| row.key());
        }
        match last {
            Some(last) => from = last,
            None => break,
        }
    }
    made.try_for_each(|(_, row)| implied(row, served, journal))
}

/// That a row is found though it has no entry.
fn implied(row: &Arc<Row>, served: &Rows, journal: &mut Journal) -> Result<(), Damage> {
    let key = row.key();
    let found = match served.find(&key)? {
        slot @ Slot::If(_) => row_of(slot, |it| *it == key, journal)?,
        _ => None,
    };
    if found.as_ref() == Some(row) { Ok(()) } else { Err(differs(row)) }
}

/// The row of a slot.
fn row_of(
    slot: Slot,
    is_it: impl Fn(&Key) -> bool,
    journal: &mut Journal,
) -> Result<Option<Arc<Row>>, Damage> {
    Ok(match slot {
        Slot::Gone => None,
        Slot::Row(row) => Some(row),
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

fn differs(row: &Row) -> Damage {
    Damage::Row { key: format!("{:?}", row.key()) }
}

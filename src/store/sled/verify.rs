//! Checks a data directory that nothing serves: the journal by itself, and
//! that it makes exactly the rows that start-up would serve.
//!
//! Decisions are recomputed by the caller, who is given every record in order.
//! Opening sled may change its files (see `database.rs`); a torn tail and rows
//! that have to be made again are reported and left as they are. All rows are held in
//! memory while this runs.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    Options,
    checkpoint::AtRest,
    damage::Damage,
    recover::{Found, Purpose, find},
    sort_key::{SortKey, encode_key},
};
use crate::{
    domain::{
        change::{Record, following},
        row::Row,
    },
    store::Tip,
};

/// What was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Where the journal ends.
    pub tip: Tip,
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
    /// Whether the next start makes the rows at rest again: they are not those
    /// of the last checkpoint, as after a kill in the middle of one.
    pub rows_incomplete: bool,
}

/// Checks chain, checksums, gaps, fence and rows. `each` is given every record,
/// in order; what it says is wrong ends the check.
pub fn verify(
    dir: &Path,
    options: &Options,
    mut each: impl FnMut(&Arc<Record>) -> Result<(), Damage>,
) -> Result<Report, Damage> {
    let Found { rest, journal, checked, fence, .. } = find(dir, options, Purpose::Verify)?;
    let mut rows: BTreeMap<SortKey, Arc<Row>> = BTreeMap::new();
    let mut tip = Tip::EMPTY;
    for record in journal.records(0) {
        let record = record?;
        if record.at < tip.at {
            return Err(Damage::Unreadable {
                what: format!("record {}", record.sequence),
                why: "it is older than the record before it".to_owned(),
            });
        }
        tip = Tip { sequence: record.sequence, at: record.at };
        apply(&mut rows, &record);
        each(&record)?;
    }
    let rows_incomplete = rest.is_none();
    let checkpoint = rest.as_ref().map_or(0, |rest| rest.head.end.sequence);
    if let Some(mut rest) = rest {
        for record in journal.records(checkpoint) {
            rest.rows.apply(&*record?)?;
        }
        compare(&rows, &rest)?;
    }
    Ok(Report {
        tip,
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
fn compare(made: &BTreeMap<SortKey, Arc<Row>>, rest: &AtRest) -> Result<(), Damage> {
    let mut made = made.iter();
    let mut from = vec![0];
    loop {
        let page = rest.rows.scan(&from, &[u8::MAX], false, PAGE)?;
        for (key, served) in &page {
            match made.next() {
                Some((_, row)) if row == served => {}
                Some((other, row)) if other < key => return Err(differs(row)),
                _ => return Err(differs(served)),
            }
        }
        let Some((last, _)) = page.last() else { break };
        from = last.to_vec();
        from.push(0);
    }
    made.next().map_or(Ok(()), |(_, row)| Err(differs(row)))
}

fn differs(row: &Row) -> Damage {
    Damage::Row { key: format!("{:?}", row.key()) }
}

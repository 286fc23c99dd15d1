//! Rows at rest after records were let go of: what said one of these gets what the base
//! has in its place, or goes. A merge of two lists in the order of their keys, which
//! asks the journal for nothing; so a start can do it again after a kill.

use std::{
    cmp::Ordering,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Options,
    base::Base,
    damage::Damage,
    layer::Slot,
    mark::Mark,
    recover::runs_path,
    rows::{parse, value},
    runs::{self, Put, Range},
    sort_key::{is_payout, may_be_implied, passes_with_its_payout},
    sync::{Disk, remove_folder, sync_all, sync_names},
};

/// Where rows are while they are made.
const NEXT: &str = "runs.next";
/// Where those of before are until the new ones are in their place.
const BEFORE: &str = "runs.before";

/// Makes rows at rest go on from a base.
pub(super) fn rebase(dir: &Path, base: &Base, options: &Options) -> Result<(), Damage> {
    make(dir, base, options)?;
    put_in_place(dir, &*options.disk)
}

/// Makes them beside those that are there. Says how many payouts went.
///
/// # Errors
/// Also if the base lacks a row that may not be lost.
pub(super) fn make(dir: &Path, base: &Base, options: &Options) -> Result<u64, Damage> {
    tidy(dir)?;
    let mut gone = 0;
    let Some((kept, more)) = base.entries()? else { return Ok(gone) };
    let (rows, extent, mark) = runs::read(&runs_path(dir))?;
    let no_more = base.tip().sequence;
    let mark = Mark { base: no_more, ..Mark::parse(&mark)? };
    runs::make(&next(dir), extent.and(more), mark.to_bytes().into(), &options.of_runs(), |put| {
        gone = join(rows, kept, no_more, put)?;
        Ok(())
    })?;
    Ok(gone)
}

/// Puts them in the place of those that are there. After a kill in between there are
/// none, and the next start makes them of the base and the journal.
pub(super) fn put_in_place(dir: &Path, disk: &dyn Disk) -> Result<(), Damage> {
    let rename = |from: &str, to: &str| {
        let (from, to) = (dir.join(from), dir.join(to));
        fs::rename(&from, &to).map_err(Damage::io(&from))
    };
    rename(RUNS, BEFORE)?;
    rename(NEXT, RUNS)?;
    sync_names(dir, disk)?;
    tidy(dir)
}

/// Takes those that are there away from where a start looks. A folder goes file by file:
/// a kill might leave its rows without what says that they are damaged. So it loses its
/// name first, durably; what is left of it is removed like everything of that name.
pub(super) fn put_aside(dir: &Path) -> Result<(), Damage> {
    tidy(dir)?;
    let runs = dir.join(RUNS);
    match fs::rename(&runs, dir.join(BEFORE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Damage::io(runs)(error));
        }
        _ => {}
    }
    sync_all(dir)
}

/// Where rows are before they are in place.
pub(super) fn next(dir: &Path) -> PathBuf {
    dir.join(NEXT)
}

/// The name of their folder.
const RUNS: &str = "runs";

/// Removes what is left over.
pub(super) fn tidy(dir: &Path) -> Result<(), Damage> {
    [NEXT, BEFORE].iter().try_for_each(|name| remove_folder(&dir.join(name)))
}

/// Puts the rows that stay. `no_more` is the last record that was let go of. Says how
/// many payouts went.
fn join(mut rows: Range, mut kept: Range, no_more: u64, put: &mut Put<'_>) -> Result<u64, Damage> {
    let mut gone = 0;
    let (mut row, mut base) = (rows.next().transpose()?, kept.next().transpose()?);
    loop {
        let order = match (&row, &base) {
            (None, None) => return Ok(gone),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((row, _)), Some((base, _))) => row.cmp(base),
        };
        let of_base = (order != Ordering::Less).then(|| base.take()).flatten();
        if of_base.is_some() {
            base = kept.next().transpose()?;
        }
        let of_rows = (order != Ordering::Greater).then(|| row.take()).flatten();
        if of_rows.is_some() {
            row = rows.next().transpose()?;
        }
        let is_payout = of_rows.as_ref().is_some_and(|(key, _)| is_payout(key));
        let mut stays = false;
        put_one(of_rows, of_base, no_more, &mut |key, value| {
            stays = true;
            put(key, value)
        })?;
        gone += u64::from(is_payout && !stays);
    }
}

type Entry = (Vec<u8>, Vec<u8>);

/// Puts what there is to be under a key.
fn put_one(
    row: Option<Entry>,
    base: Option<Entry>,
    no_more: u64,
    put: &mut Put<'_>,
) -> Result<(), Damage> {
    let Some((key, stands)) = row else {
        // It had no entry, because it was found otherwise; or it was deleted since.
        if let Some((key, kept)) = base.filter(|(key, _)| may_be_implied(key)) {
            put(&key, Some(&kept))?;
        }
        return Ok(());
    };
    match (parse(&stands)?, base) {
        (Slot::At(at) | Slot::Order { at, .. }, Some((_, kept))) if at <= no_more => {
            put(&key, Some(&kept))?;
        }
        (Slot::At(at) | Slot::Order { at, .. }, None) if at <= no_more => {
            if !passes_with_its_payout(&key) {
                return Err(Damage::Defect(format!(
                    "what is kept of records up to {no_more} lacks a row of kind {:?}",
                    key.first()
                )));
            }
        }
        // Only the base of before had it whole.
        (Slot::Row(..), None) if passes_with_its_payout(&key) => {}
        // What its first record made stands under keys of its own now.
        (Slot::Order { at, first }, _) if first <= no_more => {
            let mut room = Vec::new();
            put(&key, value(&key, &Slot::Order { at, first: at }, &mut room))?;
        }
        _ => {
            put(&key, Some(&stands))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::{
        domain::{
            instant::Instant,
            name::{Id, ShopName},
            row::Row,
        },
        store::sled::rows::{AT, ORDER},
    };

    fn order(at: u64, first: u64) -> Vec<u8> {
        [&[ORDER][..], &at.to_be_bytes(), &first.to_be_bytes()].concat()
    }

    fn at(record: u64) -> Vec<u8> {
        [&[AT][..], &record.to_be_bytes()].concat()
    }

    /// What stands under a key of a kind afterwards, where records up to 10 are no more.
    fn after(
        kind: u8,
        row: Option<Vec<u8>>,
        base: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Damage> {
        let key = vec![kind, 1, b'x'];
        let row = row.map(|row| (key.clone(), row));
        let base = base.map(|base| (key.clone(), base.to_vec()));
        let mut found = None;
        put_one(row, base, 10, &mut |_, value| {
            found = value.map(<[u8]>::to_vec);
            Ok(true)
        })?;
        Ok(found)
    }

    #[test]
    fn rows_that_go_are_out_of_sight_before_any_file_of_them_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let [runs, before] = [RUNS, BEFORE].map(|name| dir.path().join(name));
        put_aside(dir.path()).expect("there are none");
        for left in ["nothing", "some of earlier ones"] {
            if left != "nothing" {
                fs::create_dir(&before).unwrap();
                fs::write(before.join("earlier"), left).unwrap();
            }
            fs::create_dir(&runs).unwrap();
            for name in ["damaged", "manifest"] {
                fs::write(runs.join(name), name).unwrap();
            }
            put_aside(dir.path()).unwrap();
            assert!(!runs.exists(), "{left}");
            let mut names: Vec<_> =
                fs::read_dir(&before).unwrap().map(|it| it.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, ["damaged", "manifest"], "{left}");
            tidy(dir.path()).unwrap();
            assert!(!before.exists() && !runs.exists(), "{left}");
        }
    }

    #[test]
    fn what_records_that_are_no_more_made_is_the_bases_or_goes_with_its_payout() {
        const KEPT: Option<&[u8]> = Some(&[0, 7]);
        let kept = || KEPT.map(<[u8]>::to_vec);
        let due = Row::Due(
            Instant::MIN,
            ShopName::parse("platforms/p/shops/s").unwrap().payout(Id::before_all()),
        );
        let mut whole = Vec::new();
        value(&[19], &Slot::Row(Arc::new(due), 0), &mut whole);
        // Orders.
        assert_eq!(after(9, Some(order(11, 11)), None).unwrap(), Some(order(11, 11)));
        assert_eq!(after(9, Some(order(12, 10)), KEPT).unwrap(), Some(order(12, 12)));
        assert_eq!(after(9, Some(order(10, 3)), KEPT).unwrap(), kept());
        assert!(after(9, Some(order(10, 3)), None).is_err(), "an order is never lost");
        // Payouts, their requests, and when something is due.
        for kind in [10, 11, 12, 13, 19] {
            assert_eq!(after(kind, Some(at(11)), None).unwrap(), Some(at(11)), "{kind}");
            assert_eq!(after(kind, Some(at(11)), KEPT).unwrap(), Some(at(11)), "{kind}");
            assert_eq!(after(kind, Some(at(10)), KEPT).unwrap(), kept(), "{kind}");
            assert_eq!(after(kind, Some(at(10)), None).unwrap(), None, "{kind}");
            assert_eq!(after(kind, Some(whole.clone()), KEPT).unwrap(), Some(whole.clone()));
            assert_eq!(after(kind, Some(whole.clone()), None).unwrap(), None, "{kind}");
        }
        // Movements, meters and balances that one record made.
        for kind in [6, 7, 8, 18] {
            assert_eq!(after(kind, Some(at(10)), KEPT).unwrap(), kept(), "{kind}");
            assert!(after(kind, Some(at(10)), None).is_err(), "{kind}");
        }
        // Rows that stand whole, and what has changed since.
        assert_eq!(after(2, Some(whole.clone()), KEPT).unwrap(), Some(whole.clone()));
        assert_eq!(after(2, Some(whole.clone()), None).unwrap(), Some(whole));
        assert_eq!(after(2, None, KEPT).unwrap(), None, "it was deleted since");
        // Found without an entry until now: decisions, payouts and meters of an order.
        for kind in [11, 12, 18] {
            assert_eq!(after(kind, None, KEPT).unwrap(), kept(), "{kind}");
        }
        assert_eq!(after(19, None, KEPT).unwrap(), None);
    }
}

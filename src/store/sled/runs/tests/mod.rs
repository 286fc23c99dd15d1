//! The runs against a map that does the same, against disks that fail, and
//! against kills at every moment.

use std::{collections::BTreeMap, path::Path};

use super::*;
use crate::store::sled::MAX_KEY;

mod basics;
mod crash;
mod damage;
mod model;
mod pace;

type Map = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key, and its value, or none if it is deleted.
type TableEntry = (Box<[u8]>, Option<Vec<u8>>);

fn table(entries: Vec<TableEntry>, mark: &[u8]) -> Table {
    let count = entries.len() as u64;
    let entries = Box::new(move |put: &mut Put<'_>| put_all(&entries, put));
    Table { count, entries, mark: mark.into() }
}

/// The same of entries in any order; of those with the same key the last counts.
fn table_of(entries: Vec<TableEntry>, mark: &[u8]) -> Table {
    let entries: BTreeMap<_, _> = entries.into_iter().collect();
    table(entries.into_iter().collect(), mark)
}

fn put_all(entries: &[TableEntry], put: &mut Put<'_>) -> Result<(), Damage> {
    for (key, value) in entries {
        if !put(key, value.as_deref())? {
            break;
        }
    }
    Ok(())
}

fn entry(key: impl AsRef<[u8]>, value: Option<&[u8]>) -> TableEntry {
    (key.as_ref().into(), value.map(<[u8]>::to_vec))
}

/// Freezes a table and waits until it is at rest.
fn freeze(runs: &mut Runs, entries: Vec<TableEntry>, mark: &[u8]) -> Result<(), Damage> {
    match runs.freeze(table_of(entries, mark))? {
        Freeze::Taken => {}
        Freeze::Behind(_) => panic!("nothing else is on its way"),
    }
    assert_eq!(runs.wait()?.as_deref(), Some(mark));
    Ok(())
}

/// Some keys are in filters, and some are not.
fn filtered(key: &[u8]) -> Filtered {
    match key.last().map_or(0, |last| last % 3) {
        0 => Filtered::Never,
        1 => Filtered::InSmall,
        _ => Filtered::Always,
    }
}

/// Small enough that every merge happens.
fn options() -> Options {
    Options { fan_in: 3, large: 300, cache_bytes: 64 * 1024, filtered, ..Options::default() }
}

fn open(dir: &Path) -> Runs {
    Runs::open(dir, options()).unwrap().0
}

/// Everything that is there, forward; the same backward.
fn all(runs: &Runs) -> Vec<(Vec<u8>, Vec<u8>)> {
    let top = [0xff; MAX_KEY + 1];
    let forward = runs.range(&[], &top, false).unwrap();
    let forward: Vec<_> = forward.map(Result::unwrap).collect();
    let backward = runs.range(&[], &top, true).unwrap();
    let mut backward: Vec<_> = backward.map(Result::unwrap).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    forward
}

fn living(map: &Map) -> Vec<(Vec<u8>, Vec<u8>)> {
    map.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect()
}

/// Names of files in a directory.
fn files(dir: &Path) -> Vec<String> {
    let mut names = names(dir).unwrap();
    names.sort();
    names
}

fn key(number: usize) -> Vec<u8> {
    format!("shop-{:04}/payout-{number:08}", number / 100).into_bytes()
}

fn entries(numbers: std::ops::Range<usize>, value: &[u8]) -> Vec<TableEntry> {
    numbers.map(|number| entry(key(number), Some(value))).collect()
}

//! Runs against a map that does the same.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Options, Runs};
use crate::store::sled::{damage::Damage, sync::RealDisk};

/// What is done to runs.
#[derive(Clone, Debug)]
enum Step {
    /// Rows are put to rest.
    Freeze(Vec<(u8, Option<usize>)>),
    /// They are closed and opened again.
    Reopen,
    /// They are asked for a range.
    Range(u8, u8, bool),
}

fn steps() -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec((any::<u8>(), prop::option::weighted(0.7, sizes())), 0..60);
    prop_oneof![
        4 => rows.prop_map(Step::Freeze),
        1 => Just(Step::Reopen),
        3 => (any::<u8>(), any::<u8>(), any::<bool>())
            .prop_map(|(from, to, reverse)| Step::Range(from, to, reverse)),
    ]
}

/// Sizes of values: most are small, some fill a block, few need parts.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 0_usize..60, 4 => 500_usize..2048, 1 => 2049_usize..20_000]
}

fn key(n: u8) -> Vec<u8> {
    // Of different lengths, with much in common.
    [b"row".as_slice(), &vec![n / 16; usize::from(n / 32)], &[n]].concat()
}

fn options() -> Options {
    Options { fan_in: 3, smallest: 20, ..Options::new(Arc::new(RealDisk)) }
}

fn all(runs: &Runs, from: &[u8], to: &[u8], reverse: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let range = runs.range(from, to, reverse).expect("a range");
    range.collect::<Result<_, Damage>>().expect("rows")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn runs_say_what_a_map_says(steps in prop::collection::vec(steps(), 1..25)) {
        let dir = TempDir::new().expect("a directory");
        let (mut runs, mark) = Runs::open(dir.path(), options()).expect("runs");
        prop_assert_eq!(mark, b"");
        let mut map: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut frozen = 0_u8;
        for step in steps {
            match step {
                Step::Freeze(rows) => {
                    frozen += 1;
                    let rows: BTreeMap<Vec<u8>, Option<Vec<u8>>> = rows
                        .into_iter()
                        .map(|(n, size)| (key(n), size.map(|size| vec![frozen; size])))
                        .collect();
                    for (key, value) in &rows {
                        match value {
                            Some(value) => map.insert(key.clone(), value.clone()),
                            None => map.remove(key),
                        };
                    }
                    let entries = rows.into_iter().map(|(key, value)| (key.into(), value));
                    let entries: Vec<_> = entries.rev().collect();
                    runs.freeze(Box::new(move || Ok(entries)), vec![frozen]).expect("given");
                    runs.wait().expect("at rest");
                }
                Step::Reopen => {
                    drop(runs);
                    let (opened, mark) = Runs::open(dir.path(), options()).expect("runs");
                    prop_assert_eq!(mark, if frozen == 0 { vec![] } else { vec![frozen] });
                    runs = opened;
                }
                Step::Range(from, to, reverse) => {
                    let (from, to) = (key(from), key(to));
                    let rows = map.iter().filter(|(key, _)| **key >= from && **key < to);
                    let mut rows: Vec<_> = rows.map(|(k, v)| (k.clone(), v.clone())).collect();
                    if reverse {
                        rows.reverse();
                    }
                    prop_assert_eq!(all(&runs, &from, &to, reverse), rows);
                }
            }
            for n in 0..=255 {
                let value = runs.get(&key(n)).expect("an answer");
                prop_assert_eq!(value.as_ref(), map.get(&key(n)));
            }
        }
        let every: Vec<_> = map.into_iter().collect();
        prop_assert_eq!(all(&runs, b"", b"s", false), every);
    }
}

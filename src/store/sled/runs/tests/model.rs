//! Random use, against a map.

use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Entries: a key's number, and the length of its value or a deletion.
    Freeze(Vec<(u16, Option<u16>)>),
    Settle,
    Reopen,
    Kill,
    Range(u16, u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![1 => Just(None), 4 => (0..300_u16).prop_map(Some), 1 => (0..9000_u16).prop_map(Some)];
    let entries = vec((0..400_u16, value), 0..200);
    let step = prop_oneof![
        6 => entries.prop_map(Step::Freeze),
        1 => Just(Step::Settle),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        2 => (0..420_u16, 0..420_u16).prop_map(|(from, to)| Step::Range(from, to)),
    ];
    vec(step, 1..25)
}

/// Keys of many lengths, some of them the beginnings of others.
fn key(number: u16) -> Vec<u8> {
    let mut key = vec![b'k'; usize::from(number % 7) * 50 + 1];
    key.extend(number.to_be_bytes().iter().rev().filter(|byte| **byte != 0));
    key
}

fn value(number: u16, round: usize, length: u16) -> Vec<u8> {
    let mut value = vec![number.to_le_bytes()[0]; usize::from(length)];
    value.extend(round.to_be_bytes());
    value
}

fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    let mut model = Map::new();
    let mut last = Vec::new();
    for (round, step) in steps.into_iter().enumerate() {
        match step {
            Step::Freeze(changes) => {
                let changes = changes.into_iter().map(|(number, length)| {
                    (key(number), length.map(|length| value(number, round, length)))
                });
                let changes: Vec<_> = changes.collect();
                let table = changes.iter().map(|(key, value)| entry(key, value.as_deref()));
                last = round.to_be_bytes().to_vec();
                freeze(&mut runs, table.collect(), &last).unwrap();
                model.extend(changes);
            }
            Step::Settle => runs.settle().unwrap(),
            Step::Reopen | Step::Kill => {
                if matches!(step, Step::Reopen) {
                    runs.close().unwrap();
                } else {
                    drop(runs);
                }
                let (again, mark) = Runs::open(dir.path(), options()).unwrap();
                prop_assert_eq!(&*mark, &*last);
                runs = again;
            }
            Step::Range(from, to) => {
                let (low, high) = (key(from), key(to));
                let inside = |key: &[u8]| key >= &*low && key < &*high;
                let mut expected = living(&model);
                expected.retain(|(key, _)| inside(key));
                let found = runs.range(&low, &high, false).unwrap();
                prop_assert_eq!(&found.map(Result::unwrap).collect::<Vec<_>>(), &expected);
                expected.reverse();
                let found = runs.range(&low, &high, true).unwrap();
                prop_assert_eq!(&found.map(Result::unwrap).collect::<Vec<_>>(), &expected);
            }
        }
    }
    for number in 0..420 {
        let expected = model.get(&key(number)).cloned().flatten();
        prop_assert_eq!(runs.get(&key(number)).unwrap(), expected);
    }
    prop_assert_eq!(all(&runs), living(&model));
    runs.settle().unwrap();
    prop_assert_eq!(all(&runs), living(&model));
    runs.close().unwrap();
    let damage = verify(dir.path(), filtered).unwrap();
    prop_assert!(damage.is_empty(), "{damage:?}");
    let named = Manifest::read(dir.path()).unwrap().unwrap().runs.len();
    prop_assert_eq!(files(dir.path()).len(), named + 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn runs_answer_as_a_map_does(steps in steps()) {
        check(steps)?;
    }

    #[test]
    fn what_was_packed_is_read_and_found(
        keys in proptest::collection::btree_set(vec(0..3_u8, 1..40), 1..200),
        probe in vec(0..4_u8, 0..40),
    ) {
        let mut packer = packed::Packer::default();
        for key in &keys {
            let value = (key.len() % 3 != 0).then_some(&**key);
            packer.push(key, value).unwrap();
        }
        let size = packer.size();
        let bytes = packer.finish().to_vec();
        prop_assert_eq!(bytes.len(), size);
        let packed = packed::Packed::parse(&bytes).unwrap();
        let (mut group, mut found) = (packed::Group::default(), Vec::new());
        for at in 0..packed.groups() {
            packed.read(at, &mut group).unwrap();
            for i in 0..group.len() {
                let key = group.key(i).unwrap().to_vec();
                let value = (key.len() % 3 != 0).then_some(&*key);
                prop_assert_eq!(group.value(i, &bytes).unwrap(), value);
                found.push(key.clone());
            }
        }
        prop_assert!(found.iter().eq(&keys));
        let at = packed.seek(&probe).unwrap();
        packed.read(at, &mut group).unwrap();
        let below = at * packed::GROUP + group.below(&probe);
        prop_assert_eq!(below, keys.iter().filter(|key| **key < probe).count());
        for probe in keys.iter().chain([&probe]) {
            let at = packed.seek(probe).unwrap();
            let found = packed.find(at, probe).unwrap();
            prop_assert_eq!(at * packed::GROUP + found.below, keys.iter().filter(|key| *key < probe).count());
            let value = (probe.len() % 3 != 0).then_some(&**probe);
            prop_assert_eq!(found.entry, keys.contains(probe).then_some(value));
        }
    }

    #[test]
    fn bytes_that_nobody_packed_are_read_without_a_panic(bytes in vec(0..20_u8, 0..200)) {
        if let Some(packed) = packed::Packed::parse(&bytes) {
            let mut group = packed::Group::default();
            let _ = packed.seek(b"probe");
            let _ = packed.find(0, b"probe");
            for at in 0..packed.groups() {
                if packed.read(at, &mut group).is_some() {
                    for i in 0..group.len() {
                        prop_assert!(group.key(i).is_some() && group.value(i, &bytes).is_some());
                    }
                }
            }
        }
    }
}

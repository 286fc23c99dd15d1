//! What each function promises.

use std::sync::{Arc, Condvar, Mutex};

use super::*;

#[test]
fn a_directory_without_runs_has_an_empty_mark_and_no_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs");
    let (mut runs, mark) = Runs::open(&path, options()).unwrap();
    assert!(mark.is_empty());
    assert_eq!(runs.get(b"a").unwrap(), None);
    assert_eq!(all(&runs), []);
    assert_eq!(runs.poll().unwrap(), None);
    assert_eq!(runs.wait().unwrap(), None);
    assert_eq!(runs.sizes().unwrap(), Sizes::default());
    runs.close().unwrap();
    assert_eq!(files(&path), ["manifest"]);
}

#[test]
fn the_newest_entry_counts_and_a_deletion_hides_what_is_older() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    freeze(&mut runs, vec![entry("a", Some(b"1")), entry("b", Some(b"1"))], b"one").unwrap();
    freeze(&mut runs, vec![entry("a", Some(b"2")), entry("b", None)], b"two").unwrap();
    for _ in 0..2 {
        assert_eq!(runs.get(b"a").unwrap(), Some(b"2".to_vec()));
        assert_eq!(runs.get(b"b").unwrap(), None);
        assert_eq!(all(&runs), [(b"a".to_vec(), b"2".to_vec())]);
        runs.close().unwrap();
        let (again, mark) = Runs::open(dir.path(), options()).unwrap();
        assert_eq!(&*mark, b"two");
        runs = again;
    }
}

#[test]
fn entries_that_are_not_in_order_are_a_defect() {
    for keys in [["b", "a"], ["a", "a"]] {
        let dir = tempfile::tempdir().unwrap();
        let mut runs = open(dir.path());
        let given = keys.map(|key| entry(key, Some(b"1")));
        assert!(matches!(runs.freeze(table(given.to_vec(), b"")).unwrap(), Freeze::Taken));
        let error = runs.wait().unwrap_err().to_string();
        assert!(error.contains("out of order"), "{error}");
    }
}

#[test]
fn an_empty_table_moves_the_mark_and_makes_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    freeze(&mut runs, vec![], b"further").unwrap();
    runs.close().unwrap();
    assert_eq!(files(dir.path()), ["manifest"]);
    let (_, mark) = Runs::open(dir.path(), options()).unwrap();
    assert_eq!(&*mark, b"further");
}

#[test]
fn a_value_of_a_mebibyte_and_an_empty_one_come_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    let large: Vec<u8> =
        (0..1 << 20).map(|i: u32| i.to_le_bytes()[usize::from(i.is_multiple_of(3))]).collect();
    let longest = [b'k'; MAX_KEY];
    let given = vec![
        entry("a", Some(b"")),
        entry("b", Some(&large)),
        entry("c", Some(b"small")),
        entry(longest, Some(&large)),
    ];
    for round in 0..4_u8 {
        freeze(&mut runs, given.clone(), &[round]).unwrap();
    }
    runs.settle().unwrap();
    assert_eq!(runs.sizes().unwrap().runs, 2);
    assert_eq!(runs.get(b"a").unwrap(), Some(vec![]));
    assert_eq!(runs.get(b"b").unwrap().as_ref(), Some(&large));
    assert_eq!(runs.get(&longest).unwrap().as_ref(), Some(&large));
    assert_eq!(all(&runs).len(), 4);
    assert_eq!(verify(dir.path(), filtered).unwrap().len(), 0);
}

#[test]
fn what_cannot_be_stored_is_a_defect_and_ends_it() {
    for bad in [
        entry("", Some(b"")),
        entry([b'k'; MAX_KEY + 1], None),
        entry("k", Some(&vec![0; writer::LARGEST + 1])),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut runs = open(dir.path());
        freeze(&mut runs, entries(0..10, b"v"), b"good").unwrap();
        assert!(matches!(freeze(&mut runs, vec![bad], b"bad"), Err(Damage::Defect(_))));
        assert!(matches!(runs.poll(), Err(Damage::Defect(_))));
        assert!(matches!(runs.get(b"k"), Err(Damage::Defect(_))));
        assert!(matches!(runs.range(b"a", b"b", false), Err(Damage::Defect(_))));
        assert!(matches!(runs.freeze(table(vec![], b"")), Err(Damage::Defect(_))));
        drop(runs);
        let (runs, mark) = Runs::open(dir.path(), options()).unwrap();
        assert_eq!(&*mark, b"good");
        assert_eq!(all(&runs).len(), 10);
    }
    let dir = tempfile::tempdir().unwrap();
    let long = table(vec![], &[0; 257]);
    assert!(matches!(open(dir.path()).freeze(long), Err(Damage::Defect(_))));
}

#[test]
fn a_run_that_would_be_out_of_order_is_not_written() {
    for second in ["b", "a", "abc"] {
        let dir = tempfile::tempdir().unwrap();
        let most = (2, options::Counts { always: 2, small: 0 });
        let mut writer = writer::Writer::begin(dir.path(), (0, 0), most, &options()).unwrap();
        writer.push(b"b", None).unwrap();
        assert!(matches!(writer.push(second.as_bytes(), None), Err(Damage::Defect(_))));
        drop(writer);
        assert_eq!(files(dir.path()), [""; 0]);
    }
}

#[test]
fn a_table_that_cannot_be_made_ends_it_also_if_it_panics() {
    let failing: [Entries; 2] = [
        Box::new(|_| Err(Damage::Defect("encoding".to_owned()))),
        Box::new(|_| panic!("encoding")),
    ];
    for entries in failing {
        let dir = tempfile::tempdir().unwrap();
        let mut runs = open(dir.path());
        runs.freeze(Table { count: 0, entries, mark: Mark::default() }).unwrap();
        assert!(matches!(runs.wait(), Err(Damage::Defect(_))));
        assert!(matches!(runs.close(), Err(Damage::Defect(_))));
    }
}

#[test]
fn a_range_ends_where_it_should_in_both_directions() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    let (even, odd): (Vec<_>, Vec<_>) =
        entries(0..3000, b"value").into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    for half in [even, odd] {
        freeze(&mut runs, half.into_iter().map(|(_, entry)| entry).collect(), b"").unwrap();
    }
    for (from, to) in [(0, 0), (0, 1), (5, 6), (7, 1234), (15, 17), (2990, 3000), (0, 3000), (9, 3)]
    {
        let (low, high) = (key(from), key(to));
        let expected: Vec<_> = (from..to).map(key).collect();
        let keys = |reverse| -> Vec<_> {
            runs.range(&low, &high, reverse).unwrap().map(|item| item.unwrap().0).collect()
        };
        assert_eq!(keys(false), expected);
        assert_eq!(keys(true), expected.into_iter().rev().collect::<Vec<_>>());
    }
    // Bounds that are no keys.
    let between =
        |from: &str, to: &str| runs.range(from.as_bytes(), to.as_bytes(), false).unwrap().count();
    assert_eq!(between("", "shop-0001"), 100);
    assert_eq!(between("shop-0001", "shop-0002"), 100);
    assert_eq!(between("shop-0029", "z"), 100);
    assert_eq!(between("t", "z"), 0);
}

/// Holds the background thread until it is told to go on.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn table(&self, mark: &[u8]) -> Table {
        let gate = self.clone();
        let entries = move |put: &mut Put<'_>| {
            gate.pass();
            put_all(&entries(0..10, b"v"), put)
        };
        Table { count: 10, entries: Box::new(entries), mark: mark.into() }
    }

    fn pass(&self) {
        let mut is_open = self.0.0.lock().unwrap();
        while !*is_open {
            is_open = self.0.1.wait(is_open).unwrap();
        }
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[test]
fn only_so_many_tables_are_on_their_way_and_marks_come_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let mut runs = open(dir.path());
    for mark in [b"1", b"2"] {
        assert!(matches!(runs.freeze(gate.table(mark)).unwrap(), Freeze::Taken));
    }
    let Freeze::Behind(third) = runs.freeze(gate.table(b"3")).unwrap() else {
        panic!("a third table was taken");
    };
    assert_eq!(runs.poll().unwrap(), None);
    gate.open();
    assert_eq!(runs.wait().unwrap().as_deref(), Some(&b"1"[..]));
    assert!(matches!(runs.freeze(third).unwrap(), Freeze::Taken));
    assert_eq!(runs.wait().unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(runs.wait().unwrap().as_deref(), Some(&b"3"[..]));
    assert_eq!(runs.wait().unwrap(), None);
}

#[test]
fn close_waits_for_the_tables_that_were_taken_and_drop_does_not() {
    for close in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let gate = Gate::default();
        let mut runs = open(dir.path());
        runs.freeze(gate.table(b"1")).unwrap();
        runs.freeze(gate.table(b"2")).unwrap();
        if close {
            gate.open();
            runs.close().unwrap();
            assert_eq!(&*Runs::open(dir.path(), options()).unwrap().1, b"2");
        } else {
            runs.shared.end(Ending::Abandon);
            gate.open();
            drop(runs);
            assert!(Runs::open(dir.path(), options()).unwrap().1.len() <= 1);
        }
    }
}

#[test]
fn merging_leaves_one_run_per_level_and_drops_what_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    for round in 0..9_u8 {
        freeze(&mut runs, entries(0..500, &[round]), &[round]).unwrap();
        runs.settle().unwrap();
    }
    let sizes = runs.sizes().unwrap();
    assert_eq!((sizes.runs, sizes.entries), (1, 500));
    assert_eq!(runs.get(&key(7)).unwrap(), Some(vec![8]));
    let gone = |key: usize| entry(super::key(key), None);
    for round in 0..9_u8 {
        freeze(&mut runs, (0..500).map(gone).collect(), &[round]).unwrap();
    }
    runs.settle().unwrap();
    assert_eq!(all(&runs), []);
    // Two of a level are left where three are needed: deletions stay.
    assert_eq!(runs.sizes().unwrap().runs, 2);
    for round in 0..9_u8 {
        freeze(&mut runs, (0..500).map(gone).collect(), &[round]).unwrap();
    }
    runs.settle().unwrap();
    assert_eq!(runs.sizes().unwrap(), Sizes::default());
    assert_eq!(files(dir.path()), ["manifest"]);
}

#[test]
fn a_reader_sees_the_runs_as_they_were_although_they_were_merged_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    freeze(&mut runs, entries(0..5000, b"one"), b"1").unwrap();
    let mut reader = runs.range(&key(0), &key(5000), false).unwrap();
    let first = reader.next().unwrap().unwrap();
    for mark in [b"2", b"3"] {
        freeze(&mut runs, entries(0..5000, b"two"), mark).unwrap();
    }
    runs.settle().unwrap();
    assert_eq!(files(dir.path()).len(), 2);
    let rest: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(first.1, b"one");
    assert_eq!(rest.len(), 4999);
    assert!(rest.iter().all(|(_, value)| value == b"one"));
    assert_eq!(runs.get(&key(0)).unwrap(), Some(b"two".to_vec()));
}

#[test]
fn a_table_need_not_wait_for_the_end_of_a_merge() {
    let dir = tempfile::tempdir().unwrap();
    /// Held by the first entry that is merged, behind those that are frozen: the
    /// merge stands still until the table that was frozen meanwhile is taken up.
    static HELD: Mutex<(usize, Option<Gate>)> = Mutex::new((60_000, None));
    fn holding(key: &[u8]) -> Filtered {
        let mut held = HELD.lock().unwrap();
        if held.0 > 0 {
            held.0 -= 1;
            return filtered(key);
        }
        let gate = held.1.take();
        drop(held);
        gate.into_iter().for_each(|gate| gate.pass());
        filtered(key)
    }
    let gate = Gate::default();
    HELD.lock().unwrap().1 = Some(gate.clone());
    let (mut runs, _) = Runs::open(dir.path(), Options { filtered: holding, ..options() }).unwrap();
    for mark in [b"1", b"2", b"3"] {
        freeze(&mut runs, entries(0..20_000, b"value"), mark).unwrap();
    }
    while HELD.lock().unwrap().1.is_some() {
        std::thread::yield_now();
    }
    let shared = runs.shared.clone();
    let late = Table {
        count: 1,
        entries: Box::new(move |put| {
            assert_eq!(shared.set().unwrap().runs().len(), 3, "the merge is not over");
            put_all(&[entry("late", Some(b"table"))], put)
        }),
        mark: Box::from(&b"4"[..]),
    };
    assert!(matches!(runs.freeze(late).unwrap(), Freeze::Taken));
    gate.open();
    assert_eq!(runs.wait().unwrap().as_deref(), Some(&b"4"[..]));
    runs.settle().unwrap();
    assert_eq!(runs.sizes().unwrap().runs, 2);
    assert_eq!(runs.get(b"late").unwrap(), Some(b"table".to_vec()));
    assert_eq!(all(&runs).len(), 20_001);
}

#[test]
fn the_filter_answers_absence_for_nearly_all_keys() {
    let mut filter = filter::Filter::with_room(10_000).unwrap();
    let hash = |number: usize| KeyHash::of(&key(number));
    (0..10_000).for_each(|number| filter.add(hash(number)));
    assert!((0..10_000).all(|number| filter.may_have(hash(number))));
    let wrong = (10_000..110_000).filter(|number| filter.may_have(hash(*number))).count();
    assert!(wrong < 800, "{wrong} of 100000 keys taken for ones that may be there");
    let bytes: Vec<u8> = filter.to_bytes().flatten().collect();
    assert_eq!(bytes.len(), filter.size());
    let again = filter::Filter::from_bytes(&bytes).unwrap();
    assert!((0..10_000).all(|number| again.may_have(hash(number))));
}

#[test]
fn a_filter_has_room_for_the_keys_that_go_into_it_and_for_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let filtered = |key: &[u8]| match key {
        [b's', b'h', b'o', b'p', b'-', b'0', b'0', b'0', b'1', ..] => Filtered::Always,
        [.., b'7'] => Filtered::InSmall,
        _ => Filtered::Never,
    };
    let large = 20_000;
    let (mut runs, _) = Runs::open(dir.path(), Options { filtered, large, ..options() }).unwrap();
    for round in 0..3 {
        freeze(&mut runs, entries(0..10_000, b"v"), &[round]).unwrap();
    }
    runs.settle().unwrap();
    let sizes = runs.sizes().unwrap();
    assert_eq!((sizes.runs, sizes.entries), (1, 10_000));
    // A hundred keys of each run that has 30,000 entries: 450 bytes, not 45,000.
    assert!(sizes.memory < 5_000, "{sizes:?}");
    assert_eq!(runs.get(&key(157)).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(runs.get(&key(257)).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(runs.get(&key(150)).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(runs.get(&key(250)).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(runs.get(b"shop-0001/x").unwrap(), None);
    assert_eq!(runs.get(b"shop-0002/x").unwrap(), None);
    drop(runs);
    assert!(verify(dir.path(), filtered).unwrap().is_empty());
    // Who asks for others would be told that they are not there.
    assert!(!verify(dir.path(), |_| Filtered::Always).unwrap().is_empty());
}

#[test]
fn the_hash_of_keys_is_what_filters_on_disk_were_made_with() {
    let hashes =
        ["", "a", "12345678", "123456789"].map(|key| format!("{:?}", KeyHash::of(key.as_bytes())));
    let stored = [
        "KeyHash(9046899091927379139)",
        "KeyHash(6698510031349809270)",
        "KeyHash(13768234756641982989)",
        "KeyHash(10688038137668910472)",
    ];
    assert_eq!(hashes, stored);
}

#[test]
fn all_entries_are_read_without_a_trace_and_written_into_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(&dir.path().join("old"));
    freeze(&mut runs, entries(0..1000, b"one"), b"1").unwrap();
    freeze(&mut runs, entries(500..700, b"two"), b"2").unwrap();
    freeze(&mut runs, vec![entry(key(3), None)], b"3").unwrap();
    runs.settle().unwrap();
    let expected = all(&runs);
    drop(runs);
    freeze(&mut open(&dir.path().join("old")), vec![entry(key(4), None)], b"4").unwrap();
    let before = files(&dir.path().join("old"));
    let (found, extent, mark) = read(&dir.path().join("old")).unwrap();
    assert_eq!(&*mark, b"4");
    let found: Vec<_> = found.map(Result::unwrap).collect();
    let expected: Vec<_> = expected.into_iter().filter(|(it, _)| *it != key(4)).collect();
    assert_eq!(found, expected);
    assert_eq!(files(&dir.path().join("old")), before);
    let new = dir.path().join("new");
    let put_found = |put: &mut Put<'_>| {
        found.iter().try_for_each(|(key, value)| put(key, Some(value)).map(drop))
    };
    make(&new, extent, Box::from(&b"5"[..]), &options(), put_found).unwrap();
    let (runs, mark) = Runs::open(&new, options()).unwrap();
    assert_eq!((&*mark, runs.sizes().unwrap().runs), (&b"5"[..], 1));
    assert_eq!(all(&runs), expected);
    assert!(verify(&new, filtered).unwrap().is_empty());
}

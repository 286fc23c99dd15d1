//! How rows are kept that one record made: as its number, until another record
//! changes them.

#![allow(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::{path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;

use super::{
    Options, Retain, SledStore,
    base::Base,
    compact::tests::dice::Dice,
    journal::Journal,
    keeping::{self, Counted},
    layer::Slot,
    mark::Mark,
    recover::{self, Opened},
    retain::{compare_draft, retain},
    rows::{ADDED, AT, value},
    runs::{self, Filtered},
    sort_key::{due, encode_key, filtered},
    verify::compare_base,
    verify_in_parts,
};
use crate::{
    domain::{
        amount::Amount,
        cell::{CellKey, Celled},
        change::{Change, Record, made_by},
        decision::Decision,
        instant::Instant,
        key::Key,
        meter::{MeterChange, MeterKey, Metered, Phase, Shape},
        name::{Id, PayoutName, ProgrammeName, ShopName},
        payout::{Payout, State},
        request::{Answered, Fingerprint, Request, RequestKey},
        row::Row,
        who::Author,
    },
    store::{Commit, Store, Tip},
};

fn id(text: &str) -> Id {
    Id::parse(text).expect("an id")
}

fn cell(order: &str) -> CellKey {
    let programme = ProgrammeName { platform: id("p"), programme: id("g") };
    CellKey::of_an_order(Celled { programme, scope: vec![order.into()], window_start: None })
}

/// A payout's part of a meter of an order.
fn hold(order: &str, rule: &str, shape: Shape, payout: &str) -> Change {
    let within = Metered { rule: rule.into(), scope: Vec::new(), window_start: None };
    Change::Meter(MeterChange {
        key: MeterKey::new(cell(order), within),
        shape,
        payout: id(payout),
        at: Instant::MIN,
        amount: Amount::ONE,
        before: None,
        after: Some((Phase::Expiring(Instant::MAX), Amount::ONE)),
        forget_until: None,
    })
}

/// A row that a record writes whole: of the request for payout `d`.
pub(super) fn request() -> Request {
    let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
    let key = RequestKey {
        platform: shop.platform(),
        parent: shop.to_string().into(),
        operation: "AuthorizePayout".into(),
        id: "r".into(),
    };
    let content = Fingerprint(Vec::new());
    let answered = Answered::Decision(id("d"));
    Request { key, content, answered, at: Instant::MIN, forget_time: None }
}

fn record(sequence: u64, changes: Vec<Change>) -> Record {
    Record {
        sequence,
        at: Instant::MIN,
        author: Author { caller: "t".into(), actor: None },
        operation: "Test".into(),
        changes,
        events: Vec::new(),
    }
}

/// What a payout about order `o` changes.
fn paid(sequence: u64, payout: &str) -> Record {
    let meters = [("a", Shape::Fixed), ("b", Shape::Rolling), ("c", Shape::ByAmount)];
    let mut changes =
        vec![Change::put(Row::Request(request())), hold("other", "a", Shape::Fixed, payout)];
    changes.extend(meters.map(|(rule, shape)| hold("o", rule, shape, payout)));
    changes.push(hold("o", "a", Shape::Fixed, payout));
    record(sequence, changes)
}

/// Commits records over rows as the store has them.
fn commit(store: &mut SledStore, records: Vec<Record>) {
    let keys = [Key::Cell(cell("o")), Key::Cell(cell("other")), Key::Request(request().key)];
    let rows = store.load(&keys).expect("rows");
    let before =
        |key: &Key| keys.iter().zip(&rows).find_map(|(it, row)| row.clone().filter(|_| it == key));
    store.commit(Commit::of(records, before)).expect("a commit");
}

fn open(dir: &TempDir) -> SledStore {
    let options = Options { tidy_records: 0, ..Options::default() };
    SledStore::open(dir.path(), options).expect("a store")
}

fn slot(store: &SledStore) -> Slot {
    store.inner.rows.find(&Key::Cell(cell("o"))).expect("a slot")
}

#[test]
fn a_cell_made_again_from_its_record_equals_the_one_in_memory() {
    let paid = paid(1, "p1");
    let commit = Commit::of(vec![paid.clone()], |_| None);
    assert_eq!(commit.rows.len(), 3);
    for changed in commit.rows {
        assert_eq!(
            made_by(&paid.changes, |key| *key == changed.key),
            changed.row,
            "{:?}",
            changed.key
        );
    }
    assert_eq!(made_by(&paid.changes, |key| *key == Key::Cell(cell("of nobody"))), None);
}

#[test]
fn a_cell_is_kept_as_its_record_in_memory_at_rest_and_after_a_replay() {
    let dir = TempDir::new().expect("a directory");
    let mut store = open(&dir);
    commit(&mut store, vec![paid(1, "p1")]);
    assert_eq!(slot(&store), Slot::At(1));
    // Nothing is at rest: all is replayed.
    drop(store);
    let mut store = open(&dir);
    assert_eq!((store.start().replayed, slot(&store)), (1, Slot::At(1)));
    store.tidy().expect("tidy");
    assert_eq!(slot(&store), Slot::At(1));
    drop(store);
    let mut store = open(&dir);
    assert_eq!((store.start().replayed, slot(&store)), (0, Slot::At(1)));
    commit(&mut store, vec![paid(2, "p2")]);
    let Slot::Row(row, 2) = slot(&store) else { panic!("another record changed it") };
    drop(store);
    let store = open(&dir);
    assert_eq!((store.start().replayed, slot(&store)), (1, Slot::Row(row, 2)));
}

#[test]
fn a_cell_that_two_records_of_one_commit_made_is_kept_as_it_is() {
    let dir = TempDir::new().expect("a directory");
    let mut store = open(&dir);
    commit(&mut store, vec![paid(1, "p1"), paid(2, "p2")]);
    let Slot::Row(row, 2) = slot(&store) else { panic!("two records made it") };
    drop(store);
    assert_eq!(slot(&open(&dir)), Slot::Row(row, 2));
}

#[test]
fn rows_of_one_record_are_read_of_it_once() {
    let dir = TempDir::new().expect("a directory");
    let mut store = open(&dir);
    let others = (2..500).map(|n| record(n, vec![hold("third", "a", Shape::Fixed, "p")]));
    commit(&mut store, std::iter::once(paid(1, "p1")).chain(others).collect());
    drop(store);
    let mut store = open(&dir);
    let read = |store: &SledStore, sequence| {
        store.inner.pipeline.journal().record(sequence).expect("a record")
    };
    let first = read(&store, 1);
    let keys = [Key::Request(request().key), Key::Cell(cell("o")), Key::Cell(cell("other"))];
    assert!(store.load(&keys).expect("rows").iter().all(Option::is_some));
    assert!(Arc::ptr_eq(&first, &read(&store, 1)), "it was not decoded again");
    let second = read(&store, 2);
    assert_eq!((first.sequence(), second.sequence()), (1, 2));
    assert!(Arc::ptr_eq(&first, &read(&store, 1)), "a few are kept");
    (2..500).for_each(|sequence| drop(read(&store, sequence)));
    assert!(!Arc::ptr_eq(&first, &read(&store, 1)), "not all");
}

#[test]
fn at_rest_a_row_that_was_added_to_is_told_from_one_that_was_written_whole() {
    let of = |key: &Key| {
        let mut room = Vec::new();
        let value = value(&encode_key(key), &Slot::At(7), &mut room);
        value.expect("it is there")[0]
    };
    assert_eq!((of(&Key::Request(request().key)), of(&Key::Cell(cell("o")))), (AT, ADDED));
}

#[test]
fn what_is_due_is_all_in_its_key() {
    let name = PayoutName::parse("platforms/p/shops/s-1/payouts/x~y").expect("a name");
    for (seconds, nanos) in [(0, 0), (1_800_000_000, 999_999_999), (-5, 0)] {
        let at = Instant::from_parts(seconds, nanos).expect("in range");
        let key = encode_key(&Key::Due(at, name.clone()));
        assert_eq!(due(&key), Some((at, name.clone())));
        for length in 0..key.len() {
            assert_eq!(due(&key[..length]), None, "cut after {length} bytes");
        }
        assert_eq!(due(&[&*key, b"x"].concat()), None);
    }
    assert_eq!(due(&encode_key(&Key::Payout(name))), None);
    let bound = |id: Id| PayoutName { platform: id.clone(), shop: id.clone(), payout: id };
    assert_eq!(due(&encode_key(&Key::Due(Instant::MAX, bound(Id::after_all())))), None);
}

/// Keys of each kind that payouts write.
fn written() -> Vec<(Key, Filtered)> {
    let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
    let (order, payout) = (shop.order(id("o")), shop.payout(id("x")));
    let of_no_order = CellKey::from((*cell("s/o")).clone());
    vec![
        (Key::Balance(shop.account(id("a"))), Filtered::Always),
        (Key::Order(order.clone()), Filtered::Always),
        (Key::Request(request().key), Filtered::Always),
        (Key::Cell(of_no_order), Filtered::Always),
        (Key::Payout(payout.clone()), Filtered::InSmall),
        (Key::Decision(shop.decision(id("x"))), Filtered::InSmall),
        (Key::Cell(cell("s/o")), Filtered::Always),
        (Key::PayoutOfOrder(order, id("x")), Filtered::Never),
        (Key::Due(Instant::MAX, payout), Filtered::Never),
    ]
}

/// Runs on disk were written by this rule: another one is another form of runs.
#[test]
fn which_keys_are_in_filters_is_part_of_the_form_of_runs() {
    for (key, expected) in written() {
        assert_eq!(filtered(&encode_key(&key)), expected, "{key:?}");
    }
}

#[test]
fn the_cell_of_an_order_is_another_than_one_over_the_same_values() {
    let (of_an_order, plain) = (cell("s/7"), CellKey::from((*cell("s/7")).clone()));
    assert_ne!(of_an_order, plain);
    assert!(plain < of_an_order);
    assert!(encode_key(&Key::Cell(plain)) < encode_key(&Key::Cell(of_an_order)));
}

#[test]
fn rows_of_a_record_that_is_not_there_or_did_not_make_them_are_made_again() {
    let key = Key::Request(request().key);
    for wrong in [2, 7, 0] {
        let dir = TempDir::new().expect("a directory");
        let mut store = open(&dir);
        commit(&mut store, vec![paid(1, "p1")]);
        let other = record(2, vec![hold("other", "a", Shape::Fixed, "p2")]);
        commit(&mut store, vec![other]);
        let right = store.load(std::slice::from_ref(&key)).expect("rows");
        store.inner.rows.put(&key, Slot::At(wrong));
        store.tidy().expect("tidy");
        drop(store);
        let mut store = open(&dir);
        assert!(!store.start().rebuilt);
        let why = store.load(std::slice::from_ref(&key)).expect_err("it is wrong").to_string();
        assert!(why.contains(&format!("record {wrong}")), "{why}");
        drop(store);
        let mut store = open(&dir);
        assert!(store.start().rebuilt, "{wrong}");
        assert_eq!(store.load(std::slice::from_ref(&key)).expect("rows"), right);
    }
}

#[test]
fn rows_that_are_not_what_the_journal_makes_are_found_in_whichever_part_they_are() {
    let (key, cell) = (Key::Request(request().key), Key::Cell(cell("other")));
    let changed = Request { answered: Answered::Resource, ..request() };
    let added = RequestKey { id: "another".into(), ..request().key };
    let added = Row::Request(Request { key: added, ..changed.clone() });
    let changed = Row::Request(changed);
    let changed = Slot::Row(Arc::new(changed), 1);
    let wrong = [
        (key.clone(), changed),
        (key.clone(), Slot::Gone),
        (added.key(), Slot::Row(Arc::new(added), 1)),
        (cell.clone(), Slot::Gone),
        (cell, Slot::At(2)),
    ];
    for (key, slot) in wrong {
        let dir = TempDir::new().expect("a directory");
        let mut store = open(&dir);
        commit(&mut store, vec![paid(1, "p1")]);
        commit(&mut store, vec![record(2, vec![hold("other", "a", Shape::Fixed, "p2")])]);
        store.inner.rows.put(&key, slot.clone());
        store.tidy().expect("tidy");
        drop(store);
        for most in [1, 2, 100] {
            let options = Options::default();
            let found = verify_in_parts(dir.path(), &options, most, |_| Ok(()), |_, _, _| {});
            let found = found.expect_err("a row is wrong").to_string();
            assert!(found.contains("differs"), "{key:?} as {slot:?}: {found}");
        }
    }
}

#[test]
fn records_do_not_go_where_rows_are_not_what_is_made_of_what_is_kept() {
    let options = Options { tidy_records: 0, segment_bytes: 4097, ..Options::default() };
    let dir = TempDir::new().expect("a directory");
    let second = |number| Instant::MIN.plus(Duration::from_secs(number));
    let mut store = SledStore::open(dir.path(), options.clone()).expect("a store");
    for sequence in 1..=5 {
        let at = second(sequence);
        let change = hold("other", "a", Shape::Fixed, &format!("p{sequence}"));
        commit(&mut store, vec![Record { at, ..record(sequence, vec![change]) }]);
        store.tidy().expect("tidy");
    }
    let empty = Row::Cell(crate::domain::cell::Cell::new(cell("other")));
    let change = hold("o", "a", Shape::Fixed, "p6");
    commit(&mut store, vec![Record { at: second(6), ..record(6, vec![change]) }]);
    store.inner.rows.put(&Key::Cell(cell("other")), Slot::Row(Arc::new(empty), 6));
    store.tidy().expect("tidy");
    drop(store);
    let files = || {
        let in_folder = |name| std::fs::read_dir(dir.path().join(name)).expect("it is there");
        ["journal", "base"].map(|name| in_folder(name).count())
    };
    let what = Retain { keep: Duration::ZERO, now: second(4), dry_run: false, unchecked: false };
    let before = std::fs::read_dir(dir.path().join("journal")).expect("files").count();
    let why = retain(dir.path(), &options, &what, &mut |_| {}).expect_err("a meter is wrong");
    assert!(why.to_string().contains("differs"), "{why}");
    assert_eq!(files(), [before, 0]);
    let unchecked = Retain { unchecked: true, ..what };
    retain(dir.path(), &options, &unchecked, &mut |_| {}).expect("nobody looks");
    assert!(files()[0] < before && files()[1] == 1);
}

/// A draft of a base of all files but the last, and what was counted.
fn drawn_up(
    dir: &Path,
    options: &Options,
    Opened { tip, rows, .. }: &Opened,
    journal: &mut Journal,
) -> (Mark, Counted) {
    let end = journal.ends().last().expect("a file that may go");
    let mark = Mark::whole(Tip { sequence: end.sequence, ..*tip }, end, end.sequence);
    let tell = &mut |_, _| {};
    let counted = keeping::make(dir, mark, rows, journal, Instant::MAX, options, tell);
    (mark, counted.expect("a draft"))
}

/// A draft of a base with other entries.
fn drawn_up_anew(dir: &Path, change: impl Fn(&[u8], Vec<u8>) -> Option<Vec<u8>>) {
    let (draft, parts) = (Base::draft(dir), Base::parts(dir));
    let (entries, extent, mark) = runs::read(&draft).expect("a draft");
    runs::make(&parts, extent, mark, &Options::default().of_runs(), |put| {
        for entry in entries {
            let (key, value) = entry?;
            if let Some(value) = change(&key, value) {
                put(&key, Some(&value))?;
            }
        }
        Ok(())
    })
    .expect("another one");
    std::fs::remove_dir_all(&draft).expect("it goes");
    std::fs::rename(&parts, &draft).expect("it gets its place");
}

#[test]
fn what_is_kept_is_compared_with_what_all_records_made_that_go() {
    let options = Options { tidy_records: 0, segment_bytes: 4097, ..Options::default() };
    let dir = TempDir::new().expect("a directory");
    let dir = dir.path();
    let mut store = SledStore::open(dir, options.clone()).expect("a store");
    for sequence in 1..=5 {
        let payout = format!("p{sequence}");
        let changes = vec![
            hold("other", "a", Shape::Fixed, &payout),
            // Of an order with one payout: at rest it has no entry of its own.
            hold(&format!("o{sequence}"), "a", Shape::Fixed, &payout),
        ];
        commit(&mut store, vec![record(sequence, changes)]);
        // A commit each, and so a few files.
        store.tidy().expect("tidy");
    }
    drop(store);
    let opened = recover::open(dir, &options).expect("it opens");
    let mut journal = opened.pipeline.journal();
    let (mark, _) = drawn_up(dir, &options, &opened, &mut journal);
    let key = |order| encode_key(&Key::Cell(cell(order)));
    let mut compared = |most: usize| {
        let draft = Base::drafted(dir, mark);
        let compared = compare_base(&draft, &Base::default(), &mut journal, most, |_, _, _| {});
        compared.map_err(|why| why.to_string())
    };
    for most in [1, 2, 100] {
        assert_eq!(compared(most), Ok(0));
    }
    let mut other = None;
    drawn_up_anew(dir, |_, value| Some(value));
    assert_eq!(compared(100), Ok(0));
    let (entries, ..) = runs::read(&Base::draft(dir)).expect("a draft");
    for entry in entries {
        let (found, value) = entry.expect("an entry");
        other = other.or_else(|| (found == key("o2")).then_some(value));
    }
    let other = other.expect("a meter");
    drawn_up_anew(dir, |it, value| Some(if it == key("o1") { other.clone() } else { value }));
    for most in [1, 2, 100] {
        let why = compared(most).expect_err("another order's meter");
        assert!(why.contains("differs"), "{why}");
    }
    drawn_up_anew(dir, |it, value| (it != key("o1")).then_some(value));
    for most in [1, 2, 100] {
        let why = compared(most).expect_err("a meter is not there");
        assert!(why.contains("is not kept"), "{why}");
    }
}

#[test]
fn payouts_are_kept_whole_and_none_is_lost_that_is_not_over() {
    let options = Options { tidy_records: 0, segment_bytes: 4097, ..Options::default() };
    let dir = TempDir::new().expect("a directory");
    let dir = dir.path();
    let mut store = SledStore::open(dir, options.clone()).expect("a store");
    let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
    let mut dice = Dice::new(1);
    let states = [("d", State::Authorized), ("e", State::Cancelled), ("f", State::Cancelled)];
    for (sequence, (name, state)) in (1..).zip(states) {
        let due = (!state.is_final()).then_some(Instant::MAX);
        let name = shop.payout(id(name));
        let payout = Payout { name, order: None, state, due, ..dice.payout(&[]) };
        let decision = Decision {
            name: shop.decision(payout.name.payout.clone()),
            payout: Some(payout.name.payout.clone()),
            ..dice.decision(&payout)
        };
        let key = RequestKey { id: payout.name.payout.as_str().into(), ..request().key };
        let answered = Answered::Decision(payout.name.payout.clone());
        let rows = [
            Row::Request(Request { key, answered, ..request() }),
            Row::Payout(Arc::new(payout)),
            Row::Decision(Arc::new(decision)),
        ];
        commit(&mut store, vec![record(sequence, rows.map(Change::put).into())]);
        store.tidy().expect("tidy");
    }
    drop(store);
    let opened = recover::open(dir, &options).expect("it opens");
    let mut journal = opened.pipeline.journal();
    let (mark, counted) = drawn_up(dir, &options, &opened, &mut journal);
    assert_eq!((mark.tip.sequence, counted.gone, counted.kept), (2, 1, 1));
    let mut compared = |counted| {
        let (draft, none) = (Base::drafted(dir, mark), Base::default());
        let compared = compare_draft(&draft, &none, counted, &mut journal, 100, |_, _, _| {});
        compared.map_err(|why| why.to_string())
    };
    assert_eq!(compared(counted), Ok(()));
    let why = compared(Counted { gone: 2, ..counted }).expect_err("one is not");
    assert!(why.contains("2 payouts are over, and 1 would not be kept"), "{why}");
    let decision = encode_key(&Key::Decision(shop.decision(id("d"))));
    drawn_up_anew(dir, |key, value| (key != decision).then_some(value));
    let why = compared(counted).expect_err("its decision is not there");
    assert!(why.contains("would be kept without"), "{why}");
    // Also if whoever counted took it for over.
    drawn_up_anew(dir, |_, _| None);
    for gone in [counted.gone, 2] {
        let why = compared(Counted { gone, ..counted }).expect_err("it is under way");
        assert!(why.contains("is not over and would not be kept"), "{why}");
    }
}

//! Meters and balances that a service hands over late: what rows at rest lack of them,
//! a start applies again, and nothing twice.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use bursar::{
    domain::{change::Change, key::Key},
    store::{Changed, Commit, Store, sled::verify},
};

use crate::{
    make::{Writer, credit, hold_of_shop, settle},
    places::{Place, Sled},
};

/// Commits a record with this change, and of the rows that changed only those given, as
/// they are. `lacks`: the first record whose change was not given so far.
fn commit(
    store: &mut impl Store,
    writer: &mut Writer,
    change: Change,
    given: &[(Key, u64)],
    lacks: Option<u64>,
) {
    let mut commit = writer.commit(vec![vec![change]]);
    let row = |(key, sequence): &(Key, u64)| {
        let (key, sequence) = (key.clone(), *sequence);
        let row = writer.rows.get(&key).cloned();
        Changed { key, row, sequence, alone: false }
    };
    commit.rows = given.iter().map(row).collect();
    commit.lacks = lacks;
    settle(store, commit).expect("a commit");
}

/// That everything is there, and as the journal makes it.
fn is_whole(place: &Sled, writer: &Writer) {
    let mut store = place.open();
    writer.agrees(&mut store);
    drop(store);
    let report = verify(place.path(), &place.options, |_| Ok(())).expect("a sound store");
    assert_eq!(report.rows, writer.rows.len());
}

#[test]
fn what_was_handed_over_later_than_others_is_applied_once_and_what_changed_after_it_too() {
    let mut place = Sled::new();
    place.options.checkpoint_records = 4;
    let (mut store, mut writer) = (place.open(), Writer::default());
    let more = |name: &str, payout: u64| hold_of_shop(name, &format!("p{payout}"), "1");
    let (a, b) = (more("a", 1).key(), more("b", 2).key());
    for (change, key, sequence) in [(more("a", 1), &a, 1), (more("b", 2), &b, 2)] {
        commit(&mut store, &mut writer, change, &[(key.clone(), sequence)], None);
    }
    // From here on `b` waits. `a` is handed over as it is after record 5, and waits again.
    commit(&mut store, &mut writer, more("b", 3), &[], Some(3));
    commit(&mut store, &mut writer, more("a", 4), &[], Some(3));
    commit(&mut store, &mut writer, more("a", 5), &[(a, 5)], Some(3));
    commit(&mut store, &mut writer, more("a", 6), &[], Some(3));
    for sequence in 7..12 {
        commit(&mut store, &mut writer, more("b", sequence), &[], Some(3));
    }
    // As after a kill, with whatever is at rest by then.
    let killed = place.copy();
    store.tidy().expect("rows come to rest without what waits");
    drop(store);
    let store = place.open();
    assert_eq!(store.start().replayed, 9, "from record 3 on");
    drop(store);
    for place in [place, killed] {
        is_whole(&place, &writer);
        is_whole(&place, &writer);
    }
}

#[test]
fn a_start_that_ends_before_it_has_made_all_is_gone_on_from() {
    let mut place = Sled::new();
    // Rows are put away on the way, a thousand records after the first that is lacking.
    place.options.checkpoint_records = 800;
    place.options.segment_bytes = 1024 * 1024;
    let (mut store, mut writer) = (place.open(), Writer::default());
    let key = credit("1").key();
    commit(&mut store, &mut writer, credit("1"), &[(key, 1)], None);
    for _ in 2..=1_700 {
        commit(&mut store, &mut writer, credit("1"), &[], Some(2));
    }
    drop(store);
    let manifest = || fs::read(place.path().join("runs/manifest")).expect("a manifest");
    for replayed in [1_699, 699, 699] {
        let before = manifest();
        let store = place.open();
        assert_eq!(store.start().replayed, replayed);
        // What was put away on the way comes to rest, or is put away again by the next.
        let begun = Instant::now();
        while replayed > 1_000 && manifest() == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing came to rest");
            thread::sleep(Duration::from_millis(5));
        }
        drop(store);
    }
    is_whole(&place, &writer);
}

#[test]
fn a_stop_leaves_nothing_to_apply_however_soon_it_comes_after_rows_were_put_away() {
    for records in [1_601, 1_610] {
        let mut place = Sled::new();
        place.options.checkpoint_records = 800;
        place.options.tidy_records = 1_000;
        place.options.segment_bytes = 1024 * 1024;
        let (mut store, mut writer) = (place.open(), Writer::default());
        let key = credit("1").key();
        commit(&mut store, &mut writer, credit("1"), &[(key.clone(), 1)], None);
        for _ in 2..=records {
            commit(&mut store, &mut writer, credit("1"), &[], Some(2));
        }
        // As the engine does it.
        let row = writer.rows.get(&key).cloned();
        let rows = vec![Changed { key, row, sequence: records, alone: false }];
        store.commit(Commit { records: Vec::new(), rows, lacks: None }).expect("a commit");
        store.tidy().expect("tidy");
        drop(store);
        assert_eq!(place.open().start().replayed, 0, "{records} records");
        is_whole(&place, &writer);
    }
}

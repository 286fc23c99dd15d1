//! Old files of a large journal, which a start does not read through: they are
//! checked while the store serves, and damage there ends the serving.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use bursar::store::{Store, StoreError, sled::SledStore};

use crate::{
    damage,
    files::{change, files, frame_of},
    make::{Writer, order},
    places::{Place, Sled},
};

/// A store in several files, all of whose rows are at rest; a start checks only
/// the last file.
fn closed() -> (Sled, Writer) {
    let (mut place, writer) = damage::closed();
    place.open().tidy().expect("tidy");
    place.options.checked_bytes = 0;
    (place, writer)
}

/// Asks until the store says why it does not serve any more.
fn why_it_ends(mut store: SledStore) -> String {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        match store.begin() {
            Ok(_) => thread::sleep(Duration::from_millis(1)),
            Err(StoreError::Fatal(why)) => return why,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it goes on");
}

#[test]
fn a_start_leaves_old_files_for_later_and_has_all_that_is_in_them() {
    let (place, mut writer) = closed();
    let mut store = place.open();
    assert!(store.start().older_bytes > 0);
    writer.agrees(&mut store);
    let records = store.records(0, 100).expect("records");
    assert_eq!(records.len(), 10);
    writer.put(&mut store, vec![order("more", "c")]);
    drop(store);
    writer.agrees(&mut place.open());
}

#[test]
fn a_start_reads_as_much_as_it_may() {
    let (mut place, _) = closed();
    let length = |file| fs::metadata(file).expect("a file").len();
    let lengths: Vec<u64> = files(&place).iter().map(length).collect();
    let mut older = Vec::new();
    for read in 1..=lengths.len() {
        place.options.checked_bytes = lengths.iter().rev().take(read).sum();
        older.push(place.open().start().older_bytes);
        // One byte less is a file less.
        place.options.checked_bytes -= 1;
        let more = place.open().start().older_bytes;
        assert_eq!(more, older[read.saturating_sub(2)]);
    }
    assert!(older.is_sorted_by(|more, less| more > less), "{older:?}");
    assert_eq!(older.last(), Some(&0));
}

#[test]
fn what_rows_at_rest_do_not_have_is_read_through_in_any_case() {
    let (mut place, _) = damage::killed();
    place.options.checked_bytes = 0;
    assert_eq!(place.open().start().older_bytes, 0);
    let (mut place, _) = damage::killed();
    place.options.checked_bytes = 0;
    frame_of(&place, 1).change(|bytes| bytes[100] ^= 1);
    assert!(place.refusal().contains("commit 1 of the journal"));
}

#[test]
fn what_the_fence_does_not_know_is_read_through_in_any_case() {
    let (place, _) = closed();
    // A fence of an empty store: nothing is known to be durable.
    let empty = Sled::new();
    drop(empty.open());
    fs::copy(empty.path().join("durable.fence"), place.path().join("durable.fence")).expect("copy");
    assert_eq!(place.open().start().older_bytes, 0);
}

#[test]
fn damage_in_an_old_file_is_named_and_ends_the_serving() {
    for number in [1, 2, 5] {
        let (place, _) = closed();
        frame_of(&place, number).change(|bytes| bytes[100] ^= 1);
        let why = why_it_ends(place.open());
        let commit = format!("commit {number} of the journal, with record {number}");
        assert!(why.contains(&format!("{commit}, is damaged")), "{why}");
        // It is not served again.
        assert!(place.refusal().contains(&format!("{commit}, is damaged")));
    }
}

#[test]
fn damage_that_a_question_comes_upon_has_the_next_start_read_everything() {
    let (mut place, _) = closed();
    // All of it was read through, so that no check comes upon it first.
    place.options.checked_bytes = u64::MAX;
    let mut store = place.open();
    frame_of(&place, 2).change(|bytes| bytes[100] ^= 1);
    store.records(0, 100).expect_err("damage");
    drop(store);
    place.options.checked_bytes = 0;
    let why = place.refusal();
    assert!(why.contains("commit 2 of the journal, with record 2, is damaged"), "{why}");
}

#[test]
fn what_is_missing_of_old_files_is_named_and_ends_the_serving() {
    let (place, _) = closed();
    frame_of(&place, 2).change(|bytes| bytes.fill(0));
    let why = why_it_ends(place.open());
    assert!(why.contains("the commit with record 2 is missing"), "{why}");

    let (place, _) = closed();
    fs::remove_file(&files(&place)[1]).expect("removed");
    let why = why_it_ends(place.open());
    assert!(why.contains("is missing"), "{why}");
}

#[test]
fn heads_of_old_files_are_looked_at_by_a_start() {
    let (place, _) = closed();
    fs::remove_file(&files(&place)[0]).expect("removed");
    assert!(place.refusal().contains("is missing"));

    let ((place, _), (other, _)) = (closed(), closed());
    fs::copy(&files(&other)[1], &files(&place)[1]).expect("a copy");
    assert!(place.refusal().contains("its file belongs to another journal"));

    let (place, _) = closed();
    change(&files(&place)[1], |bytes| bytes[12] ^= 1);
    assert!(place.refusal().contains("the head of"));
}

/// Damages the rows at rest.
fn cut_rows(place: &Sled) {
    let run = place.runs().pop().expect("rows at rest");
    change(&run, |bytes| bytes.truncate(bytes.len() / 2));
}

#[test]
fn rows_that_have_to_be_made_again_rest_on_a_journal_that_was_read_through() {
    let (place, writer) = closed();
    cut_rows(&place);
    let mut store = place.open();
    assert!(store.start().rebuilt);
    assert_eq!(store.start().older_bytes, 0);
    writer.agrees(&mut store);
}

#[test]
fn rows_are_not_made_again_from_a_journal_that_is_damaged() {
    let (place, _) = closed();
    cut_rows(&place);
    let runs = place.runs();
    frame_of(&place, 2).change(|bytes| bytes[100] ^= 1);
    let why = place.refusal();
    assert!(why.contains("commit 2 of the journal, with record 2, is damaged"), "{why}");
    assert_eq!(place.runs(), runs, "nothing was removed");
}

#[test]
fn a_store_closes_before_old_files_were_checked() {
    let (place, _) = closed();
    for _ in 0..20 {
        drop(place.open());
    }
}

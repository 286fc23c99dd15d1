//! A record that cannot be read although every checksum fits: what a defect would
//! write, or somebody who knows the format.

use std::fs;

use bursar::{
    domain::instant::Instant,
    store::{
        Store, StoreError,
        sled::{Damage, backup, verify},
    },
};

use crate::{
    damage,
    files::{change, frame_of},
    make::order,
    places::{Place, Sled},
};

/// The last record.
const LAST: u64 = 10;

/// A store in several files, all of whose rows are at rest, whose last record has a
/// form that nobody knows.
fn garbled() -> Sled {
    let place = closed();
    // Behind the header and the length of the first record.
    forge(&place, |frame| frame[72 + 4] = 0);
    place
}

fn closed() -> Sled {
    let (mut place, _) = damage::closed();
    place.open().tidy().expect("tidy");
    place.options.checked_bytes = 0;
    place
}

/// Changes the last commit. Whatever saw the journal end has seen it end so.
fn forge(place: &Sled, edit: impl FnOnce(&mut Vec<u8>)) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let last = frame_of(place, LAST);
    change(&last.file, |bytes| {
        let mut frame = bytes[last.bytes.clone()].to_vec();
        before = blake3::hash(&frame).as_bytes().to_vec();
        edit(&mut frame);
        seal(&mut frame);
        after = blake3::hash(&frame).as_bytes().to_vec();
        bytes.splice(last.bytes, frame);
    });
    let exchange = |bytes: &mut [u8]| {
        let found = bytes.windows(before.len()).position(|window| window == before);
        found.map(|at| bytes[at..at + after.len()].copy_from_slice(&after)).is_some()
    };
    let mut seen = 0;
    change(&place.path().join("durable.fence"), |bytes| {
        for slot in bytes.chunks_mut(4096) {
            let slot = &mut slot[..68];
            if exchange(slot) {
                seal(slot);
                seen += 1;
            }
        }
    });
    change(&place.path().join("runs/manifest"), |bytes| {
        // Of all rows, and of meters and balances.
        while exchange(bytes) {
            seal(bytes);
            seen += 1;
        }
    });
    assert!(seen >= 3, "the fence and the rows at rest know the end");
}

/// Writes the checksum at the end of what it is of.
pub fn seal(bytes: &mut [u8]) {
    let (content, checksum) = bytes.split_last_chunk_mut::<4>().expect("a checksum");
    *checksum = crc32fast::hash(content).to_be_bytes();
}

/// The rows at rest and their manifest, byte for byte.
fn at_rest(place: &Sled) -> Vec<Vec<u8>> {
    let manifest = place.path().join("runs/manifest");
    let files = place.runs().into_iter().chain([manifest]);
    let read: Vec<_> = files.map(|path| fs::read(path).expect("a file")).collect();
    assert!(read.len() > 1, "no rows are at rest");
    read
}

fn names_it(why: &str) {
    let expected = format!("record {LAST} of the journal cannot be read");
    assert!(why.contains(&expected) && why.contains("restore it from a backup"), "{why}");
    assert!(!why.contains("Nothing was changed"), "a start may have: {why}");
}

#[test]
fn a_record_that_cannot_be_read_ends_the_serving_and_the_next_start_refuses_it() {
    let place = garbled();
    let runs = at_rest(&place);
    // Checksums fit, and rows at rest have what is in it: nobody had to read it.
    let mut store = place.open();
    store.load(&[order("o8", "").key()]).expect("a row that another record made");
    let Err(StoreError::Fatal(why)) = store.load(&[order("o9", "").key()]) else {
        panic!("it was read");
    };
    names_it(&why);
    store.begin().expect_err("it serves no more");
    drop(store);
    for _ in 0..2 {
        names_it(&place.refusal());
    }
    assert_eq!(at_rest(&place), runs, "rows at rest are sound, and are kept");
}

#[test]
fn a_start_that_was_told_to_read_everything_heals_a_torn_tail_and_serves() {
    let (place, writer) = damage::killed();
    let mut writer = damage::without_the_last(&writer);
    let suspect = place.path().join("journal/suspect");
    fs::write(&suspect, "").expect("written");
    let last = frame_of(&place, LAST);
    last.change(|bytes| bytes[100..].fill(0));
    let mut store = place.open();
    assert!(store.start().torn_bytes > 0);
    writer.agrees(&mut store);
    writer.put(&mut store, vec![order("more", "c")]);
    assert!(!suspect.exists(), "it is read through once");
}

#[test]
fn a_record_that_cannot_be_read_is_refused_where_rows_are_made_of_it() {
    let place = garbled();
    fs::remove_dir_all(place.path().join("runs")).expect("removed");
    for _ in 0..2 {
        names_it(&place.refusal());
    }
}

#[test]
fn a_record_that_cannot_be_read_is_found_by_who_checks_copies_or_lists_the_journal() {
    let place = garbled();
    let why = verify(place.path(), &place.options, |_| Ok(())).expect_err("it was read");
    names_it(&why.to_string());
    assert_eq!(why.sequence(), Some(LAST));
    let why = backup::read::<Damage>(place.path(), |_| Ok(())).expect_err("it was read");
    names_it(&why.to_string());
    let elsewhere = Sled::new();
    let to = elsewhere.path().join("backup");
    let why = backup::back_up(place.path(), &to, Instant::MIN, &mut |_, _| {});
    let why = why.expect_err("it was read");
    names_it(&why.to_string());
    assert_eq!(why.sequence(), Some(LAST));
    assert!(!to.exists());
    let mut store = place.open();
    assert_eq!(store.records(0, 9).expect("those before it").len(), 9);
    let why = store.records(0, 10).expect_err("it was read");
    names_it(&why.to_string());
    drop(store);
    names_it(&place.refusal());
}

#[test]
fn a_record_in_the_place_of_another_is_refused_by_the_next_start_too() {
    let place = closed();
    let other = frame_of(&place, LAST - 1);
    let other = fs::read(&other.file).expect("a file")[other.bytes].to_vec();
    forge(&place, |frame| {
        // With its length.
        frame[4..8].copy_from_slice(&other[4..8]);
        frame.truncate(72);
        frame.extend(&other[72..]);
    });
    let mut store = place.open();
    store.load(&[order("o9", "").key()]).expect_err("another record");
    drop(store);
    for _ in 0..2 {
        let why = place.refusal();
        assert!(why.contains("with record 10, is damaged: it has another record there"), "{why}");
    }
}

//! Rows at rest: whatever happens to them, the journal makes them again.

use std::fs;

use bursar::{
    domain::{change::Change, payout::State},
    store::{
        Store,
        sled::{Options, verify},
    },
};

use crate::{
    damage::closed,
    make::{Writer, everything, fatal, order, payout, revision},
    places::{Place, Sled},
};

/// A store with rows at rest in many blocks, some of them spread, closed.
fn at_rest() -> (Sled, Writer) {
    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    for number in 0..60 {
        let name = format!("o{number}");
        writer.put(&mut store, vec![order(&name, "c"), payout(&name, State::Authorized)]);
    }
    writer.put(&mut store, vec![revision(1, 30_000)]);
    store.tidy().expect("tidy");
    drop(store);
    (place, writer)
}

/// That its rows are made from the journal, at the start or at the next one
/// after somebody met the damage, and that it goes on.
fn is_made_again(place: &Sled, writer: &mut Writer) {
    let mut store = place.open();
    if store.start().replayed < writer.sequence {
        fatal(store.scan(&everything()));
        drop(store);
        store = place.open();
        assert!(store.start().rebuilt);
    }
    assert_eq!(store.start().replayed, writer.sequence);
    writer.agrees(&mut store);
    writer.put(&mut store, vec![order("more", "c")]);
    drop(store);
    let mut store = place.open();
    assert!(!store.start().rebuilt);
    writer.agrees(&mut store);
}

#[test]
fn damaged_blocks_are_made_again_from_the_journal() {
    for tree in ["blocks", "parts"] {
        let (place, mut writer) = at_rest();
        place.tamper(tree, |tree| {
            let (key, value) = tree.first().expect("read").expect("something");
            let mut value = value.to_vec();
            let middle = value.len() / 2;
            value[middle] ^= 1;
            tree.insert(key, value).expect("written");
        });
        let report = verify(place.path(), &Options::default(), |_| Ok(())).expect("a journal");
        assert!(report.rows_incomplete, "{tree}: somebody will meet it");
        is_made_again(&place, &mut writer);
    }
}

#[test]
fn a_filter_or_a_manifest_that_is_damaged_or_a_filter_that_is_gone_is_made_again() {
    for round in 0..3 {
        let (place, mut writer) = at_rest();
        let manifest = place.path().join("runs/manifest");
        let file = if round == 1 { manifest } else { place.run().join("filter") };
        if round == 2 {
            fs::remove_file(file).expect("removed");
        } else {
            crate::files::change(&file, |bytes| bytes[20] ^= 4);
        }
        let report = verify(place.path(), &Options::default(), |_| Ok(())).expect("a journal");
        assert!(report.rows_incomplete);
        is_made_again(&place, &mut writer);
    }
}

#[test]
fn a_database_that_sled_cannot_read_is_made_again() {
    for cut in [1, 2, 3] {
        let (place, mut writer) = at_rest();
        let log = place.run().join("sled/db");
        crate::files::change(&log, |bytes| match cut {
            1 => bytes.truncate(bytes.len() / 2),
            2 => bytes.truncate(0),
            _ => {
                let middle = bytes.len() / 2;
                bytes[middle..].iter_mut().step_by(3).for_each(|byte| *byte ^= 0x55);
            }
        });
        // Without sled's snapshot it reads the log alone.
        for entry in fs::read_dir(place.run().join("sled")).expect("a listing") {
            let path = entry.expect("an entry").path();
            if path.to_string_lossy().contains("snap.") {
                fs::remove_file(path).expect("removed");
            }
        }
        is_made_again(&place, &mut writer);
    }
}

#[test]
fn whatever_happened_to_a_run_no_row_of_it_is_served_wrong() {
    let (place, writer) = at_rest();
    let log = place.run().join("sled/db");
    let sound = fs::read(&log).expect("a log");
    for seed in 1..60_u64 {
        let dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17;
        let at = usize::try_from(dice).expect("small") % (sound.len() - 8);
        let mut bytes = sound.clone();
        bytes[at..at + 8].copy_from_slice(&dice.to_be_bytes());
        let copy = place.copy();
        fs::write(copy.run().join("sled/db"), bytes).expect("written");
        let mut store = copy.open();
        if store.scan(&everything()).is_ok() {
            writer.agrees(&mut store);
        }
        drop(store);
        writer.agrees(&mut copy.open());
    }
}

#[test]
fn runs_that_are_gone_are_made_again() {
    let (place, writer) = at_rest();
    fs::remove_dir_all(place.path().join("runs")).expect("removed");
    let mut store = place.open();
    assert_eq!(store.start().replayed, writer.sequence);
    writer.agrees(&mut store);
}

#[test]
fn what_the_manifest_does_not_name_is_removed() {
    let (place, writer) = at_rest();
    let stray = place.path().join("runs/0000000099");
    crate::places::copy_files(&place.run(), &stray);
    writer.agrees(&mut place.open());
    assert!(!stray.exists());
}

#[test]
fn values_that_sled_does_not_sync_are_not_relied_on() {
    let (place, mut writer) = at_rest();
    fs::write(place.run().join("sled/blobs/1"), b"x").expect("written");
    let report = verify(place.path(), &Options::default(), |_| Ok(())).expect("a journal");
    assert!(report.rows_incomplete);
    is_made_again(&place, &mut writer);
}

#[test]
fn runs_of_another_history_are_refused() {
    let (place, _) = closed();
    let mut store = place.open();
    store.tidy().expect("tidy");
    drop(store);
    let other = Sled::new();
    let (mut store, mut writer) = (other.open(), Writer::default());
    for number in 0..10 {
        let caller = if number == 4 { "x" } else { "c" };
        writer.put(&mut store, vec![order(&format!("o{number}"), caller), revision(number, 9_000)]);
    }
    store.tidy().expect("tidy");
    drop(store);
    fs::remove_dir_all(place.path().join("runs")).expect("removed");
    crate::places::copy_files(&other.path().join("runs"), &place.path().join("runs"));
    let why = verify(place.path(), &place.options, |_| Ok(())).expect_err("a difference");
    assert!(why.to_string().contains("the rows at rest saw"), "{why}");
    assert!(place.refusal().contains("the rows at rest saw"));
}

#[test]
fn long_keys_and_long_rows_make_no_blobs() {
    // The longest ids there are, in rows large and small.
    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let long = "x".repeat(120);
    for batch in 0..20 {
        let changes = |n: usize| {
            let name = format!("{long}{:08}", n * 31 + batch);
            vec![Change::put(order(&name, &"c".repeat(n * 90 % 5800)))]
        };
        crate::make::settle(&mut store, writer.commit((0..40).map(changes).collect()))
            .expect("a commit");
    }
    writer.put(&mut store, (0..40).map(|n| revision(n, 5000 + 100 * n as usize)).collect());
    store.tidy().expect("tidy");
    writer.agrees(&mut store);
    drop(store);
    writer.agrees(&mut place.open());
}

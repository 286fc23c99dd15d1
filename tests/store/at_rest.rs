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
    make::{Writer, order, payout, revision},
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

/// That it opens with all rows made from the journal, and goes on.
fn is_made_again(place: &Sled, writer: &mut Writer) {
    let mut store = place.open();
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
    for (tree, is_removed) in
        [("blocks", false), ("blocks", true), ("parts", false), ("parts", true), ("head", false)]
    {
        let (place, mut writer) = at_rest();
        place.tamper(tree, |tree| {
            let (key, value) = tree.first().expect("read").expect("something");
            if is_removed {
                tree.remove(key).expect("removed");
            } else {
                let mut value = value.to_vec();
                let middle = value.len() / 2;
                value[middle] ^= 1;
                tree.insert(key, value).expect("written");
            }
        });
        let report = verify(place.path(), &Options::default(), |_| Ok(())).expect("a journal");
        assert!(report.rows_incomplete, "{tree}: the next start mends it");
        is_made_again(&place, &mut writer);
    }
}

#[test]
fn a_head_that_is_missing_means_that_there_was_no_checkpoint() {
    let (place, mut writer) = at_rest();
    place.tamper("head", |tree| tree.clear().expect("cleared"));
    is_made_again(&place, &mut writer);
}

#[test]
fn a_database_that_sled_cannot_read_is_made_again() {
    for cut in [1, 2, 3] {
        let (place, mut writer) = at_rest();
        let log = place.path().join("sled/db");
        let mut bytes = fs::read(&log).expect("a log");
        // Every way to lose what a power failure may take.
        match cut {
            1 => bytes.truncate(bytes.len() / 2),
            2 => bytes.truncate(0),
            _ => {
                let middle = bytes.len() / 2;
                bytes[middle..].iter_mut().step_by(3).for_each(|byte| *byte ^= 0x55);
            }
        }
        fs::write(&log, bytes).expect("written");
        // Without sled's snapshot it reads the log alone.
        for entry in fs::read_dir(place.path().join("sled")).expect("a listing") {
            let path = entry.expect("an entry").path();
            if path.to_string_lossy().contains("snap.") {
                fs::remove_file(path).expect("removed");
            }
        }
        is_made_again(&place, &mut writer);
    }
}

#[test]
fn whatever_happened_to_the_database_it_opens_with_all_rows_or_makes_it_again() {
    let (place, writer) = at_rest();
    let log = place.path().join("sled/db");
    let sound = fs::read(&log).expect("a log");
    for seed in 1..60_u64 {
        let dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17;
        let at = usize::try_from(dice).expect("small") % (sound.len() - 8);
        let mut bytes = sound.clone();
        bytes[at..at + 8].copy_from_slice(&dice.to_be_bytes());
        let copy = place.copy();
        fs::write(copy.path().join("sled/db"), bytes).expect("written");
        writer.agrees(&mut copy.open());
        writer.agrees(&mut copy.open());
    }
}

#[test]
fn a_database_that_is_gone_is_made_again() {
    let (place, writer) = at_rest();
    fs::remove_dir_all(place.path().join("sled")).expect("removed");
    let mut store = place.open();
    assert_eq!(store.start().replayed, writer.sequence);
    writer.agrees(&mut store);
}

#[test]
fn values_that_sled_does_not_sync_are_not_relied_on() {
    let (place, mut writer) = at_rest();
    fs::write(place.path().join("sled/blobs/1"), b"x").expect("written");
    let report = verify(place.path(), &Options::default(), |_| Ok(())).expect("a journal");
    assert!(report.rows_incomplete);
    is_made_again(&place, &mut writer);
    assert!(!place.path().join("sled/blobs/1").exists());
}

#[test]
fn verify_names_a_row_that_differs() {
    let (place, _) = closed();
    let mut store = place.open();
    store.tidy().expect("tidy");
    drop(store);
    // Blocks and head of a store with another history, under a head that says
    // that it is of this one.
    let other = Sled::new();
    let (mut store, mut writer) = (other.open(), Writer::default());
    for number in 0..10 {
        let caller = if number == 4 { "x" } else { "c" };
        writer.put(&mut store, vec![order(&format!("o{number}"), caller), revision(number, 9_000)]);
    }
    store.tidy().expect("tidy");
    drop(store);
    for tree in ["blocks", "parts"] {
        let mut content = Vec::new();
        other.tamper(tree, |tree| content.extend(tree.iter().map(|item| item.expect("an item"))));
        place.tamper(tree, |tree| {
            tree.clear().expect("cleared");
            for (key, value) in content {
                tree.insert(key, value).expect("written");
            }
        });
    }
    // The census stands at the head's end, before its checksum: a small number
    // and a large one.
    let mut theirs = Vec::new();
    other.tamper("head", |tree| theirs = tree.get("head").expect("read").expect("a head").to_vec());
    place.tamper("head", |tree| {
        let mut head = tree.get("head").expect("read").expect("a head").to_vec();
        head.truncate(head.len() - 4 - 10);
        head.extend(&theirs[theirs.len() - 4 - 10..theirs.len() - 4]);
        let checksum = crc32fast::hash(&head).to_be_bytes();
        head.extend(checksum);
        tree.insert("head", head).expect("written");
    });
    let why = verify(place.path(), &place.options, |_| Ok(())).expect_err("a difference");
    let why = why.to_string();
    assert!(why.contains("differs from what the journal says") && why.contains("o4"), "{why}");
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

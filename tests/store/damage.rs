//! What damage does: torn tails heal, everything else is refused and named.

use std::fs;

use bursar::{
    domain::{change::Change, payout::State},
    store::{
        Store,
        sled::{Options, rebuild_fence, verify},
    },
};

use crate::{
    make::{Writer, credit, order, payout, revision},
    places::{Place, Sled},
};

/// A store with ten commits, closed. Its fence is at the end.
fn closed() -> (Sled, Writer) {
    let place = Sled::new();
    let mut writer = Writer::default();
    let mut store = place.open();
    for number in 0..10 {
        writer.put(&mut store, vec![order(&format!("o{number}"), "c")]);
    }
    drop(store);
    (place, writer)
}

/// A store with ten commits, the last of several chunks, as a kill leaves it:
/// its fence is far behind.
fn killed() -> (Sled, Writer) {
    let place = Sled::new();
    let mut writer = Writer::default();
    let mut store = place.open();
    for number in 0..9 {
        writer.put(&mut store, vec![order(&format!("o{number}"), "c")]);
    }
    writer.put(&mut store, vec![revision(1, 20_000)]);
    (place.copy(), writer)
}

fn key(chunk: u64) -> [u8; 8] {
    chunk.to_be_bytes()
}

/// The chunks there are.
fn chunks(place: &Sled) -> Vec<u64> {
    let mut numbers = Vec::new();
    place.tamper("journal", |tree| {
        for item in tree {
            let (key, _) = item.expect("a chunk");
            numbers.push(u64::from_be_bytes(key.as_ref().try_into().expect("a number")));
        }
    });
    numbers
}

#[test]
fn a_torn_tail_heals() {
    // Whatever of the last commit is missing, as long as its end is.
    let (place, _) = killed();
    let last = *chunks(&place).last().expect("chunks");
    assert!(last > 12, "the last commit has several chunks");
    for missing in [vec![last], vec![10, last], vec![11, 12, last], (10..=last).collect()] {
        let (place, mut writer) = killed();
        place.tamper("journal", |tree| {
            for chunk in &missing {
                tree.remove(key(*chunk)).expect("removed");
            }
        });
        writer.sequence -= 1;
        writer.rows.remove(&revision(1, 0).key());
        let mut store = place.open();
        writer.agrees(&mut store);
        let left = last - 9 - missing.len() as u64;
        assert_eq!(store.start().torn_chunks, left);
        writer.put(&mut store, vec![order("again", "c")]);
        drop(store);
        writer.agrees(&mut place.open());
    }
}

#[test]
fn a_gap_in_the_last_commit_above_the_fence_heals() {
    let (place, mut writer) = killed();
    place.tamper("journal", |tree| {
        tree.remove(key(11)).expect("removed");
    });
    writer.sequence -= 1;
    writer.rows.remove(&revision(1, 0).key());
    writer.agrees(&mut place.open());
}

#[test]
fn a_gap_is_named_and_refuses() {
    for missing in [1, 4, 9] {
        for (place, _) in [closed(), killed()] {
            place.tamper("journal", |tree| {
                tree.remove(key(missing)).expect("removed");
            });
            let why = place.refusal();
            let expected = format!("chunk {missing}, with record {missing}, is missing");
            assert!(why.contains(&expected), "{why}");
            assert_eq!(place.refusal(), why, "nothing was mended");
        }
    }
}

#[test]
fn a_flipped_bit_is_named_and_refuses() {
    for chunk in [1, 5, 10] {
        for bit in [0, 100, 700, 2000] {
            for (place, _) in [closed(), killed()] {
                place.tamper("journal", |tree| {
                    let bytes = tree.get(key(chunk)).expect("read").expect("a chunk");
                    let mut bytes = bytes.to_vec();
                    let byte = bit / 8 % bytes.len();
                    bytes[byte] ^= 1 << (bit % 8);
                    tree.insert(key(chunk), bytes).expect("written");
                });
                let why = place.refusal();
                let expected =
                    format!("chunk {chunk} of the journal, with record {chunk}, is damaged");
                assert!(why.contains(&expected), "{why}");
            }
        }
    }
}

#[test]
fn chunks_that_changed_places_are_refused() {
    let (place, _) = killed();
    place.tamper("journal", |tree| {
        let third = tree.get(key(3)).expect("read").expect("a chunk");
        tree.insert(key(4), third).expect("written");
    });
    let why = place.refusal();
    assert!(why.contains("chunk 4") && why.contains("under another number"), "{why}");
}

#[test]
fn a_commit_that_was_exchanged_breaks_the_chain() {
    // Another journal's chunk of the same number is well-formed by itself.
    let (place, _) = killed();
    let other = Sled::new();
    let (mut store, mut writer) = (other.open(), Writer::default());
    for _ in 0..10 {
        writer.change(&mut store, credit("1"));
    }
    drop(store);
    let mut foreign = None;
    other.tamper("journal", |tree| foreign = tree.get(key(5)).expect("read"));
    place.tamper("journal", |tree| {
        tree.insert(key(5), foreign.expect("a chunk")).expect("written");
    });
    let why = place.refusal();
    assert!(why.contains("chunk 5") && why.contains("does not follow"), "{why}");
}

#[test]
fn a_journal_cut_below_the_fence_refuses() {
    for cut in [1, 5, 10] {
        let (place, _) = closed();
        place.tamper("journal", |tree| {
            for chunk in cut..=10 {
                tree.remove(key(chunk)).expect("removed");
            }
        });
        let why = place.refusal();
        assert!(why.contains(&format!("ends at record {}", cut - 1)), "{why}");
        assert!(why.contains("record 10 was durable"), "{why}");
    }
}

#[test]
fn a_journal_below_its_checkpoint_refuses() {
    let (place, _) = closed();
    let mut store = place.open();
    store.tidy().expect("tidy");
    drop(store);
    let fence = fs::read(place.path().join("durable.fence")).expect("a fence");
    assert!(!fence.is_empty());
    // A fence of an empty store, so that only the checkpoint knows better.
    let empty = Sled::new();
    drop(empty.open());
    fs::copy(empty.path().join("durable.fence"), place.path().join("durable.fence")).expect("copy");
    place.tamper("journal", |tree| {
        tree.remove(key(10)).expect("removed");
    });
    assert!(place.refusal().contains("record 10 was durable"));
}

#[test]
fn a_missing_fence_refuses_before_sled_is_opened() {
    let (place, writer) = closed();
    let path = place.path().join("durable.fence");
    fs::remove_file(&path).expect("removed");
    let before = fs::metadata(place.path().join("sled/db")).expect("a log").modified();
    let why = place.refusal();
    assert!(why.contains("durable.fence is missing") && why.contains("--rebuild-fence"), "{why}");
    let after = fs::metadata(place.path().join("sled/db")).expect("a log").modified();
    assert_eq!(before.expect("a time"), after.expect("a time"));

    let tip = rebuild_fence(place.path(), &place.options).expect("a fence");
    assert_eq!(tip.sequence, 10);
    writer.agrees(&mut place.open());
    let again = rebuild_fence(place.path(), &place.options).expect_err("there is one");
    assert!(again.to_string().contains("says record 10"), "{again}");
}

#[test]
fn a_damaged_fence_refuses_and_a_torn_one_does_not() {
    let (place, writer) = closed();
    let path = place.path().join("durable.fence");
    let sound = fs::read(&path).expect("a fence");
    for slot in [0, 4096] {
        let mut torn = sound.clone();
        torn[slot + 20] ^= 1;
        fs::write(&path, &torn).expect("written");
        writer.agrees(&mut place.open());
        fs::write(&path, &sound).expect("written");
    }
    fs::write(&path, b"").expect("written");
    let why = place.refusal();
    assert!(why.contains("no slot can be read"), "{why}");
}

#[test]
fn an_older_fence_still_opens() {
    let place = Sled::new();
    let path = place.path().join("durable.fence");
    let mut writer = Writer::default();
    let mut store = place.open();
    writer.put(&mut store, vec![order("a", "c")]);
    drop(store);
    let older = fs::read(&path).expect("a fence");
    let mut store = place.open();
    writer.put(&mut store, vec![order("b", "c")]);
    drop(store);
    assert_ne!(fs::read(&path).expect("a fence"), older);
    fs::write(&path, older).expect("written");
    writer.agrees(&mut place.open());
}

#[test]
fn a_fence_of_another_journal_refuses() {
    let (place, _) = closed();
    let other = Sled::new();
    let (mut store, mut writer) = (other.open(), Writer::default());
    for _ in 0..5 {
        writer.change(&mut store, credit("1"));
    }
    drop(store);
    fs::copy(other.path().join("durable.fence"), place.path().join("durable.fence")).expect("copy");
    let why = place.refusal();
    assert!(why.contains("what the fence saw at record 5"), "{why}");
}

#[test]
fn a_fence_without_its_database_refuses_and_makes_none() {
    let (place, _) = closed();
    fs::remove_dir_all(place.path().join("sled")).expect("removed");
    assert!(place.refusal().contains("record 10 was durable"));
    assert!(!place.path().join("sled").exists());
}

#[test]
fn a_database_lost_at_birth_is_made_again() {
    let place = Sled::new();
    drop(place.open());
    fs::remove_dir_all(place.path().join("sled")).expect("removed");
    Writer::default().agrees(&mut place.open());
}

#[test]
fn a_truncated_log_refuses() {
    // sled takes what is left for all there was; the fence knows better.
    let place = Sled::new();
    let mut writer = Writer::default();
    let mut store = place.open();
    for number in 0..400 {
        writer.put(&mut store, vec![revision(number, 3000)]);
    }
    drop(store);
    let log = place.path().join("sled/db");
    let length = fs::metadata(&log).expect("a log").len();
    for keep in [length / 2, length / 4 * 3] {
        let copy = place.copy();
        let file =
            fs::File::options().write(true).open(copy.path().join("sled/db")).expect("a log");
        file.set_len(keep).expect("cut");
        // With sled's snapshot, and without: then it reads the log alone.
        for entry in fs::read_dir(copy.path().join("sled")).expect("a listing") {
            let path = entry.expect("an entry").path();
            if path.to_string_lossy().contains("snap.") {
                fs::remove_file(path).expect("removed");
            }
        }
        let why = copy.refusal();
        assert!(why.contains("restore it from a backup"), "{why}");
    }
}

#[test]
fn damaged_blocks_are_made_again_from_the_journal() {
    for (tree, change) in [("blocks", 0), ("blocks", 1), ("parts", 0), ("parts", 1), ("head", 0)] {
        let place = Sled::new();
        let (mut store, mut writer) = (place.open(), Writer::default());
        for number in 0..60 {
            let name = format!("o{number}");
            writer.put(&mut store, vec![order(&name, "c"), payout(&name, State::Authorized)]);
        }
        writer.put(&mut store, vec![revision(1, 30_000)]);
        store.tidy().expect("tidy");
        drop(store);
        place.tamper(tree, |tree| {
            let (key, value) = tree.first().expect("read").expect("something");
            if change == 0 {
                let mut value = value.to_vec();
                let middle = value.len() / 2;
                value[middle] ^= 1;
                tree.insert(key, value).expect("written");
            } else {
                tree.remove(key).expect("removed");
            }
        });
        if tree != "head" {
            verify(place.path(), &Options::default(), |_| Ok(())).expect_err("damage");
        }
        let mut store = place.open();
        assert!(tree == "head" || store.start().rebuilt, "{tree} {change}");
        writer.agrees(&mut store);
        writer.put(&mut store, vec![order("more", "c")]);
        drop(store);
        let mut store = place.open();
        assert!(!store.start().rebuilt);
        writer.agrees(&mut store);
    }
}

#[test]
fn verify_names_a_row_that_differs() {
    let (place, _) = closed();
    let mut store = place.open();
    store.tidy().expect("tidy");
    drop(store);
    // The blocks of a store with another history, under this one's checkpoint:
    // well-formed, and counted differently.
    let other = Sled::new();
    let (mut store, mut writer) = (other.open(), Writer::default());
    for number in 0..10 {
        let caller = if number == 4 { "x" } else { "c" };
        writer.put(&mut store, vec![order(&format!("o{number}"), caller)]);
    }
    store.tidy().expect("tidy");
    drop(store);
    let mut blocks = Vec::new();
    other.tamper("blocks", |tree| blocks.extend(tree.iter().map(|item| item.expect("a block"))));
    place.tamper("blocks", |tree| {
        for (key, value) in blocks {
            tree.insert(key, value).expect("written");
        }
    });
    // As if a checkpoint had been under way, so that start-up takes them.
    place.tamper("head", |tree| {
        tree.insert("underway", &99_u64.to_be_bytes()).expect("written");
    });
    let why = verify(place.path(), &place.options, |_| Ok(())).expect_err("a difference");
    let why = why.to_string();
    assert!(why.contains("differs from what the journal says") && why.contains("o4"), "{why}");
}

#[test]
fn verify_reports_a_torn_tail_and_leaves_it() {
    let (place, writer) = killed();
    let last = *chunks(&place).last().expect("chunks");
    place.tamper("journal", |tree| {
        tree.remove(key(last)).expect("removed");
    });
    for _ in 0..2 {
        let report = verify(place.path(), &place.options, |_| Ok(())).expect("a sound journal");
        assert_eq!(report.torn_chunks, last - 10);
        assert_eq!(report.tip.sequence, writer.sequence - 1);
    }
}

#[test]
fn values_that_sled_does_not_sync_are_refused() {
    let (place, _) = closed();
    fs::write(place.path().join("sled/blobs/1"), b"x").expect("written");
    let why = place.refusal();
    assert!(why.contains("blobs is not empty"), "{why}");
    assert!(place.path().join("sled/blobs/1").exists(), "the evidence is still there");
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
            vec![Change::Put(order(&name, &"c".repeat(n * 90 % 5800)))]
        };
        store.commit(writer.commit((0..40).map(changes).collect())).expect("a commit");
    }
    writer.put(&mut store, (0..40).map(|n| revision(n, 5000 + 100 * n as usize)).collect());
    store.tidy().expect("tidy");
    writer.agrees(&mut store);
    drop(store);
    writer.agrees(&mut place.open());
}

#[test]
fn a_second_store_in_the_same_directory_is_refused() {
    let place = Sled::new();
    let store = place.open();
    let why = place.refusal();
    assert!(why.contains("bursar.lock is locked: another Bursar"), "{why}");
    drop(store);
    place.open();
}

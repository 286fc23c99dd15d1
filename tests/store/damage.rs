//! What damage to the journal and its fence does: a tail that a crash tore
//! heals, everything else is refused and named.

use std::{collections::BTreeSet, fs, path::PathBuf};

use bursar::store::{
    Store,
    sled::{rebuild_fence, verify},
};

use crate::{
    files::{change, files, frame_of, frames},
    make::{Writer, credit, order, revision},
    places::{Place, Sled},
};

/// A store with ten commits in several files, closed. Its fence is at the end.
pub fn closed() -> (Sled, Writer) {
    let place = Sled::new();
    let mut writer = Writer::default();
    let mut store = place.open();
    for number in 0..10 {
        writer.put(&mut store, vec![order(&format!("o{number}"), "c"), revision(number, 9_000)]);
    }
    drop(store);
    assert!(files(&place).len() > 2);
    (place, writer)
}

/// The same as a kill leaves it: its fence is far behind.
pub fn killed() -> (Sled, Writer) {
    let mut place = Sled::new();
    place.options.checkpoint_records = u64::MAX;
    let mut writer = Writer::default();
    let mut store = place.open();
    for number in 0..10 {
        writer.put(&mut store, vec![order(&format!("o{number}"), "c"), revision(number, 9_000)]);
    }
    (place.copy(), writer)
}

/// What is expected when the last commit is gone.
pub fn without_the_last(writer: &Writer) -> Writer {
    let mut writer = writer.clone();
    writer.sequence -= 1;
    writer.rows.remove(&order("o9", "").key());
    writer.rows.remove(&revision(9, 0).key());
    writer
}

#[test]
fn whatever_a_crash_leaves_of_the_last_commit_is_dropped() {
    // The disk writes sectors in any order; each is there or still zeros.
    for seed in 0..64_u64 {
        let (place, writer) = killed();
        let frame = frame_of(&place, 10);
        let mut dropped = false;
        frame.change(|bytes| {
            for (number, sector) in bytes.chunks_mut(512).enumerate() {
                if (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (number % 64)) & 1 == 1 {
                    sector.fill(0);
                    dropped = true;
                }
            }
        });
        let mut expected = if dropped { without_the_last(&writer) } else { writer };
        let mut store = place.open();
        expected.agrees(&mut store);
        expected.put(&mut store, vec![order("again", "c")]);
        drop(store);
        expected.agrees(&mut place.open());
    }
}

#[test]
fn a_file_that_ends_in_the_middle_of_the_last_commit_heals() {
    let length = frame_of(&killed().0, 10).bytes.len();
    for kept in [0, 1, 3, 4, 71, 72, 100, length / 2, length - 1] {
        let (place, writer) = killed();
        let frame = frame_of(&place, 10);
        // Zeros at its end look like room that was set aside.
        let mut torn = 0;
        change(&frame.file, |bytes| {
            bytes.truncate(frame.bytes.start + kept);
            let tail = &bytes[frame.bytes.start..];
            torn = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        });
        let mut expected = without_the_last(&writer);
        let mut store = place.open();
        assert_eq!(store.start().torn_bytes, torn as u64);
        expected.agrees(&mut store);
        expected.put(&mut store, vec![order("again", "c")]);
        drop(store);
        let mut store = place.open();
        assert_eq!(store.start().torn_bytes, 0);
        expected.agrees(&mut store);
    }
}

#[test]
fn a_torn_commit_that_contains_what_looks_like_a_later_one_heals() {
    // A caller wrote a whole frame into a field; it cannot know the journal's mark.
    let other = closed().0;
    let frame = frame_of(&other, 10);
    let foreign = fs::read(&frame.file).expect("a file")[frame.bytes].to_vec();
    let (place, writer) = killed();
    frame_of(&place, 10).change(|bytes| {
        let middle = bytes.len() / 2;
        bytes[..middle].fill(1);
        let length = foreign.len().min(bytes.len() - 300);
        bytes[300..300 + length].copy_from_slice(&foreign[..length]);
    });
    without_the_last(&writer).agrees(&mut place.open());
}

#[test]
fn a_commit_that_is_missing_is_named_and_refuses() {
    for missing in [1, 4, 9] {
        for (place, _) in [closed(), killed()] {
            frame_of(&place, missing).change(|bytes| bytes.fill(0));
            let why = place.refusal();
            assert!(why.contains(&format!("the commit with record {missing} is missing")), "{why}");
            assert_eq!(place.refusal(), why, "nothing was mended");
        }
    }
}

#[test]
fn a_flipped_bit_is_named_and_refuses() {
    for number in [1, 5, 9] {
        let length = frame_of(&closed().0, number).bytes.len();
        for byte in [0, 5, 9, 17, 25, 33, 41, 73, 80, 300, length / 2, length - 1] {
            for (place, _) in [closed(), killed()] {
                frame_of(&place, number).change(|bytes| bytes[byte] ^= 1 << (byte % 8));
                let why = place.refusal();
                let commit = format!("commit {number} of the journal, with record {number}");
                assert!(why.contains(&format!("{commit}, is damaged")), "byte {byte}: {why}");
            }
        }
    }
    let (place, _) = closed();
    frame_of(&place, 10).change(|bytes| bytes[100] ^= 1);
    let why = place.refusal();
    assert!(why.contains("commit 10 of the journal, with record 10, is damaged"), "{why}");
}

#[test]
fn a_commit_in_the_place_of_another_is_refused() {
    let (place, _) = killed();
    let frames = frames(&place);
    let file = fs::read(&frames[2].file).expect("a file");
    let third = file[frames[2].bytes.clone()].to_vec();
    // Those two are of the same length.
    frames[3].change(|bytes| bytes.copy_from_slice(&third));
    let why = place.refusal();
    assert!(why.contains("commit 4 of the journal") && why.contains("another number"), "{why}");
}

#[test]
fn a_commit_of_another_journal_is_refused() {
    let (place, _) = killed();
    let (other, _) = killed();
    let foreign = frame_of(&other, 5);
    let foreign = fs::read(foreign.file).expect("a file")[foreign.bytes].to_vec();
    frame_of(&place, 5).change(|bytes| bytes.copy_from_slice(&foreign));
    let why = place.refusal();
    assert!(why.contains("commit 5") && why.contains("belongs to another journal"), "{why}");
}

#[test]
fn a_file_that_is_missing_is_named_and_refuses() {
    let (place, _) = closed();
    let all = files(&place);
    for (number, file) in all.iter().enumerate() {
        let place = place.copy();
        fs::remove_file(place.path().join("journal").join(file.file_name().expect("a name")))
            .expect("removed");
        let why = place.refusal();
        if number + 1 == all.len() {
            assert!(why.contains("record 10 was durable"), "{why}");
        } else {
            assert!(why.contains("is missing"), "{why}");
        }
    }
}

#[test]
fn a_file_of_another_journal_is_refused() {
    let ((place, _), (other, _)) = (closed(), closed());
    let (own, foreign) = (files(&place), files(&other));
    fs::copy(&foreign[1], &own[1]).expect("a copy");
    let why = place.refusal();
    assert!(why.contains("its file belongs to another journal"), "{why}");
}

#[test]
fn a_file_cut_short_in_the_middle_of_the_journal_is_refused() {
    let (place, _) = killed();
    let all = frames(&place);
    let (last, next) = all
        .windows(2)
        .find(|pair| pair[0].file != pair[1].file)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .expect("two files");
    last.cut();
    let why = place.refusal();
    assert!(why.contains(&format!("the commit with record {} is missing", last.first)), "{why}");
    assert!(next.file.exists());
}

#[test]
fn a_file_that_was_just_being_made_heals_and_a_damaged_one_does_not() {
    for content in [vec![], vec![0; 10], vec![0; 4096], vec![7; 100]] {
        let (place, mut writer) = killed();
        let file = place.path().join("journal/00000000000000000011.log");
        fs::write(&file, content).expect("written");
        let mut store = place.open();
        writer.agrees(&mut store);
        writer.put(&mut store, vec![order("more", "c"), revision(9, 30_000)]);
        writer.put(&mut store, vec![order("and-more", "c")]);
        drop(store);
        writer.agrees(&mut place.open());
    }
    let (place, _) = closed();
    let file = files(&place).pop().expect("a file");
    change(&file, |bytes| bytes[12] ^= 1);
    let why = place.refusal();
    assert!(why.contains("the head of") && why.contains("checksum"), "{why}");
}

#[test]
fn a_journal_whose_only_file_is_empty_is_told_from_one_that_was_never_begun() {
    let empty = [vec![], vec![0; 92], vec![0; 4096], vec![0; 100_000]];
    for content in &empty {
        // Never begun: the fence knows of nothing.
        let place = Sled::new();
        drop(place.open());
        fs::write(&files(&place)[0], content).expect("written");
        let copy = place.copy();
        let report = verify(copy.path(), &copy.options, |_| Ok(())).expect("an empty journal");
        assert_eq!(report.tip.sequence, 0);
        let (mut store, mut writer) = (place.open(), Writer::default());
        writer.put(&mut store, vec![order("a", "c")]);
        drop(store);
        writer.agrees(&mut place.open());

        // Lost: the fence knows better, and it is left as it was found.
        fs::write(&files(&place)[0], content).expect("written");
        let fence = fs::read(place.path().join("durable.fence")).expect("a fence");
        for why in [
            place.refusal(),
            verify(place.path(), &place.options, |_| Ok(())).expect_err("a loss").to_string(),
        ] {
            assert!(why.contains("ends at record 0, but record 1 was durable"), "{why}");
        }
        assert_eq!(&fs::read(&files(&place)[0]).expect("a file"), content);
        assert_eq!(fs::read(place.path().join("durable.fence")).expect("a fence"), fence);
    }
}

#[test]
fn what_a_start_left_that_ended_before_it_had_a_journal_holds_no_store() {
    let place = Sled::new();
    drop(place.open());
    fs::remove_dir_all(place.path().join("journal")).expect("removed");
    let why = verify(place.path(), &place.options, |_| Ok(())).expect_err("nothing").to_string();
    assert!(why.contains("holds no store"), "{why}");
}

#[test]
fn a_journal_cut_below_the_fence_refuses() {
    for cut in [1, 5, 10] {
        let (place, _) = closed();
        let frame = frame_of(&place, cut);
        frame.cut();
        for file in files(&place).into_iter().filter(|file| *file > frame.file) {
            fs::remove_file(file).expect("removed");
        }
        let why = place.refusal();
        assert!(why.contains(&format!("ends at record {}", cut - 1)), "{why}");
        assert!(why.contains("record 10 was durable"), "{why}");
    }
}

/// What became of rows at rest: whatever it is, they know where the journal ended.
#[derive(Clone, Copy, Debug)]
enum RowsAtRest {
    Sound,
    FoundDamaged,
    Lacking,
}

impl RowsAtRest {
    const ALL: [Self; 3] = [Self::Sound, Self::FoundDamaged, Self::Lacking];
}

/// A store whose rows are all at rest.
fn put_away(rows: RowsAtRest) -> Sled {
    let (place, _) = closed();
    place.open().tidy().expect("tidy");
    let runs = place.path().join("runs");
    match rows {
        RowsAtRest::Sound => {}
        RowsAtRest::FoundDamaged => fs::write(runs.join("damaged"), []).expect("marked"),
        RowsAtRest::Lacking => {
            let entries = fs::read_dir(&runs).expect("runs").flatten().map(|entry| entry.path());
            let run = entries.into_iter().find(|path| path.extension().is_some_and(|e| e == "run"));
            fs::remove_file(run.expect("a run")).expect("removed");
        }
    }
    place
}

#[test]
fn a_journal_below_its_checkpoint_refuses() {
    for rows in RowsAtRest::ALL {
        let place = put_away(rows);
        // A fence of an empty store, so that only the checkpoint knows better.
        let empty = Sled::new();
        drop(empty.open());
        let fence = |place: &Sled| place.path().join("durable.fence");
        fs::copy(fence(&empty), fence(&place)).expect("copy");
        frame_of(&place, 10).cut();
        assert!(place.refusal().contains("record 10 was durable"), "{rows:?}");
        // Nothing was made of it.
        assert!(place.refusal().contains("record 10 was durable"), "{rows:?}");
    }
}

#[test]
fn a_missing_fence_refuses_before_anything_is_opened() {
    let (place, writer) = closed();
    place.open().tidy().expect("tidy");
    let path = place.path().join("durable.fence");
    fs::remove_file(&path).expect("removed");
    let before = fs::metadata(place.path().join("runs")).expect("runs").modified();
    let why = place.refusal();
    assert!(why.contains("durable.fence is missing") && why.contains("--rebuild-fence"), "{why}");
    let after = fs::metadata(place.path().join("runs")).expect("runs").modified();
    assert_eq!(before.expect("a time"), after.expect("a time"));

    let tip = rebuild_fence(place.path(), &place.options).expect("a fence");
    assert_eq!(tip.sequence, 10);
    writer.agrees(&mut place.open());
    let again = rebuild_fence(place.path(), &place.options).expect_err("there is one");
    assert!(again.to_string().contains("says record 10"), "{again}");
}

#[test]
fn a_fence_is_not_rebuilt_below_the_checkpoint() {
    for rows in RowsAtRest::ALL {
        let place = put_away(rows);
        fs::remove_file(place.path().join("durable.fence")).expect("removed");
        frame_of(&place, 10).cut();
        let why = rebuild_fence(place.path(), &place.options).expect_err("a refusal").to_string();
        assert!(why.contains("record 10 was durable"), "{rows:?}: {why}");
    }
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
fn a_first_start_that_failed_while_it_made_the_fence_can_be_tried_again() {
    let place = Sled::new();
    fs::write(place.path().join("durable.fence.new"), b"half").expect("written");
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c")]);
    drop(store);
    writer.agrees(&mut place.open());
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
fn a_fence_without_its_journal_refuses_and_makes_none() {
    let (place, _) = closed();
    fs::remove_dir_all(place.path().join("journal")).expect("removed");
    assert!(place.refusal().contains("record 10 was durable"));
    assert!(!place.path().join("journal").exists());
}

#[test]
fn a_journal_lost_at_birth_is_made_again() {
    let place = Sled::new();
    drop(place.open());
    fs::remove_dir_all(place.path().join("journal")).expect("removed");
    Writer::default().agrees(&mut place.open());
}

#[test]
fn verify_reports_a_torn_tail_and_leaves_it() {
    let (place, writer) = killed();
    let frame = frame_of(&place, 10);
    change(&frame.file, |bytes| bytes.truncate(frame.bytes.start + 500));
    for _ in 0..2 {
        let report = verify(place.path(), &place.options, |_| Ok(())).expect("a sound journal");
        assert_eq!(report.torn_bytes, 500);
        assert_eq!(report.tip.sequence, writer.sequence - 1);
    }
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

#[test]
fn records_of_another_form_are_refused_by_name_and_nothing_is_changed() {
    let (place, writer) = closed();
    let file = files(&place).remove(0);
    let head = 8 + 3 * 8 + 32 + 8;
    let set_form = |form: u8| {
        change(&file, |bytes| {
            bytes[7] = form;
            let checksum = crc32fast::hash(&bytes[..head]).to_be_bytes();
            bytes[head..head + 4].copy_from_slice(&checksum);
        });
    };
    let ours = fs::read(&file).expect("a file")[7];
    set_form(ours - 1);
    let runs = || {
        let entries = fs::read_dir(place.path().join("runs")).expect("rows at rest");
        entries.map(|entry| entry.expect("an entry").path()).collect::<BTreeSet<PathBuf>>()
    };
    let before = runs();
    let why = place.refusal();
    assert!(why.contains("form 8") && why.contains("reads form 9"), "{why}");
    assert!(!before.is_empty() && runs() == before, "rows at rest are left alone");
    set_form(ours);
    let expected = writer;
    expected.agrees(&mut place.open());
}

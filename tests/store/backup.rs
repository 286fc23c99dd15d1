//! Backups of a store by itself: what a cut is, also where a crash left the end
//! of a journal; and that what is read from is not changed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use bursar::{
    domain::change::Record,
    store::sled::{
        Damage, Item, SledStore,
        backup::{Failure, Note, back_up, read, restore},
        verify,
    },
};
use tempfile::TempDir;

use crate::{
    damage::{closed, killed},
    files::{change, files, frame_of},
    make::{Writer, at, order, revision},
    places::{Place, Sled},
};

fn take(place: &Sled, to: &Path) -> Result<Note, Failure> {
    back_up(place.path(), to, at(0), &mut |_, _| {})
}

/// A backup restored somewhere, with the options of tests.
fn restored(backup: &Path) -> Sled {
    let place = Sled::new();
    restore(backup, place.path(), &mut |_, _| {}).expect("restored");
    place
}

fn records(data: &Path) -> Vec<Record> {
    let mut all = Vec::new();
    let cut = read::<Damage>(data, |item| {
        let Item::Record(told) = item else { panic!("all records are there") };
        all.push((*told.record().expect("it fits")).clone());
        Ok(())
    });
    assert_eq!(cut.expect("records").tip.sequence, all.len() as u64);
    all
}

fn content(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<PathBuf> = fs::read_dir(data.join("journal"))
        .expect("a listing")
        .map(|e| e.expect("it").path())
        .collect();
    all.push(data.join("durable.fence"));
    all.sort();
    all.into_iter().map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
}

#[test]
fn a_backup_makes_the_same_store_and_changes_nothing() {
    let elsewhere = TempDir::new().expect("a directory");
    let target = elsewhere.path().join("backup");
    let (place, mut writer) = closed();
    let before = content(place.path());
    let mut steps = Vec::new();
    let note = back_up(place.path(), &target, at(7), &mut |done, all| steps.push((done, all)));
    let note = note.expect("a backup");
    assert_eq!(content(place.path()), before);
    assert_eq!((note.records, note.commits, note.create_time), (10, 10, at(7).to_string()));
    assert_eq!(note.last_time, Some(at(10).to_string()));
    assert!(steps.iter().all(|(done, all)| done <= all), "{steps:?}");
    assert!(steps.is_sorted() && steps.last().is_some_and(|(done, _)| *done == note.bytes));
    // The copy is the file as it is, without room that was set aside.
    for (copied, original) in content(&target).iter().zip(&before) {
        assert!(copied.0.ends_with("durable.fence") || original.1.starts_with(&copied.1));
    }
    let place = restored(&target);
    verify(place.path(), &place.options, |_| Ok(())).expect("a sound store");
    let mut store = place.open();
    assert_eq!(store.start().torn_bytes, 0);
    writer.agrees(&mut store);
    writer.put(&mut store, vec![order("more", "c")]);
    drop(store);
    writer.agrees(&mut place.open());
}

#[test]
fn a_backup_of_a_store_in_which_nothing_happened_is_one() {
    let elsewhere = TempDir::new().expect("a directory");
    let target = elsewhere.path().join("backup");
    let place = Sled::new();
    drop(place.open());
    let note = take(&place, &target).expect("a backup");
    assert_eq!((note.records, note.commits, note.last_time), (0, 0, None));
    let place = restored(&target);
    let mut writer = Writer::default();
    let mut store = place.open();
    writer.agrees(&mut store);
    writer.put(&mut store, vec![order("first", "c")]);
    drop(store);
    writer.agrees(&mut place.open());
}

#[test]
fn what_was_answered_is_in_it_however_far_the_fence_is_behind() {
    let elsewhere = TempDir::new().expect("a directory");
    let target = elsewhere.path().join("backup");
    // Its fence says nothing yet.
    let (place, writer) = killed();
    assert_eq!(take(&place, &target).expect("a backup").records, 10);
    writer.agrees(&mut restored(&target).open());
}

#[test]
fn a_torn_commit_is_not_in_it() {
    let length = frame_of(&killed().0, 10).bytes.len();
    for kept in [0, 3, 72, length / 2, length - 1] {
        let elsewhere = TempDir::new().expect("a directory");
        let target = elsewhere.path().join("backup");
        let (place, _) = killed();
        let frame = frame_of(&place, 10);
        change(&frame.file, |bytes| bytes.truncate(frame.bytes.start + kept));
        assert_eq!(take(&place, &target).expect("a backup").records, 9, "{kept}");
        assert_eq!(restored(&target).open().start().torn_bytes, 0);
        // What a start takes is the same.
        assert_eq!(place.open().start().sequence, 9);
    }
}

/// Damages a store.
type Break = fn(&Sled);

#[test]
fn whatever_a_start_refuses_a_backup_refuses_by_the_same_record() {
    let damage: [(&str, Break); 7] = [
        ("a byte", |place| frame_of(place, 4).change(|bytes| bytes[200] ^= 1)),
        ("the first", |place| frame_of(place, 1).change(|bytes| bytes.fill(0))),
        ("the middle", |place| frame_of(place, 5).change(|bytes| bytes.fill(0))),
        ("the last", |place| frame_of(place, 10).change(|bytes| bytes.fill(0))),
        ("a cut last one", |place| frame_of(place, 10).cut()),
        ("the last file", |place| {
            fs::remove_file(files(place).last().expect("a file")).expect("removed");
        }),
        ("a file in the middle", |place| fs::remove_file(&files(place)[1]).expect("removed")),
    ];
    for (what, break_it) in damage {
        let elsewhere = TempDir::new().expect("a directory");
        let target = elsewhere.path().join("backup");
        let (place, _) = closed();
        break_it(&place);
        let by_start = place.try_open().expect_err("a refusal");
        let why = take(&place, &target).expect_err("a refusal");
        assert_eq!(why.sequence(), by_start.sequence(), "{what}: {why}; {by_start}");
        assert!(why.sequence().is_some(), "{what}: {why}");
        assert!(fs::read_dir(elsewhere.path()).expect("a listing").next().is_none(), "{what}");
    }
}

#[test]
fn an_exchanged_journal_or_fence_is_refused() {
    let elsewhere = TempDir::new().expect("a directory");
    let target = elsewhere.path().join("backup");
    let (place, _) = closed();
    let (other, _) = killed();
    // A fence of another journal that is as long.
    drop(other.open());
    fs::copy(other.path().join("durable.fence"), place.path().join("durable.fence"))
        .expect("copied");
    let why = take(&place, &target).expect_err("a refusal").to_string();
    assert!(why.contains("differs from what the fence saw at record 10"), "{why}");
}

/// Commits until it is told to stop; says what is durable.
fn write(store: &mut SledStore, stop: &AtomicBool, durable: &AtomicU64) -> Writer {
    let mut writer = Writer::default();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let size = if number % 7 == 0 { 9_000 } else { 50 };
        writer.put(store, vec![order(&format!("o{number}"), "c"), revision(number % 50, size)]);
        durable.store(writer.sequence, Ordering::SeqCst);
    }
    writer
}

#[test]
fn backups_while_it_is_written_have_what_was_durable_and_nothing_by_halves() {
    let elsewhere = TempDir::new().expect("a directory");
    let place = Sled::new();
    let (stop, durable) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (own_stop, own_durable) = (stop.clone(), durable.clone());
    let mut store = place.open();
    let writing = thread::spawn(move || {
        let writer = write(&mut store, &own_stop, &own_durable);
        drop(store);
        writer
    });
    let mut taken = Vec::new();
    for number in 0..30_u64 {
        // Each of them goes on where files are cut, rows put away and merged.
        while durable.load(Ordering::SeqCst) < (number + 1) * 5 {
            assert!(!writing.is_finished(), "it writes");
            thread::yield_now();
        }
        let target = elsewhere.path().join(format!("backup-{number}"));
        let before = durable.load(Ordering::SeqCst);
        let note = take(&place, &target).expect("a backup");
        assert!(note.records >= before, "{} of {before}", note.records);
        taken.push((target, note.records));
    }
    stop.store(true, Ordering::Relaxed);
    writing.join().expect("it wrote");
    let all = records(place.path());
    for (target, count) in taken {
        let copied = records(&target);
        assert_eq!(copied.len() as u64, count);
        assert!(all.starts_with(&copied), "the same, in the same order");
        let place = restored(&target);
        assert_eq!(place.open().start().sequence, count);
        verify(place.path(), &place.options, |_| Ok(())).expect("a sound store");
    }
}

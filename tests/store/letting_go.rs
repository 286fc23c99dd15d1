//! Letting go of records, one case at a time: what is looked at, what a kill or a full
//! disk leaves, what refuses, and that copies have what is kept.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bursar::{
    domain::{instant::Instant, payout::State, told::Told},
    store::{
        Store,
        sled::{
            Damage, Item, Retain, Retained, SledStore,
            backup::{back_up, read, restore},
            retain,
            sync::{Disk, Stage},
            verify,
        },
    },
};
use tempfile::TempDir;

use crate::{
    files::{change, frame_of},
    make::at,
    places::{Place, Sled},
    retained::{Play, Step, retain_as_of, retain_records},
    unreadable::seal,
};

/// A store with payouts, some of which are over, that was closed.
fn played() -> Play {
    played_with(0)
}

/// The same with more time between records.
pub fn played_with(pause: i64) -> Play {
    let mut play = Play::new();
    play.writer.pause = pause;
    let mut store = play.place.open();
    for number in 0..120_u8 {
        store = play.step(store, Step::Authorize(number % 40));
        if number % 3 > 0 {
            let which = usize::from(number) * 7;
            let state = if number % 2 == 0 { State::Succeeded } else { State::Expired };
            store = play.step(store, Step::Move(which, state));
        }
        if number % 10 == 0 {
            store = play.step(store, Step::Configure);
            store = play.step(store, Step::Deny);
        }
    }
    drop(store);
    play
}

/// One of which records were let go of.
fn retained() -> Play {
    let mut play = played();
    let gone = play.retain(40).gone.expect("some went");
    assert!(gone.records > 50 && gone.bytes > 24 * 1024, "{gone:?}");
    let counted = gone.counted.expect("it was done");
    assert!(counted.gone > 5 && counted.kept > 5 && counted.bytes > 0, "{counted:?}");
    play
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a listing") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).expect("a copy");
        }
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// That the directory is as after retention, with nothing left over.
pub fn is_settled(play: &Play) {
    let data = play.place.path();
    let first = format!("{:020}", play.writer.no_more + 1);
    assert_eq!(names(&data.join("base")), std::slice::from_ref(&first));
    assert_eq!(names(&data.join("journal"))[0], format!("{first}.log"));
    let left = names(data).into_iter().filter(|name| name.starts_with("runs."));
    assert_eq!(left.count(), 0);
}

#[test]
fn records_go_in_whole_files_and_the_last_file_never_does() {
    let mut play = played();
    let before = names(&play.place.path().join("journal"));
    assert!(before.len() > 3, "{before:?}");
    let all = play.retain(0).gone.expect("some went");
    assert_eq!(names(&play.place.path().join("journal")), before[before.len() - 1..]);
    assert_eq!(all.records, all.last.sequence);
    let again = play.retain(0);
    assert_eq!(
        (again.gone, again.oldest.expect("a record").sequence),
        (None, all.last.sequence + 1)
    );
    is_settled(&play);
    let mut store = play.place.open();
    play.agrees(&mut store);
}

#[test]
fn what_would_go_is_told_and_nothing_is_changed() {
    let play = played();
    let before = names(&play.place.path().join("journal"));
    let told = retain_records(&play.place, 40, true).expect("it was looked");
    let gone = told.gone.expect("some would go");
    assert_eq!(gone.counted, None);
    assert_eq!(told.tip.sequence, play.writer.sequence);
    assert_eq!(told.before, at(i64::try_from(play.writer.sequence).expect("small") - 40));
    assert!(gone.last.at < told.before);
    assert_eq!(names(&play.place.path().join("journal")), before);
    assert_eq!(names(&play.place.path().join("base")), [""; 0]);
    play.verifies();
    let told = retain_records(&play.place, 100_000, false).expect("it was looked");
    assert_eq!((told.gone, told.oldest.expect("a record").sequence), (None, 1));
}

#[test]
fn nothing_is_made_where_there_is_no_store() {
    let place = Sled::new();
    let why = retain_records(&place, 0, false).expect_err("there is nothing");
    assert!(matches!(why, Damage::Nothing(_)), "{why}");
    assert_eq!(names(place.path()).iter().filter(|name| *name != "bursar.lock").count(), 0);
    let play = played();
    let _serving = play.place.open();
    let why = retain_records(&play.place, 0, false).expect_err("it is served");
    assert!(matches!(why, Damage::InUse(_)), "{why}");
}

#[test]
fn a_start_does_what_a_kill_left_to_do() {
    let before = played();
    let mut play = before.at(before.place.copy());
    play.retain(40);
    let base = play.place.path().join("base");
    // Killed when the base had its name and nothing else was done; when rows of before
    // had lost theirs; when those made anew had not; when some files were gone.
    let leaves: [&dyn Fn(&Path); 5] = [
        &|_| {},
        &|data| fs::rename(data.join("runs"), data.join("runs.before")).expect("renamed"),
        &|data| {
            fs::create_dir(data.join("runs.next")).expect("a folder");
            fs::write(data.join("runs.next/manifest"), b"half").expect("a file");
        },
        &|data| {
            let first = names(&data.join("journal"))[0].clone();
            fs::remove_file(data.join("journal").join(first)).expect("removed");
        },
        &|data| {
            copy(&base.join(&names(&base)[0]), &data.join("base/next"));
            fs::rename(data.join("runs"), data.join("runs.before")).expect("renamed");
            copy(&play.place.path().join("runs"), &data.join("runs"));
        },
    ];
    for (number, leave) in leaves.iter().enumerate() {
        let killed = before.place.copy();
        copy(&base, &killed.path().join("base"));
        leave(killed.path());
        // Looking changes nothing, and says that a start has something to do.
        let looked = verify(killed.path(), &killed.options, |_| Ok(())).expect("sound");
        assert_eq!((looked.rows, looked.no_more), (play.writer.rows.len(), play.writer.no_more));
        assert_eq!(looked.rows_incomplete, number < 4, "{number}");
        let mut killed = play.at(killed);
        let mut store = killed.place.open();
        assert_eq!(store.start().rebuilt, number == 1, "{number}");
        killed.agrees(&mut store);
        drop(store);
        is_settled(&killed);
        killed.verifies();
    }
}

#[test]
fn a_draft_of_a_base_counts_for_nothing() {
    let mut play = played();
    let other = retained();
    let base = other.place.path().join("base");
    copy(&base.join(&names(&base)[0]), &play.place.path().join("base/next"));
    let mut store = play.place.open();
    play.agrees(&mut store);
    assert_eq!(names(&play.place.path().join("base")), [""; 0]);
}

/// Fails from one sync on.
#[derive(Debug)]
struct Failing(AtomicI64);

impl Disk for Failing {
    fn sync(&self, _: Stage, file: &File) -> io::Result<()> {
        match self.0.fetch_sub(1, Ordering::Relaxed) {
            1.. => file.sync_data(),
            _ => Err(io::Error::from_raw_os_error(28)),
        }
    }
}

#[test]
fn a_disk_that_is_full_at_any_sync_leaves_what_was_there() {
    let before = played();
    let (mut done, mut unfinished) = (false, 0);
    for syncs in 0.. {
        let mut failing = before.place.copy();
        let whole = failing.options.clone();
        failing.options.disk = Arc::new(Failing(AtomicI64::new(syncs)));
        let outcome = retain_records(&failing, 40, false);
        failing.options = whole;
        let mut play = before.at(failing);
        let is_named = match outcome {
            Ok(Retained { unfinished: None, .. }) => {
                assert!(syncs > 3, "{syncs}");
                done = true;
                break;
            }
            // The base counts, and a start does the rest.
            Ok(Retained { gone: Some(gone), unfinished: Some(why), .. }) => {
                assert!(why.contains("No space"), "{why}");
                unfinished += 1;
                play.forget(gone.last.sequence);
                true
            }
            Ok(other) => panic!("{other:?}"),
            Err(why) => {
                assert!(why.to_string().contains("No space"), "{why}");
                let left = names(&play.place.path().join("base"));
                assert_eq!(left, [""; 0], "drafts leave the disk");
                false
            }
        };
        let mut store = play.place.open();
        play.agrees(&mut store);
        drop(store);
        play.verifies();
        if is_named {
            is_settled(&play);
        }
        // And it can be done again.
        play.retain(0).gone.expect("some went");
        let mut store = play.place.open();
        play.agrees(&mut store);
    }
    assert!(done && unfinished > 2, "{unfinished}");
}

#[test]
fn a_base_that_is_damaged_or_not_there_refuses_where_it_is_needed() {
    let play = retained();
    let named = names(&play.place.path().join("base"))[0].clone();
    let inside = |place: &Sled, name: &str| place.path().join("base").join(&named).join(name);
    let run = names(&inside(&play.place, "")).into_iter().find(|name| name.ends_with(".run"));
    let run = run.expect("a run");
    /// What it is, whether a start refuses it, and how it is done.
    type Damaging<'a> = (&'a str, bool, &'a dyn Fn(&Sled));
    let damages: [Damaging<'_>; 4] = [
        ("the manifest", true, &|place| {
            change(&inside(place, "manifest"), |bytes| bytes[20] ^= 1);
        }),
        ("all of it", true, &|place| {
            fs::remove_dir_all(place.path().join("base")).expect("removed");
        }),
        ("a block", false, &|place| {
            let file = inside(place, &run);
            // Rows at rest have the same file as long as nothing was merged.
            let bytes = fs::read(&file).expect("a file");
            fs::remove_file(&file).expect("removed");
            fs::write(&file, bytes).expect("written");
            change(&file, |bytes| bytes[100] ^= 1);
        }),
        ("a run that is gone", false, &|place| {
            fs::remove_file(inside(place, &run)).expect("removed");
        }),
    ];
    for (what, refuses, damage) in damages {
        let place = play.place.copy();
        damage(&place);
        let why = verify(place.path(), &place.options, |_| Ok(())).expect_err(what);
        assert!(matches!(why, Damage::Base { .. } | Damage::Gap { .. }), "{what}: {why}");
        let to = TempDir::new().expect("a folder");
        assert!(back_up(place.path(), &to.path().join("b"), at(0), &mut |_, _| {}).is_err());
        assert_eq!(names(to.path()), [""; 0], "{what}");
        assert!(read::<Damage>(place.path(), |_| Ok(())).is_err(), "{what}");
        let opened = SledStore::open(place.path(), place.options.clone());
        assert_eq!(opened.is_err(), refuses, "{what}");
        drop(opened);
        fs::remove_dir_all(place.path().join("runs")).expect("removed");
        let why = place.refusal();
        assert!(why.contains("backup"), "{what}: {why}");
    }
}

#[test]
fn a_base_of_another_journal_is_refused() {
    let (one, mut other) = (retained(), played_with(1));
    // It went on from the same record, and other records were before it.
    let gone = retain_records(&other.place, 80, false).expect("done").gone.expect("some went");
    assert_eq!(other.forget(gone.last.sequence), gone.counted.expect("done").gone);
    assert_eq!(one.writer.no_more, other.writer.no_more);
    let place = one.place.copy();
    fs::remove_dir_all(place.path().join("base")).expect("removed");
    copy(&other.place.path().join("base"), &place.path().join("base"));
    let why = place.refusal();
    assert!(why.contains("backup"), "{why}");
}

#[test]
fn a_backup_and_what_is_read_have_what_is_kept() {
    let play = retained();
    let folder = TempDir::new().expect("a folder");
    let backup = folder.path().join("backup");
    let note = back_up(play.place.path(), &backup, at(0), &mut |done, all| assert!(done <= all));
    let note = note.expect("a backup");
    assert_eq!(note.no_more, play.writer.no_more);
    assert_eq!(note.records, play.writer.sequence - play.writer.no_more);
    for data in [play.place.path(), &backup] {
        let (mut kept, mut next) = (0, play.writer.no_more + 1);
        let cut = read::<Damage>(data, |item: Item<'_, Told>| {
            match item {
                Item::Kept(row) => {
                    assert!(next == play.writer.no_more + 1, "{row:?} comes first");
                    kept += 1;
                }
                Item::Record(told) => {
                    assert_eq!(told.sequence(), next);
                    next += 1;
                }
            }
            Ok(())
        });
        let cut = cut.expect("read");
        assert_eq!((cut.no_more, cut.tip.sequence), (play.writer.no_more, next - 1));
        assert!(kept > 20, "{kept}");
    }
    let place = Sled::new();
    restore(&backup, place.path(), &mut |_, _| {}).expect("restored");
    let mut restored = play.at(place);
    let mut store = restored.place.open();
    restored.agrees(&mut store);
    drop(store);
    is_settled(&restored);
    restored.verifies();
}

#[test]
fn an_authorization_after_that_of_an_order_that_was_let_go_of_counts_on() {
    let mut play = retained();
    let mut store = play.place.open();
    for number in 0..40 {
        store = play.step(store, Step::Register(number));
        store = play.step(store, Step::Authorize(number));
        store = play.step(store, Step::Authorize(number));
    }
    play.agrees(&mut store);
    store.tidy().expect("tidy");
    play.agrees(&mut store);
    drop(store);
    play.verifies();
    play.retain(20).gone.expect("some went");
    let mut store = play.place.open();
    play.agrees(&mut store);
}

#[test]
fn a_clock_that_is_wrong_lets_too_much_stay() {
    let play = played();
    let last = play.writer.at(play.writer.sequence);
    let told = retain_as_of(&play.place, last, 0, true).expect("it was looked");
    let all = told.gone.expect("some would go").records;
    let told = retain_as_of(&play.place, Instant::MAX, 0, true).expect("it was looked");
    assert_eq!((told.before, told.gone.expect("some would go").records), (last, all));
    let early = play.writer.at(60);
    let told = retain_as_of(&play.place, early, 0, true).expect("it was looked");
    let some = told.gone.expect("some would go");
    assert!(told.before == early && some.records < 60 && some.records < all, "{some:?}");
}

#[test]
fn a_backup_is_left_as_it_is() {
    let play = played();
    let folder = TempDir::new().expect("a folder");
    let backup = folder.path().join("backup");
    back_up(play.place.path(), &backup, at(0), &mut |_, _| {}).expect("a backup");
    let before = names(&backup);
    let mut place = play.place.copy();
    place.dir = folder;
    let what = Retain { keep: Duration::ZERO, now: Instant::MAX, dry_run: true, unchecked: false };
    let why = retain(&backup, &place.options, &what, &mut |_| {}).expect_err("it is a backup");
    assert!(why.to_string().contains("Restore it"), "{why}");
    assert_eq!(names(&backup), before);
}

#[test]
fn a_backup_that_meets_it_says_so() {
    let mut play = played();
    let folder = TempDir::new().expect("a folder");
    let to = folder.path().join("backup");
    let place = play.place.copy();
    let mut done = false;
    let why = back_up(place.path(), &to, at(0), &mut |_, _| {
        if !std::mem::replace(&mut done, true) {
            retain_records(&place, 0, false).expect("done").gone.expect("some went");
        }
    });
    let why = why.expect_err("files went").to_string();
    assert!(why.contains("run it again") && !why.contains("damaged"), "{why}");
    assert_eq!(names(folder.path()), [""; 0]);
    let gone = retain_records(&play.place, 0, false).expect("done").gone.expect("some went");
    play.forget(gone.last.sequence);
    back_up(place.path(), &to, at(0), &mut |_, _| {}).expect("another time");
}

#[test]
fn a_base_that_is_damaged_is_found_before_the_files_go_that_it_stands_for() {
    let before = played();
    let play = before.at(before.place.copy());
    retain_records(&play.place, 40, false).expect("done").gone.expect("some went");
    let killed = before.place.copy();
    copy(&play.place.path().join("base"), &killed.path().join("base"));
    fs::rename(killed.path().join("runs"), killed.path().join("runs.before")).expect("renamed");
    let base = killed.path().join("base").join(&names(&killed.path().join("base"))[0]);
    let run = names(&base).into_iter().find(|name| name.ends_with(".run")).expect("a run");
    change(&base.join(run), |bytes| bytes[100] ^= 1);
    let there = [names(killed.path()), names(&killed.path().join("journal"))];
    assert!(killed.refusal().contains("cannot be read"));
    assert_eq!([names(killed.path()), names(&killed.path().join("journal"))], there);
}

#[test]
fn files_that_a_start_did_not_read_are_read_before_they_go() {
    let play = played();
    let mut place = play.place.copy();
    place.options.checked_bytes = 0;
    // A commit that fits its checksum, and not the one behind it: in a record's author.
    let frame = frame_of(&place, 20);
    frame.change(|bytes| {
        let at = bytes.windows(4).position(|it| it == b"Test").expect("an operation");
        bytes[at] = b'B';
        seal(bytes);
    });
    let before = names(&place.path().join("journal"));
    let why = retain_records(&place, 0, false).expect_err("it is another journal");
    assert_eq!(why.sequence(), Some(21), "{why}");
    assert_eq!(names(&place.path().join("journal")).len(), before.len() + 1, "and word is left");
    assert_eq!(names(&place.path().join("base")), [""; 0]);
    assert!(place.refusal().contains("record 21"));
}

#[test]
fn what_a_kill_leaves_of_a_second_time_is_finished_too() {
    let mut before = retained();
    let mut store = before.place.open();
    for number in 0..60_u8 {
        store = before.step(store, Step::Authorize(number % 50));
        store = before.step(store, Step::Move(usize::from(number) * 7, State::Succeeded));
    }
    drop(store);
    let mut play = before.at(before.place.copy());
    play.retain(30).gone.expect("some went");
    let base = play.place.path().join("base");
    let killed = before.place.copy();
    let newer = names(&base)[0].clone();
    copy(&base.join(&newer), &killed.path().join("base").join(&newer));
    assert_eq!(names(&killed.path().join("base")).len(), 2);
    let mut killed = play.at(killed);
    let mut store = killed.place.open();
    assert!(!store.start().rebuilt);
    killed.agrees(&mut store);
    drop(store);
    is_settled(&killed);
    killed.verifies();
}

//! What a reply waits for, and what happens when it fails.

use std::{
    fs::File,
    io,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bursar::{
    domain::change::Change,
    store::{
        Store,
        sled::{
            SledStore,
            sync::{Disk, Stage},
        },
    },
};

use crate::{
    files::frame_of,
    make::{Writer, fatal, order},
    places::{Place, Sled},
};

/// Notes what is asked of it, and fails what it is told to fail.
#[derive(Debug, Default)]
struct TestDisk {
    calls: Mutex<Vec<(&'static str, Stage)>>,
    failing: Mutex<Option<(&'static str, Stage, i32)>>,
    killed: AtomicBool,
}

impl TestDisk {
    fn note(&self, call: &'static str, stage: Stage) -> io::Result<()> {
        self.calls.lock().expect("calls").push((call, stage));
        match *self.failing.lock().expect("failing") {
            Some((what, when, code)) if (what, when) == (call, stage) => {
                Err(io::Error::from_raw_os_error(code))
            }
            _ => Ok(()),
        }
    }

    fn taken(&self) -> Vec<(&'static str, Stage)> {
        std::mem::take(&mut self.calls.lock().expect("calls"))
    }
}

impl Disk for TestDisk {
    fn sync(&self, stage: Stage, file: &File) -> io::Result<()> {
        self.note("sync", stage)?;
        if self.killed.load(Ordering::Relaxed) { Ok(()) } else { file.sync_data() }
    }
}

fn place() -> (Sled, Arc<TestDisk>) {
    let disk = Arc::new(TestDisk::default());
    (Sled::with_disk(disk.clone()), disk)
}

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

#[test]
fn a_commit_takes_one_sync() {
    let (place, disk) = place();
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c")]);
    disk.taken();
    writer.put(&mut store, vec![order("b", "c")]);
    assert_eq!(disk.taken(), [("sync", Stage::Journal)]);
}

#[test]
fn the_fence_moves_only_after_the_sync() {
    let (mut place, disk) = place();
    place.options.fence_every = std::time::Duration::ZERO;
    let (mut store, mut writer) = (place.open(), Writer::default());
    disk.taken();
    writer.put(&mut store, vec![order("b", "c")]);
    let calls = disk.taken();
    assert_eq!(calls, [("sync", Stage::Journal), ("sync", Stage::Fence)]);
}

#[test]
fn the_fence_catches_up_when_nothing_is_committed() {
    let (mut place, disk) = place();
    place.options.fence_every = std::time::Duration::from_millis(200);
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c")]);
    writer.put(&mut store, vec![order("b", "c")]);
    disk.taken();
    let mut moved = Vec::new();
    while moved.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
        moved = disk.taken();
    }
    assert_eq!(moved, [("sync", Stage::Fence)]);
    std::thread::sleep(place.options.fence_every * 2);
    assert_eq!(disk.taken(), [], "it is where the journal ends");
}

#[test]
fn a_checkpoint_syncs_blocks_before_its_head() {
    let (place, disk) = place();
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c")]);
    disk.taken();
    store.tidy().expect("tidy");
    let calls = disk.taken();
    let of = |stage| calls.iter().position(|call| *call == ("sync", stage)).expect("a sync");
    assert!(of(Stage::Fence) < of(Stage::Blocks) && of(Stage::Blocks) < of(Stage::Head));
    store.tidy().expect("tidy");
    assert_eq!(disk.taken(), [], "nothing changed, nothing is written");
}

#[test]
fn tidying_after_little_moves_only_the_fence() {
    let (mut place, disk) = place();
    place.options.tidy_records = 2;
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c")]);
    disk.taken();
    store.tidy().expect("tidy");
    assert_eq!(disk.taken(), [("sync", Stage::Fence)]);
    writer.put(&mut store, vec![order("b", "c")]);
    store.tidy().expect("tidy");
    assert!(disk.taken().contains(&("sync", Stage::Head)));
}

#[test]
fn what_was_replayed_counts_towards_the_next_checkpoint() {
    let (mut place, disk) = place();
    place.options.tidy_records = 3;
    let mut writer = Writer::default();
    for round in 1..=3 {
        let mut store = place.open();
        assert_eq!(store.start().replayed, writer.sequence);
        writer.put(&mut store, vec![order("a", "c")]);
        disk.taken();
        store.tidy().expect("tidy");
        assert_eq!(disk.taken().contains(&("sync", Stage::Head)), round == 3);
    }
    assert_eq!(place.open().start().replayed, 0);
}

#[test]
fn a_failed_sync_poisons_the_store() {
    for code in [EIO, ENOSPC] {
        let (place, disk) = place();
        let (mut store, mut writer) = (place.open(), Writer::default());
        writer.put(&mut store, vec![order("a", "c")]);
        let answered = writer.clone();
        *disk.failing.lock().expect("failing") = Some(("sync", Stage::Journal, code));
        let commit = writer.commit(vec![vec![Change::put(order("b", "c"))]]);
        let why = fatal(crate::make::settle(&mut store, commit));
        assert!(why.contains(&format!("os error {code}")), "{why}");

        // Also when the disk is well again: what it dropped it does not say.
        *disk.failing.lock().expect("failing") = None;
        assert_eq!(fatal(store.begin()), why);
        assert_eq!(fatal(store.load(&[])), why);
        assert_eq!(fatal(store.scan(&crate::make::everything())), why);
        assert_eq!(fatal(store.records(0, 1)), why);
        assert_eq!(fatal(store.tidy()), why);
        assert_eq!(
            fatal(crate::make::settle(&mut store, answered.clone().commit(vec![vec![]]))),
            why
        );
        drop(store);

        // The commit may be there or not; what was answered is.
        let mut store = place.open();
        let tip = store.begin().expect("a tip").sequence;
        if tip == 1 { answered } else { writer }.agrees(&mut store);
    }
}

#[test]
fn a_checkpoint_that_fails_poisons_and_is_made_again() {
    for stage in [Stage::Blocks, Stage::Head, Stage::Fence] {
        let (place, disk) = place();
        let (mut store, mut writer) = (place.open(), Writer::default());
        for round in 0..3 {
            let rows = |n: usize| vec![Change::put(order(&format!("o{n:03}-{round}"), "c"))];
            crate::make::settle(&mut store, writer.commit((0..40).map(rows).collect()))
                .expect("a commit");
            if round == 0 {
                store.tidy().expect("tidy");
            }
            if round == 1 {
                *disk.failing.lock().expect("failing") = Some(("sync", stage, EIO));
                fatal(store.tidy());
                *disk.failing.lock().expect("failing") = None;
                drop(store);
                store = place.open();
            }
            writer.agrees(&mut store);
        }
    }
}

/// Copies the files at each flush and each sync, as a kill would leave them.
/// Before a flush, some of what sled holds is in the file and some is not.
#[derive(Debug)]
struct Copying {
    from: std::path::PathBuf,
    to: tempfile::TempDir,
    count: Mutex<u32>,
    on: AtomicBool,
}

impl Copying {
    fn new(from: &std::path::Path) -> Self {
        Self {
            from: from.to_owned(),
            to: tempfile::TempDir::new().expect("a directory"),
            count: Mutex::new(0),
            on: AtomicBool::new(false),
        }
    }

    fn copy(&self) {
        if self.on.load(Ordering::Relaxed) {
            let mut count = self.count.lock().expect("count");
            crate::places::copy_files(&self.from, &self.to.path().join(count.to_string()));
            *count += 1;
        }
    }

    /// The copies that were made since the last time.
    fn taken(&self) -> Vec<Sled> {
        let copies = std::mem::take(&mut *self.count.lock().expect("count"));
        let taken = (0..copies).map(|copy| {
            let killed = Sled::new();
            let copy = self.to.path().join(copy.to_string());
            crate::places::copy_files(&copy, killed.path());
            std::fs::remove_dir_all(copy).expect("removed");
            killed
        });
        taken.collect()
    }
}

impl Disk for Copying {
    fn sync(&self, _: Stage, file: &File) -> io::Result<()> {
        self.copy();
        file.sync_data()
    }
}

#[test]
fn a_kill_at_every_step_of_a_checkpoint_loses_nothing() {
    let mut place = Sled::new();
    let disk = Arc::new(Copying::new(place.path()));
    place.options.disk = disk.clone();
    place.options.checkpoint_records = 1000;
    let (mut store, mut writer) = (place.open(), Writer::default());
    for round in 0..3 {
        let rows = |n: usize| {
            let name = format!("o{n:03}-{round}");
            let size = if n == 0 { 9000 * (round + 1) } else { 10 };
            vec![
                Change::put(order(&name, "c")),
                Change::put(crate::make::revision(u32::from(n > 0), size)),
                crate::make::credit("1"),
            ]
        };
        crate::make::settle(&mut store, writer.commit((0..60).map(rows).collect()))
            .expect("a commit");
        disk.on.store(true, Ordering::Relaxed);
        store.tidy().expect("tidy");
        disk.on.store(false, Ordering::Relaxed);
        let copies = disk.taken();
        assert!(copies.len() >= 5, "{}", copies.len());
        for killed in copies {
            let mut store = killed.open();
            writer.agrees(&mut store);
            store.tidy().expect("tidy");
            drop(store);
            writer.agrees(&mut killed.open());
        }
    }
}

#[test]
fn old_rows_between_many_new_ones_survive_a_kill_in_the_middle_of_a_checkpoint() {
    // One block is cut into many: some pieces are in the file, others are not.
    let mut place = Sled::new();
    let disk = Arc::new(Copying::new(place.path()));
    place.options.disk = disk.clone();
    place.options.checkpoint_records = 100_000;
    let (mut store, mut writer) = (place.open(), Writer::default());
    let put = |n: usize| vec![Change::put(order(&format!("o{n:05}"), &"c".repeat(150)))];
    crate::make::settle(&mut store, writer.commit((0..300).map(|n| put(n * 40)).collect()))
        .expect("a commit");
    store.tidy().expect("tidy");
    for part in 0..6 {
        let new = (0..1000).map(|n| put((part * 1000 + n) * 2 + 1)).collect();
        crate::make::settle(&mut store, writer.commit(new)).expect("a commit");
    }
    disk.on.store(true, Ordering::Relaxed);
    store.tidy().expect("tidy");
    disk.on.store(false, Ordering::Relaxed);
    let copies = disk.taken();
    assert!(copies.len() >= 5, "{}", copies.len());
    for killed in copies {
        writer.agrees(&mut killed.open());
    }
}

/// Syncs the journal only while it is let.
#[derive(Debug, Default)]
struct Held {
    is_shut: Mutex<bool>,
    changed: Condvar,
}

impl Held {
    fn shut(&self, shut: bool) {
        *self.is_shut.lock().expect("a gate") = shut;
        self.changed.notify_all();
    }
}

impl Disk for Held {
    fn sync(&self, stage: Stage, file: &File) -> io::Result<()> {
        let mut is_shut = self.is_shut.lock().expect("a gate");
        while stage == Stage::Journal && *is_shut {
            is_shut = self.changed.wait(is_shut).expect("a gate");
        }
        file.sync_data()
    }
}

#[test]
fn rows_that_end_within_a_frame_refuse_a_journal_that_lost_it() {
    let disk = Arc::new(Held::default());
    let mut place = Sled::with_disk(disk.clone());
    (place.options.checkpoint_records, place.options.tidy_records) = (3, u64::MAX);
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c")]);
    disk.shut(true);
    // The second is on its way when the third and fourth come: they share a frame,
    // and rows are put away behind the third.
    let mut commit = |store: &mut SledStore, name: &str| {
        let commit = writer.commit(vec![vec![Change::put(order(name, "c"))]]);
        store.commit(commit).expect("taken");
        store.when_durable(Box::new(drop));
    };
    commit(&mut store, "b");
    std::thread::sleep(std::time::Duration::from_millis(300));
    commit(&mut store, "c");
    commit(&mut store, "d");
    disk.shut(false);
    store.tidy().expect("tidy");
    drop(store);
    let frame = frame_of(&place, 3);
    assert_eq!((frame.first, frame.last), (3, 4));
    // A fence of an empty store, so that only the rows know better.
    let empty = Sled::new();
    drop(empty.open());
    std::fs::copy(empty.path().join("durable.fence"), place.path().join("durable.fence"))
        .expect("copied");
    frame.cut();
    let why = place.refusal();
    assert!(why.contains("ends at record 2") && why.contains("record 3 was durable"), "{why}");
}

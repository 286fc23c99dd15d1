//! Where a store's data is kept, and how it is stopped and opened again.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bursar::store::{
    Store,
    memory::MemoryStore,
    sled::{Damage, Options, SledStore, sync::Disk},
};
use tempfile::TempDir;

/// Somewhere to keep a store.
pub trait Place {
    type Store: Store;

    fn new() -> Self;

    /// Opens what is there.
    fn open(&self) -> Self::Store;

    /// Opens what would be there had the process been killed now; the store
    /// that is open stays open.
    fn open_as_if_killed(&self) -> (Self, Self::Store)
    where
        Self: Sized;
}

/// Memory: a restart keeps what is shared.
pub struct Memory(MemoryStore);

impl Place for Memory {
    type Store = MemoryStore;

    fn new() -> Self {
        Self(MemoryStore::new())
    }

    fn open(&self) -> MemoryStore {
        self.0.clone()
    }

    fn open_as_if_killed(&self) -> (Self, MemoryStore) {
        let fork = self.0.fork();
        (Self(fork.clone()), fork)
    }
}

/// A data directory.
pub struct Sled {
    pub dir: TempDir,
    pub options: Options,
}

impl Sled {
    pub fn with_disk(disk: Arc<dyn Disk>) -> Self {
        let mut place = Self::new();
        place.options.disk = disk;
        place
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn try_open(&self) -> Result<SledStore, Damage> {
        SledStore::open(self.path(), self.options.clone())
    }

    /// The message with which it refuses to open.
    pub fn refusal(&self) -> String {
        self.try_open().expect_err("a refusal").to_string()
    }

    /// A copy of the files as they are now.
    pub fn copy(&self) -> Self {
        let copy =
            Self { dir: TempDir::new().expect("a directory"), options: self.options.clone() };
        copy_files(self.path(), copy.path());
        copy
    }

    /// The files that keep its rows at rest.
    pub fn runs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path().join("runs")).expect("a listing");
        let mut runs: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        runs.retain(|path| !path.to_string_lossy().contains("manifest"));
        runs.sort();
        runs
    }
}

impl Place for Sled {
    type Store = SledStore;

    fn new() -> Self {
        // Small checkpoints and files, so that every test meets some; a fence
        // that moves only when it is told to.
        let options = Options {
            checkpoint_records: 50,
            tidy_records: 0,
            segment_bytes: 24 * 1024,
            fence_every: Duration::from_secs(3600),
            ..Options::default()
        };
        Self { dir: TempDir::new().expect("a directory"), options }
    }

    fn open(&self) -> SledStore {
        // A process that another test starts has the lock as well until it is that
        // other program: for a moment.
        for _ in 0..500 {
            match self.try_open() {
                Err(Damage::InUse(_)) => std::thread::sleep(Duration::from_millis(10)),
                opened => return opened.expect("a store"),
            }
        }
        panic!("it is in use for five seconds")
    }

    fn open_as_if_killed(&self) -> (Self, SledStore) {
        let copy = self.copy();
        let store = copy.open();
        (copy, store)
    }
}

pub fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a listing") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_files(&path, &target);
        } else {
            match fs::copy(&path, &target) {
                // A thread of the store's removed it meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.expect("a copy")),
            }
        }
    }
}

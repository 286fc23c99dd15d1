//! The sled database: how it is opened, and the rules that make it fit.
//!
//! What sled 0.34.7 does, read in its source:
//! - Opening reads the log from the last snapshot. A message it cannot read
//!   ends that segment; the rest of the last segment is overwritten with
//!   zeros, and segments that do not connect are overwritten whole.
//! - A segment is used again as soon as what replaces its pages was handed to
//!   the kernel, which is before it is durable. So a power failure can take
//!   more than what was written last, and everything here must be something
//!   that the journal can make again.
//! - A page above a quarter of a segment becomes a file in `blobs/`, which sled
//!   never syncs. A leaf holds up to 16 entries and may be as large as 20 when
//!   two are merged; an inner node up to 257 keys. The sizes below keep both
//!   under the bound, and a file in `blobs/` stops the store.
//! - `flush` ends in `sync_file_range`, so a sync of our own follows it.
//! - Its flusher thread alone collects garbage; so it stays on, and is never
//!   relied on.

use std::{
    fs::{self, File},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{
    MAX_KEY, MAX_VALUE,
    damage::Damage,
    sync::{Disk, Stage},
};

const SEGMENT: usize = 512 * 1024;
const FLUSH_EVERY_MS: u64 = 500;
/// sled's own bytes per entry, with room to spare.
const OVERHEAD: usize = 16;
const _: () = assert!(20 * (MAX_KEY + MAX_VALUE + OVERHEAD) < SEGMENT / 4 - 64, "leaves fit");
const _: () = assert!(258 * (MAX_KEY + OVERHEAD) < SEGMENT / 4 - 64, "inner nodes fit");

/// sled lets go of its lock a moment after it was closed.
const LOCK_TRIES: u32 = 100;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    db: ::sled::Db,
    /// Our own descriptor of sled's log, opened once: an error of a sync is
    /// reported to descriptors that were open when it happened.
    log: File,
}

impl Database {
    /// Where it is.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("sled")
    }

    /// Whether there is one.
    pub(super) fn exists(dir: &Path) -> bool {
        let path = Self::path(dir);
        path.join("db").exists() || path.join("conf").exists()
    }

    /// Opens it, or makes one.
    pub(super) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, Damage> {
        let path = Self::path(dir);
        let is_new = !Self::exists(dir);
        refuse_blobs(&path)?;
        let config = ::sled::Config::new()
            .path(&path)
            .segment_size(SEGMENT)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .use_compression(false);
        let db = open_patiently(&config, &path)?;
        let log_path = path.join("db");
        let log = File::options()
            .read(true)
            .write(true)
            .open(&log_path)
            .map_err(Damage::io(&log_path))?;
        if is_new {
            sync_all(&path.join("conf"))?;
            sync_all(&log_path)?;
        }
        // Opening may have written a snapshot and removed the one before it.
        sync_all(&path)?;
        let database = Self { path, db, log };
        database.refuse_blobs()?;
        Ok(database)
    }

    /// One of its trees.
    pub(super) fn tree(&self, name: &str) -> Result<::sled::Tree, Damage> {
        Ok(self.db.open_tree(name)?)
    }

    /// Makes durable what was inserted so far.
    pub(super) fn sync(&self, stage: Stage, disk: &dyn Disk) -> Result<(), Damage> {
        disk.flush(stage, &self.db)
            .and_then(|()| disk.sync(stage, &self.log))
            .map_err(Damage::io(self.path.join("db")))
    }

    /// Stops if sled has put anything where it is never synced.
    pub(super) fn refuse_blobs(&self) -> Result<(), Damage> {
        refuse_blobs(&self.path)
    }
}

fn refuse_blobs(path: &Path) -> Result<(), Damage> {
    let blobs = path.join("blobs");
    if !blobs.exists() {
        return Ok(());
    }
    match fs::read_dir(&blobs).map_err(Damage::io(&blobs))?.next() {
        Some(_) => Err(Damage::Blobs(blobs)),
        None => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "before serving; nothing else runs yet")]
fn open_patiently(config: &::sled::Config, path: &Path) -> Result<::sled::Db, Damage> {
    let unopenable = |why: String| Damage::Unopenable { path: path.to_owned(), why };
    for _ in 0..LOCK_TRIES {
        // sled asserts while it recovers; a damaged log then panics.
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => return Ok(db),
            // Nobody else has it, since this process has `bursar.lock`.
            Ok(Err(e)) if e.to_string().contains("could not acquire lock") => {
                thread::sleep(LOCK_WAIT);
            }
            Ok(Err(e @ ::sled::Error::Io(_))) => return Err(Damage::Sled(e)),
            Ok(Err(e)) => return Err(unopenable(e.to_string())),
            Err(panic) => {
                let why = panic.downcast_ref::<String>().map(String::as_str);
                let why = why.or_else(|| panic.downcast_ref::<&str>().copied());
                return Err(unopenable(why.unwrap_or("it panicked").to_owned()));
            }
        }
    }
    Err(unopenable("something still has it open".to_owned()))
}

/// Makes a file, or the entries of a directory, durable.
pub(super) fn sync_all(path: &Path) -> Result<(), Damage> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Damage::io(path))
}

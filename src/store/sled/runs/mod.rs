//! Rows at rest as sorted runs: a log-structured merge tree over bytes. Knows
//! nothing of what its keys and values mean.
//!
//! A table of changes that memory no longer wants to grow is frozen: one
//! background thread writes it, in the order of its keys, into a run, which
//! never changes again. `fan_in` runs of one level are merged into one of the
//! next; of several entries with one key the newest counts, and a deletion is
//! an entry until it meets the oldest run. A directory holds
//! - `manifest`: which runs there are, and a mark up to which they reach,
//!   replaced as a whole (`manifest.rs`);
//! - `….run`: a run each (`footer.rs`, `packed.rs`, `filter.rs`).
//!
//! What the manifest does not name does not count, and is removed when the
//! directory is opened. So a kill at any moment leaves what the last manifest
//! says. Nothing here keeps two processes apart; who opens a directory has a
//! lock around it.

use std::{fs, io, path::Path, sync::Arc, thread::JoinHandle};

use self::{
    cache::Cache,
    filter::KeyHash,
    manifest::Manifest,
    pace::Pacing,
    run::is_run,
    set::Set,
    shared::{Ending, Shared},
    worker::Worker,
};
use super::{damage::Damage, sync::sync_names};

mod cache;
mod cursor;
mod filter;
mod footer;
mod manifest;
mod medium;
mod merged;
mod merging;
mod options;
mod pace;
mod packed;
mod range;
mod run;
mod set;
mod shared;
#[cfg(test)]
mod tests;
mod verify;
mod whole;
mod worker;
mod writer;

pub(super) use self::worker::behind_others;
pub use self::{
    options::{Filtered, Options},
    range::Range,
    verify::verify,
    whole::{Extent, make, read},
};

/// Up to where the runs reach: at most 256 bytes that mean something to the
/// caller alone. Empty: nothing was frozen yet.
pub type Mark = Box<[u8]>;
/// A value.
pub type Value = Vec<u8>;
/// Takes an entry: a key of 1 byte to 64 KiB, and its value, or none if it is
/// deleted. Says whether to go on.
pub type Put<'a> = dyn FnMut(&[u8], Option<&[u8]>) -> Result<bool, Damage> + 'a;
/// Puts the entries of a table, in the order of their keys and each key once, on
/// the background thread.
pub type Entries = Box<dyn FnOnce(&mut Put<'_>) -> Result<(), Damage> + Send>;

/// A table that does not change any more.
pub struct Table {
    /// How many entries it has.
    pub count: u64,
    /// Puts them.
    pub entries: Entries,
    /// Up to where the runs reach when it is at rest.
    pub mark: Mark,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("mark", &self.mark).finish_non_exhaustive()
    }
}

/// What became of a table that was to be frozen.
#[derive(Debug)]
pub enum Freeze {
    /// It is on its way; `poll` will tell when it is at rest.
    Taken,
    /// Too many are on their way, and here it is again. Slow down: try once
    /// more when `poll` has told of another, or `wait` for that.
    Behind(Table),
}

/// How large it all is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sizes {
    /// Runs.
    pub runs: usize,
    /// Entries in them, deletions and what was replaced included.
    pub entries: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes in memory, the cache of blocks not included.
    pub memory: usize,
}

/// The mark that the runs of a directory have, without opening them; empty if
/// there are none.
pub fn mark(dir: &Path) -> Result<Mark, Damage> {
    Ok(Manifest::read(dir)?.map(|manifest| manifest.mark).unwrap_or_default())
}

/// The runs of a directory.
#[derive(Debug)]
pub struct Runs {
    shared: Arc<Shared>,
    cache: Arc<Cache>,
    filtered: fn(&[u8]) -> Filtered,
    /// Most tables on their way.
    most: usize,
    /// Tables that were taken and that `poll` has not told of.
    in_flight: usize,
    thread: Option<JoinHandle<()>>,
}

impl Runs {
    /// Opens the runs of a directory, or makes one; tells up to where they
    /// reach.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Mark), Damage> {
        let manifest = match Manifest::read(dir)? {
            Some(manifest) => manifest,
            None => create(dir, &options)?,
        };
        remove_unnamed(dir, &manifest)?;
        let set = Arc::new(Set::open(dir, &manifest.runs)?);
        let shared = Arc::new(Shared::new(set.clone()));
        let cache = Arc::new(Cache::new(options.cache_bytes));
        let (mark, most) = (manifest.mark.clone(), options.in_flight.max(1));
        let (filtered, pace) = (options.filtered, options.pace);
        let worker = Worker {
            dir: dir.to_owned(),
            options,
            shared: shared.clone(),
            manifest,
            set,
            merging: None,
            pacing: Pacing::begin(pace, worker::now()),
        };
        let thread = Some(worker.spawn()?);
        Ok((Self { shared, cache, filtered, most, in_flight: 0, thread }, mark))
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>, Damage> {
        let hashed = ((self.filtered)(key), KeyHash::of(key));
        self.shared.set()?.get(key, hashed, &self.cache)
    }

    /// Keys from one (inclusive) to another (exclusive) and their values, in
    /// order. The runs stay as they are for whoever reads them.
    pub fn range(&self, from: &[u8], to: &[u8], reverse: bool) -> Result<Range, Damage> {
        let set = self.shared.set()?;
        let (start, end) = if reverse { (to, from) } else { (from, to) };
        let merged = if from < to { Some(set.merged(&self.cache, reverse, start)?) } else { None };
        Ok(Range::new(merged, end, reverse))
    }

    /// Brings a table to rest, in the background.
    pub fn freeze(&mut self, table: Table) -> Result<Freeze, Damage> {
        self.shared.check()?;
        if table.mark.len() > manifest::MAX_MARK {
            return Err(Damage::Defect(format!("a mark of {} bytes", table.mark.len())));
        }
        if self.in_flight >= self.most {
            return Ok(Freeze::Behind(table));
        }
        self.in_flight += 1;
        self.shared.push(table);
        Ok(Freeze::Taken)
    }

    /// The mark of a table that is now at rest, in the order in which they
    /// were frozen: its entries are found here from now on, and memory may let
    /// go of them.
    pub fn poll(&mut self) -> Result<Option<Mark>, Damage> {
        let mark = self.shared.pop()?;
        self.in_flight -= usize::from(mark.is_some());
        Ok(mark)
    }

    /// Like `poll`, but waits for a table that is on its way. `None`: none is.
    pub fn wait(&mut self) -> Result<Option<Mark>, Damage> {
        if self.in_flight == 0 {
            return self.poll();
        }
        let mark = self.shared.wait()?;
        self.in_flight -= 1;
        Ok(Some(mark))
    }

    /// Waits until all is at rest and nothing is left to be merged.
    pub fn settle(&self) -> Result<(), Damage> {
        self.shared.wait_until_idle()
    }

    /// How large it all is.
    pub fn sizes(&self) -> Result<Sizes, Damage> {
        let set = self.shared.set()?;
        Ok(set.runs().fold(Sizes::default(), |sizes, run| Sizes {
            runs: sizes.runs + 1,
            entries: sizes.entries + run.named().entries,
            bytes: sizes.bytes + run.named().bytes,
            memory: sizes.memory + run.memory(),
        }))
    }

    /// Ends when every table that was taken is at rest. A merge is abandoned.
    pub fn close(mut self) -> Result<(), Damage> {
        self.end(Ending::Drain);
        self.shared.check()
    }

    fn end(&mut self, ending: Ending) {
        self.shared.end(ending);
        if let Some(thread) = self.thread.take() {
            // A panic in it was made damage.
            let _ = thread.join();
        }
    }
}

impl Drop for Runs {
    /// Abandons what is on its way; the last manifest stands.
    fn drop(&mut self) {
        self.end(Ending::Abandon);
    }
}

/// A directory without runs.
fn create(dir: &Path, options: &Options) -> Result<Manifest, Damage> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Damage::io(dir)(error));
        }
        _ => {}
    }
    // The manifest is there before the first run is.
    if names(dir)?.iter().any(|name| is_run(name)) {
        return Err(Damage::Unreadable {
            what: Manifest::path(dir).display().to_string(),
            why: "it is missing, although there are runs".to_owned(),
        });
    }
    let manifest = Manifest::default();
    manifest.write(dir, &*options.disk)?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_names(parent, &*options.disk)?;
    }
    Ok(manifest)
}

/// Removes what a kill has left behind.
fn remove_unnamed(dir: &Path, manifest: &Manifest) -> Result<(), Damage> {
    let named: Vec<_> = manifest.runs.iter().map(|run| run::path_of(dir, run.number)).collect();
    for name in names(dir)? {
        let path = dir.join(&name);
        let is_left = is_run(&name) && !named.contains(&path);
        if is_left || path == Manifest::path_of_next(dir) {
            fs::remove_file(&path).map_err(Damage::io(&path))?;
        }
    }
    Ok(())
}

fn names(dir: &Path) -> Result<Vec<String>, Damage> {
    let name = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    let entries = fs::read_dir(dir).map_err(Damage::io(dir))?;
    entries.map(name).collect::<io::Result<_>>().map_err(Damage::io(dir))
}

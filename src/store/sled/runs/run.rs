//! One run: rows in order, written once. A sled directory of its own for the
//! blocks, and a file for the filter. Opened when it is first looked into.

use std::{
    collections::VecDeque,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    block::{Draft, LONGEST, Packed, Place, Reader, Seen, Value, damaged, missing},
    filter::{self, Filter},
    manifest::Named,
};
use crate::store::sled::{
    MAX_VALUE,
    damage::Damage,
    database::{Database, sync_all},
    sync::{Disk, Stage},
};

/// What sled may keep of an open run in memory.
const CACHE_BYTES: u64 = 2 * 1024 * 1024;

/// A run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) named: Named,
    dir: PathBuf,
    filter: Filter,
    opened: OnceLock<Opened>,
    /// So that it is opened once.
    opening: Mutex<()>,
    /// Whether it goes when nobody reads it any more.
    is_condemned: AtomicBool,
}

/// The trees of a run. Dropped before the database is.
#[derive(Debug)]
struct Opened {
    blocks: ::sled::Tree,
    parts: ::sled::Tree,
    database: Database,
}

impl Opened {
    fn open(dir: &Path) -> Result<Self, Damage> {
        let database = Database::open(dir, CACHE_BYTES)?;
        let (blocks, parts) = (database.tree("blocks")?, database.tree("parts")?);
        Ok(Self { blocks, parts, database })
    }
}

/// Does something with sled, which asserts what a damaged file may not keep.
fn guarded<T>(dir: &Path, act: impl FnOnce() -> Result<T, Damage>) -> Result<T, Damage> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| {
        Err(Damage::Unopenable { path: dir.to_owned(), why: "it panicked".to_owned() })
    })
}

/// The directory of a run.
pub(super) fn dir_of(runs: &Path, number: u64) -> PathBuf {
    runs.join(format!("{number:010}"))
}

impl Run {
    /// A run that is named.
    pub(super) fn open(runs: &Path, named: Named) -> Result<Self, Damage> {
        let dir = dir_of(runs, named.number);
        let filter = Filter::read(&dir.join("filter"))?;
        Ok(Self::new(dir, named, filter, OnceLock::new()))
    }

    fn new(dir: PathBuf, named: Named, filter: Filter, opened: OnceLock<Opened>) -> Self {
        Self {
            named,
            dir,
            filter,
            opened,
            opening: Mutex::new(()),
            is_condemned: AtomicBool::new(false),
        }
    }

    /// Has it go when nobody reads it any more.
    pub(super) fn condemn(&self) {
        self.is_condemned.store(true, Ordering::Relaxed);
    }

    fn opened(&self) -> Result<&Opened, Damage> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let _one = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.opened.get().is_none() {
            let opened = Opened::open(&self.dir)?;
            return Ok(self.opened.get_or_init(|| opened));
        }
        self.opened.get().ok_or_else(|| Damage::Defect("a run was closed".to_owned()))
    }

    /// What it says of a key, whose hash is given. `None`: nothing.
    pub(super) fn get(&self, key: &[u8], hash: u64) -> Result<Option<Value>, Damage> {
        if !self.filter.may_have(hash) {
            return Ok(None);
        }
        let blocks = &self.opened()?.blocks;
        let block = guarded(&self.dir, || Ok(blocks.get_lt(just_after(key))?))?;
        let Some((_, bytes)) = block else {
            return if key < self.filter.lowest.as_slice() { Ok(None) } else { Err(missing()) };
        };
        let mut reader = Reader::new(&bytes)?;
        if reader.next_block.is_some_and(|next| key >= next) {
            return Err(missing());
        }
        while let Some(seen) = reader.next()? {
            if reader.key.as_slice() >= key {
                let same = reader.key == key;
                return if same { self.whole(seen).map(Some) } else { Ok(None) };
            }
        }
        Ok(None)
    }

    fn whole(&self, seen: Seen<'_>) -> Result<Value, Damage> {
        match seen {
            Seen::Apart(place) => self.together(place).map(Value::Here),
            seen => Ok(seen.to_value()),
        }
    }

    /// A value that is in parts.
    pub(super) fn together(&self, place: Place) -> Result<Vec<u8>, Damage> {
        let parts = &self.opened()?.parts;
        let value = guarded(&self.dir, || {
            let mut value = Vec::new();
            for part in parts.scan_prefix(place.number.to_be_bytes()).values() {
                value.extend(&*part?);
            }
            Ok(value)
        })?;
        let fits = value.len() as u64 == u64::from(place.length)
            && crc32fast::hash(&value) == place.checksum;
        if fits { Ok(value) } else { Err(damaged()) }
    }

    /// Entries from a key (inclusive) to a key (exclusive).
    pub(super) fn range(&self, from: &[u8], to: &[u8], reverse: bool) -> Result<Range, Damage> {
        let blocks = &self.opened()?.blocks;
        let first = guarded(&self.dir, || Ok(blocks.get_lt(just_after(from))?))?;
        let lowest = &self.filter.lowest;
        if first.is_none() && from >= lowest.as_slice() {
            return Err(missing());
        }
        let start = first.map_or_else(|| lowest.clone(), |(first, _)| first.to_vec());
        let blocks = blocks.range(start.clone()..to.to_vec());
        // What the next block read has to begin with; from behind, has to be
        // followed by, which is known when one was read.
        let expected = Some(start).filter(|start| !reverse && start.as_slice() < to);
        let bounds = (from.to_vec(), to.to_vec());
        Ok(Range {
            dir: self.dir.clone(),
            blocks,
            bounds,
            reverse,
            entries: VecDeque::new(),
            expected,
            lowest: lowest.clone(),
            is_begun: false,
        })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.opened.take());
        if self.is_condemned.load(Ordering::Relaxed)
            && let Err(error) = fs::remove_dir_all(&self.dir)
        {
            // The next start removes it.
            tracing::warn!(%error, path = %self.dir.display(), "an old run stays behind");
        }
    }
}

fn just_after(key: &[u8]) -> Vec<u8> {
    let mut after = key.to_vec();
    after.push(0);
    after
}

/// Entries of a run in order.
pub(super) struct Range {
    dir: PathBuf,
    blocks: ::sled::Iter,
    bounds: (Vec<u8>, Vec<u8>),
    reverse: bool,
    entries: VecDeque<Packed>,
    /// The first key of the block that has to come next; from behind, of the one
    /// that came last.
    expected: Option<Vec<u8>>,
    lowest: Vec<u8>,
    is_begun: bool,
}

impl std::fmt::Debug for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Range").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl Range {
    fn read(&mut self) -> Result<Option<Packed>, Damage> {
        while self.entries.is_empty() {
            let (blocks, reverse) = (&mut self.blocks, self.reverse);
            let next = guarded(&self.dir, || {
                Ok(if reverse { blocks.next_back() } else { blocks.next() }.transpose()?)
            })?;
            let Some((first, bytes)) = next else { return self.end().map(|()| None) };
            let (from, to) = &self.bounds;
            let mut reader = Reader::new(&bytes)?;
            if self.reverse {
                let fits = match (&self.expected, reader.next_block) {
                    (Some(expected), next) => next == Some(expected),
                    // Nothing of the range is behind the block that is read first.
                    (None, next) => next.is_none_or(|next| next >= to.as_slice()),
                };
                if !fits {
                    return Err(missing());
                }
                self.expected = Some(first.to_vec());
            } else {
                if self.expected.as_deref() != Some(&*first) {
                    return Err(missing());
                }
                self.expected =
                    reader.next_block.filter(|next| *next < to.as_slice()).map(Into::into);
            }
            self.is_begun = true;
            while let Some(seen) = reader.next()? {
                if reader.key >= *from && reader.key < *to {
                    self.entries.push_back((reader.key.clone(), seen.to_value()));
                }
            }
        }
        Ok(if self.reverse { self.entries.pop_back() } else { self.entries.pop_front() })
    }
}

impl Range {
    /// Whether the range ends where it has to.
    fn end(&self) -> Result<(), Damage> {
        let (from, to) = &self.bounds;
        let is_whole = match (&self.expected, self.reverse) {
            (expected, false) => expected.is_none(),
            (Some(first), true) => first <= from || *first == self.lowest,
            (None, true) => self.is_begun || to <= &self.lowest || to <= from,
        };
        if is_whole { Ok(()) } else { Err(missing()) }
    }
}

impl Iterator for Range {
    type Item = Result<Packed, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// A run on its way.
#[derive(Debug)]
pub(super) struct Writer {
    runs: PathBuf,
    number: u64,
    opened: Opened,
    draft: Draft,
    hashes: Vec<u64>,
    lowest: Option<Vec<u8>>,
    parts: u64,
}

impl Writer {
    /// Begins one.
    pub(super) fn new(runs: &Path, number: u64) -> Result<Self, Damage> {
        let dir = dir_of(runs, number);
        fs::create_dir(&dir).map_err(Damage::io(&dir))?;
        Ok(Self {
            runs: runs.to_owned(),
            number,
            opened: Opened::open(&dir)?,
            draft: Draft::default(),
            hashes: Vec::new(),
            lowest: None,
            parts: 0,
        })
    }

    /// Adds an entry, whose key is above those before.
    pub(super) fn push(&mut self, key: &[u8], value: &Value) -> Result<(), Damage> {
        let apart = match value {
            Value::Here(bytes) if bytes.len() > LONGEST => Some(self.apart(bytes)?),
            _ => None,
        };
        let value = apart.as_ref().unwrap_or(value);
        if self.lowest.is_none() {
            self.lowest = Some(key.to_vec());
        }
        if !self.draft.push(key, value) {
            self.block(Some(key))?;
            self.draft.push(key, value);
        }
        self.hashes.push(filter::hash(key));
        Ok(())
    }

    fn apart(&mut self, bytes: &[u8]) -> Result<Value, Damage> {
        let number = self.parts;
        self.parts += 1;
        for (part, bytes) in bytes.chunks(MAX_VALUE - 64).enumerate() {
            let mut key = number.to_be_bytes().to_vec();
            key.extend((part as u64).to_be_bytes());
            self.opened.parts.insert(key, bytes)?;
        }
        let length = u32::try_from(bytes.len());
        let length = length.map_err(|_| Damage::Defect("a value above 4 GiB".to_owned()))?;
        Ok(Value::Apart(Place { number, length, checksum: crc32fast::hash(bytes) }))
    }

    fn block(&mut self, next: Option<&[u8]>) -> Result<(), Damage> {
        if !self.draft.is_empty() {
            let (first, bytes) = self.draft.finish(next);
            self.opened.blocks.insert(first, bytes)?;
        }
        Ok(())
    }

    /// Makes it durable. It stays open. `None`: there is nothing in it.
    pub(super) fn finish(mut self, disk: &dyn Disk) -> Result<Option<Run>, Damage> {
        if self.hashes.is_empty() {
            self.abandon();
            return Ok(None);
        }
        self.block(None)?;
        let dir = dir_of(&self.runs, self.number);
        let filter = Filter::of(&self.hashes, self.lowest.unwrap_or_default());
        filter.write(&dir.join("filter"), disk)?;
        self.opened.database.sync(Stage::Blocks, disk)?;
        self.opened.database.refuse_blobs()?;
        sync_all(&dir)?;
        sync_all(&self.runs)?;
        let named = Named { number: self.number, entries: self.hashes.len() as u64 };
        Ok(Some(Run::new(dir, named, filter, OnceLock::from(self.opened))))
    }

    /// Gives it up.
    pub(super) fn abandon(self) {
        let dir = dir_of(&self.runs, self.number);
        drop(self.opened);
        // What stays behind is removed by the next start.
        let _ = fs::remove_dir_all(dir);
    }
}

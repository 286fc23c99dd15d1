//! A run that is read: its index and filter are in memory, its blocks are
//! read when somebody asks.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    super::{codec::Fields, damage::Damage},
    cache::Cache,
    filter::{Filter, KeyHash},
    footer::{Footer, SIZE, checksum, seal},
    manifest::Named,
    medium::Reading,
    options::{Counts, Filtered},
    packed::{GROUP, Group, Packed, number},
};

const CHECKSUM: usize = 4;

/// Where a run is.
pub(super) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.run"))
}

/// Whether a file's name is that of a run.
pub(super) fn is_run(name: &str) -> bool {
    name.strip_suffix(".run")
        .is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A run.
pub(super) struct Run {
    named: Named,
    medium: Reading,
    /// Every block's lowest key.
    index: Vec<u8>,
    /// Where every block begins, and where the last one ends.
    places: Vec<u64>,
    filter: Filter,
    filtered: Counts,
    is_large: bool,
    blocks_checksum: u32,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.named).finish()
    }
}

/// What a run says about a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// It is in an older run, or nowhere.
    Unknown,
    /// It was deleted.
    Deleted,
    /// Its value.
    Value(Vec<u8>),
}

impl Run {
    /// Opens a run and checks everything but its blocks.
    pub(super) fn open(dir: &Path, named: Named) -> Result<Self, Damage> {
        let medium = Reading::open(path_of(dir, named.number))?;
        let damaged = |why: &str| medium.damaged(why);
        let end = named.bytes.checked_sub(SIZE as u64);
        let end = end.filter(|_| medium.len().is_ok_and(|have| have == named.bytes));
        let end = end.ok_or_else(|| damaged("it is not as long as the manifest says"))?;
        let bytes = medium.read(end, SIZE)?;
        let footer = Footer::parse(&bytes).filter(|footer| {
            seal(&bytes) == Some(named.seal)
                && (footer.run, footer.entries) == (named.number, named.entries)
        });
        let footer = footer.ok_or_else(|| damaged("it is not the one that the manifest names"))?;
        let section = |at: u64, to: u64, sum: u32, what: &str| {
            let count = to.checked_sub(at).and_then(|count| usize::try_from(count).ok());
            let bytes = medium.read(at, count.ok_or_else(|| damaged(what))?)?;
            let fits = checksum(named.number, at, &bytes) == sum;
            fits.then_some(bytes).ok_or_else(|| damaged(what))
        };
        let index = section(footer.index_at, footer.filter_at, footer.index_checksum, "its index")?;
        let filter = section(footer.filter_at, end, footer.filter_checksum, "its filter")?;
        let filter = Filter::from_bytes(&filter).ok_or_else(|| damaged("its filter"))?;
        let places = places(&index).filter(|places| places.last() == Some(&footer.index_at));
        let places = places.ok_or_else(|| damaged("its index"))?;
        let Footer { filtered, is_large, blocks_checksum, .. } = footer;
        Ok(Self { named, medium, index, places, filter, filtered, is_large, blocks_checksum })
    }

    /// What the manifest says of it.
    pub(super) fn named(&self) -> Named {
        self.named
    }

    /// How many blocks it has: at least one.
    pub(super) fn blocks(&self) -> usize {
        self.places.len().saturating_sub(1)
    }

    /// Bytes that it takes in memory.
    pub(super) fn memory(&self) -> usize {
        self.index.len() + 8 * self.places.len() + self.filter.size()
    }

    /// How many keys go into filters.
    pub(super) fn filtered(&self) -> Counts {
        self.filtered
    }

    /// Whether it may have a key; if not, it has not.
    pub(super) fn may_have(&self, filtered: Filtered, hash: KeyHash) -> bool {
        !filtered.is_in(self.is_large) || self.filter.may_have(hash)
    }

    /// Removes its name; who still reads it may go on.
    pub(super) fn remove(&self) -> Result<(), Damage> {
        self.medium.remove()
    }

    /// What it says about a key.
    pub(super) fn get(
        &self,
        key: &[u8],
        (filtered, hash): (Filtered, KeyHash),
        cache: &Cache,
    ) -> Result<Answer, Damage> {
        if !self.may_have(filtered, hash) {
            return Ok(Answer::Unknown);
        }
        let block = self.block(self.find(key)?, cache)?;
        find_in(&block, key).ok_or_else(|| self.malformed())
    }

    /// The block that a key is in, if it is in any.
    pub(super) fn find(&self, key: &[u8]) -> Result<usize, Damage> {
        let find = || {
            let index = Packed::parse(&self.index)?;
            let at = index.seek(key)?;
            let found = index.find(at, key)?;
            let below_or_at = found.below + usize::from(found.entry.is_some());
            Some(at * GROUP + below_or_at.saturating_sub(1))
        };
        find().ok_or_else(|| self.malformed())
    }

    /// A block.
    pub(super) fn block(&self, block: usize, cache: &Cache) -> Result<Arc<Vec<u8>>, Damage> {
        let name = (self.named.number, block);
        if let Some(block) = cache.get(name) {
            return Ok(block);
        }
        let mut content = self.read(block, block + 1)?;
        content.truncate(content.len().saturating_sub(CHECKSUM));
        let content = Arc::new(content);
        cache.put(name, &content);
        Ok(content)
    }

    /// Neighbouring blocks, checked, as they are: each with its checksum.
    pub(super) fn read(&self, from: usize, to: usize) -> Result<Vec<u8>, Damage> {
        let (start, end) = (self.place(from)?, self.place(to)?);
        let bytes = self.medium.read(start, self.length(start, end)?)?;
        for block in from..to {
            let place = self.place(block)?;
            let range = self.content(from, block)?;
            let content = bytes.get(range.clone()).ok_or_else(|| self.malformed())?;
            let sum = bytes.get(range.end..range.end + CHECKSUM);
            if sum != Some(&checksum(self.named.number, place, content).to_be_bytes()) {
                return Err(self.damaged(&format!("its block {block}: the checksum does not fit")));
            }
        }
        Ok(bytes)
    }

    /// Where the content of a block is in what was read from another on.
    pub(super) fn content(
        &self,
        from: usize,
        block: usize,
    ) -> Result<std::ops::Range<usize>, Damage> {
        let start = self.place(from)?;
        let (at, end) = (self.place(block)?, self.place(block + 1)?);
        Ok(self.length(start, at)?..self.length(start, end)?.saturating_sub(CHECKSUM))
    }

    /// How many blocks from one on are at most so many bytes: at least one.
    pub(super) fn ahead(&self, from: usize, bytes: u64) -> Result<usize, Damage> {
        let most = self.place(from)?.saturating_add(bytes);
        let places = self.places.get(from + 1..).unwrap_or_default();
        Ok(places.iter().take_while(|place| **place <= most).count().max(1))
    }

    fn place(&self, block: usize) -> Result<u64, Damage> {
        self.places.get(block).copied().ok_or_else(|| self.malformed())
    }

    fn length(&self, from: u64, to: u64) -> Result<usize, Damage> {
        let length = to.checked_sub(from).and_then(|length| usize::try_from(length).ok());
        length.ok_or_else(|| self.malformed())
    }

    /// Something in it is not well-formed, although its checksum fits.
    pub(super) fn malformed(&self) -> Damage {
        self.damaged("it is not well-formed")
    }

    /// What is wrong with it.
    pub(super) fn damaged(&self, why: &str) -> Damage {
        self.medium.damaged(why)
    }

    /// Checksum of the checksums of its blocks.
    pub(super) fn blocks_checksum(&self) -> u32 {
        self.blocks_checksum
    }

    /// The lowest keys of its blocks, in order.
    pub(super) fn index(&self) -> Option<Packed<'_>> {
        Packed::parse(&self.index)
    }
}

/// Where blocks begin, and where the last one ends.
fn places(index: &[u8]) -> Option<Vec<u64>> {
    let packed = Packed::parse(index)?;
    let (mut places, mut group) = (vec![0_u64], Group::default());
    for at in 0..packed.groups() {
        packed.read(at, &mut group)?;
        if at + 1 < packed.groups() && group.len() != GROUP {
            return None;
        }
        for entry in 0..group.len() {
            let length = number(&mut Fields(group.value(entry, index)??))?;
            let end = places.last()?.checked_add(u64::try_from(length + CHECKSUM).ok()?)?;
            places.push(end);
        }
    }
    Some(places)
}

/// What a block says about a key. `None`: it is not well-formed.
fn find_in(block: &[u8], key: &[u8]) -> Option<Answer> {
    let packed = Packed::parse(block)?;
    let found = packed.find(packed.seek(key)?, key)?;
    Some(match found.entry {
        Some(Some(value)) => Answer::Value(value.to_vec()),
        Some(None) => Answer::Deleted,
        None => Answer::Unknown,
    })
}

//! Writes a run: entries in order go into blocks, every block's lowest key
//! into the index, keys that are asked for into the filter.

use std::path::Path;

use super::{
    super::{MAX_KEY, damage::Damage, sort_key::separator},
    filter::{Filter, KeyHash},
    footer::{Footer, checksum, seal},
    manifest::Named,
    medium::Writing,
    options::{Counts, Filtered, Options},
    packed::{Packer, put_number},
    run::path_of,
};

/// A block is closed before it would grow beyond this.
pub(super) const BLOCK: usize = 6000;
/// Longest value, far above what is stored. A block of one entry may be as
/// large as its value.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;
/// What an entry takes beside its key and value: three short numbers, and a
/// place among the groups.
const AROUND: usize = 3 * 4 + 4;

/// A run in the making.
#[derive(Debug)]
pub(super) struct Writer {
    number: u64,
    level: u32,
    out: Writing,
    block: Packer,
    index: Packer,
    /// The key that the block's place in the index is made of.
    lowest: Vec<u8>,
    filter: Filter,
    /// Which keys go into filters.
    goes_in: fn(&[u8]) -> Filtered,
    /// How many do.
    filtered: Counts,
    is_large: bool,
    /// Of the block's keys. They go into the filter together: each waits for
    /// memory, and so they wait at the same time.
    hashes: Vec<KeyHash>,
    entries: u64,
    /// Over the checksums of the blocks.
    blocks: crc32fast::Hasher,
}

impl Writer {
    /// Begins a run of at most so many entries, of which so many go into filters.
    pub(super) fn begin(
        dir: &Path,
        (number, level): (u64, u32),
        (entries, filtered): (u64, Counts),
        options: &Options,
    ) -> Result<Self, Damage> {
        let is_large = entries >= options.large;
        Ok(Self {
            number,
            level,
            out: Writing::begin(path_of(dir, number), options.disk.clone())?,
            block: Packer::default(),
            index: Packer::default(),
            lowest: Vec::new(),
            filter: Filter::with_room(filtered.of(is_large))?,
            goes_in: options.filtered,
            filtered: Counts::default(),
            is_large,
            hashes: Vec::new(),
            entries: 0,
            blocks: crc32fast::Hasher::new(),
        })
    }

    /// Adds the entry that follows all others. Says whether it closed a block:
    /// a good moment to do something else.
    pub(super) fn push(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<bool, Damage> {
        Self::check(key, value)?;
        let size = self.block.size() + key.len() + value.map_or(0, <[u8]>::len) + AROUND;
        let closes = self.block.entries() > 0 && size > BLOCK;
        if closes {
            self.close_block()?;
        }
        if self.block.entries() == 0 {
            self.lowest.clear();
            self.lowest.extend_from_slice(separator(self.block.last(), key));
        }
        let filtered = (self.goes_in)(key);
        self.filtered.add(filtered);
        if filtered.is_in(self.is_large) {
            self.hashes.push(KeyHash::of(key));
        }
        let pushed = self.block.push(key, value);
        pushed.ok_or_else(|| Damage::Defect("entries of a run out of order".to_owned()))?;
        self.entries += 1;
        Ok(closes)
    }

    fn check(key: &[u8], value: Option<&[u8]>) -> Result<(), Damage> {
        let why = if key.is_empty() || key.len() > MAX_KEY {
            format!("a key of {} bytes", key.len())
        } else if value.is_some_and(|value| value.len() > LARGEST) {
            format!("a value of {} bytes", value.unwrap_or_default().len())
        } else {
            return Ok(());
        };
        Err(Damage::Defect(why))
    }

    fn close_block(&mut self) -> Result<(), Damage> {
        for hash in self.hashes.drain(..) {
            self.filter.add(hash);
        }
        let at = self.out.at();
        let content = self.block.finish();
        let checksum = checksum(self.number, at, content).to_be_bytes();
        self.blocks.update(&checksum);
        let mut length = Vec::with_capacity(4);
        put_number(&mut length, content.len());
        self.out.append(content)?;
        self.out.append(&checksum)?;
        self.index.push(&self.lowest, Some(&length)).ok_or_else(too_large)?;
        self.block.clear();
        Ok(())
    }

    /// Ends the run and makes its content durable, not yet its name. `None`:
    /// there were no entries, and there is no run.
    pub(super) fn finish(mut self) -> Result<Option<Named>, Damage> {
        if self.entries == 0 {
            return Ok(None);
        }
        self.close_block()?;
        let index_at = self.out.at();
        let index = self.index.finish();
        let index_checksum = checksum(self.number, index_at, index);
        self.out.append(index)?;
        let filter_at = self.out.at();
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.number.to_be_bytes());
        hasher.update(&filter_at.to_be_bytes());
        for word in self.filter.to_bytes() {
            hasher.update(&word);
            self.out.append(&word)?;
        }
        let footer = Footer {
            run: self.number,
            entries: self.entries,
            filtered: self.filtered,
            is_large: self.is_large,
            index_at,
            filter_at,
            blocks_checksum: self.blocks.finalize(),
            index_checksum,
            filter_checksum: hasher.finalize(),
        };
        let footer = footer.to_bytes();
        self.out.append(&footer)?;
        let named = Named {
            number: self.number,
            level: self.level,
            entries: self.entries,
            bytes: self.out.at(),
            seal: seal(&footer).unwrap_or_default(),
        };
        self.out.finish()?;
        Ok(Some(named))
    }
}

fn too_large() -> Damage {
    Damage::Defect("a run with an index of 4 GiB".to_owned())
}

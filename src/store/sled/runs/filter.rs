//! Answers that a run has no row under a key without looking into it: a Bloom
//! filter of ten bits a key, all bits of a key within 64 bytes, so that asking
//! costs one trip to memory. One key in sixty or so is looked for in vain.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use xxhash_rust::xxh3::xxh3_64;

use crate::store::sled::{
    codec::Fields,
    damage::Damage,
    sync::{Disk, Stage},
};

/// Begins the file, and names its format.
const MAGIC: &[u8; 8] = b"bursarB1";
const BITS_A_KEY: usize = 10;
/// Bits of a key.
const PROBES: u32 = 6;
/// Words of 64 bits that a key's bits are within.
const LINE: usize = 8;

/// A hash of a key.
pub(super) fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// The filter.
#[derive(Debug)]
pub(super) struct Filter {
    /// The lowest key of the run.
    pub(super) lowest: Vec<u8>,
    lines: Vec<[u64; LINE]>,
}

impl Filter {
    /// Of these keys, the lowest of which is given.
    pub(super) fn of(hashes: &[u64], lowest: Vec<u8>) -> Self {
        let lines = (hashes.len() * BITS_A_KEY).div_ceil(64 * LINE).max(1);
        let mut filter = Self { lowest, lines: vec![[0; LINE]; lines] };
        for hash in hashes {
            let place = filter.place(*hash);
            if let Some(line) = filter.lines.get_mut(place) {
                for (word, bit) in probes(*hash) {
                    if let Some(word) = line.get_mut(word) {
                        *word |= bit;
                    }
                }
            }
        }
        filter
    }

    /// Whether the run may have a key.
    pub(super) fn may_have(&self, hash: u64) -> bool {
        self.lines.get(self.place(hash)).is_none_or(|line| {
            probes(hash).all(|(word, bit)| line.get(word).is_none_or(|word| word & bit != 0))
        })
    }

    fn place(&self, hash: u64) -> usize {
        let wide = u128::from(hash) * self.lines.len() as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// Writes it to a file of its own, durably.
    pub(super) fn write(&self, path: &Path, disk: &dyn Disk) -> Result<(), Damage> {
        let mut bytes = MAGIC.to_vec();
        let length = u32::try_from(self.lowest.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(&self.lowest);
        bytes.extend(self.lines.iter().flatten().flat_map(|word| word.to_le_bytes()));
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| {
            file.write_all(&bytes)?;
            disk.sync(Stage::Blocks, &file)
        })
        .map_err(Damage::io(path))
    }

    /// Reads it from its file.
    pub(super) fn read(path: &Path) -> Result<Self, Damage> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(Damage::io(path))?,
        };
        Self::parse(&bytes).ok_or_else(|| Damage::Unreadable {
            what: path.display().to_string(),
            why: "its checksum does not fit".to_owned(),
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk()?;
        if u32::from_be_bytes(*checksum) != crc32fast::hash(content) {
            return None;
        }
        let mut fields = Fields(content.strip_prefix(MAGIC)?);
        let lowest = fields.counted()?.to_vec();
        let (lines, rest) = fields.0.as_chunks::<{ 8 * LINE }>();
        let line = |bytes: &[u8; 8 * LINE]| {
            let (words, _) = bytes.as_chunks::<8>();
            let mut line = [0; LINE];
            for (word, bytes) in line.iter_mut().zip(words) {
                *word = u64::from_le_bytes(*bytes);
            }
            line
        };
        (rest.is_empty() && !lines.is_empty())
            .then(|| Self { lowest, lines: lines.iter().map(line).collect() })
    }
}

/// Words of a line, and the bits in them.
fn probes(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    // The upper bits chose the line; multiplying mixes them into the others.
    let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..PROBES).map(move |probe| {
        let nine = (mixed >> (probe * 9 + 10)) & 511;
        (usize::try_from(nine >> 6).unwrap_or(0), 1 << (nine & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_denied_and_little_else_is_claimed() {
        let key = |n: u64| hash(&n.to_be_bytes());
        let hashes: Vec<u64> = (0..100_000).map(key).collect();
        let filter = Filter::of(&hashes, Vec::new());
        assert!(hashes.iter().all(|hash| filter.may_have(*hash)));
        let wrong = (100_000..200_000).filter(|n| filter.may_have(key(*n))).count();
        assert!(wrong < 3_000, "{wrong} in 100,000");
        assert!(!Filter::of(&[], Vec::new()).may_have(key(1)));
    }
}

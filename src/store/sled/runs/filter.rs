//! A filter of keys: says for certain that a key is not in a run. Twelve bits a
//! key; of 200 keys that are not there, one is taken for one that may be.
//!
//! A Bloom filter in which all seven bits of a key are in one line of the
//! processor's cache. It is on disk, so its hash may not change. Our own
//! because it takes keys one by one, while the crates either want all of them
//! at once, with their hashes in memory, or leave their format open.

use std::fmt;

use super::super::damage::Damage;

const BITS_PER_KEY: u64 = 12;
const WORDS: usize = 8;
const PROBES: usize = 7;

/// A hash of a key, good for the filters of all runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyHash(u64);

impl KeyHash {
    /// Of this key.
    pub(super) fn of(key: &[u8]) -> Self {
        const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
        let (words, tail) = key.as_chunks::<8>();
        let mut hash = fold(key.len() as u64 ^ SEED, 0xd6e8_feb8_6659_fd93);
        for word in words {
            hash = fold(hash ^ u64::from_le_bytes(*word), SEED);
        }
        let tail = tail.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        Self(fold(fold(hash ^ tail, SEED), 0xa076_1d64_78bd_642f))
    }
}

/// Multiplies to 128 bits and folds the halves together.
#[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} lines)", self.0.len())
    }
}

/// The filter of a run.
pub(super) struct Filter(Vec<[u64; WORDS]>);

impl Filter {
    /// An empty one for so many keys.
    pub(super) fn with_room(keys: u64) -> Result<Self, Damage> {
        let lines = keys.saturating_mul(BITS_PER_KEY).div_ceil(WORDS as u64 * 64).max(1);
        let lines = u32::try_from(lines).ok().and_then(|lines| usize::try_from(lines).ok());
        let lines = lines.ok_or_else(|| Damage::Defect(format!("a run of {keys} keys")))?;
        Ok(Self(vec![[0; WORDS]; lines]))
    }

    fn line(&self, hash: KeyHash) -> usize {
        // Below the number of lines, which is below 2^32.
        (((hash.0 >> 32) * self.0.len() as u64) >> 32) as usize
    }

    /// Adds a key.
    pub(super) fn add(&mut self, hash: KeyHash) {
        let at = self.line(hash);
        if let Some(line) = self.0.get_mut(at) {
            for (word, mask) in probes(hash) {
                if let Some(word) = line.get_mut(word) {
                    *word |= mask;
                }
            }
        }
    }

    /// Whether the key may be there; if not, it is not.
    pub(super) fn may_have(&self, hash: KeyHash) -> bool {
        let line = self.0.get(self.line(hash));
        line.is_none_or(|line| {
            probes(hash).all(|(at, mask)| line.get(at).is_none_or(|word| word & mask != 0))
        })
    }

    /// As it is stored.
    pub(super) fn to_bytes(&self) -> impl Iterator<Item = [u8; 8]> {
        self.0.iter().flatten().map(|word| word.to_le_bytes())
    }

    /// From what was stored and checked.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (lines, rest) = bytes.as_chunks::<{ 8 * WORDS }>();
        let line = |bytes: &[u8; 8 * WORDS]| {
            let mut line = [0; WORDS];
            for (word, bytes) in line.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            line
        };
        (rest.is_empty() && !lines.is_empty() && u32::try_from(lines.len()).is_ok())
            .then(|| Self(lines.iter().map(line).collect()))
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        self.0.len() * WORDS * 8
    }
}

/// Words of a line and the bit in each.
fn probes(hash: KeyHash) -> impl Iterator<Item = (usize, u64)> {
    let bits = hash.0.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 1;
    (0..PROBES).map(move |probe| {
        let bit = bits >> (9 * probe) & 511;
        ((bit >> 6) as usize, 1 << (bit & 63))
    })
}

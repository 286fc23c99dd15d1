//! The end of a run: where its parts are, and the seal that the manifest knows
//! the run by.
//!
//! A run is blocks, each followed by its checksum; then the index and the
//! filter; then this.

use super::{super::codec::Fields, options::Counts};

const MAGIC: &[u8; 8] = b"bursarun";
const VERSION: u32 = 4;
/// Bytes that it takes.
pub(super) const SIZE: usize = 8 + 4 + 6 * 8 + 5 * 4;

/// What the end of a run says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Footer {
    /// The number of the run.
    pub(super) run: u64,
    /// How many entries it has.
    pub(super) entries: u64,
    /// How many keys of them go into filters.
    pub(super) filtered: Counts,
    /// Whether those that go only into filters of small runs are not in its own.
    pub(super) is_large: bool,
    /// Where the blocks end and the index begins.
    pub(super) index_at: u64,
    /// Where the index ends and the filter begins.
    pub(super) filter_at: u64,
    /// Checksum of the checksums of the blocks.
    pub(super) blocks_checksum: u32,
    /// Checksum of the index.
    pub(super) index_checksum: u32,
    /// Checksum of the filter.
    pub(super) filter_checksum: u32,
}

impl Footer {
    /// As it is stored.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SIZE);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        let Counts { always, small } = self.filtered;
        for number in [self.run, self.entries, always, small, self.index_at, self.filter_at] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&u32::from(self.is_large).to_be_bytes());
        out.extend_from_slice(&self.blocks_checksum.to_be_bytes());
        out.extend_from_slice(&self.index_checksum.to_be_bytes());
        out.extend_from_slice(&self.filter_checksum.to_be_bytes());
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_be_bytes());
        out
    }

    /// Reads it and checks it. `None`: damaged, or of another version.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        let mut fields = Fields(content);
        if u32::from_be_bytes(*checksum) != crc32fast::hash(content)
            || fields.bytes(MAGIC.len())? != MAGIC
            || fields.short()? != VERSION
        {
            return None;
        }
        let footer = Self {
            run: fields.long()?,
            entries: fields.long()?,
            filtered: Counts { always: fields.long()?, small: fields.long()? },
            index_at: fields.long()?,
            filter_at: fields.long()?,
            is_large: fields.short()? != 0,
            blocks_checksum: fields.short()?,
            index_checksum: fields.short()?,
            filter_checksum: fields.short()?,
        };
        fields.0.is_empty().then_some(footer)
    }
}

/// What the manifest knows a run by: depends on every byte of it.
pub(super) fn seal(footer: &[u8]) -> Option<u32> {
    footer.last_chunk().map(|checksum| u32::from_be_bytes(*checksum))
}

/// The checksum of a block, or of another part: tells it also from the same
/// bytes elsewhere, or in another run.
pub(super) fn checksum(run: u64, at: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&run.to_be_bytes());
    hasher.update(&at.to_be_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

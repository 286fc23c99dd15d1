//! A frame of the journal: the records of one commit, their place in the chain,
//! and a checksum. Its format; knows nothing of files.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `MAGIC` |
//! | 4 | length of the payload |
//! | 8 | the journal's mark, drawn when it was made |
//! | 8 | number of the commit, from 1 without gaps |
//! | 8, 8 | first and last record |
//! | 32 | BLAKE3 of the frame before; zeros before the first |
//! | … | the payload: each record behind its length of 4 bytes |
//! | 4 | CRC-32 of all that |
//!
//! A commit is one frame: it is there whole or not at all. The chain uses all
//! 32 bytes of BLAKE3: it is the evidence against tampering, where half of
//! them would stop no one who can choose the content of two records.

use std::{fmt, sync::Arc};

use super::written::Written;
use crate::store::sled::{codec::Fields, damage::Damage};

/// Begins a frame, and names its format.
const MAGIC: [u8; 4] = *b"bJF1";
/// What stands before the payload.
pub(super) const HEADER: usize = 4 + 4 + 8 + 3 * 8 + 32;
/// What stands behind it.
const CHECKSUM: usize = 4;

/// BLAKE3 of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of these bytes.
    pub(in crate::store::sled) fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where a journal ends, or ended once.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct End {
    /// The last record; 0 if there is none.
    pub sequence: u64,
    /// The last commit; 0 if there is none.
    pub commit: u64,
    /// Hash of its frame.
    pub hash: Hash,
}

/// What stands before a frame's payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Bytes of the payload.
    pub(super) length: u32,
    /// The journal's mark.
    pub(super) mark: u64,
    /// Number of the commit.
    pub(super) commit: u64,
    /// Its first record.
    pub(super) first: u64,
    /// Its last record.
    pub(super) last: u64,
    /// Hash of the frame before.
    pub(super) previous: Hash,
}

impl Header {
    /// Reads the front of a frame. `None`: nothing begins here.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.array()? != MAGIC {
            return None;
        }
        Some(Self {
            length: fields.short()?,
            mark: fields.long()?,
            commit: fields.long()?,
            first: fields.long()?,
            last: fields.long()?,
            previous: Hash(fields.array()?),
        })
    }

    /// Whether it continues a journal that ends at `end`.
    pub(super) fn follows(&self, end: &End) -> Result<(), &'static str> {
        if self.commit != end.commit + 1 {
            return Err("it has another number");
        }
        if self.previous != end.hash {
            return Err("it does not follow the commit before it");
        }
        if self.first != end.sequence + 1 || self.last < self.first {
            return Err("its records do not follow those before it");
        }
        Ok(())
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_length(&self) -> u64 {
        (HEADER + CHECKSUM) as u64 + u64::from(self.length)
    }
}

/// Reads the whole of a frame and checks what can be checked by itself.
pub(super) fn parse(bytes: &[u8]) -> Result<Header, &'static str> {
    let header = Header::parse(bytes).ok_or("it does not begin as one")?;
    let (content, checksum) = bytes.split_last_chunk().ok_or("it is too short")?;
    if header.frame_length() != bytes.len() as u64 {
        return Err("its length does not fit");
    }
    if u32::from_be_bytes(*checksum) != crc32fast::hash(content) {
        return Err("its checksum does not fit");
    }
    Ok(header)
}

/// The records of a frame that was parsed before.
pub(super) fn payload(bytes: &[u8]) -> &[u8] {
    bytes.get(HEADER..bytes.len().saturating_sub(CHECKSUM)).unwrap_or_default()
}

/// Finds the start of something that might be a frame.
pub(super) fn find_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).position(|window| *window == MAGIC)
}

/// A frame on its way to the disk.
#[derive(Debug)]
pub(in crate::store::sled) struct Draft {
    bytes: Vec<u8>,
    records: Option<(u64, u64)>,
}

impl Draft {
    /// Of records that follow one another.
    pub(in crate::store::sled) fn of(all: &[Arc<Written>]) -> Self {
        let size: usize = all.iter().map(|written| written.bytes().len()).sum();
        let mut bytes = Vec::with_capacity(HEADER + size + CHECKSUM);
        bytes.resize(HEADER, 0);
        all.iter().for_each(|written| bytes.extend_from_slice(written.bytes()));
        let spans = all.iter().filter_map(|written| written.span());
        let records = spans.reduce(|(first, _), (_, last)| (first, last));
        Self { bytes, records }
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_length(&self) -> u64 {
        (self.bytes.len() + CHECKSUM) as u64
    }

    /// The frame after `end`, and where the journal ends with it.
    pub(super) fn finish(mut self, mark: u64, end: &End) -> Result<(Vec<u8>, End), Damage> {
        let Some((first, last)) = self.records else {
            return Err(Damage::Defect("a commit without records".to_owned()));
        };
        let length = u32::try_from(self.bytes.len() - HEADER).map_err(|_| too_long(first))?;
        let commit = end.commit + 1;
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(length.to_be_bytes());
        for field in [mark, commit, first, last] {
            header.extend(field.to_be_bytes());
        }
        header.extend(end.hash.0);
        if let Some(slot) = self.bytes.get_mut(..HEADER) {
            slot.copy_from_slice(&header);
        }
        let checksum = crc32fast::hash(&self.bytes);
        self.bytes.extend(checksum.to_be_bytes());
        let hash = Hash::of(&self.bytes);
        Ok((self.bytes, End { sequence: last, commit, hash }))
    }
}

/// That records are more than a frame can have.
pub(super) fn too_long(sequence: u64) -> Damage {
    Damage::Defect(format!("the commit with record {sequence} is above 4 GiB"))
}

//! A chunk of the journal: its format, checksum and place in the chain. Knows
//! nothing of sled.
//!
//! The records of a commit are one stream, each behind its length, cut into
//! pieces that fit. A commit starts a chunk of its own; its last chunk is
//! flagged, and without that chunk the commit did not happen.
//!
//! The chain uses all 32 bytes of SHA-256: it is the evidence against
//! tampering, where half of them would stop no one who can choose the content
//! of two records, and the other half costs 16 bytes in 6,000.

use std::{fmt, ops::Range};

use sha2::{Digest, Sha256};

use super::{MAX_VALUE, codec::Fields, damage::Damage};

const VERSION: u8 = 1;
/// Flag: the commit ends with this chunk.
const COMPLETE: u8 = 1;
/// Version, flags, begins, length, number, commit, first, last, previous.
const HEADER: usize = 1 + 1 + 2 + 4 + 4 * 8 + 32;
const CHECKSUM: usize = 4;
/// What a chunk carries at most.
const ROOM: usize = MAX_VALUE - HEADER - CHECKSUM;
const _: () = assert!(ROOM <= u16::MAX as usize, "`begins` is 16 bits wide");

/// SHA-256 of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of a chunk as it is stored.
    pub(super) fn of(chunk: &[u8]) -> Self {
        Self(Sha256::digest(chunk).into())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A chunk, read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    /// Whether the commit ends with it.
    pub(super) complete: bool,
    /// Where in `payload` the first record starts that starts here; its end if
    /// none does.
    pub(super) begins: usize,
    /// Its number; the first is 1.
    pub(super) number: u64,
    /// Number of the first chunk of its commit.
    pub(super) commit: u64,
    /// The record that its first byte belongs to.
    pub(super) first: u64,
    /// The record that its last byte belongs to.
    pub(super) last: u64,
    /// Hash of the chunk before it; of the first chunk zeros.
    pub(super) previous: Hash,
    /// Its piece of the stream.
    pub(super) payload: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Reads a chunk and checks all that can be checked by itself.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (content, checksum) = bytes.split_last_chunk().ok_or("it is too short")?;
        if u32::from_be_bytes(*checksum) != crc32fast::hash(content) {
            return Err("its checksum does not fit");
        }
        let mut fields = Fields(content);
        if fields.byte() != Some(VERSION) {
            return Err("it has a version that this release does not know");
        }
        Self::parse_fields(&mut fields).ok_or("its header does not fit")
    }

    fn parse_fields(fields: &mut Fields<'a>) -> Option<Self> {
        let complete = fields.byte()? & COMPLETE != 0;
        let begins = usize::from(fields.array().map(u16::from_be_bytes)?);
        let length = usize::try_from(fields.short()?).ok()?;
        let chunk = Self {
            complete,
            begins,
            number: fields.long()?,
            commit: fields.long()?,
            first: fields.long()?,
            last: fields.long()?,
            previous: Hash(fields.array()?),
            payload: fields.0,
        };
        (length == chunk.payload.len() && begins <= length).then_some(chunk)
    }

    /// Whether its first byte continues a record of the chunk before it.
    pub(super) fn continues(&self) -> bool {
        self.begins > 0
    }

    fn to_bytes(self) -> Result<Vec<u8>, Damage> {
        let too_long = |_| Damage::Defect("a chunk is too long".to_owned());
        let mut out = Vec::with_capacity(MAX_VALUE);
        out.push(VERSION);
        out.push(if self.complete { COMPLETE } else { 0 });
        out.extend(u16::try_from(self.begins).map_err(too_long)?.to_be_bytes());
        out.extend(u32::try_from(self.payload.len()).map_err(too_long)?.to_be_bytes());
        for field in [self.number, self.commit, self.first, self.last] {
            out.extend(field.to_be_bytes());
        }
        out.extend(self.previous.0);
        out.extend(self.payload);
        out.extend(crc32fast::hash(&out).to_be_bytes());
        Ok(out)
    }
}

/// The payload of a chunk that was parsed before.
pub(super) fn payload(chunk: &[u8]) -> &[u8] {
    chunk.get(HEADER..chunk.len().saturating_sub(CHECKSUM)).unwrap_or_default()
}

/// Records on their way into chunks.
#[derive(Debug, Default)]
pub(super) struct Stream {
    bytes: Vec<u8>,
    /// Each record's sequence and place.
    records: Vec<(u64, Range<usize>)>,
}

impl Stream {
    /// Adds a record, which `write` appends to the stream.
    pub(super) fn push(
        &mut self,
        sequence: u64,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        write(&mut self.bytes)?;
        let length = u32::try_from(self.bytes.len() - start - 4)
            .map_err(|_| Damage::Defect(format!("record {sequence} is above 4 GiB")))?;
        if let Some(slot) = self.bytes.get_mut(start..start + 4) {
            slot.copy_from_slice(&length.to_be_bytes());
        }
        self.records.push((sequence, start..self.bytes.len()));
        Ok(())
    }

    /// Cuts it into the chunks after chunk `after`, whose hash is `previous`.
    pub(super) fn cut(&self, after: u64, previous: Hash) -> Result<Vec<Vec<u8>>, Damage> {
        let mut chunks: Vec<Vec<u8>> = Vec::new();
        let mut previous = previous;
        let mut records = self.records.iter().peekable();
        let mut start = 0;
        for (number, payload) in (after + 1..).zip(self.bytes.chunks(ROOM)) {
            let end = start + payload.len();
            let Some((first, place)) = records.peek() else {
                return Err(Damage::Defect("bytes of no record".to_owned()));
            };
            let (mut last, mut begins) = (*first, payload.len());
            if place.start >= start {
                begins = place.start - start;
            } else if place.end < end {
                begins = place.end - start;
            }
            while let Some((sequence, place)) = records.peek() {
                if place.start >= end {
                    break;
                }
                last = *sequence;
                if place.end > end {
                    break;
                }
                records.next();
            }
            let chunk = Chunk {
                complete: end == self.bytes.len(),
                begins,
                number,
                commit: after + 1,
                first: *first,
                last,
                previous,
                payload,
            };
            let bytes = chunk.to_bytes()?;
            previous = Hash::of(&bytes);
            chunks.push(bytes);
            start = end;
        }
        Ok(chunks)
    }
}

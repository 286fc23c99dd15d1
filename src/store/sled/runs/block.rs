//! Rows of a run packed together: in order of their keys, each key without what
//! it shares with the one before, behind a checksum and the first key of the
//! next block: sled may lose blocks without a word, and who looks for a key must
//! not take that for an answer.

use crate::store::sled::{codec::Fields, damage::Damage};

/// Most bytes of entries in a packed block; `database.rs` says why.
const ROOM: usize = crate::store::sled::MAX_VALUE - 4 - 2 - crate::store::sled::MAX_KEY;
/// In place of a key's length: there is no next block.
const LAST: u16 = u16::MAX;
/// What stands before an entry's key.
const HEAD: usize = 2 + 2 + 4;
/// In place of a length: there is no row under this key any more.
const GONE: u32 = u32::MAX;
/// In place of a length: the value is in parts; where they are follows.
const APART: u32 = u32::MAX - 1;
/// Bytes that say where parts are.
const PLACE: usize = 8 + 4 + 4;
/// Longer values are kept in parts.
pub(super) const LONGEST: usize = 2048;

/// What an entry says of its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// It has this value.
    Here(Vec<u8>),
    /// It has a value that is in parts.
    Apart(Place),
    /// It is gone.
    Gone,
}

/// Where a value is that is in parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Its number within the run.
    pub(super) number: u64,
    /// Its length.
    pub(super) length: u32,
    /// CRC-32 of all of it.
    pub(super) checksum: u32,
}

/// A key and what is said of it.
pub(super) type Packed = (Vec<u8>, Value);

/// A block on its way.
#[derive(Debug, Default)]
pub(super) struct Draft {
    bytes: Vec<u8>,
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Draft {
    /// Adds an entry. Gives it back if there is no room for it.
    pub(super) fn push(&mut self, key: &[u8], value: &Value) -> bool {
        let shared = self.last.iter().zip(key).take_while(|(a, b)| a == b).count();
        let rest = key.get(shared..).unwrap_or_default();
        let size = match value {
            Value::Here(bytes) => bytes.len(),
            Value::Apart(_) => PLACE,
            Value::Gone => 0,
        };
        if self.is_empty() {
            self.first = key.to_vec();
        } else if self.bytes.len() + HEAD + rest.len() + size > ROOM {
            return false;
        }
        // Keys and values are far below these bounds.
        let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        self.bytes.extend(short(shared));
        self.bytes.extend(short(rest.len()));
        let length = match value {
            Value::Here(bytes) => u32::try_from(bytes.len()).unwrap_or(GONE),
            Value::Apart(_) => APART,
            Value::Gone => GONE,
        };
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(rest);
        match value {
            Value::Here(bytes) => self.bytes.extend(bytes),
            Value::Apart(Place { number, length, checksum }) => {
                self.bytes.extend(number.to_be_bytes());
                self.bytes.extend(length.to_be_bytes());
                self.bytes.extend(checksum.to_be_bytes());
            }
            Value::Gone => {}
        }
        self.last.truncate(shared);
        self.last.extend(rest);
        true
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its first key, and all of it. `next` is the first key of the next one.
    pub(super) fn finish(&mut self, next: Option<&[u8]>) -> (Vec<u8>, Vec<u8>) {
        let mut bytes = vec![0; 4];
        let length = next.map_or(LAST, |next| u16::try_from(next.len()).unwrap_or(LAST));
        bytes.extend(length.to_be_bytes());
        bytes.extend(next.unwrap_or_default());
        bytes.append(&mut self.bytes);
        let checksum = crc32fast::hash(bytes.get(4..).unwrap_or_default());
        if let Some(place) = bytes.first_chunk_mut::<4>() {
            *place = checksum.to_be_bytes();
        }
        self.last.clear();
        (std::mem::take(&mut self.first), bytes)
    }
}

/// Reads a block from front to back.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    fields: Fields<'a>,
    /// The first key of the next block.
    pub(super) next_block: Option<&'a [u8]>,
    /// The key of the entry that was read last.
    pub(super) key: Vec<u8>,
}

/// That a block is not there.
pub(super) fn missing() -> Damage {
    Damage::Unreadable {
        what: "a block of rows at rest".to_owned(),
        why: "it is missing".to_owned(),
    }
}

/// That a block is not as it was written.
pub(super) fn damaged() -> Damage {
    Damage::Unreadable {
        what: "a block of rows at rest".to_owned(),
        why: "its checksum does not fit".to_owned(),
    }
}

/// A value as it is in a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen<'a> {
    /// Bytes of the block.
    Here(&'a [u8]),
    /// In parts.
    Apart(Place),
    /// Gone.
    Gone,
}

impl Seen<'_> {
    /// The same, of its own.
    pub(super) fn to_value(self) -> Value {
        match self {
            Self::Here(bytes) => Value::Here(bytes.to_vec()),
            Self::Apart(place) => Value::Apart(place),
            Self::Gone => Value::Gone,
        }
    }
}

impl<'a> Reader<'a> {
    /// Checks a block.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Damage> {
        let (checksum, content) = bytes.split_first_chunk().ok_or_else(damaged)?;
        if u32::from_be_bytes(*checksum) != crc32fast::hash(content) {
            return Err(damaged());
        }
        let mut fields = Fields(content);
        let next_block = match fields.array().map(u16::from_be_bytes).ok_or_else(damaged)? {
            LAST => None,
            length => Some(fields.bytes(usize::from(length)).ok_or_else(damaged)?),
        };
        Ok(Self { fields, next_block, key: Vec::new() })
    }

    /// The next entry, whose key is in `key` then.
    pub(super) fn next(&mut self) -> Result<Option<Seen<'a>>, Damage> {
        if self.fields.0.is_empty() {
            return Ok(None);
        }
        self.read().map(Some).ok_or_else(damaged)
    }

    fn read(&mut self) -> Option<Seen<'a>> {
        let shared = usize::from(u16::from_be_bytes(self.fields.array()?));
        let rest = usize::from(u16::from_be_bytes(self.fields.array()?));
        let length = self.fields.short()?;
        if shared > self.key.len() {
            return None;
        }
        self.key.truncate(shared);
        self.key.extend(self.fields.bytes(rest)?);
        Some(match length {
            GONE => Seen::Gone,
            APART => Seen::Apart(Place {
                number: self.fields.long()?,
                length: self.fields.short()?,
                checksum: self.fields.short()?,
            }),
            length => Seen::Here(self.fields.bytes(usize::try_from(length).ok()?)?),
        })
    }
}

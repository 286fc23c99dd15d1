//! A block: neighbouring rows packed into one value. Its format, and how a
//! block that became too large is cut. Knows nothing of sled.

use super::{
    MAX_KEY, MAX_VALUE,
    codec::{Fields, put_counted},
    damage::Damage,
    sort_key::separator,
};

const VERSION: u8 = 1;
/// The content is in the value.
const INLINE: u8 = 0;
/// The content is in parts.
const SPREAD: u8 = 1;
/// Version, kind, checksum.
const HEADER: usize = 1 + 1 + 4;
/// What an inline block holds at most.
pub(super) const ROOM: usize = MAX_VALUE - HEADER;
/// How far pieces are filled when a block is cut, so that the next rows fit.
const FILL: usize = ROOM / 4 * 3;
/// Flag of a row: memory need not have it.
const COLD: u8 = 1;

/// A row in a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// Its key.
    pub(super) key: Vec<u8>,
    /// Whether memory need not have it.
    pub(super) cold: bool,
    /// The last record that was applied to it.
    pub(super) sequence: u64,
    /// The row, encoded.
    pub(super) row: Vec<u8>,
}

impl Entry {
    fn size(&self) -> usize {
        4 + self.key.len() + 1 + 8 + 4 + self.row.len()
    }
}

/// The value of a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// The content itself.
    Inline(&'a [u8]),
    /// Where the content is.
    Spread(Spread),
}

/// Where the content of a spread block is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spread {
    /// Tells these parts from those of the block's version before.
    pub(super) generation: u64,
    /// How many there are.
    pub(super) parts: u32,
    /// Checksum of the whole content.
    pub(super) checksum: u32,
}

impl<'a> Value<'a> {
    /// Reads a value and checks it. `None`: damaged.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.byte()? != VERSION {
            return None;
        }
        let kind = fields.byte()?;
        let checksum = fields.short()?;
        match kind {
            INLINE => (crc32fast::hash(fields.0) == checksum).then_some(Self::Inline(fields.0)),
            SPREAD => {
                let (generation, parts) = (fields.long()?, fields.short()?);
                Some(Self::Spread(Spread { generation, parts, checksum }))
            }
            _ => None,
        }
    }

    /// As it is stored.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Self::Inline(content) => {
                out.push(INLINE);
                out.extend(crc32fast::hash(content).to_be_bytes());
                out.extend(content);
            }
            Self::Spread(spread) => {
                out.push(SPREAD);
                out.extend(spread.checksum.to_be_bytes());
                out.extend(spread.generation.to_be_bytes());
                out.extend(spread.parts.to_be_bytes());
            }
        }
        out
    }
}

/// The content of an inline value that was parsed before.
pub(super) fn inline(value: &[u8]) -> &[u8] {
    value.get(HEADER..).unwrap_or_default()
}

/// The rows of a block's content, in order. Ends early with an error if the
/// content is not well-formed.
pub(super) fn entries(content: &[u8]) -> impl Iterator<Item = Result<EntryRef<'_>, Damage>> {
    let mut fields = Fields(content);
    std::iter::from_fn(move || {
        if fields.0.is_empty() {
            return None;
        }
        let entry = read_entry(&mut fields);
        if entry.is_none() {
            fields.0 = &[];
        }
        Some(entry.ok_or_else(|| Damage::Unreadable {
            what: "a block".to_owned(),
            why: "it is not well-formed".to_owned(),
        }))
    })
}

/// A row in a block's content.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryRef<'a> {
    /// Its key.
    pub(super) key: &'a [u8],
    /// Whether memory need not have it.
    pub(super) cold: bool,
    /// The last record that was applied to it.
    pub(super) sequence: u64,
    /// The row, encoded.
    pub(super) row: &'a [u8],
}

impl EntryRef<'_> {
    /// A copy of its own.
    pub(super) fn to_owned(self) -> Entry {
        Entry {
            key: self.key.to_vec(),
            cold: self.cold,
            sequence: self.sequence,
            row: self.row.to_vec(),
        }
    }
}

fn read_entry<'a>(fields: &mut Fields<'a>) -> Option<EntryRef<'a>> {
    Some(EntryRef {
        key: fields.counted()?,
        cold: fields.byte()? & COLD != 0,
        sequence: fields.long()?,
        row: fields.counted()?,
    })
}

/// The content of a block with these rows.
pub(super) fn content(entries: &[Entry]) -> Result<Vec<u8>, Damage> {
    let mut out = Vec::with_capacity(entries.iter().map(Entry::size).sum());
    for entry in entries {
        put_counted(&mut out, &entry.key)?;
        out.push(if entry.cold { COLD } else { 0 });
        out.extend(entry.sequence.to_be_bytes());
        put_counted(&mut out, &entry.row)?;
    }
    Ok(out)
}

/// Cuts rows into pieces that fit, each but the first with its lowest key. Rows
/// whose keys agree for longer than a key may be stay together: such a piece,
/// and a row that is too large by itself, does not fit and is spread.
pub(super) fn cut(entries: &[Entry]) -> Vec<(Option<Vec<u8>>, &[Entry])> {
    if entries.iter().map(Entry::size).sum::<usize>() <= ROOM {
        return vec![(None, entries)];
    }
    let mut pieces = Vec::new();
    let (mut bound, mut start, mut size) = (None, 0, 0);
    for (at, pair) in entries.windows(2).enumerate() {
        let [entry, next] = pair else { continue };
        size += entry.size();
        let lowest = separator(&entry.key, &next.key);
        if size + next.size() > FILL && lowest.len() <= MAX_KEY {
            pieces.push((bound.take(), entries.get(start..=at).unwrap_or_default()));
            (bound, start, size) = (Some(lowest.to_vec()), at + 1, 0);
        }
    }
    pieces.push((bound, entries.get(start..).unwrap_or_default()));
    pieces
}

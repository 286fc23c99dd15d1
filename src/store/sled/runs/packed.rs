//! Entries in order, packed: what blocks and indexes hold. Knows no files.
//!
//! Entries come in groups of [`GROUP`]. Each says how many bytes its key has in
//! common with the one before (none at the start of a group), how many follow,
//! and 0 for a deletion or the length of its value plus one; numbers are
//! LEB128. After the entries come the offsets of the groups and their count,
//! 32 bits each, so that a group is found by halving.

use std::cmp::Ordering;

use super::super::codec::Fields;

/// Entries that share one full key.
pub(super) const GROUP: usize = 16;

/// Packs entries.
#[derive(Debug, Default)]
pub(super) struct Packer {
    bytes: Vec<u8>,
    groups: Vec<u32>,
    last: Vec<u8>,
    entries: usize,
}

impl Packer {
    /// Adds the entry that follows all others. `None`: it does not follow the
    /// last one, or there is no room for it.
    pub(super) fn push(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<()> {
        let mut shared = common(&self.last, key);
        if self.last.get(shared) >= key.get(shared) {
            return None;
        }
        if self.entries.is_multiple_of(GROUP) {
            self.groups.push(u32::try_from(self.bytes.len()).ok()?);
            shared = 0;
        }
        let rest = key.get(shared..)?;
        put_number(&mut self.bytes, shared);
        put_number(&mut self.bytes, rest.len());
        put_number(&mut self.bytes, value.map_or(Some(0), |value| value.len().checked_add(1))?);
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        self.entries += 1;
        Some(())
    }

    /// How many bytes it takes so far.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + 4 * self.groups.len() + 4
    }

    /// How many entries were added.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The last key that was added since it was made.
    pub(super) fn last(&self) -> &[u8] {
        &self.last
    }

    /// What was packed; it is empty again after `clear`.
    pub(super) fn finish(&mut self) -> &[u8] {
        for group in &self.groups {
            self.bytes.extend_from_slice(&group.to_le_bytes());
        }
        let count = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&count.to_le_bytes());
        &self.bytes
    }

    /// Forgets everything but the last key.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.groups.clear();
        self.entries = 0;
    }
}

/// Entries that were packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    entries: &'a [u8],
    groups: &'a [[u8; 4]],
}

impl<'a> Packed<'a> {
    /// Reads the frame of it. `None`: it is not well-formed.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (rest, count) = bytes.split_last_chunk::<4>()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let at = rest.len().checked_sub(count.checked_mul(4)?)?;
        let (entries, groups) = rest.split_at_checked(at)?;
        let (groups, _) = groups.as_chunks::<4>();
        (count > 0).then_some(Self { entries, groups })
    }

    /// How many groups there are: at least one.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The group that a key is in, if it is in any: the last one that begins
    /// at or below it, or the first.
    pub(super) fn seek(&self, key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.groups.len());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.first_key(middle)? <= key { low = middle } else { high = middle }
        }
        Some(low)
    }

    fn start(&self, group: usize) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(*self.groups.get(group)?)).ok()
    }

    fn first_key(&self, group: usize) -> Option<&'a [u8]> {
        let mut fields = Fields(self.entries.get(self.start(group)?..)?);
        let (shared, rest) = (number(&mut fields)?, number(&mut fields)?);
        number(&mut fields)?;
        if shared == 0 { fields.bytes(rest) } else { None }
    }

    /// What the group that [`Packed::seek`] says has of a key, without spelling keys
    /// out. `None`: it is not well-formed.
    pub(super) fn find(&self, group: usize, key: &[u8]) -> Option<Found<'a>> {
        let mut fields = Fields(self.group(group)?);
        let mut below = 0;
        // Of the entry before, which is below the key: how long it is, and how many
        // bytes the key has in common with it. An entry that has more in common with
        // that one is below the key as well; one that has less is above both.
        let (mut length, mut same) = (0, 0);
        while !fields.0.is_empty() {
            let (shared, rest) = (number(&mut fields)?, number(&mut fields)?);
            let value = number(&mut fields)?;
            let rest = fields.bytes(rest)?;
            let value = match value.checked_sub(1) {
                None => None,
                Some(length) => Some(fields.bytes(length)?),
            };
            if shared > length {
                return None;
            }
            match shared.cmp(&same) {
                Ordering::Less => break,
                Ordering::Equal => {
                    let wanted = key.get(same..)?;
                    match rest.cmp(wanted) {
                        Ordering::Less => same += common(rest, wanted),
                        Ordering::Equal => return Some(Found { below, entry: Some(value) }),
                        Ordering::Greater => break,
                    }
                }
                Ordering::Greater => {}
            }
            length = shared + rest.len();
            below += 1;
        }
        Some(Found { below, entry: None })
    }

    /// The bytes of a group.
    fn group(&self, group: usize) -> Option<&'a [u8]> {
        let end = match self.groups.get(group + 1) {
            Some(_) => self.start(group + 1)?,
            None => self.entries.len(),
        };
        self.entries.get(self.start(group)?..end)
    }

    /// Reads a group. `None`: it is not well-formed.
    pub(super) fn read(&self, group: usize, out: &mut Group) -> Option<()> {
        let start = self.start(group)?;
        let end = if group + 1 == self.groups.len() {
            self.entries.len()
        } else {
            self.start(group + 1)?
        };
        out.clear();
        let mut fields = Fields(self.entries.get(start..end)?);
        while !fields.0.is_empty() {
            let (shared, rest) = (number(&mut fields)?, number(&mut fields)?);
            let value = number(&mut fields)?;
            let rest = fields.bytes(rest)?;
            let value_at = end - fields.0.len();
            if let Some(length) = value.checked_sub(1) {
                fields.bytes(length)?;
            }
            out.push(shared, rest, (value_at, value))?;
        }
        (!out.entries.is_empty() && out.entries.len() <= GROUP).then_some(())
    }
}

/// What a group has of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found<'a> {
    /// How many of its entries are below the key.
    pub(super) below: usize,
    /// Its entry, if it is there: its value, or none for a deletion.
    pub(super) entry: Option<Option<&'a [u8]>>,
}

/// The entries of one group, with their keys spelled out. Used again and again,
/// so that reading takes no memory per entry.
#[derive(Debug, Default)]
pub(super) struct Group {
    keys: Vec<u8>,
    entries: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key_at: usize,
    key_end: usize,
    value_at: usize,
    /// The length plus one, or 0 for a deletion.
    value: usize,
}

impl Group {
    fn clear(&mut self) {
        self.keys.clear();
        self.entries.clear();
    }

    fn push(
        &mut self,
        shared: usize,
        rest: &[u8],
        (value_at, value): (usize, usize),
    ) -> Option<()> {
        let before = self.entries.last().map_or(0..0, |slot| slot.key_at..slot.key_end);
        if shared > before.len() {
            return None;
        }
        let key_at = self.keys.len();
        self.keys.extend_from_within(before.start..before.start + shared);
        self.keys.extend_from_slice(rest);
        self.entries.push(Slot { key_at, key_end: self.keys.len(), value_at, value });
        Some(())
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The key of an entry.
    pub(super) fn key(&self, at: usize) -> Option<&[u8]> {
        let slot = self.entries.get(at)?;
        self.keys.get(slot.key_at..slot.key_end)
    }

    /// The value of an entry, from the bytes that the group was read from.
    pub(super) fn value<'a>(&self, at: usize, packed: &'a [u8]) -> Option<Option<&'a [u8]>> {
        let slot = self.entries.get(at)?;
        match slot.value.checked_sub(1) {
            None => Some(None),
            Some(length) => packed.get(slot.value_at..slot.value_at + length).map(Some),
        }
    }

    /// How many entries are below a key.
    pub(super) fn below(&self, key: &[u8]) -> usize {
        let below = |slot: &Slot| self.keys.get(slot.key_at..slot.key_end) < Some(key);
        self.entries.partition_point(below)
    }
}

/// How many bytes two keys have in common at their beginning.
fn common(one: &[u8], other: &[u8]) -> usize {
    let mut same = 0;
    for (a, b) in one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0) {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return same + differ.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    let tail = |key| <[u8]>::get(key, same..).unwrap_or_default();
    same + tail(one).iter().zip(tail(other)).take_while(|(a, b)| a == b).count()
}

/// Appends a number.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        out.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    out.push(low);
}

/// Reads a number. `None`: it is cut off or too large.
pub(super) fn number(fields: &mut Fields<'_>) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS - 7).step_by(7) {
        let byte = fields.byte()?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

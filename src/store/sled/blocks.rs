//! Rows at rest: blocks in a sled tree, each under the lowest key it may hold
//! and up to the next block's. Written by checkpoints only.
//!
//! A block is never removed. Rows that move to a new block are synced there
//! before the old block lets go of them; a crash in between leaves them in both,
//! and what is above a block's range is not looked at.

use std::{
    collections::VecDeque,
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use ::sled::IVec;

use super::{
    block::{self, Entry, Spread, Value},
    census::Census,
    codec::{decode, encode},
    damage::Damage,
    hot::{Slot, is_cold},
    parts::Parts,
    sort_key::SortKey,
};
use crate::domain::row::Row;

/// The key of the first block: below every row's.
const LOWEST: [u8; 1] = [0];

/// The blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    blocks: ::sled::Tree,
    parts: Parts,
    census: Census,
}

/// What a checkpoint still has to do with the blocks.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// Blocks that may let go of rows, once those are synced elsewhere.
    shrunk: Vec<(IVec, Vec<u8>)>,
    /// Parts that nothing points to, once the new blocks are synced.
    obsolete: Vec<(IVec, Spread)>,
}

impl Blocks {
    /// Blocks that were not looked at yet.
    pub(super) fn new(blocks: ::sled::Tree, parts: ::sled::Tree) -> Self {
        Self { blocks, parts: Parts::new(parts), census: Census::default() }
    }

    /// What `read_all` counted and checkpoints changed.
    pub(super) fn census(&self) -> Census {
        self.census
    }

    /// Reads every row, and counts the blocks.
    pub(super) fn read_all(
        &mut self,
        mut each: impl FnMut(block::EntryRef<'_>) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        self.census = Census::default();
        let mut all = self.blocks.iter().peekable();
        while let Some(item) = all.next() {
            let (bound, value) = item?;
            self.census.add(&bound, &value);
            let above = match all.peek() {
                Some(Ok((above, _))) => Some(above.clone()),
                _ => None,
            };
            let content = self.parts.content(&bound, &value)?;
            for entry in block::entries(content.bytes()) {
                let entry = entry?;
                if is_below(entry.key, above.as_deref()) {
                    each(entry)?;
                }
            }
        }
        Ok(())
    }

    /// The row under a key.
    pub(super) fn find(&self, key: &[u8]) -> Result<Option<Slot>, Damage> {
        let Some((bound, value)) = self.cover(key)? else { return Ok(None) };
        let content = self.parts.content(&bound, &value)?;
        for entry in block::entries(content.bytes()) {
            let entry = entry?;
            if entry.key == key {
                let row = read_row(entry.row)?;
                return Ok(Some(Slot { row: Some(row), sequence: entry.sequence }));
            }
            if entry.key > key {
                break;
            }
        }
        Ok(None)
    }

    /// Rows from a key (inclusive) to a key (exclusive), in order.
    pub(super) fn range(
        &self,
        from: &[u8],
        to: &[u8],
        reverse: bool,
    ) -> Result<BlockRows<'_>, Damage> {
        let first = self.cover(from)?.map_or_else(|| LOWEST.to_vec(), |(bound, _)| bound.to_vec());
        Ok(BlockRows {
            blocks: self,
            range: self.blocks.range(first..to.to_vec()),
            from: from.to_vec(),
            to: to.to_vec(),
            reverse,
            ready: VecDeque::new(),
        })
    }

    /// Writes changed rows, in order of their keys; what is returned is for
    /// `shrink`, after a sync.
    pub(super) fn write<'a>(
        &mut self,
        changes: impl Iterator<Item = (&'a SortKey, &'a Slot)>,
    ) -> Result<Unfinished, Damage> {
        let mut unfinished = Unfinished::default();
        let mut changes = changes.peekable();
        while let Some((key, _)) = changes.peek() {
            let (bound, old) = match self.cover(key)? {
                Some((bound, value)) => (bound, Some(value)),
                None => (IVec::from(&LOWEST), None),
            };
            let above = self.above(&bound)?;
            let mut entries = match &old {
                Some(value) => self.owned_entries(&bound, value, above.as_deref())?,
                None => Vec::new(),
            };
            let mut updates = Vec::new();
            while let Some((key, slot)) =
                changes.next_if(|(key, _)| is_below(key, above.as_deref()))
            {
                updates.push((key, slot));
            }
            if updates.is_empty() {
                // It covers the key and ends below it.
                let why = "its blocks overlap".to_owned();
                return Err(Damage::Unreadable { what: "the database".to_owned(), why });
            }
            entries = merge(entries, &updates)?;
            self.replace(&bound, old.as_ref(), &entries, &mut unfinished)?;
        }
        Ok(unfinished)
    }

    /// Lets blocks go of rows that are synced elsewhere.
    pub(super) fn shrink(&mut self, unfinished: &mut Unfinished) -> Result<bool, Damage> {
        let shrunk = std::mem::take(&mut unfinished.shrunk);
        let any = !shrunk.is_empty();
        for (bound, value) in shrunk {
            self.put(&bound, value)?;
        }
        Ok(any)
    }

    /// Removes parts that no synced block points to.
    pub(super) fn sweep(&self, unfinished: Unfinished) -> Result<(), Damage> {
        let mut obsolete = unfinished.obsolete.iter();
        obsolete.try_for_each(|(bound, spread)| self.parts.remove(bound, spread))
    }

    fn replace(
        &mut self,
        bound: &IVec,
        old: Option<&IVec>,
        entries: &[Entry],
        unfinished: &mut Unfinished,
    ) -> Result<(), Damage> {
        let before = match old.map(|value| Value::parse(value)) {
            Some(Some(Value::Spread(spread))) => Some(spread),
            _ => None,
        };
        unfinished.obsolete.extend(before.map(|spread| (bound.clone(), spread)));
        let pieces = block::cut(entries);
        let is_cut = pieces.len() > 1;
        for (lowest, rows) in pieces {
            match lowest {
                Some(lowest) => {
                    let value = self.parts.value(&lowest, 1, rows)?;
                    self.put(&lowest, value)?;
                }
                None => {
                    let generation = before.map_or(1, |spread| spread.generation + 1);
                    let value = self.parts.value(bound, generation, rows)?;
                    if is_cut && old.is_some() {
                        unfinished.shrunk.push((bound.clone(), value));
                    } else {
                        self.put(bound, value)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, bound: &[u8], value: Vec<u8>) -> Result<(), Damage> {
        self.census.add(bound, &value);
        if let Some(old) = self.blocks.insert(bound, value)? {
            self.census.remove(bound, &old);
        }
        Ok(())
    }

    fn owned_entries(
        &self,
        bound: &[u8],
        value: &IVec,
        above: Option<&[u8]>,
    ) -> Result<Vec<Entry>, Damage> {
        let content = self.parts.content(bound, value)?;
        let mut entries = Vec::new();
        for entry in block::entries(content.bytes()) {
            let entry = entry?;
            if is_below(entry.key, above) {
                entries.push(entry.to_owned());
            }
        }
        Ok(entries)
    }

    /// The block whose range a key is in.
    fn cover(&self, key: &[u8]) -> Result<Option<(IVec, IVec)>, Damage> {
        Ok(self.blocks.range(..=key).next_back().transpose()?)
    }

    /// Where a block's range ends.
    fn above(&self, bound: &[u8]) -> Result<Option<IVec>, Damage> {
        let mut rest = self.blocks.range::<&[u8], _>((Bound::Excluded(bound), Bound::Unbounded));
        Ok(rest.next().transpose()?.map(|(key, _)| key))
    }
}

/// Rows of a range of keys, in order.
pub(super) struct BlockRows<'a> {
    blocks: &'a Blocks,
    range: ::sled::Iter,
    from: Vec<u8>,
    to: Vec<u8>,
    reverse: bool,
    ready: VecDeque<Entry>,
}

impl BlockRows<'_> {
    /// Reads the next block that has anything in the range.
    fn fill(&mut self) -> Result<ControlFlow<()>, Damage> {
        let item = if self.reverse { self.range.next_back() } else { self.range.next() };
        let Some(item) = item else { return Ok(ControlFlow::Break(())) };
        let (bound, value) = item?;
        let above = self.blocks.above(&bound)?;
        let rows = self.blocks.owned_entries(&bound, &value, above.as_deref())?;
        self.ready
            .extend(rows.into_iter().filter(|row| *row.key >= *self.from && *row.key < *self.to));
        Ok(ControlFlow::Continue(()))
    }
}

impl Iterator for BlockRows<'_> {
    type Item = Result<Entry, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            match self.fill() {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return None,
                Err(damage) => return Some(Err(damage)),
            }
        }
        let entry = if self.reverse { self.ready.pop_back() } else { self.ready.pop_front() };
        entry.map(Ok)
    }
}

/// A row from its bytes.
pub(super) fn read_row(bytes: &[u8]) -> Result<Arc<Row>, Damage> {
    decode("a row", bytes).map(Arc::new)
}

fn is_below(key: &[u8], above: Option<&[u8]>) -> bool {
    above.is_none_or(|above| key < above)
}

/// Rows after changes, both in order.
fn merge(old: Vec<Entry>, changes: &[(&SortKey, &Slot)]) -> Result<Vec<Entry>, Damage> {
    let mut merged = Vec::with_capacity(old.len() + changes.len());
    let mut old = old.into_iter().peekable();
    for (key, slot) in changes {
        while let Some(entry) = old.next_if(|entry| *entry.key < ***key) {
            merged.push(entry);
        }
        old.next_if(|entry| *entry.key == ***key);
        if let Some(row) = &slot.row {
            let mut bytes = Vec::new();
            encode(&mut bytes, row)?;
            merged.push(Entry {
                key: key.to_vec(),
                cold: is_cold(row),
                sequence: slot.sequence,
                row: bytes,
            });
        }
    }
    merged.extend(old);
    Ok(merged)
}

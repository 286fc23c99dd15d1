//! A place in one run, which moves entry by entry, forward or backward.

use std::{ops::Range, sync::Arc};

use super::{
    super::damage::Damage,
    cache::Cache,
    packed::{Group, Packed},
    run::Run,
};

/// What is read in one piece when a whole run is.
const AHEAD: u64 = 128 * 1024;

/// How blocks are read.
#[derive(Debug)]
pub(super) enum Source {
    /// One by one, through the cache.
    Cached(Arc<Cache>),
    /// Many at a time, past the cache.
    Ahead,
}

/// An entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry<'a> {
    /// Its key.
    pub(super) key: &'a [u8],
    /// Its value; none for a deletion.
    pub(super) value: Option<&'a [u8]>,
}

/// A place in a run.
#[derive(Debug)]
pub(super) struct Cursor {
    run: Arc<Run>,
    source: Source,
    reverse: bool,
    block: usize,
    /// The blocks that were read, and which.
    bytes: Arc<Vec<u8>>,
    read: Range<usize>,
    /// The block's content in them.
    content: Range<usize>,
    group: usize,
    entries: Group,
    /// Which of the group. Behind it: at the end.
    at: usize,
}

impl Cursor {
    /// The first entry of a run at or above a key, or if reversed the last one
    /// below it. No key: from the beginning or the end.
    pub(super) fn new(
        run: Arc<Run>,
        source: Source,
        reverse: bool,
        key: Option<&[u8]>,
    ) -> Result<Self, Damage> {
        let block = match key {
            Some(key) => run.find(key)?,
            None if reverse => run.blocks().saturating_sub(1),
            None => 0,
        };
        let mut cursor = Self {
            run,
            source,
            reverse,
            block,
            bytes: Arc::default(),
            read: 0..0,
            content: 0..0,
            group: 0,
            entries: Group::default(),
            at: 0,
        };
        cursor.open_block()?;
        cursor.seek(key)?;
        Ok(cursor)
    }

    fn seek(&mut self, key: Option<&[u8]>) -> Result<(), Damage> {
        let packed = self.packed()?;
        let group = match key {
            Some(key) => packed.seek(key).ok_or_else(|| self.run.malformed())?,
            None if self.reverse => packed.groups() - 1,
            None => 0,
        };
        self.open_group(group)?;
        let below = key.map(|key| self.entries.below(key));
        if self.reverse {
            self.at = below.unwrap_or(self.entries.len());
            self.step_back()
        } else {
            self.at = below.unwrap_or(0);
            if self.at == self.entries.len() { self.step_to_next_group() } else { Ok(()) }
        }
    }

    /// The entry here. `None`: at the end.
    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        let key = self.entries.key(self.at)?;
        let value = self.entries.value(self.at, self.bytes.get(self.content.clone())?)?;
        Some(Entry { key, value })
    }

    /// The key here. `None`: at the end.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.entries.key(self.at)
    }

    /// Goes to the next entry.
    pub(super) fn advance(&mut self) -> Result<(), Damage> {
        if self.reverse {
            return self.step_back();
        }
        self.at += 1;
        if self.at < self.entries.len() { Ok(()) } else { self.step_to_next_group() }
    }

    fn step_to_next_group(&mut self) -> Result<(), Damage> {
        if self.group + 1 < self.packed()?.groups() {
            self.open_group(self.group + 1)?;
        } else if self.block + 1 < self.run.blocks() {
            self.block += 1;
            self.open_block()?;
            self.open_group(0)?;
        } else {
            self.at = usize::MAX;
            return Ok(());
        }
        self.at = 0;
        Ok(())
    }

    fn step_back(&mut self) -> Result<(), Damage> {
        if self.at == 0 {
            if let Some(group) = self.group.checked_sub(1) {
                self.open_group(group)?;
            } else if let Some(block) = self.block.checked_sub(1) {
                self.block = block;
                self.open_block()?;
                self.open_group(self.packed()?.groups() - 1)?;
            } else {
                self.at = usize::MAX;
                return Ok(());
            }
            self.at = self.entries.len();
        }
        self.at -= 1;
        Ok(())
    }

    fn open_block(&mut self) -> Result<(), Damage> {
        match &self.source {
            Source::Cached(cache) => {
                self.bytes = self.run.block(self.block, cache)?;
                self.content = 0..self.bytes.len();
            }
            Source::Ahead => {
                if !self.read.contains(&self.block) {
                    let end = self.block + self.run.ahead(self.block, AHEAD)?;
                    self.bytes = Arc::new(self.run.read(self.block, end)?);
                    self.read = self.block..end;
                }
                self.content = self.run.content(self.read.start, self.block)?;
            }
        }
        Ok(())
    }

    fn open_group(&mut self, group: usize) -> Result<(), Damage> {
        let content = self.bytes.get(self.content.clone());
        let packed = content.and_then(Packed::parse).ok_or_else(|| self.run.malformed())?;
        packed.read(group, &mut self.entries).ok_or_else(|| self.run.malformed())?;
        self.group = group;
        Ok(())
    }

    fn packed(&self) -> Result<Packed<'_>, Damage> {
        let content = self.bytes.get(self.content.clone());
        content.and_then(Packed::parse).ok_or_else(|| self.run.malformed())
    }
}

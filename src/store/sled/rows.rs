//! All rows: those in memory, and behind them the blocks. Memory wins.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use super::{
    blocks::{Blocks, read_row},
    damage::Damage,
    hot::{Hot, Slot},
    sort_key::{SortKey, encode_key, may_be_cold},
};
use crate::domain::{
    change::{Record, following},
    key::Key,
    row::Row,
};

/// The rows.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) hot: Hot,
    pub(super) blocks: Blocks,
}

/// A row with its key.
type Keyed = (SortKey, Arc<Row>);

impl Rows {
    /// Rows whose blocks were not looked at yet.
    pub(super) fn new(blocks: Blocks) -> Self {
        Self { hot: Hot::default(), blocks }
    }

    /// Fills memory from the blocks.
    pub(super) fn warm(&mut self) -> Result<(), Damage> {
        let Self { hot, blocks } = self;
        *hot = Hot::default();
        blocks.read_all(|entry| {
            if !entry.cold {
                let slot = Slot { row: Some(read_row(entry.row)?), sequence: entry.sequence };
                hot.put_back(entry.key.into(), slot);
            }
            Ok(())
        })
    }

    /// The row under a key.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Arc<Row>>, Damage> {
        Ok(self.slot(key, &encode_key(key))?.and_then(|slot| slot.row))
    }

    fn slot(&self, key: &Key, sort_key: &[u8]) -> Result<Option<Slot>, Damage> {
        match self.hot.get(sort_key) {
            Some(slot) => Ok(Some(slot.clone())),
            None if may_be_cold(key) => self.blocks.find(sort_key),
            None => Ok(None),
        }
    }

    /// Applies a record, except to rows that have it already: a checkpoint that
    /// was not finished may have written them.
    pub(super) fn apply(&mut self, record: &Record) -> Result<(), Damage> {
        let mut touched: BTreeMap<SortKey, Slot> = BTreeMap::new();
        let mut due = Vec::new();
        for change in &record.changes {
            let key = change.key();
            let slot = match touched.entry(encode_key(&key).into()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let slot = self.slot(&key, entry.key())?;
                    entry.insert(slot.unwrap_or(Slot { row: None, sequence: 0 }))
                }
            };
            if slot.sequence < record.sequence {
                let before = slot.row.take();
                slot.row = change.apply(before.clone());
                for (key, row) in following(before.as_deref(), slot.row.as_deref()) {
                    let slot = Slot { row: row.map(Arc::new), sequence: 0 };
                    due.push((encode_key(&key).into(), slot));
                }
            }
        }
        touched.extend(due);
        for (key, mut slot) in touched {
            if slot.sequence < record.sequence {
                slot.sequence = record.sequence;
                self.hot.change(key, slot);
            }
        }
        Ok(())
    }

    /// Rows from a key (inclusive) to a key (exclusive), at most `limit`.
    pub(super) fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Keyed>, Damage> {
        if from >= to {
            return Ok(Vec::new());
        }
        let hot = self.hot.range(from, to);
        let hot: Box<dyn Iterator<Item = (&SortKey, &Slot)>> =
            if reverse { Box::new(hot.rev()) } else { Box::new(hot) };
        let mut hot = hot.peekable();
        let mut rest = self.blocks.range(from, to, reverse)?;
        let mut at_rest = rest.next().transpose()?;
        let mut found = Vec::new();
        while found.len() < limit {
            let order = match (hot.peek(), &at_rest) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((key, _)), Some(entry)) => {
                    let order = (***key).cmp(&entry.key);
                    if reverse { order.reverse() } else { order }
                }
            };
            if order.is_le() {
                if let Some((key, Slot { row: Some(row), .. })) = hot.next() {
                    found.push((key.clone(), row.clone()));
                }
            } else if let Some(entry) = &at_rest {
                found.push((entry.key.as_slice().into(), read_row(&entry.row)?));
            }
            if order.is_ge() {
                at_rest = rest.next().transpose()?;
            }
        }
        Ok(found)
    }
}

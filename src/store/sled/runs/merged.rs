//! Several runs read as one: in the order of keys, and of entries with the
//! same key only the newest.

use std::cmp::Ordering;

use super::{
    super::damage::Damage,
    cursor::{Cursor, Entry},
};

/// Runs read as one.
#[derive(Debug)]
pub(super) struct Merged {
    /// One in each run, the newest run first.
    cursors: Vec<Cursor>,
    /// Those that are not at their end, the next one last.
    order: Vec<usize>,
    reverse: bool,
}

impl Merged {
    /// The runs of these cursors, the newest first.
    pub(super) fn new(cursors: Vec<Cursor>, reverse: bool) -> Self {
        let mut merged = Self { order: Vec::with_capacity(cursors.len()), cursors, reverse };
        for at in 0..merged.cursors.len() {
            merged.enqueue(at);
        }
        merged
    }

    /// The next entry.
    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        self.cursors.get(*self.order.last()?)?.entry()
    }

    /// Goes behind the next entry, and the older ones with the same key.
    pub(super) fn advance(&mut self) -> Result<(), Damage> {
        let Some(at) = self.order.pop() else { return Ok(()) };
        while let Some(older) = self.order.last().copied().filter(|next| self.is_same(at, *next)) {
            self.order.pop();
            self.step(older)?;
        }
        self.step(at)
    }

    fn step(&mut self, at: usize) -> Result<(), Damage> {
        if let Some(cursor) = self.cursors.get_mut(at) {
            cursor.advance()?;
        }
        self.enqueue(at);
        Ok(())
    }

    /// Puts a cursor where its key belongs.
    fn enqueue(&mut self, at: usize) {
        if self.key(at).is_none() {
            return;
        }
        // Neighbours are often in the same run.
        if self.order.last().is_none_or(|next| self.comes_later(*next, at)) {
            self.order.push(at);
            return;
        }
        let place = self.order.partition_point(|other| self.comes_later(*other, at));
        self.order.insert(place, at);
    }

    /// Whether one cursor's turn is after another's.
    fn comes_later(&self, one: usize, other: usize) -> bool {
        let keys = self.key(one).cmp(&self.key(other));
        let keys = if self.reverse { keys.reverse() } else { keys };
        keys.then(one.cmp(&other)) == Ordering::Greater
    }

    fn is_same(&self, one: usize, other: usize) -> bool {
        self.key(one) == self.key(other)
    }

    fn key(&self, at: usize) -> Option<&[u8]> {
        self.cursors.get(at)?.key()
    }
}

//! Entries between two keys, of all runs together.

use super::{super::damage::Damage, Value, merged::Merged};

/// Values between two keys, in order. Reads as it goes; sees the runs as they
/// were when it began. Ends after an error.
#[derive(Debug)]
pub struct Range {
    merged: Option<Merged>,
    /// The key that ends it: the first that is too high, or, if it goes
    /// backward, the last that is not too low.
    end: Box<[u8]>,
    reverse: bool,
}

impl Range {
    pub(super) fn new(merged: Option<Merged>, end: &[u8], reverse: bool) -> Self {
        Self { merged, end: end.into(), reverse }
    }

    fn step(&mut self) -> Result<Option<(Vec<u8>, Value)>, Damage> {
        let Some(merged) = &mut self.merged else { return Ok(None) };
        loop {
            let Some(entry) = merged.entry() else { return Ok(None) };
            let is_inside =
                if self.reverse { entry.key >= &*self.end } else { entry.key < &*self.end };
            if !is_inside {
                return Ok(None);
            }
            let found = entry.value.map(|value| (entry.key.to_vec(), value.to_vec()));
            merged.advance()?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}

impl Iterator for Range {
    type Item = Result<(Vec<u8>, Value), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.merged = None;
        }
        item
    }
}

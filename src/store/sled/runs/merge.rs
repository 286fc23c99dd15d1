//! Rows of several runs as one, in order: of those under one key the newest
//! run's.

use super::block::Packed;
use super::run::Range;
use crate::store::sled::damage::Damage;

/// Rows of several runs.
#[derive(Debug)]
pub(super) struct Merge {
    /// From the newest run to the oldest.
    sources: Vec<(Option<Packed>, Range)>,
    reverse: bool,
}

impl Merge {
    /// Of these runs, from the newest to the oldest.
    pub(super) fn new(
        ranges: impl IntoIterator<Item = Range>,
        reverse: bool,
    ) -> Result<Self, Damage> {
        let mut sources = Vec::new();
        for mut range in ranges {
            sources.push((range.next().transpose()?, range));
        }
        Ok(Self { sources, reverse })
    }

    fn read(&mut self) -> Result<Option<Packed>, Damage> {
        let mut first: Option<&Packed> = None;
        for next in self.sources.iter().filter_map(|(next, _)| next.as_ref()) {
            let comes_before = first
                .is_none_or(|first| if self.reverse { next.0 > first.0 } else { next.0 < first.0 });
            if comes_before {
                first = Some(next);
            }
        }
        let Some(key) = first.map(|(key, _)| key.clone()) else { return Ok(None) };
        let mut newest = None;
        for (next, range) in &mut self.sources {
            if next.as_ref().is_some_and(|next| next.0 == key) {
                let after = range.next().transpose()?;
                let read = std::mem::replace(next, after);
                newest = newest.or(read);
            }
        }
        Ok(newest)
    }
}

impl Iterator for Merge {
    type Item = Result<Packed, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

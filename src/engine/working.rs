//! The rows of a batch: loaded once, changed as its commands are judged, and
//! committed together.

use std::{collections::HashSet, sync::Arc};

use crate::{
    decision::Loaded,
    domain::{
        change::{Change, Rows},
        key::Key,
        row::Row,
    },
    store::{Store, StoreError},
};

/// The rows of a batch.
#[derive(Debug, Default)]
pub struct Working {
    rows: Rows,
    changed: HashSet<Key>,
}

impl Working {
    /// Loads those of the keys that are not here yet.
    pub fn load(&mut self, keys: &[Key], store: &mut dyn Store) -> Result<(), StoreError> {
        let mut missing: Vec<Key> =
            keys.iter().filter(|key| !self.rows.contains_key(*key)).cloned().collect();
        // One canonical order, so that stores that lock cannot deadlock.
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            self.rows.extend(store.load(&missing)?);
        }
        Ok(())
    }

    /// For judging.
    pub fn view(&self) -> Loaded<'_> {
        Loaded::new(&self.rows)
    }

    /// Applies a change.
    pub fn apply(&mut self, change: &Change) {
        let key = change.key();
        let delta = matches!(change, Change::Meter(_) | Change::Balance(_));
        assert!(
            !delta || self.rows.contains_key(&key),
            "changed a row that was not loaded: {key:?}"
        );
        let before = self.rows.remove(&key).flatten();
        self.rows.insert(key.clone(), change.apply(before));
        self.changed.insert(key);
    }

    /// The rows that changed, as they are now, by key.
    pub fn changed(&self) -> Vec<(Key, Option<Arc<Row>>)> {
        let mut rows: Vec<(Key, Option<Arc<Row>>)> = self
            .changed
            .iter()
            .map(|key| (key.clone(), self.rows.get(key).cloned().flatten()))
            .collect();
        rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        rows
    }
}

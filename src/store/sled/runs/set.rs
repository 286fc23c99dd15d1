//! The runs at one moment: what a reader sees, whatever happens meanwhile.

use std::{collections::VecDeque, path::Path, sync::Arc};

use super::{
    super::damage::Damage,
    Value,
    cache::Cache,
    cursor::{Cursor, Source},
    filter::KeyHash,
    manifest::Named,
    merged::Merged,
    options::Filtered,
    run::{Answer, Run},
};

/// The runs, the newest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    runs: VecDeque<Arc<Run>>,
}

impl Set {
    /// Opens the runs of a manifest, which names the oldest first.
    pub(super) fn open(dir: &Path, named: &[Named]) -> Result<Self, Damage> {
        let open = |named: &Named| Run::open(dir, *named).map(Arc::new);
        Ok(Self { runs: named.iter().rev().map(open).collect::<Result<_, _>>()? })
    }

    /// The runs, the newest first.
    pub(super) fn runs(&self) -> impl ExactSizeIterator<Item = &Arc<Run>> + DoubleEndedIterator {
        self.runs.iter()
    }

    /// As the manifest names them: the oldest first.
    pub(super) fn named(&self) -> Vec<Named> {
        self.runs.iter().rev().map(|run| run.named()).collect()
    }

    /// With one more, newer than all.
    pub(super) fn with(&self, run: Arc<Run>) -> Self {
        let mut runs = self.runs.clone();
        runs.push_front(run);
        Self { runs }
    }

    /// With these neighbours replaced by what was made of them, if anything.
    pub(super) fn with_merged(&self, old: &[Arc<Run>], new: Option<Arc<Run>>) -> Self {
        let mut new = new;
        let mut runs = VecDeque::with_capacity(self.runs.len());
        for run in &self.runs {
            if old.iter().any(|old| Arc::ptr_eq(old, run)) {
                runs.extend(new.take());
            } else {
                runs.push_back(run.clone());
            }
        }
        Self { runs }
    }

    /// The value of a key.
    pub(super) fn get(
        &self,
        key: &[u8],
        hashed: (Filtered, KeyHash),
        cache: &Cache,
    ) -> Result<Option<Value>, Damage> {
        for run in &self.runs {
            match run.get(key, hashed, cache)? {
                Answer::Unknown => {}
                Answer::Deleted => return Ok(None),
                Answer::Value(value) => return Ok(Some(value)),
            }
        }
        Ok(None)
    }

    /// All runs read as one, from a key on: see [`Cursor::new`].
    pub(super) fn merged(
        &self,
        cache: &Arc<Cache>,
        reverse: bool,
        key: &[u8],
    ) -> Result<Merged, Damage> {
        let cursor = |run: &Arc<Run>| {
            Cursor::new(run.clone(), Source::Cached(cache.clone()), reverse, Some(key))
        };
        let cursors = self.runs.iter().map(cursor).collect::<Result<_, _>>()?;
        Ok(Merged::new(cursors, reverse))
    }
}

//! Which runs are merged, and a merge that is done step by step, so that a
//! table that is to be frozen meanwhile need not wait for its end.

use std::{path::Path, sync::Arc};

use super::{
    super::damage::Damage,
    cursor::{Cursor, Source},
    manifest::Named,
    merged::Merged,
    options::{Counts, Options},
    run::Run,
    set::Set,
    writer::Writer,
};

/// Runs that are to be merged: neighbours in age.
#[derive(Debug)]
pub(super) struct Plan {
    /// The newest first.
    pub(super) runs: Vec<Arc<Run>>,
    /// Whether there is no older one, so that nothing is left to be deleted.
    is_oldest: bool,
}

impl Plan {
    /// What to merge: the oldest `fan_in` runs of the lowest level that has so
    /// many. Levels never fall from newer to older runs, so that those of one
    /// level are neighbours.
    pub(super) fn of(set: &Set, fan_in: usize) -> Option<Self> {
        let runs: Vec<_> = set.runs().collect();
        let mut end = 0;
        for level in runs.chunk_by(|one, other| one.named().level == other.named().level) {
            end += level.len();
            if level.len() >= fan_in {
                let runs = level.iter().skip(level.len() - fan_in).map(|run| Arc::clone(run));
                return Some(Self { runs: runs.collect(), is_oldest: end == set.runs().len() });
            }
        }
        None
    }

    /// How many merges are to be done, those of what comes of them not counted.
    pub(super) fn count(set: &Set, fan_in: usize) -> usize {
        let runs: Vec<_> = set.runs().map(|run| run.named().level).collect();
        runs.chunk_by(u32::eq).map(|level| level.len() / fan_in).sum()
    }
}

/// A merge that has begun.
#[derive(Debug)]
pub(super) struct Merging {
    plan: Plan,
    merged: Merged,
    writer: Writer,
}

impl Merging {
    /// Begins one; `number` is that of the new run.
    pub(super) fn begin(
        dir: &Path,
        number: u64,
        plan: Plan,
        options: &Options,
    ) -> Result<Self, Damage> {
        let most = plan.runs.iter().fold((0, Counts::default()), |(entries, counts), run| {
            let Counts { always, small } = run.filtered();
            let counts = Counts { always: counts.always + always, small: counts.small + small };
            (entries + run.named().entries, counts)
        });
        let level = plan.runs.iter().map(|run| run.named().level).max().unwrap_or(0);
        let cursor = |run: &Arc<Run>| Cursor::new(run.clone(), Source::Ahead, false, None);
        let cursors = plan.runs.iter().map(cursor).collect::<Result<_, _>>()?;
        let writer = Writer::begin(dir, (number, level.saturating_add(1)), most, options)?;
        Ok(Self { plan, merged: Merged::new(cursors, false), writer })
    }

    /// Writes about a block more. Says whether there is more to do.
    pub(super) fn step(&mut self) -> Result<bool, Damage> {
        // Where all is deleted no block is closed, and others want their turn.
        for _ in 0..1000 {
            let Some(entry) = self.merged.entry() else { return Ok(false) };
            let closed = match (entry.value, self.plan.is_oldest) {
                // An older version may be in an older run: it must not come back.
                (None, true) => false,
                (value, _) => self.writer.push(entry.key, value)?,
            };
            self.merged.advance()?;
            if closed {
                break;
            }
        }
        Ok(true)
    }

    /// Makes the new run's content durable; gives what was merged, and what
    /// came of it, if any entry is left.
    pub(super) fn finish(self) -> Result<(Vec<Arc<Run>>, Option<Named>), Damage> {
        Ok((self.plan.runs, self.writer.finish()?))
    }
}

//! The thread that puts rows to rest, and merges runs so that there are few.
//! Putting to rest goes before merging: somebody may be waiting for its memory.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
};

use super::{
    Job, Options,
    block::Value,
    manifest::Manifest,
    merge::Merge,
    run::{Run, Writer},
};
use crate::store::sled::damage::Damage;

/// How many entries are merged before the thread looks whether something waits.
const STRIDE: usize = 4096;

/// Rows to be put to rest.
pub(super) struct Task {
    pub(super) job: Job,
    pub(super) mark: Vec<u8>,
}

/// Runs from the oldest to the newest.
pub(super) type Set = Arc<Vec<Arc<Run>>>;

/// What the thread and its owner share.
#[derive(Debug)]
pub(super) struct Shared {
    set: Mutex<Set>,
    /// Whether merging is to stop.
    pub(super) is_closing: AtomicBool,
}

impl Shared {
    pub(super) fn new(runs: Vec<Arc<Run>>) -> Self {
        Self { set: Mutex::new(Arc::new(runs)), is_closing: AtomicBool::new(false) }
    }

    fn locked(&self) -> MutexGuard<'_, Set> {
        // It is replaced as a whole.
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs as they are now.
    pub(super) fn set(&self) -> Set {
        self.locked().clone()
    }
}

/// The thread.
pub(super) struct Keeper {
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    pub(super) shared: Arc<Shared>,
    pub(super) next: u64,
    pub(super) mark: Vec<u8>,
    pub(super) inbox: Receiver<Task>,
    /// Marks of what came to rest, in order.
    pub(super) done: Sender<Result<(), Damage>>,
}

impl Keeper {
    /// Works until nobody gives it anything any more, or something fails.
    pub(super) fn run(mut self) {
        while let Ok(task) = self.inbox.recv() {
            let kept = self.freeze(task).and_then(|()| self.merge());
            if let Err(damage) = kept {
                // Nobody may be there to hear it; then nobody relies on it either.
                let _ = self.done.send(Err(damage));
                return;
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn freeze(&mut self, task: Task) -> Result<(), Damage> {
        let mut entries = (task.job)()?;
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let number = self.number();
        let mut writer = Writer::new(&self.dir, number)?;
        for (key, value) in entries {
            writer.push(&key, &value.map_or(Value::Gone, Value::Here))?;
        }
        let run = writer.finish(&*self.options.disk)?;
        self.mark = task.mark;
        let mut runs = self.shared.set().to_vec();
        runs.extend(run.map(Arc::new));
        self.publish(runs)?;
        let _ = self.done.send(Ok(()));
        Ok(())
    }

    /// Names these runs, and shows them.
    fn publish(&mut self, runs: Vec<Arc<Run>>) -> Result<(), Damage> {
        let manifest = Manifest {
            runs: runs.iter().map(|run| run.named).collect(),
            next: self.next,
            mark: self.mark.clone(),
        };
        manifest.write(&self.dir, &*self.options.disk)?;
        *self.shared.locked() = Arc::new(runs);
        Ok(())
    }

    /// How many of the newest runs are to become one.
    fn due(&self) -> usize {
        let set = self.shared.set();
        let mut bound = self.options.smallest;
        loop {
            let small = set.iter().rev().take_while(|run| run.named.entries < bound).count();
            if small >= self.options.fan_in {
                return small;
            }
            if small == set.len() {
                return 0;
            }
            bound = bound.saturating_mul(self.options.fan_in as u64);
        }
    }

    fn merge(&mut self) -> Result<(), Damage> {
        loop {
            let many = self.due();
            if many == 0 || !self.merge_newest(many)? {
                return Ok(());
            }
        }
    }

    /// Makes one of the newest runs. Says whether it was not told to stop.
    fn merge_newest(&mut self, many: usize) -> Result<bool, Damage> {
        let set = self.shared.set();
        let start = set.len().saturating_sub(many);
        let old: Vec<Arc<Run>> = set.iter().skip(start).cloned().collect();
        drop(set);
        let has_oldest = start == 0;
        let number = self.number();
        let mut writer = Writer::new(&self.dir, number)?;
        let ranges: Result<Vec<_>, Damage> =
            old.iter().rev().map(|run| run.range(&[], &[u8::MAX; 8], false)).collect();
        for (count, entry) in Merge::new(ranges?, false)?.enumerate() {
            let (key, value) = entry?;
            // Nothing older is hidden by what is gone.
            if !(has_oldest && value == Value::Gone) {
                let value = match value {
                    Value::Apart(place) => Value::Here(whole(&old, &key, place)?),
                    value => value,
                };
                writer.push(&key, &value)?;
            }
            if count % STRIDE == 0 {
                while let Ok(task) = self.inbox.try_recv() {
                    self.freeze(task)?;
                }
                if self.shared.is_closing.load(Ordering::Relaxed) {
                    writer.abandon();
                    return Ok(false);
                }
            }
        }
        let merged = writer.finish(&*self.options.disk)?.map(Arc::new);
        let set = self.shared.set();
        // What was put to rest meanwhile is behind them.
        let before = set.iter().take(start).cloned();
        let behind = set.iter().skip(start + many).cloned();
        self.publish(before.chain(merged).chain(behind).collect())?;
        old.iter().for_each(|run| run.condemn());
        Ok(true)
    }
}

/// A value in parts, of the newest of the runs that has the key.
fn whole(runs: &[Arc<Run>], key: &[u8], place: super::block::Place) -> Result<Vec<u8>, Damage> {
    let hash = super::filter::hash(key);
    for run in runs.iter().rev() {
        if let Some(Value::Here(value)) = run.get(key, hash)? {
            return Ok(value);
        }
    }
    Err(Damage::Defect(format!("part {} of a run is missing", place.number)))
}

//! Rows at rest: runs of rows in order, each written once and never changed,
//! the newest of which wins. A thread of its own writes them and merges those
//! of a size, so that there are few (docs/decisions/0054).
//!
//! Knows nothing of what is in the rows. A kill at any moment leaves what the
//! manifest names; everything else is removed at the next start.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, Receiver, SyncSender, TryRecvError},
    },
    thread,
};

use self::{
    block::Value,
    keeper::{Keeper, Shared, Task},
    manifest::Manifest,
    merge::Merge,
    run::Run,
};
use super::{damage::Damage, database::sync_all, sync::Disk};

mod block;
mod filter;
mod keeper;
mod manifest;
mod merge;
mod run;
#[cfg(test)]
mod tests;

/// A key with its value, or that it is gone.
pub(super) type Entry = (Box<[u8]>, Option<Vec<u8>>);

/// Gives the entries of a run, each key once, in no order.
pub(super) type Job = Box<dyn FnOnce() -> Result<Vec<Entry>, Damage> + Send>;

/// How runs are kept.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// What makes data durable.
    pub(super) disk: Arc<dyn Disk>,
    /// How many runs of a size are merged.
    pub(super) fan_in: usize,
    /// Entries below which runs are of the smallest size.
    pub(super) smallest: u64,
}

impl Options {
    /// The usual.
    pub(super) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, fan_in: 8, smallest: 500_000 }
    }
}

/// Rows at rest.
#[derive(Debug)]
pub(super) struct Runs {
    shared: Arc<Shared>,
    tasks: Option<SyncSender<Task>>,
    done: Receiver<Result<(), Damage>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Runs {
    /// Where they are.
    fn path(dir: &Path) -> PathBuf {
        dir.join("runs")
    }

    /// Those that are there, and their mark; of none it is empty. Removes what
    /// a kill left behind.
    pub(super) fn open(dir: &Path, options: Options) -> Result<(Self, Vec<u8>), Damage> {
        let path = Self::path(dir);
        if !path.exists() {
            fs::create_dir_all(&path).map_err(Damage::io(&path))?;
            sync_all(dir)?;
        }
        if condemned(&path).exists() {
            return Err(Damage::Unreadable {
                what: path.display().to_string(),
                why: "it was found damaged".to_owned(),
            });
        }
        let Manifest { runs: named, mut next, mark } = Manifest::read(&path)?;
        let mut runs = Vec::new();
        for named in named {
            runs.push(Arc::new(Run::open(&path, named)?));
        }
        for entry in fs::read_dir(&path).map_err(Damage::io(&path))? {
            let file = entry.map_err(Damage::io(&path))?.path();
            let number = file.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
            let Some(number) = number else { continue };
            next = next.max(number);
            if runs.iter().all(|run: &Arc<Run>| run.named.number != number) {
                fs::remove_dir_all(&file).map_err(Damage::io(&file))?;
            }
        }
        let shared = Arc::new(Shared::new(runs));
        let (tasks, inbox) = mpsc::sync_channel(1);
        let (told, done) = mpsc::channel();
        let keeper = Keeper {
            dir: path,
            options,
            shared: shared.clone(),
            next,
            mark: mark.clone(),
            inbox,
            done: told,
        };
        let thread = thread::Builder::new()
            .name("runs".to_owned())
            .spawn(move || keeper.run())
            .map_err(Damage::io("the thread that puts rows to rest"))?;
        Ok((Self { shared, tasks: Some(tasks), done, thread: Some(thread) }, mark))
    }

    /// Removes all of them.
    pub(super) fn remove(dir: &Path) -> Result<(), Damage> {
        let path = Self::path(dir);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Damage::io(&path)(error)),
            _ => sync_all(dir),
        }
    }

    /// Has the next start make them again: something in them is damaged.
    pub(super) fn condemn(dir: &Path) {
        let path = Self::path(dir);
        if let Err(error) = File::create(condemned(&path)).and_then(|file| file.sync_all()) {
            tracing::error!(%error, path = %path.display(), "remove this directory: it is damaged");
        }
    }

    /// The value under a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        let hash = filter::hash(key);
        for run in self.shared.set().iter().rev() {
            match run.get(key, hash)? {
                Some(Value::Here(value)) => return Ok(Some(value)),
                Some(_) => return Ok(None),
                None => {}
            }
        }
        Ok(None)
    }

    /// Values from a key (inclusive) to a key (exclusive).
    pub(super) fn range(
        &self,
        from: &[u8],
        to: &[u8],
        reverse: bool,
    ) -> Result<impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), Damage>> + use<>, Damage> {
        let set = self.shared.set();
        let ranges: Result<Vec<_>, Damage> =
            set.iter().rev().map(|run| run.range(from, to, reverse)).collect();
        let merge = Merge::new(ranges?, reverse)?;
        let whole = move |key: Vec<u8>| {
            let hash = filter::hash(&key);
            for run in set.iter().rev() {
                if let Some(Value::Here(value)) = run.get(&key, hash)? {
                    return Ok(Some((key, value)));
                }
            }
            Ok(None)
        };
        Ok(merge.filter_map(move |entry| match entry {
            Ok((_, Value::Gone)) => None,
            Ok((key, Value::Here(value))) => Some(Ok((key, value))),
            Ok((key, Value::Apart(_))) => whole(key).transpose(),
            Err(damage) => Some(Err(damage)),
        }))
    }

    /// Has entries put to rest; `mark` is up to where the runs go with them.
    /// Waits if two are on their way already.
    pub(super) fn freeze(&self, job: Job, mark: Vec<u8>) -> Result<(), Damage> {
        let given = self.tasks.as_ref().map(|tasks| tasks.send(Task { job, mark }));
        match given {
            Some(Ok(())) => Ok(()),
            _ => Err(self.done.try_iter().find_map(Result::err).unwrap_or_else(gone)),
        }
    }

    /// Whether another of those that were given came to rest.
    pub(super) fn poll(&self) -> Result<bool, Damage> {
        match self.done.try_recv() {
            Ok(outcome) => outcome.map(|()| true),
            Err(TryRecvError::Empty) => Ok(false),
            Err(TryRecvError::Disconnected) => Err(gone()),
        }
    }

    /// Waits until another of those that were given has come to rest.
    pub(super) fn wait(&self) -> Result<(), Damage> {
        self.done.recv().unwrap_or_else(|_| Err(gone()))
    }
}

/// A file that is there if what is beside it is damaged.
fn condemned(path: &Path) -> PathBuf {
    path.join("damaged")
}

fn gone() -> Damage {
    Damage::Defect("the thread that puts rows to rest ended".to_owned())
}

impl Drop for Runs {
    /// What was given is put to rest; a merge is given up.
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::Relaxed);
        drop(self.tasks.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that puts rows to rest ended by a defect");
        }
    }
}

//! The thread that makes commits durable, in order, while the next ones are
//! judged. What waits when it is ready becomes one frame of the journal, one
//! write and one sync; then everybody who waited for any of it is told.
//!
//! One frame at a time: a crash can then tear the last frame only, which is
//! what start-up relies on. After an error nothing is written any more, and
//! everybody who waits is told so.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::Duration,
};

use super::{
    damage::Damage,
    fence::Fence,
    journal::{Draft, Journal, Older, Written},
    runs::behind_others,
    sync::Disk,
};
use crate::store::{Done, StoreError};

/// Most commits that wait for the disk; then the next one waits for room.
const MOST_WAITING: usize = 64;

/// What the thread is given.
enum Task {
    /// Records to be written.
    Commit(Arc<Written>),
    /// Told when everything before is durable.
    Tell(Done),
}

/// What the thread shares with the store.
struct Shared {
    /// Held only for looking: nothing is written or synced meanwhile. Whoever looks
    /// into a file that nobody has read through yet reads it with this held, once.
    journal: Mutex<Journal>,
    fence: Mutex<Fence>,
    /// Tasks that are not done.
    waiting: AtomicUsize,
    /// The last record that is durable.
    durable: AtomicU64,
    /// Why nothing is written any more.
    broken: Mutex<Option<String>>,
    disk: Arc<dyn Disk>,
    /// How often the fence moves.
    every: Duration,
    /// Whether it closes.
    closes: AtomicBool,
}

/// The thread, and what it writes to.
pub(super) struct Pipeline {
    shared: Arc<Shared>,
    tasks: Option<SyncSender<Task>>,
    /// The one that writes, and one that checks what a start did not.
    threads: Vec<thread::JoinHandle<()>>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("journal", &self.shared.journal).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panics with it leaves the store broken, which is looked at first.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipeline {
    /// Starts the thread.
    pub(super) fn start(
        journal: Journal,
        fence: Fence,
        disk: Arc<dyn Disk>,
        every: Duration,
    ) -> Result<Self, Damage> {
        let shared = Arc::new(Shared {
            waiting: AtomicUsize::new(0),
            durable: AtomicU64::new(journal.end().sequence),
            journal: Mutex::new(journal),
            fence: Mutex::new(fence),
            broken: Mutex::new(None),
            disk,
            // A fence that is to follow at once does so with each commit.
            every: every.max(Duration::from_millis(10)),
            closes: AtomicBool::new(false),
        });
        let (tasks, queue) = mpsc::sync_channel(MOST_WAITING);
        let own = shared.clone();
        let older = shared.journal().older();
        let mut threads = vec![spawn("journal", move || own.run(&queue))?];
        if let Some(older) = older {
            let own = shared.clone();
            threads.push(spawn("older", move || own.guarded(|| own.check(older)))?);
        }
        Ok(Self { shared, tasks: Some(tasks), threads })
    }

    /// The journal as far as it is durable.
    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.shared.journal()
    }

    /// Moves the fence to where the journal ends.
    pub(super) fn move_fence(&self) -> Result<(), Damage> {
        let end = self.journal().end();
        locked(&self.shared.fence).write(end, &*self.shared.disk)
    }

    /// The last record that is durable.
    pub(super) fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// Why nothing is written any more.
    pub(super) fn broken(&self) -> Option<String> {
        locked(&self.shared.broken).clone()
    }

    /// Writes nothing any more.
    pub(super) fn break_off(&self, why: &str) {
        self.shared.break_off(why);
    }

    /// Has records made durable, behind those of before.
    pub(super) fn commit(&self, records: Arc<Written>) {
        self.give(Task::Commit(records));
    }

    /// Calls back when everything of before is durable.
    pub(super) fn tell(&self, done: Done) {
        if self.shared.waiting.load(Ordering::Acquire) == 0 {
            done(self.shared.outcome());
        } else {
            self.give(Task::Tell(done));
        }
    }

    /// Waits until everything of before is durable.
    pub(super) fn wait(&self) -> Result<(), StoreError> {
        let (told, done) = mpsc::sync_channel(1);
        self.tell(Box::new(move |outcome| drop(told.send(outcome))));
        done.recv().unwrap_or_else(|_| Err(StoreError::Fatal("its thread is gone".to_owned())))
    }

    fn give(&self, task: Task) {
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        let given = self.tasks.as_ref().map(|tasks| tasks.send(task));
        if let Some(Err(mpsc::SendError(task))) = given {
            self.shared.break_off("its thread is gone");
            if let Task::Tell(done) = task {
                done(self.shared.outcome());
            }
        }
    }
}

impl Drop for Pipeline {
    /// Waits until everything was written.
    fn drop(&mut self) {
        drop(self.tasks.take());
        self.shared.closes.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a thread of the journal ended by a defect; its message is above");
            }
        }
        if self.broken().is_none() {
            // After an error the fence must stay where it was known to be right.
            if let Err(why) = self.move_fence() {
                tracing::error!(%why, "the fence is behind the journal");
            }
        }
    }
}

fn spawn(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, Damage> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(Damage::io("the journal's thread"))
}

impl Shared {
    fn journal(&self) -> MutexGuard<'_, Journal> {
        locked(&self.journal)
    }

    /// Checks what a start did not.
    fn check(&self, older: Older) -> Result<(), Damage> {
        behind_others();
        let bytes = older.bytes();
        let checked = older.check_behind(&self.closes, |known| self.journal().learn(known));
        checked.inspect_err(|_| self.journal().suspect())?;
        if !self.closes.load(Ordering::Acquire) {
            tracing::info!(bytes, "old files of the journal are whole");
        }
        Ok(())
    }

    fn run(&self, queue: &Receiver<Task>) {
        loop {
            let first = match queue.recv_timeout(self.every) {
                Ok(task) => task,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.guarded(|| self.follow());
                    continue;
                }
            };
            let mut tasks = vec![first];
            tasks.extend(queue.try_iter());
            let count = tasks.len();
            let (mut commits, mut waiting) = (Vec::new(), Vec::new());
            for task in tasks {
                match task {
                    Task::Commit(records) => commits.push(records),
                    Task::Tell(done) => waiting.push(done),
                }
            }
            if !commits.is_empty() {
                self.guarded(|| self.write(&commits));
            }
            self.waiting.fetch_sub(count, Ordering::AcqRel);
            for done in waiting {
                done(self.outcome());
            }
        }
    }

    /// Does something with the disk, unless it failed before; after an error it
    /// has failed.
    fn guarded(&self, act: impl FnOnce() -> Result<(), Damage>) {
        if locked(&self.broken).is_none()
            && let Err(damage) = act()
        {
            self.break_off(&damage.to_string());
        }
    }

    fn write(&self, commits: &[Arc<Written>]) -> Result<(), Damage> {
        let draft = Draft::of(commits);
        let place = self.journal().place(&draft)?;
        let appended = place.write(draft)?;
        place.sync(&*self.disk)?;
        let mut journal = self.journal();
        journal.accept(&appended);
        self.durable.store(journal.end().sequence, Ordering::Release);
        drop(journal);
        self.follow()
    }

    fn follow(&self) -> Result<(), Damage> {
        let end = self.journal().end();
        locked(&self.fence).follow(end, &*self.disk)
    }

    fn outcome(&self) -> Result<(), StoreError> {
        locked(&self.broken).clone().map_or(Ok(()), |why| Err(StoreError::Fatal(why)))
    }

    fn break_off(&self, why: &str) {
        let mut broken = locked(&self.broken);
        if broken.is_none() {
            tracing::error!(why, "the store is not used any more");
            *broken = Some(why.to_owned());
        }
    }
}

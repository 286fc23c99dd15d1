//! The handle that callers hold: sends jobs to the writer and waits for what
//! is durable.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{
    answers::{Answers, Asker},
    clock::Clock,
    working::{Working, row},
};
use crate::{
    decision::{Command, Reply},
    domain::{
        change::Record,
        instant::Instant,
        key::Key,
        name::RevisionName,
        policy::{Policies, Policy},
        refusal::{Reason, Refusal},
        row::Row,
        who::{Author, RoleSet},
    },
    store::{Scan, Store, StoreError},
};

/// An answer, with the time it was given at.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was answered.
    pub reply: Reply,
    /// When.
    pub now: Instant,
    /// The policy it was given under, for writing it down: of decisions,
    /// payouts and usage.
    pub policy: Option<Arc<Policy>>,
}

/// Reads rows on the writer's thread, between batches. What it shows is told
/// when all of it is durable.
pub struct View<'a> {
    /// The time of reading.
    pub now: Instant,
    pub(super) store: &'a mut dyn Store,
    pub(super) working: &'a Working,
    pub(super) policies: &'a dyn Policies,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("now", &self.now).finish_non_exhaustive()
    }
}

fn broken(error: &StoreError) -> Refusal {
    tracing::error!(%error, "the store could not be read");
    Refusal::new(Reason::StoreUnavailable, "The store cannot be read.")
}

impl View<'_> {
    /// The row under a key.
    pub fn row(&mut self, key: &Key) -> Result<Option<Arc<Row>>, Refusal> {
        row(self.working, key, self.store).map_err(|e| broken(&e))
    }

    /// Rows in a range of keys.
    pub fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, Refusal> {
        self.store.scan(scan).map_err(|e| broken(&e))
    }

    /// Records after a sequence.
    pub fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, Refusal> {
        self.store.records(after, limit).map_err(|e| broken(&e))
    }

    /// The compiled policy of a revision.
    pub fn policy(&self, revision: &RevisionName) -> Option<Arc<Policy>> {
        self.policies.policy(revision)
    }
}

impl Policies for View<'_> {
    fn policy(&self, revision: &RevisionName) -> Option<Arc<Policy>> {
        self.policies.policy(revision)
    }
}

/// Looks at the state between two batches.
pub(super) type Reader = Box<dyn FnOnce(Result<&mut View<'_>, Refusal>) -> Shown + Send>;

/// Tells what was seen, once it is durable.
pub(super) type Shown = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

/// What is sent to the writer.
pub(super) enum Job {
    /// Judge this.
    Command {
        /// What.
        command: Command,
        /// Who asks.
        author: Author,
        /// In which roles.
        roles: RoleSet,
        /// The monotonic time from which on it is not to be judged any more.
        by: Option<Duration>,
        /// Its place among those that wait instead of being refused.
        place: Option<OwnedSemaphorePermit>,
        /// Where the answer goes.
        answer: Asker,
    },
    /// Read something.
    Read(Reader),
    /// See whether something is due.
    Tick,
    /// Stop; put things away first if told so.
    Stop {
        /// Whether to put things away.
        tidy: bool,
        /// Told when it is done.
        done: oneshot::Sender<()>,
    },
}

/// Sends jobs to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) jobs: mpsc::Sender<Job>,
    /// Places in the queue for those that wait for room. They are fewer than
    /// the queue has, so that room is left for those that do not wait.
    pub(super) places: Arc<Semaphore>,
    pub(super) clock: Arc<dyn Clock>,
    /// Where answers come from.
    pub(super) answers: Answers,
    /// Turns true when the store fails; closed when the writer is gone.
    pub(super) fails: watch::Receiver<bool>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}

/// That the store failed.
pub(super) fn unavailable() -> Refusal {
    Refusal::new(Reason::StoreUnavailable, "The store failed; the service has stopped answering.")
}

fn stopped() -> Refusal {
    Refusal::new(Reason::Draining, "The service is stopping.")
}

/// A command that was queued. Who drops it while it waits takes it back.
#[derive(Debug)]
pub struct Question(oneshot::Receiver<Result<Answer, Refusal>>);

/// What became of a command that is to be queued.
pub enum Queued {
    /// It is in the queue.
    In(Question),
    /// It is when this is done. Those that wait get room in the order in which
    /// they began to.
    Waits(Pin<Box<dyn Future<Output = Result<Question, Refusal>> + Send>>),
}

impl Handle {
    fn send(&self, job: Job) -> Result<(), Refusal> {
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Refusal::new(Reason::Overloaded, "The service has as much to do as it takes on.")
            }
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })
    }

    /// Has a command judged; answers when what it changed is durable.
    pub async fn command(
        &self,
        command: Command,
        author: Author,
        roles: RoleSet,
    ) -> Result<Answer, Refusal> {
        self.answer(self.ask(command, author, roles, None)?).await
    }

    /// Puts a command into the queue, or refuses it if that is full. When its
    /// turn comes at the monotonic time `by` or later it is refused then, and
    /// changes nothing.
    pub fn ask(
        &self,
        command: Command,
        author: Author,
        roles: RoleSet,
        by: Option<Duration>,
    ) -> Result<Question, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Command { command, author, roles, by, place: None, answer })?;
        Ok(Question(answered))
    }

    /// Waits for what is answered to what was queued. Who drops this while the
    /// command waits takes it back.
    pub async fn answer(&self, mut question: Question) -> Result<Answer, Refusal> {
        poll_fn(|context| self.poll_answer(&mut question, context)).await
    }

    /// Puts a command into the queue; if that is full, waits for room instead
    /// of being refused.
    pub fn queue(
        &self,
        command: Command,
        author: Author,
        roles: RoleSet,
        by: Option<Duration>,
    ) -> Queued {
        let (answer, answered) = oneshot::channel();
        let question = Question(answered);
        let place = self.places.clone().try_acquire_owned().ok();
        let has_place = place.is_some();
        let job = Job::Command { command, author, roles, by, place, answer };
        let job = if has_place {
            match self.jobs.try_send(job) {
                Ok(()) => return Queued::In(question),
                Err(
                    mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job),
                ) => job,
            }
        } else {
            job
        };
        let (jobs, places) = (self.jobs.clone(), self.places.clone());
        Queued::Waits(Box::pin(async move {
            let mut job = job;
            if let Job::Command { place: place @ None, .. } = &mut job {
                // Never closed.
                *place = places.acquire_owned().await.ok();
            }
            jobs.send(job).await.map_err(|_| stopped())?;
            Ok(question)
        }))
    }

    /// What was answered to what was queued, if it was by now.
    pub fn poll_answer(
        &self,
        question: &mut Question,
        context: &mut Context<'_>,
    ) -> Poll<Result<Answer, Refusal>> {
        let answer = ready!(Pin::new(&mut question.0).poll(context));
        Poll::Ready(answer.unwrap_or_else(|_| Err(self.unanswered())))
    }

    /// The monotonic time after so long.
    pub fn after(&self, wait: Duration) -> Duration {
        self.clock.now().monotonic.saturating_add(wait)
    }

    /// Reads on the writer's thread; answers when what was read is durable.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut View<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Read(Box::new(move |view| {
            let seen = view.and_then(read);
            // Nobody may be waiting any more; that is their choice.
            Box::new(move |durable| drop(answer.send(durable.and(seen))))
        })))?;
        answered.await.unwrap_or_else(|_| Err(self.unanswered()))
    }

    /// Why an answer did not come.
    fn unanswered(&self) -> Refusal {
        if *self.fails.borrow() {
            unavailable()
        } else if self.jobs.is_closed() {
            stopped()
        } else {
            Refusal::new(
                Reason::Internal,
                "This ended by a defect, which the log tells of. What was asked with a request_id can be asked again.",
            )
        }
    }

    /// Tells answers where it is polled, on one runtime with those that wait for
    /// them: far cheaper than from another thread, which is done without it.
    /// Ends never; who drops it changes nothing but that.
    pub fn tell_answers(&self) -> impl Future<Output = Infallible> + Send + 'static {
        self.answers.attend()
    }

    /// Takes back an answer that is not needed any more, to be put down on a
    /// thread that nobody waits for.
    pub fn take_back(&self, answer: Answer) {
        self.answers.take_back(answer);
    }

    /// Whether the store failed.
    pub fn has_failed(&self) -> bool {
        *self.fails.borrow()
    }

    /// Ready when nothing can be answered any more: the store failed, or the
    /// writer is gone.
    pub async fn failed(&self) {
        let mut fails = self.fails.clone();
        // An error says that the writer is gone.
        let _ = fails.wait_for(|failed| *failed).await;
    }

    /// Has the writer see whether something is due.
    pub fn tick(&self) {
        // A full queue is looked at anyway.
        let _ = self.jobs.try_send(Job::Tick);
    }

    /// Stops the writer after what is queued, and waits for it. With `tidy` it
    /// puts things away for a fast start; without, it stops as a kill would.
    pub async fn stop(&self, tidy: bool) {
        let (done, stopped) = oneshot::channel();
        if self.jobs.send(Job::Stop { tidy, done }).await.is_ok() {
            let _ = stopped.await;
        }
    }
}

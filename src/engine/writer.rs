//! The writer: takes what is queued as a batch, loads, judges, commits, and
//! only then answers. One thread of its own; the store belongs to it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TryRecvError},
    oneshot, watch,
};

use super::{
    answers::{Answers, Asker},
    clock::Clock,
    compiled::{Compiled, Compiler},
    handle::{Handle, Job, Reader, View, unavailable},
    profiles::Profiles,
    timekeeper::{Notice, Timekeeper},
    working::Working,
};
use crate::{
    decision::Command,
    domain::{
        key::Key,
        name::{Id, ProgrammeName, RevisionName},
        refusal::{Reason, Refusal},
        who::{Author, RoleSet},
    },
    store::{Commit, Scan, Store, StoreError},
};

/// How often a batch is judged anew when rows changed under it.
const TRIES: usize = 16;

/// How the engine runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most jobs waiting; more are refused.
    pub queue: usize,
    /// Most commands in a batch.
    pub batch: usize,
    /// How long denied and configuration request ids are remembered.
    pub remember: Duration,
    /// Whether what is due is written without anybody asking. Answers are the
    /// same without.
    pub sweep: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { queue: 8192, batch: 64, remember: Duration::from_secs(30 * 24 * 3600), sweep: true }
    }
}

pub(super) struct Writer {
    pub(super) store: Box<dyn Store>,
    pub(super) policies: Compiled,
    pub(super) time: Timekeeper,
    pub(super) working: Working,
    pub(super) profiles: Profiles,
    pub(super) options: Options,
    /// Whether a step back of the clock was seen and is not recorded yet.
    pub(super) owes_alert: bool,
    /// Whether more is due than the last batch took on: then nobody has to ask for
    /// the next one.
    pub(super) is_behind: bool,
    /// Set when the store failed: nothing is answered from then on.
    broken: watch::Sender<bool>,
    answers: Answers,
}

/// A command waiting for its batch.
pub(super) struct Pending {
    pub(super) command: Command,
    pub(super) author: Author,
    pub(super) roles: RoleSet,
    pub(super) answer: Option<Asker>,
}

/// Whether to put things away, and whom to tell when that is done.
type Stop = (bool, oneshot::Sender<()>);

/// What is done together.
#[derive(Default)]
struct Jobs {
    count: usize,
    commands: Vec<Pending>,
    reads: Vec<Reader>,
    stop: Option<Stop>,
}

impl Jobs {
    fn add(&mut self, job: Job, time: &Timekeeper) {
        self.count += 1;
        match job {
            // Taken back while it waited.
            Job::Command { answer, .. } if answer.is_closed() => {}
            Job::Command { by: Some(by), answer, .. } if time.monotonic() >= by => {
                let _ = answer.send(Err(not_in_time()));
            }
            Job::Command { command, author, roles, answer, .. } => {
                self.commands.push(Pending { command, author, roles, answer: Some(answer) });
            }
            Job::Read(read) => self.reads.push(read),
            Job::Tick => {}
            Job::Stop { tidy, done } => self.stop = Some((tidy, done)),
        }
    }
}

/// Starts the writer on a store.
///
/// # Errors
/// If stored policies or open payouts cannot be read; the message says which.
pub fn start(
    store: Box<dyn Store>,
    clock: Arc<dyn Clock>,
    compiler: Compiler,
    options: Options,
) -> Result<(Handle, thread::JoinHandle<()>), String> {
    let (broken, fails) = watch::channel(false);
    // The other half is for those that are refused when there is no room.
    let places = Arc::new(Semaphore::new((options.queue / 2).max(1)));
    let read = clock.clone();
    let answers = Answers::default();
    let mut writer = Writer {
        store,
        policies: Compiled::new(compiler),
        time: Timekeeper::new(clock),
        working: Working::default(),
        profiles: Profiles::default(),
        options,
        owes_alert: false,
        is_behind: false,
        broken,
        answers: answers.clone(),
    };
    writer.recover()?;
    let (jobs, queue) = mpsc::channel(options.queue);
    let thread = thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || writer.run(queue))
        .map_err(|error| format!("the writer's thread could not be started: {error}"))?;
    Ok((Handle { jobs, places, clock: read, answers, fails }, thread))
}

fn every_revision() -> Scan {
    let bound = |id: fn() -> Id, number| {
        Key::Revision(RevisionName {
            programme: ProgrammeName { platform: id(), programme: id() },
            number,
        })
    };
    Scan {
        from: bound(Id::before_all, 0),
        to: bound(Id::after_all, u32::MAX),
        reverse: false,
        limit: usize::MAX,
    }
}

impl Writer {
    fn recover(&mut self) -> Result<(), String> {
        self.store.begin().map_err(|e| e.to_string())?;
        for row in self.store.scan(&every_revision()).map_err(|e| e.to_string())? {
            self.policies.learn(&row)?;
        }
        self.policies.keep();
        Ok(())
    }

    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut room = 0;
        while let Some(first) = self.next(&mut queue) {
            let mut jobs = Jobs { commands: Vec::with_capacity(room), ..Jobs::default() };
            jobs.add(first, &self.time);
            while jobs.count < self.options.batch
                && let Ok(job) = queue.try_recv()
            {
                jobs.add(job, &self.time);
            }
            room = jobs.count;
            // Judging and showing guard against defects themselves. One anywhere
            // else leaves it open what is in memory: then nothing is answered.
            let served = catch_unwind(AssertUnwindSafe(|| self.serve(jobs)));
            let stop = served.unwrap_or_else(|_| {
                self.fail(&StoreError::Fatal("a defect, whose message is above".to_owned()));
                None
            });
            if let Some((tidy, done)) = stop {
                queue.close();
                if tidy
                    && !*self.broken.borrow()
                    && let Err(error) = self.put_away()
                {
                    tracing::error!("the store could not be put away; the next start takes longer");
                    self.fail(&error);
                }
                drop(self.store);
                let _ = done.send(());
                return;
            }
        }
    }

    /// What is to be done next. `None`: nobody can ask for anything any more.
    fn next(&self, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        match queue.try_recv() {
            Ok(job) => Some(job),
            Err(TryRecvError::Empty) if self.is_behind => Some(Job::Tick),
            Err(_) => queue.blocking_recv(),
        }
    }

    /// Hands over what the store does not have yet, and has it put away.
    fn put_away(&mut self) -> Result<(), StoreError> {
        let rows = self.working.rest().collect();
        self.store.commit(Commit { records: Vec::new(), rows, lacks: None })?;
        self.store.tidy()
    }

    fn serve(&mut self, jobs: Jobs) -> Option<Stop> {
        self.batch(jobs.commands);
        for read in jobs.reads {
            self.read(read);
        }
        jobs.stop
    }

    fn read(&mut self, read: Reader) {
        if *self.broken.borrow() {
            return read(Err(unavailable()))(Ok(()));
        }
        match self.store.begin() {
            Ok(tip) => {
                let (now, notice) = self.time.now(tip.at);
                self.owes_alert |= notice == Notice::SteppedBack;
                let Self { store, working, policies, .. } = self;
                let mut view = View { now, store: store.as_mut(), working, policies };
                // A defect in showing something must not end the deciding. Readers
                // change nothing that outlives them.
                match catch_unwind(AssertUnwindSafe(|| read(Ok(&mut view)))) {
                    Ok(shown) => self.store.when_durable(Box::new(|outcome| {
                        shown(outcome.map_err(|_| unavailable()));
                    })),
                    Err(_) => tracing::error!("a reader ended by a defect; its message is above"),
                }
            }
            Err(error) => {
                self.fail(&error);
                read(Err(unavailable()))(Ok(()));
            }
        }
    }

    /// What was judged stands.
    pub(super) fn committed(&mut self) {
        // An alert that was owed is in every commit until one stands.
        self.owes_alert = false;
        self.policies.keep();
    }

    fn fail(&mut self, error: &StoreError) {
        fail(&self.broken, error);
        // What was committed before is written now rather than when it all ends: it
        // is found when it is asked again.
        self.store.when_durable(Box::new(drop));
    }

    /// Judges and commits commands, then answers them.
    fn batch(&mut self, mut pending: Vec<Pending>) {
        if *self.broken.borrow() {
            self.is_behind = false;
            return answer_all(&mut pending, &unavailable());
        }
        let asked = pending.len();
        for _ in 0..TRIES {
            pending.truncate(asked);
            self.policies.take_back();
            self.working.settle(self.store.as_ref());
            let judged = match self.judge(&mut pending) {
                Ok(judged) => judged,
                Err(StoreError::Conflict) => continue,
                Err(error) => {
                    self.fail(&error);
                    return answer_all(&mut pending, &unavailable());
                }
            };
            // Meters may be handed over though nothing was recorded.
            if !(judged.commit.records.is_empty() && judged.commit.rows.is_empty()) {
                match self.store.commit(judged.commit) {
                    Ok(()) => self.committed(),
                    Err(StoreError::Conflict) => continue,
                    Err(error) => {
                        self.fail(&error);
                        return answer_all(&mut pending, &unavailable());
                    }
                }
            }
            self.working.settle(self.store.as_ref());
            let broken = self.broken.clone();
            let (answers, hand) = (judged.answers, self.answers.clone());
            self.store.when_durable(Box::new(move |outcome| match outcome {
                Ok(()) => {
                    let askers = pending.iter_mut().map(|pending| pending.answer.take());
                    let mut told = Vec::with_capacity(answers.len());
                    let to_whom = askers.zip(answers);
                    told.extend(to_whom.filter_map(|(to, what)| Some((to?, what))));
                    hand.hand(told);
                }
                Err(error) => {
                    fail(&broken, &error);
                    answer_all(&mut pending, &unavailable());
                }
            }));
            return;
        }
        self.policies.take_back();
        let refusal = Refusal::new(Reason::Contention, "Others kept changing the same rows.");
        answer_all(&mut pending, &refusal);
    }
}

fn fail(broken: &watch::Sender<bool>, error: &StoreError) {
    if !broken.send_replace(true) {
        tracing::error!(%error, "the store failed; nothing is answered any more. Restart the service");
    }
}

fn not_in_time() -> Refusal {
    Refusal::new(
        Reason::NotJudgedInTime,
        "It waited longer than judge_within says before its turn came; this call changed nothing. If the same request was sent before, what was decided then stands: send it again with the same request_id to be told.",
    )
}

fn answer_all(pending: &mut [Pending], refusal: &Refusal) {
    for sender in pending.iter_mut().filter_map(|p| p.answer.take()) {
        let _ = sender.send(Err(refusal.clone()));
    }
}

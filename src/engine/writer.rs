//! The writer: takes what is queued as a batch, loads, judges, commits, and
//! only then answers. One thread of its own; the store belongs to it.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    clock::Clock,
    due::DueIndex,
    handle::{Answer, Handle, Job, Reader, View},
    ids,
    timekeeper::{Notice, Timekeeper},
    working::Working,
};
use crate::{
    decision::{Command, Context, Judgement, Reply, due::Due},
    domain::{
        change::{Change, Record},
        event::{Event, EventKind},
        finding::Severity,
        instant::Instant,
        key::Key,
        name::{Id, ProgrammeName, RevisionName},
        policy::{Policies, Policy},
        refusal::{Reason, Refusal},
        row::Row,
        who::{Author, RoleSet},
    },
    store::{Commit, Scan, Store, StoreError},
};

/// Compiles a stored policy.
pub type Compiler = Arc<dyn Fn(&[u8]) -> Result<Policy, String> + Send + Sync>;

/// The alert for a wall clock that stepped back.
pub const CLOCK_STEPPED_BACK: &str = "CLOCK_STEPPED_BACK";

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
        Self { queue: 8192, batch: 256, remember: Duration::from_secs(30 * 24 * 3600), sweep: true }
    }
}

/// Compiled policies by revision.
#[derive(Debug, Default)]
struct Compiled(HashMap<RevisionName, Arc<Policy>>);

impl Policies for Compiled {
    fn policy(&self, revision: &RevisionName) -> Option<Arc<Policy>> {
        self.0.get(revision).cloned()
    }
}

struct Writer {
    store: Box<dyn Store>,
    compiler: Compiler,
    policies: Compiled,
    time: Timekeeper,
    due: DueIndex,
    options: Options,
    /// Whether a step back of the clock was seen and is not recorded yet.
    owes_alert: bool,
    /// Set when the store failed: nothing is answered from then on.
    broken: watch::Sender<bool>,
}

/// A command waiting for its batch.
struct Pending {
    command: Command,
    author: Author,
    roles: RoleSet,
    answer: Option<oneshot::Sender<Result<Answer, Refusal>>>,
}

/// What a batch came to, before it is durable.
struct Judged {
    answers: Vec<Result<Answer, Refusal>>,
    commit: Commit,
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
    let mut writer = Writer {
        store,
        compiler,
        policies: Compiled::default(),
        time: Timekeeper::new(clock),
        due: DueIndex::default(),
        options,
        owes_alert: false,
        broken,
    };
    writer.recover()?;
    let (jobs, queue) = mpsc::channel(options.queue);
    let thread = thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || writer.run(queue))
        .map_err(|error| format!("the writer's thread could not be started: {error}"))?;
    Ok((Handle { jobs, fails }, thread))
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
            self.learn(&row)?;
        }
        for row in self.store.open_payouts().map_err(|e| e.to_string())? {
            if let Row::Payout(payout) = row.as_ref() {
                self.due.note(payout, &self.policies);
            }
        }
        Ok(())
    }

    /// Compiles a revision.
    fn learn(&mut self, row: &Row) -> Result<(), String> {
        if let Row::Revision(revision) = row {
            let policy = (self.compiler)(&revision.policy)
                .map_err(|error| format!("{} cannot be compiled: {error}", revision.name))?;
            self.policies.0.insert(revision.name.clone(), Arc::new(policy));
        }
        Ok(())
    }

    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while let Some(first) = queue.blocking_recv() {
            jobs.push(first);
            while jobs.len() < self.options.batch
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
            let stop = self.serve(jobs.drain(..));
            if let Some((tidy, done)) = stop {
                queue.close();
                if tidy
                    && !*self.broken.borrow()
                    && let Err(error) = self.store.tidy()
                {
                    tracing::error!(%error, "the store could not be put away; the next start takes longer");
                }
                drop(self.store);
                let _ = done.send(());
                return;
            }
        }
    }

    fn serve(&mut self, jobs: impl Iterator<Item = Job>) -> Option<(bool, oneshot::Sender<()>)> {
        let mut pending = Vec::new();
        let mut reads = Vec::new();
        let mut stop = None;
        for job in jobs {
            match job {
                Job::Command { command, author, roles, answer } => {
                    pending.push(Pending { command, author, roles, answer: Some(answer) });
                }
                Job::Read(read) => reads.push(read),
                Job::Tick => {}
                Job::Stop { tidy, done } => stop = Some((tidy, done)),
            }
        }
        self.batch(pending);
        for read in reads {
            self.read(read);
        }
        stop
    }

    fn read(&mut self, read: Reader) {
        if *self.broken.borrow() {
            return read(Err(unavailable()));
        }
        match self.store.begin() {
            Ok(tip) => {
                let (now, notice) = self.time.now(tip.at);
                self.owes_alert |= notice == Notice::SteppedBack;
                let mut view = View { now, store: self.store.as_mut(), policies: &self.policies };
                // A defect in showing something must not end the deciding. Readers
                // change nothing that outlives them.
                let shown = catch_unwind(AssertUnwindSafe(|| read(Ok(&mut view))));
                if shown.is_err() {
                    tracing::error!("a reader ended by a defect; its message is above");
                }
            }
            Err(error) => {
                self.fail(&error);
                read(Err(unavailable()));
            }
        }
    }

    fn fail(&mut self, error: &StoreError) {
        tracing::error!(%error, "the store failed; nothing is answered any more. Restart the service");
        self.broken.send_replace(true);
    }

    /// Judges and commits commands, then answers them.
    fn batch(&mut self, mut pending: Vec<Pending>) {
        if *self.broken.borrow() {
            return answer_all(&mut pending, &unavailable());
        }
        let asked = pending.len();
        for _ in 0..TRIES {
            pending.truncate(asked);
            let judged = match self.judge(&mut pending) {
                Ok(judged) => judged,
                Err(StoreError::Conflict) => continue,
                Err(error) => {
                    self.fail(&error);
                    return answer_all(&mut pending, &unavailable());
                }
            };
            let payouts = changed_payouts(&judged.commit);
            if !judged.commit.records.is_empty() {
                match self.store.commit(judged.commit) {
                    // An alert that was owed is in every commit until one stands.
                    Ok(()) => self.owes_alert = false,
                    Err(StoreError::Conflict) => continue,
                    Err(error) => {
                        self.fail(&error);
                        return answer_all(&mut pending, &unavailable());
                    }
                }
            }
            for row in payouts {
                if let Row::Payout(payout) = row.as_ref() {
                    self.due.note(payout, &self.policies);
                }
            }
            for (pending, answer) in pending.iter_mut().zip(judged.answers) {
                if let Some(sender) = pending.answer.take() {
                    // Nobody may be waiting any more; the record stands.
                    let _ = sender.send(answer);
                }
            }
            return;
        }
        let refusal = Refusal::new(Reason::Contention, "Others kept changing the same rows.");
        answer_all(&mut pending, &refusal);
    }

    /// Adds what is due, loads everything, and judges in order.
    fn judge(&mut self, pending: &mut Vec<Pending>) -> Result<Judged, StoreError> {
        let tip = self.store.begin()?;
        let (now, notice) = self.time.now(tip.at);
        self.owes_alert |= notice == Notice::SteppedBack;
        let jumped = notice == Notice::Jumped;
        if self.options.sweep && !jumped {
            // Behind what was asked, so that answers stay in the order of the
            // questions; expiry is judged on read, so the order changes nothing.
            for payout in self.due.due(now, self.options.batch) {
                pending.push(Pending {
                    command: Command::Due(Due { payout }),
                    author: Author { caller: "bursar".into(), actor: None },
                    roles: RoleSet::NONE,
                    answer: None,
                });
            }
        }
        let mut judged = Judged { answers: Vec::new(), commit: Commit::default() };
        let mut sequence = tip.sequence;
        if self.owes_alert {
            sequence += 1;
            judged.commit.records.push(stepped_back(sequence, now));
        }
        let mut working = Working::default();
        let first: Vec<Key> = pending.iter().flat_map(|p| p.command.first()).collect();
        working.load(&first, self.store.as_mut())?;
        let second: Vec<Key> = pending
            .iter()
            .flat_map(|p| {
                p.command.second(&working.view(), &self.context(p, now, Id::before_all()))
            })
            .collect();
        working.load(&second, self.store.as_mut())?;
        for pending in pending.iter() {
            if jumped && pending.command.lets_money_leave() {
                judged.answers.push(Err(clock_jump()));
                continue;
            }
            let fresh = ids::fresh(now, sequence + 1);
            let context = self.context(pending, now, fresh.clone());
            // A command before it in the batch may have changed what it needs.
            let further = pending.command.second(&working.view(), &context);
            working.load(&further, self.store.as_mut())?;
            let context = self.context(pending, now, fresh);
            let Judgement { changes, events, answer } =
                pending.command.judge(&working.view(), &context);
            let policy =
                answer.as_ref().ok().and_then(|reply| self.policies.policy(governed(reply)?));
            judged.answers.push(answer.map(|reply| Answer { reply, now, policy }));
            if changes.is_empty() && events.is_empty() {
                continue;
            }
            for change in &changes {
                working.apply(change);
                if let Change::Put(row) = change {
                    self.learn(row).map_err(StoreError::Fatal)?;
                }
            }
            sequence += 1;
            judged.commit.records.push(Record {
                sequence,
                at: now,
                author: pending.author.clone(),
                operation: pending.command.operation().into(),
                changes,
                events,
            });
        }
        judged.commit.rows = working.changed();
        Ok(judged)
    }

    fn context(&self, pending: &Pending, now: Instant, fresh: Id) -> Context<'_> {
        Context {
            now,
            author: pending.author.clone(),
            roles: pending.roles,
            policies: &self.policies,
            fresh,
            remember: self.options.remember,
        }
    }
}

/// The revision that a reply was given under.
fn governed(reply: &Reply) -> Option<&RevisionName> {
    match reply {
        Reply::Decided { decision, .. } => Some(&decision.revision),
        Reply::Checked(check) => Some(&check.revision),
        Reply::Payout(payout) => Some(&payout.revision),
        Reply::Usage(usage) => Some(&usage.revision),
        Reply::Row(_)
        | Reply::Account { .. }
        | Reply::Moved { .. }
        | Reply::Deleted
        | Reply::Done => None,
    }
}

fn changed_payouts(commit: &Commit) -> Vec<Arc<Row>> {
    let rows = commit.rows.iter().filter_map(|(_, row)| row.clone());
    rows.filter(|row| matches!(row.as_ref(), Row::Payout(_))).collect()
}

fn answer_all(pending: &mut [Pending], refusal: &Refusal) {
    for sender in pending.iter_mut().filter_map(|p| p.answer.take()) {
        let _ = sender.send(Err(refusal.clone()));
    }
}

fn unavailable() -> Refusal {
    Refusal::new(Reason::StoreUnavailable, "The store failed; the service has stopped answering.")
}

fn clock_jump() -> Refusal {
    Refusal::new(
        Reason::ClockJump,
        "The wall clock jumped ahead by more than 60 s; holds would expire by it. Set it right, or restart the service to believe it.",
    )
}

fn stepped_back(sequence: u64, now: Instant) -> Record {
    Record {
        sequence,
        at: now,
        author: Author { caller: "bursar".into(), actor: None },
        operation: "Clock".into(),
        changes: Vec::new(),
        events: vec![Event {
            effect_time: now,
            shop: None,
            kind: EventKind::Alert {
                id: CLOCK_STEPPED_BACK.into(),
                resource: "".into(),
                severity: Severity::High,
                audience: "operations".into(),
            },
        }],
    }
}

//! Judging a batch: what is due is added, rows are loaded, and the commands are
//! judged in order, each over what those before it changed. Nothing here is
//! durable yet, nor kept if the commit does not come about.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    ahead,
    compiled::Compiled,
    handle::Answer,
    ids,
    timekeeper::Notice,
    working::Working,
    writer::{Options, Pending, Writer},
};
use crate::{
    decision::{Command, Context, Judgement, Outcome, Reply, due::Due},
    domain::{
        allowed::Allowed,
        change::{Change, Record},
        event::{Event, EventKind},
        finding::Severity,
        instant::Instant,
        key::Key,
        name::{Id, RevisionName},
        policy::Policies,
        refusal::{Reason, Refusal},
        who::{Author, RoleSet},
    },
    store::{Commit, Store, StoreError},
};

/// The alert for a wall clock that stepped back.
pub const CLOCK_STEPPED_BACK: &str = "CLOCK_STEPPED_BACK";

/// How many payouts that are due a batch takes on for each command, when more were due
/// than the one before took on; and in any case as many as a batch has commands at most.
/// Each authorization makes one that is due later, more with timers, so it has to be
/// more than one; twice as many would be twice as much that commands wait for.
const CATCHING_UP: usize = 2;

/// What a batch came to, before it is durable.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) answers: Vec<Result<Answer, Refusal>>,
    pub(super) commit: Commit,
    /// The last record.
    sequence: u64,
}

impl Writer {
    /// Adds what is due, loads everything, and judges in order.
    pub(super) fn judge(&mut self, pending: &mut Vec<Pending>) -> Result<Judged, StoreError> {
        let tip = self.store.begin()?;
        let (now, notice) = self.time.now(tip.at);
        self.owes_alert |= notice == Notice::SteppedBack;
        let jumped = notice == Notice::Jumped;
        let was_behind = std::mem::take(&mut self.is_behind);
        if self.options.sweep && !jumped {
            self.add_due(now, was_behind, pending)?;
        }
        let answers = Vec::with_capacity(pending.len());
        let mut judged = Judged { sequence: tip.sequence, answers, ..Judged::default() };
        let is_shared = self.store.is_shared();
        let in_short = !is_shared && self.store.takes_allowed();
        if self.owes_alert {
            judged.sequence += 1;
            judged.commit.records.push(stepped_back(judged.sequence, now));
        }
        if is_shared {
            self.load(pending, now)?;
        }
        let whose = |pending: &Pending| pending.command.whose().filter(|_| !is_shared);
        let whose: Vec<_> = pending.iter().map(whose).collect();
        ahead::look(&whose, &self.profiles, &self.working, now);
        let mut came_about = false;
        for (pending, whose) in pending.iter().zip(whose) {
            if jumped && pending.command.lets_money_leave() {
                judged.answers.push(Err(clock_jump()));
                continue;
            }
            let fresh = ids::fresh(now, judged.sequence + 1);
            let mut context = context(&self.policies, &self.options, pending, now, fresh);
            context.alone = !is_shared;
            let known = whose.as_ref().and_then(|whose| self.profiles.get(whose, now));
            let is_known = known.is_some();
            let (profile, seats) = known.unzip();
            context.profile.replace(profile);
            self.working.unseat();
            self.working.load(pending.command.first(&context), false, self.store.as_mut())?;
            // A command before it in the batch may have changed what it needs.
            let further =
                guarded(pending, || pending.command.second(&self.working.view(), &context));
            let is_new = context.order_is_new.get();
            self.working.load(further.unwrap_or_default(), is_new, self.store.as_mut())?;
            if let (Some(profile), Some(whose)) = (context.comes_back_to(), &whose) {
                let (keys, store) = (profile.running(), self.store.as_mut());
                if let Some(seats) = self.working.seat(keys, seats.flatten(), store)? {
                    self.profiles.seat(whose, seats);
                }
            }
            let judge = || match in_short {
                true => pending.command.outcome(&self.working.view(), &context),
                false => Outcome::Judged(pending.command.judge(&self.working.view(), &context)),
            };
            let outcome = guarded(pending, judge);
            let profile = context.profile.take();
            let outcome =
                outcome.unwrap_or_else(|refusal| Outcome::Judged(Judgement::only(Err(refusal))));
            if let (Some(whose), Some(profile), false) = (whose, &profile, is_known) {
                self.profiles.keep(whose, profile.clone());
            }
            match outcome {
                Outcome::Judged(judgement) => {
                    let changed = self.stand(pending, judgement, now, is_new, &mut judged)?;
                    came_about |= changed && matches!(pending.command, Command::Due(_));
                }
                Outcome::Allowed(mut allowed, reply) => {
                    judged.sequence += 1;
                    allowed.sequence = judged.sequence;
                    let policy = profile.as_ref().map(|profile| profile.policy().clone());
                    let commit = std::mem::take(&mut judged.commit);
                    self.working.pass(&allowed, profile.as_deref());
                    take(&allowed, commit, &mut self.working, self.store.as_mut())?;
                    // An alert that was owed is in what was committed.
                    self.owes_alert = false;
                    judged.answers.push(Ok(Answer { reply, now, policy }));
                }
            }
        }
        self.is_behind &= came_about;
        self.complete(&mut judged.commit);
        Ok(judged)
    }

    /// Makes a judgement stand, for the commands behind it: its answer, and the record
    /// of what it changes, if anything. Whether it does.
    fn stand(
        &mut self,
        pending: &Pending,
        judgement: Judgement,
        now: Instant,
        of_new_order: bool,
        judged: &mut Judged,
    ) -> Result<bool, StoreError> {
        let Judgement { changes, events, answer } = judgement;
        let policy = answer.as_ref().ok().and_then(|reply| self.policies.policy(governed(reply)?));
        judged.answers.push(answer.map(|reply| Answer { reply, now, policy }));
        if changes.is_empty() && events.is_empty() {
            return Ok(false);
        }
        judged.sequence += 1;
        let (sequence, is_shared) = (judged.sequence, self.store.is_shared());
        if of_new_order && !is_shared {
            self.working.begin(&changes);
        }
        self.working.apply(&changes, sequence, !is_shared);
        for change in &changes {
            self.profiles.see(change);
            if let Change::Put(row) = change {
                self.policies.learn(row).map_err(StoreError::Fatal)?;
            }
        }
        judged.commit.records.push(Record {
            sequence,
            at: now,
            author: pending.author.clone(),
            operation: pending.command.operation().into(),
            changes,
            events,
        });
        if !is_shared {
            self.hand_over(&mut judged.commit)?;
            if let Some(Ok(answer)) = judged.answers.last_mut() {
                lighten(&pending.command, answer);
            }
        }
        Ok(true)
    }

    /// Adds the rows that changed.
    fn complete(&mut self, commit: &mut Commit) {
        commit.rows = self.working.changed(self.store.as_ref());
        commit.lacks = self.working.lacks();
    }

    /// Commits a record to a store that nobody else changes, at once: what it is
    /// made of is then still at hand, and its memory is the next one's. It becomes
    /// durable with the batch.
    fn hand_over(&mut self, commit: &mut Commit) -> Result<(), StoreError> {
        self.complete(commit);
        self.store.commit(std::mem::take(commit)).map_err(alone)?;
        self.committed();
        Ok(())
    }

    /// Behind what was asked, so that answers stay in the order of the
    /// questions; expiry is judged on read, so the order changes nothing.
    fn add_due(
        &mut self,
        now: Instant,
        was_behind: bool,
        pending: &mut Vec<Pending>,
    ) -> Result<(), StoreError> {
        let most = most_due(pending.len(), self.options.batch, was_behind);
        let due = self.working.due(now, most, self.store.as_mut())?;
        // Of which one at least is to come about: what stays due for ever, by a defect,
        // is not to keep it busy.
        self.is_behind = !due.is_empty() && due.len() >= most;
        for payout in due {
            pending.push(Pending {
                command: Command::Due(Box::new(Due { payout })),
                author: Author { caller: "bursar".into(), actor: None },
                roles: RoleSet::NONE,
                answer: None,
            });
        }
        Ok(())
    }

    /// Everything that the commands need, as far as it can be told beforehand:
    /// in two trips, where a trip is one to somewhere else.
    fn load(&mut self, pending: &[Pending], now: Instant) -> Result<(), StoreError> {
        let mut first: Vec<Key> = Vec::new();
        for pending in pending {
            let context = context(&self.policies, &self.options, pending, now, Id::before_all());
            first.extend(pending.command.first(&context));
        }
        self.working.load(first, false, self.store.as_mut())?;
        let mut second: Vec<Key> = Vec::new();
        for pending in pending {
            let fresh = Id::before_all();
            let context = context(&self.policies, &self.options, pending, now, fresh);
            let keys = guarded(pending, || pending.command.second(&self.working.view(), &context));
            second.extend(keys.unwrap_or_default());
        }
        self.working.load(second, false, self.store.as_mut())
    }
}

/// How many payouts that are due a batch takes on at most. What waits to be written
/// makes reading meters slower: when there is more of it than is asked, asking slows
/// down until there is not.
fn most_due(asked: usize, batch: usize, was_behind: bool) -> usize {
    let share = if was_behind { asked.saturating_mul(CATCHING_UP) } else { 0 };
    share.max(batch)
}

/// Commits an authorization that is told in short, behind what is in a commit.
fn take(
    allowed: &Allowed<'_>,
    mut commit: Commit,
    working: &mut Working,
    store: &mut dyn Store,
) -> Result<(), StoreError> {
    commit.rows = working.changed(store);
    commit.lacks = working.lacks();
    store.commit_allowed(allowed, commit).map_err(alone)
}

/// An error of a store that nobody else changes.
fn alone(error: StoreError) -> StoreError {
    match error {
        StoreError::Conflict => StoreError::Fatal("somebody else changed its rows".to_owned()),
        StoreError::Fatal(why) => StoreError::Fatal(why),
    }
}

fn context<'a>(
    policies: &'a Compiled,
    options: &Options,
    pending: &Pending,
    now: Instant,
    fresh: Id,
) -> Context<'a> {
    Context {
        now,
        author: pending.author.clone(),
        roles: pending.roles,
        policies,
        fresh,
        remember: options.remember,
        alone: false,
        meters: Cell::default(),
        order_is_new: Cell::default(),
        comes_back: Cell::default(),
        profile: RefCell::default(),
    }
}

/// Lets go of what a decision was worked out from, if nobody reads it in the
/// answer: its record has it. Later its memory would have to be fetched again
/// only to be let go of; now the next command has it.
fn lighten(command: &Command, answer: &mut Answer) {
    if let Command::Authorize(command) = command
        && !command.spec.full
        && let Reply::Decided { decision, .. } = &mut answer.reply
        && decision.verdict.findings.is_empty()
        && let Some(decision) = Arc::get_mut(decision)
    {
        decision.inputs.let_go();
    }
}

/// Does a part of judging. A defect in it is answered to whoever met it and
/// ends nothing else: judging changes nothing by itself, and a process that
/// died of one command would die again of the same when it is sent again.
fn guarded<T>(pending: &Pending, judge: impl FnOnce() -> T) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(judge)).map_err(|_| {
        let operation = pending.command.operation();
        let caller = &pending.author.caller;
        tracing::error!(operation, %caller, "judging ended by a defect; its message is above");
        Refusal::new(Reason::Internal, "Judging this ended by a defect; nothing was changed.")
    })
}

/// The revision that a reply was given under.
fn governed(reply: &Reply) -> Option<&RevisionName> {
    match reply {
        Reply::Decided { decision, .. } => Some(&decision.revision),
        Reply::Granted(granted) => Some(&granted.template.revision),
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

#[cfg(test)]
mod tests {
    use super::most_due;

    #[test]
    fn what_is_due_waits_behind_calls_and_makes_them_wait_when_it_piles_up() {
        let batch = 64;
        for (asked, due, due_when_behind) in [(0, 64, 64), (1, 64, 64), (40, 64, 80), (64, 64, 128)]
        {
            assert_eq!(most_due(asked, batch, false), due);
            assert_eq!(most_due(asked, batch, true), due_when_behind);
        }
    }
}

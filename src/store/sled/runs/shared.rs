//! What the background thread and the others tell each other.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use super::{super::damage::Damage, Mark, Table, set::Set};

/// How the thread is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// When all tables are at rest.
    Drain,
    /// At once.
    Abandon,
}

/// What the thread is to do next.
#[derive(Debug)]
pub(super) enum Task {
    /// Bring a table to rest.
    Freeze(Table),
    /// Go on merging.
    Merge,
    /// End.
    End,
}

#[derive(Debug, Default)]
struct State {
    tables: VecDeque<Table>,
    at_rest: VecDeque<Mark>,
    ending: Option<Ending>,
    is_idle: bool,
    /// How many wait for the thread.
    waiting: usize,
}

impl State {
    /// Whether the thread may pause: no table waits, and nobody.
    fn has_time(&self) -> bool {
        self.tables.is_empty() && self.ending.is_none() && self.waiting == 0
    }
}

/// What both sides know.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    set: Mutex<Arc<Set>>,
    broken: OnceLock<Damage>,
}

impl Shared {
    /// Nothing to do yet.
    pub(super) fn new(set: Arc<Set>) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            set: Mutex::new(set),
            broken: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs now.
    pub(super) fn set(&self) -> Result<Arc<Set>, Damage> {
        self.check()?;
        Ok(self.set.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// These are the runs from now on.
    pub(super) fn show(&self, set: Arc<Set>) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = set;
    }

    /// Whether the thread came to an end that it should not.
    pub(super) fn check(&self) -> Result<(), Damage> {
        self.broken.get().map_or(Ok(()), |damage| Err(again(damage)))
    }

    /// Nothing works from now on; only the first reason counts.
    pub(super) fn break_down(&self, damage: Damage) {
        let _ = self.broken.set(damage);
        // Under the lock, or somebody about to wait would miss it.
        let _state = self.state();
        self.changed.notify_all();
    }

    /// Hands a table over.
    pub(super) fn push(&self, table: Table) {
        let mut state = self.state();
        state.tables.push_back(table);
        state.is_idle = false;
        self.changed.notify_all();
    }

    /// A table is at rest.
    pub(super) fn rest(&self, mark: Mark) {
        self.state().at_rest.push_back(mark);
        self.changed.notify_all();
    }

    /// The mark of the table that came to rest longest ago.
    pub(super) fn pop(&self) -> Result<Option<Mark>, Damage> {
        self.check()?;
        Ok(self.state().at_rest.pop_front())
    }

    /// Waits for such a mark. Somebody has made sure that one will come.
    pub(super) fn wait(&self) -> Result<Mark, Damage> {
        self.wait_for(|state| state.at_rest.pop_front())
    }

    /// Waits until the thread has nothing to do.
    pub(super) fn wait_until_idle(&self) -> Result<(), Damage> {
        self.wait_for(|state| state.is_idle.then_some(()))
    }

    /// Waits for something of the state. The thread does not pause meanwhile.
    fn wait_for<T>(&self, found: impl Fn(&mut State) -> Option<T>) -> Result<T, Damage> {
        let mut state = self.state();
        state.waiting += 1;
        self.changed.notify_all();
        loop {
            let answer = self.check().map(|()| found(&mut state)).transpose();
            if let Some(answer) = answer {
                state.waiting -= 1;
                return answer;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A pause of the thread, of a length, which ends at once when a table or
    /// somebody waits for it, or it is to end.
    pub(super) fn pause(&self, length: Duration) {
        let has_time = |state: &mut State| state.has_time();
        // Why it ended is of no interest: nothing is late when it was too short.
        let _ = self.changed.wait_timeout_while(self.state(), length, has_time);
    }

    /// Tells the thread to end.
    pub(super) fn end(&self, ending: Ending) {
        self.state().ending = Some(ending);
        self.changed.notify_all();
    }

    /// Whether it is to end at once.
    pub(super) fn is_abandoned(&self) -> bool {
        self.state().ending == Some(Ending::Abandon)
    }

    /// What the thread is to do next; waits for something.
    pub(super) fn next(&self, can_merge: bool) -> Task {
        let mut state = self.state();
        loop {
            if state.ending == Some(Ending::Abandon) {
                return Task::End;
            }
            if let Some(table) = state.tables.pop_front() {
                return Task::Freeze(table);
            }
            if state.ending.is_some() {
                return Task::End;
            }
            if can_merge {
                return Task::Merge;
            }
            state.is_idle = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The same damage once more.
fn again(damage: &Damage) -> Damage {
    match damage {
        Damage::Io { path, cause } => Damage::Io {
            path: path.clone(),
            cause: io::Error::new(cause.kind(), cause.to_string()),
        },
        Damage::Unreadable { what, why } => {
            Damage::Unreadable { what: what.clone(), why: why.clone() }
        }
        Damage::Defect(why) => Damage::Defect(why.clone()),
        other => Damage::Defect(other.to_string()),
    }
}

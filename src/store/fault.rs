//! A store for tests of what drives stores: others get in between by a
//! schedule, and whoever commits what was not begun, not loaded, or made from
//! rows that have changed since is found out.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{Changed, Commit, Done, Scan, Store, StoreError, Tip};
use crate::domain::{
    account::BalanceChange,
    amount::Amount,
    change::{Change, Record},
    key::Key,
    meter::MeterChange,
    name::Id,
    row::Row,
    who::Author,
};

/// What becomes of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is made.
    Passes,
    /// Another writer is faster and takes the same for itself: of each meter
    /// and account that the commit changes as much as it would. A conflict.
    Overtaken,
    /// As [`Fate::Overtaken`], but the other writer gives back what it took
    /// the last time.
    GivenBack,
}

/// Wraps a store. A commit is fatal, a defect of the caller,
/// - if it was not begun anew after the last one;
/// - if it changes a meter or balance that was not loaded since `begin` (whole
///   rows may be put unseen);
/// - if its rows are not what its changes make of the rows of now.
#[derive(Debug)]
pub struct FaultStore<S> {
    store: S,
    has_begun: bool,
    loaded: HashSet<Key>,
    loads: usize,
    most_loads: usize,
    commits: u64,
    fate: fn(u64) -> Fate,
    /// What the other writer has taken and not given back.
    taken: Vec<Change>,
}

impl<S: Store> FaultStore<S> {
    /// Over a store. `fate` says what becomes of the nth commit, counted from 0.
    pub fn new(store: S, fate: fn(u64) -> Fate) -> Self {
        Self {
            store,
            has_begun: false,
            loaded: HashSet::new(),
            loads: 0,
            most_loads: 0,
            commits: 0,
            fate,
            taken: Vec::new(),
        }
    }

    /// Commits so far, those that conflicted too.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// The most loads that one commit took.
    pub fn most_loads(&self) -> usize {
        self.most_loads
    }

    /// What the other writer has taken and not given back.
    pub fn taken(&self) -> &[Change] {
        &self.taken
    }

    /// The first changed meter or balance that was not loaded.
    fn unseen(&self, commit: &Commit) -> Option<Key> {
        let changes = commit.records.iter().flat_map(|record| &record.changes);
        let partial = changes.filter(|change| change.adds());
        partial.map(Change::key).find(|key| !self.loaded.contains(key))
    }

    /// The first row that is not what the changes make of the row of now.
    fn stale(&mut self, commit: &Commit) -> Result<Option<Key>, StoreError> {
        let given: BTreeMap<&Key, &Changed> =
            commit.rows.iter().map(|changed| (&changed.key, changed)).collect();
        let made = self.made(commit.records.clone())?.rows;
        let differs = |changed: &&Changed| given.get(&changed.key) != Some(changed);
        let stale = made.iter().find(differs).map(|changed| changed.key.clone());
        let more = given.keys().find(|key| made.iter().all(|changed| changed.key != ***key));
        Ok(stale.or_else(|| more.map(|key| (*key).clone())))
    }

    /// What records make of the rows of now.
    fn made(&mut self, records: Vec<Record>) -> Result<Commit, StoreError> {
        let mut keys: Vec<Key> =
            records.iter().flat_map(|record| &record.changes).map(Change::key).collect();
        keys.sort_unstable();
        keys.dedup();
        let rows = self.store.load(&keys)?;
        let mut before: BTreeMap<Key, Option<Arc<Row>>> = keys.into_iter().zip(rows).collect();
        Ok(Commit::of(records, |key| before.remove(key).flatten()))
    }

    /// Commits a record of the other writer's own.
    fn overtake(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let tip = self.store.begin()?;
        let record = Record {
            sequence: tip.sequence + 1,
            at: tip.at,
            author: Author { caller: "another writer".into(), actor: None },
            operation: "Overtake".into(),
            changes,
            events: Vec::new(),
        };
        let commit = self.made(vec![record])?;
        self.store.commit(commit)
    }
}

/// What the first record that takes something would take, for a payout of
/// somebody else's.
fn twins(commit: &Commit, turn: u64) -> Vec<Change> {
    let payout = Id::parse(&format!("twin-{turn}")).unwrap_or_else(Id::before_all);
    let twins = |record: &Record| {
        record.changes.iter().filter_map(|change| twin(change, &payout)).collect::<Vec<_>>()
    };
    commit.records.iter().map(twins).find(|twins| !twins.is_empty()).unwrap_or_default()
}

fn twin(change: &Change, payout: &Id) -> Option<Change> {
    Some(match change {
        Change::Meter(change) => Change::Meter(MeterChange {
            payout: payout.clone(),
            before: None,
            after: Some(change.after.or(change.before)?),
            forget_until: None,
            ..change.clone()
        }),
        Change::Balance(change) => {
            let held = change.after.or(change.before);
            let moved = change.credit.max(change.credit.negated()).negated();
            Change::Balance(BalanceChange {
                account: change.account.clone(),
                credit: if held.is_some() { Amount::ZERO } else { moved },
                movement: false,
                before: None,
                after: held,
            })
        }
        Change::Put(_) | Change::Delete(_) => return None,
    })
}

/// What undoes changes that took something.
fn undone(changes: Vec<Change>) -> Vec<Change> {
    let undo = |change| match change {
        Change::Meter(change) => {
            let (before, after) = (change.after, change.before);
            Change::Meter(MeterChange { before, after, ..change })
        }
        Change::Balance(change) => {
            let (before, after) = (change.after, change.before);
            let credit = change.credit.negated();
            Change::Balance(BalanceChange { credit, before, after, ..change })
        }
        other => other,
    };
    changes.into_iter().map(undo).collect()
}

impl<S: Store> Store for FaultStore<S> {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        self.has_begun = true;
        self.loaded.clear();
        self.loads = 0;
        self.store.begin()
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
        self.loads += 1;
        let rows = self.store.load(keys)?;
        if rows.len() != keys.len() {
            return Err(StoreError::Fatal("other rows came than those asked for".to_owned()));
        }
        self.loaded.extend(keys.iter().cloned());
        Ok(rows)
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        let turn = self.commits;
        self.commits += 1;
        self.most_loads = self.most_loads.max(self.loads);
        if !std::mem::take(&mut self.has_begun) {
            return Err(StoreError::Fatal("committed again without beginning anew".to_owned()));
        }
        if let Some(key) = self.unseen(&commit) {
            return Err(StoreError::Fatal(format!("{key:?} is changed and was not loaded")));
        }
        if let Some(key) = self.stale(&commit)? {
            return Err(StoreError::Fatal(format!("{key:?} was made from a row of before")));
        }
        let others = match (self.fate)(turn) {
            Fate::Passes => return self.store.commit(commit),
            Fate::Overtaken => {
                let twins = twins(&commit, turn);
                self.taken.extend(twins.iter().cloned());
                twins
            }
            Fate::GivenBack => undone(std::mem::take(&mut self.taken)),
        };
        self.overtake(others)?;
        Err(StoreError::Conflict)
    }

    fn when_durable(&mut self, done: Done) {
        self.store.when_durable(done);
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        self.store.scan(scan)
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.store.records(after, limit)
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        self.store.tidy()
    }
}

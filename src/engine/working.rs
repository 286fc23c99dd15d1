//! The rows that commands are judged over: of a store that is this engine's
//! own from batch to batch, of one that others change too for one batch. Judging
//! a command sees what the commands before it changed, committed or not.

use std::{
    collections::{
        HashMap, VecDeque,
        hash_map::Entry::{Occupied, Vacant},
    },
    sync::Arc,
    thread,
};

use foldhash::fast::RandomState;

use crate::{
    decision::{Find, Loaded},
    domain::{
        allowed::Allowed,
        change::{Change, following},
        instant::Instant,
        key::Key,
        name::{Id, PayoutName},
        row::Row,
    },
    store::{Changed, Scan, Store, StoreError},
};

/// How many rows are kept from batch to batch before those go that were not
/// used since the last time.
const KEPT: usize = 100_000;

/// The rows.
#[derive(Debug)]
pub struct Working {
    /// Rows that commands come back to.
    rows: Held,
    /// The same, not used lately. Nothing in here changed.
    old: Held,
    /// Rows of payouts and of what belongs to one: for this batch.
    passing: Held,
    /// Of `rows`, what the store gets with the next commit.
    changed: Vec<Key>,
    /// Rows of payouts and of what belongs to one that a record wrote whole and
    /// that the store gets with it: nobody asks for them here any more.
    written: Vec<Changed>,
    /// Of `rows`, meters and balances that changed again: the store gets them
    /// when it wants all.
    running: VecDeque<Key>,
    /// Of `rows`, the meters of orders that were loaded for this batch: an order has
    /// few payouts, and who asks again finds them in the store.
    passing_by: Vec<Key>,
    /// How often the store wanted all.
    turn: u64,
    /// Nothing is due before.
    earliest_due: Instant,
}

/// A row, and what the store does not know of it.
#[derive(Debug, Default)]
struct Entry {
    row: Option<Arc<Row>>,
    /// The last record that changed it since the store had it.
    changed: Option<u64>,
    /// In which turn the store last got it when it changed.
    given: Option<u64>,
    /// Nobody had it before.
    is_new: bool,
    /// The record that changed it last is the only one that ever did, and only
    /// added to it.
    alone: bool,
}

/// Rows by key.
type Held = HashMap<Key, Entry, RandomState>;

impl Default for Working {
    fn default() -> Self {
        Self {
            // Making room later takes as long as judging a thousand payouts.
            rows: Held::with_capacity_and_hasher(KEPT, RandomState::default()),
            old: Held::default(),
            passing: Held::default(),
            changed: Vec::new(),
            written: Vec::new(),
            running: VecDeque::new(),
            passing_by: Vec::new(),
            turn: 0,
            earliest_due: Instant::MIN,
        }
    }
}

impl Find for Working {
    fn find(&self, key: &Key) -> Option<&Option<Arc<Row>>> {
        let rows = if key.passes() { &self.passing } else { &self.rows };
        rows.get(key).map(|entry| &entry.row)
    }
}

impl Working {
    /// Loads those of the keys that are not here yet; `of_new_order`: there are no
    /// meters of their order, and a store that nobody else changes is not asked for
    /// them.
    pub fn load(
        &mut self,
        keys: Vec<Key>,
        of_new_order: bool,
        store: &mut dyn Store,
    ) -> Result<(), StoreError> {
        let asks_for_all = !of_new_order || store.is_shared();
        let mut missing: Vec<Key> = Vec::new();
        for key in keys {
            if self.find(&key).is_some() {
                continue;
            }
            match self.old.remove_entry(&key) {
                Some((key, entry)) => drop(self.rows.insert(key, entry)),
                None if asks_for_all || !key.is_of_an_order() => missing.push(key),
                None => self.take_in(key, None),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        if store.is_shared() {
            // One canonical order, so that stores that lock cannot deadlock.
            missing.sort_unstable();
            missing.dedup();
        }
        let rows = store.load(&missing)?;
        for (key, row) in missing.into_iter().zip(rows) {
            self.take_in(key, row);
        }
        Ok(())
    }

    /// Takes in a row as the store has it.
    fn take_in(&mut self, key: Key, row: Option<Arc<Row>>) {
        let held = if key.passes() { &mut self.passing } else { &mut self.rows };
        let is_new = row.is_none();
        if key.is_of_an_order() {
            self.passing_by.push(key.clone());
        }
        held.insert(key, Entry { row, is_new, ..Entry::default() });
    }

    /// For judging.
    pub fn view(&self) -> Loaded<'_> {
        Loaded::new(self)
    }

    /// Takes in the meters of a new order that are changed: nobody asked for them,
    /// because there are none.
    pub fn begin(&mut self, changes: &[Change]) {
        for key in changes.iter().filter(|change| change.adds()).map(Change::key) {
            if key.is_of_an_order() && !self.rows.contains_key(&key) {
                self.take_in(key, None);
            }
        }
    }

    /// Takes note of a record that is told in short: the store gets it at once, and
    /// with it the rows that it makes alone. Nobody is told that they are not there.
    pub fn pass(&mut self, allowed: &Allowed<'_>) {
        self.passing.clear();
        for key in self.passing_by.drain(..) {
            self.rows.remove(&key);
        }
        let due = allowed.expire_time().unwrap_or(Instant::MAX);
        self.earliest_due = self.earliest_due.min(due);
    }

    /// Applies the changes that a record makes; `at_once`: the store gets them
    /// before another command is judged.
    pub fn apply(&mut self, changes: &[Change], sequence: u64, at_once: bool) {
        // A payout changes several meters of a row.
        for together in changes.chunk_by(Change::is_in_row_of) {
            self.apply_to_one(together, sequence, at_once);
        }
    }

    /// Applies changes of one row.
    fn apply_to_one(&mut self, changes: &[Change], sequence: u64, at_once: bool) {
        let [change, ..] = changes else { return };
        let key = change.key();
        if let Change::Put(after) = change
            && let Row::Payout(_) = after.as_ref()
        {
            // May be put unseen.
            let written = self.written.iter().rev().find(|written| written.key == key);
            let before = match written {
                Some(written) => written.row.clone(),
                None => self.find(&key).cloned().flatten(),
            };
            for (key, row) in following(before.as_deref(), Some(after)) {
                if let Key::Due(at, _) = &key
                    && row.is_some()
                {
                    self.earliest_due = self.earliest_due.min(*at);
                }
                let row = row.map(Arc::new);
                self.write(key, row, sequence, at_once);
            }
        }
        if key.passes() {
            return self.write(key, change.apply(None), sequence, at_once);
        }
        let adds = change.adds();
        assert!(
            !adds || self.rows.contains_key(&key),
            "changed a row that was not loaded: {key:?}"
        );
        self.keep(key, sequence, adds, |before| {
            changes.iter().fold(before, |row, change| change.apply(row))
        });
    }

    /// Keeps a row of a payout or of what belongs to one, which is written whole.
    fn write(&mut self, key: Key, row: Option<Arc<Row>>, sequence: u64, at_once: bool) {
        if at_once {
            self.written.push(Changed { key, row, sequence, alone: false });
        } else {
            self.keep(key, sequence, false, |_| row);
        }
    }

    fn keep(
        &mut self,
        key: Key,
        sequence: u64,
        adds: bool,
        after: impl FnOnce(Option<Arc<Row>>) -> Option<Arc<Row>>,
    ) {
        let passes = key.passes();
        let held = if passes { &mut self.passing } else { &mut self.rows };
        let (entry, key) = match held.entry(key) {
            Occupied(place) => {
                let key = (!passes && place.get().changed.is_none()).then(|| place.key().clone());
                (place.into_mut(), key)
            }
            Vacant(place) => {
                let key = (!passes).then(|| place.key().clone());
                (place.insert(Entry::default()), key)
            }
        };
        entry.row = after(entry.row.take());
        let alone = match entry.changed.replace(sequence) {
            Some(last) => entry.alone && last == sequence,
            None => entry.is_new,
        };
        entry.alone = alone && adds;
        let Some(key) = key else { return };
        // Most meters change once in a turn: those of an order.
        if key.runs() && entry.given.replace(self.turn) == Some(self.turn) {
            self.running.push_back(key);
        } else {
            self.changed.push(key);
        }
    }

    /// Payouts for which something is due by an instant, at most so many, the
    /// earliest first.
    pub fn due(
        &mut self,
        now: Instant,
        most: usize,
        store: &mut dyn Store,
    ) -> Result<Vec<PayoutName>, StoreError> {
        if now < self.earliest_due {
            return Ok(Vec::new());
        }
        let bound = |at, id: fn() -> Id| {
            Key::Due(at, PayoutName { platform: id(), shop: id(), payout: id() })
        };
        let from = bound(self.earliest_due, Id::before_all);
        let to = bound(Instant::MAX, Id::after_all);
        let next = store.scan(&Scan { from, to, reverse: false, limit: most + 1 })?;
        let mut due = Vec::new();
        self.earliest_due = Instant::MAX;
        for row in &next {
            let Row::Due(at, payout) = row.as_ref() else { continue };
            self.earliest_due = self.earliest_due.min(*at);
            if *at <= now && due.len() < most {
                due.push(payout.clone());
            }
        }
        Ok(due)
    }

    /// The rows that changed since the last time, as they are now; meters and
    /// balances when the store wants them.
    pub fn changed(&mut self, store: &dyn Store) -> Vec<Changed> {
        let passing = self.passing.drain().filter_map(|(key, Entry { row, changed, .. })| {
            Some(Changed { key, row, sequence: changed?, alone: false })
        });
        let mut all = std::mem::take(&mut self.written);
        all.extend(passing);
        for key in self.changed.drain(..) {
            let Occupied(mut place) = self.rows.entry(key) else { continue };
            let entry = place.get_mut();
            let Some(sequence) = entry.changed.take() else { continue };
            let alone = entry.alone;
            // From here on the store has it.
            entry.is_new = false;
            if place.key().is_of_an_order() && !store.is_shared() {
                let (key, entry) = place.remove_entry();
                all.push(Changed { key, row: entry.row, sequence, alone });
            } else {
                let (key, row) = (place.key().clone(), place.get().row.clone());
                all.push(Changed { key, row, sequence, alone });
            }
        }
        if store.wants_running() {
            all.extend(self.rest());
        } else {
            all.extend(self.oldest(store.takes_running()));
        }
        all
    }

    /// Some of the meters and balances that the store does not have yet: those that
    /// changed longest ago. One that changes again is handed over again.
    fn oldest(&mut self, most: usize) -> impl Iterator<Item = Changed> {
        let rows = &mut self.rows;
        let keys = self.running.drain(..most.min(self.running.len()));
        keys.filter_map(|key| still_running(rows, key))
    }

    /// The meters and balances that the store does not have yet.
    pub fn rest(&mut self) -> impl Iterator<Item = Changed> {
        self.turn += 1;
        let rows = &mut self.rows;
        self.running.drain(..).filter_map(|key| still_running(rows, key))
    }

    /// A batch of commands is over.
    pub fn settle(&mut self, store: &dyn Store) {
        self.passing.clear();
        for key in self.passing_by.drain(..) {
            if let Occupied(place) = self.rows.entry(key)
                && place.get().changed.is_none()
            {
                place.remove();
            }
        }
        if store.is_shared() {
            self.rows.clear();
            self.changed.clear();
            self.running.clear();
        }
        if self.rows.len() > KEPT + self.running.len() {
            let room = Held::with_capacity_and_hasher(self.rows.len(), RandomState::default());
            let oldest = std::mem::replace(&mut self.old, std::mem::replace(&mut self.rows, room));
            let old = &mut self.old;
            self.rows.extend(self.running.iter().filter_map(|key| old.remove_entry(key)));
            // Letting go of them takes as long as judging a thousand payouts.
            let thread = thread::Builder::new().name("forget".to_owned());
            drop(thread.spawn(move || drop(oldest)));
        }
    }
}

/// A meter or balance that changed since the store had it. What comes here was
/// handed over before.
fn still_running(rows: &mut Held, key: Key) -> Option<Changed> {
    let entry = rows.get_mut(&key)?;
    let sequence = entry.changed.take()?;
    Some(Changed { key, row: entry.row.clone(), sequence, alone: false })
}

/// The row under a key, as the commands before see it.
pub(super) fn row(
    working: &Working,
    key: &Key,
    store: &mut dyn Store,
) -> Result<Option<Arc<Row>>, StoreError> {
    let here = working.find(key).or_else(|| working.old.get(key).map(|entry| &entry.row));
    match here {
        Some(row) => Ok(row.clone()),
        None => Ok(store.load(std::slice::from_ref(key))?.into_iter().next().flatten()),
    }
}

#[cfg(test)]
mod tests;

//! The rows that commands are judged over: of a store that is this engine's
//! own from batch to batch, of one that others change too for one batch. Judging
//! a command sees what the commands before it changed, committed or not.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    thread,
};

use foldhash::fast::RandomState;

pub(super) use held::Seats;
use held::{Entry, Held};

use crate::{
    decision::{Find, Loaded, profile::Profile},
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
    passing: Passing,
    /// Where those of `rows` are that the store gets with the next commit.
    changed: Vec<usize>,
    /// Rows of payouts and of what belongs to one that a record wrote whole and
    /// that the store gets with it: nobody asks for them here any more.
    written: Vec<Changed>,
    /// Where those meters and balances of `rows` are that changed since the store had
    /// them, and the first record that changed each: the store gets those that wait
    /// longest when it takes them.
    running: VecDeque<(usize, u64)>,
    /// Of `rows`, the meters of orders that were loaded for this batch: an order has
    /// few payouts, and who asks again finds them in the store.
    passing_by: Vec<Key>,
    /// How often rows got other places.
    moves: u64,
    /// The rows that the command in hand comes back to.
    seated: Option<Arc<Seats>>,
    /// Nothing is due before.
    earliest_due: Instant,
}

/// Rows of a batch by key, each with the record that changed it last, if one did.
type Passing = HashMap<Key, (Option<Arc<Row>>, Option<u64>), RandomState>;

impl Default for Working {
    fn default() -> Self {
        Self {
            // Making room later takes as long as judging a thousand payouts.
            rows: Held::with_room(KEPT),
            old: Held::default(),
            passing: Passing::default(),
            changed: Vec::new(),
            written: Vec::new(),
            running: VecDeque::new(),
            passing_by: Vec::new(),
            moves: 0,
            seated: None,
            earliest_due: Instant::MIN,
        }
    }
}

impl Find for Working {
    fn find(&self, key: &Key) -> Option<&Option<Arc<Row>>> {
        match key.passes() {
            true => self.passing.get(key).map(|(row, _)| row),
            false => self.rows.get(key).map(|entry| &entry.row),
        }
    }

    fn seated(&self, place: usize) -> Option<&Option<Arc<Row>>> {
        let place = self.seated.as_ref()?.places.get(place)?;
        self.rows.at(*place).map(|entry| &entry.row)
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
            match self.old.remove(&key) {
                Some(entry) => drop(self.rows.insert(entry)),
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
        if key.passes() {
            self.passing.insert(key, (row, None));
            return;
        }
        if key.is_of_an_order() {
            self.passing_by.push(key.clone());
        }
        if self.rows.place(&key).is_none() {
            self.rows.insert(Entry::new(key, row));
        }
    }

    /// Has the rows under these keys, none of which is an order's, at hand for the
    /// command that comes, by their places in this list. `known`: where they were the
    /// last time. Says where they are, if they are elsewhere now.
    pub fn seat(
        &mut self,
        keys: &[Key],
        known: Option<Arc<Seats>>,
        store: &mut dyn Store,
    ) -> Result<Option<Arc<Seats>>, StoreError> {
        if let Some(known) = known.filter(|seats| seats.moves == self.moves) {
            debug_assert!(
                keys.iter().map(|key| self.rows.place(key)).eq(known
                    .places
                    .iter()
                    .copied()
                    .map(Some)),
                "rows went to other places"
            );
            self.seated = Some(known);
            return Ok(None);
        }
        self.load(keys.to_vec(), false, store)?;
        let places: Option<_> = keys.iter().map(|key| self.rows.place(key)).collect();
        self.seated = places.map(|places| Arc::new(Seats { moves: self.moves, places }));
        Ok(self.seated.clone())
    }

    /// The rows in these places, if they still are there.
    pub fn rows_at<'a>(&'a self, seats: &'a Seats) -> impl Iterator<Item = &'a Row> {
        let places = if seats.moves == self.moves { &seats.places[..] } else { &[] };
        places.iter().filter_map(|place| self.rows.at(*place)?.row.as_deref())
    }

    /// Another command comes, which may come back to other rows.
    pub fn unseat(&mut self) {
        self.seated = None;
    }

    /// For judging.
    pub fn view(&self) -> Loaded<'_> {
        Loaded::new(self)
    }

    /// Takes in the meters of a new order that are changed: nobody asked for them,
    /// because there are none.
    pub fn begin(&mut self, changes: &[Change]) {
        for key in changes.iter().filter(|change| change.adds()).map(Change::key) {
            if key.is_of_an_order() && self.rows.place(&key).is_none() {
                self.take_in(key, None);
            }
        }
    }

    /// Applies a record that is told in short: the store gets it at once, and with it
    /// the rows that it makes alone. Nobody is told that they are not there. `profile`
    /// is whose payout it is.
    pub fn pass(&mut self, allowed: &Allowed<'_>, profile: Option<&Profile>) {
        self.passing.clear();
        for key in self.passing_by.drain(..) {
            let gone = self.rows.remove(&key);
            debug_assert!(gone.is_none_or(|it| it.changed.is_none()), "a change would be lost");
        }
        let due = allowed.expire_time().unwrap_or(Instant::MAX);
        self.earliest_due = self.earliest_due.min(due);
        let seats = self.seated.take();
        let places = seats.as_ref().map_or(&[][..], |seats| &seats.places);
        for (counted, running) in allowed.counted() {
            let seat = profile.and_then(|profile| profile.running_row(counted));
            match seat.and_then(|seat| places.get(seat)) {
                Some(place) => {
                    let sequence = allowed.sequence;
                    self.change(*place, sequence, true, |row| Some(running.apply(row)));
                }
                None => self.apply(&[running.change()], allowed.sequence, true),
            }
        }
        self.seated = seats;
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
        let place = self.rows.place(&key);
        assert!(!adds || place.is_some(), "changed a row that was not loaded: {key:?}");
        let place = place
            .unwrap_or_else(|| self.rows.insert(Entry { is_new: false, ..Entry::new(key, None) }));
        self.change(place, sequence, adds, |before| {
            changes.iter().fold(before, |row, change| change.apply(row))
        });
    }

    /// Keeps a row of a payout or of what belongs to one, which is written whole.
    fn write(&mut self, key: Key, row: Option<Arc<Row>>, sequence: u64, at_once: bool) {
        if at_once {
            self.written.push(Changed { key, row, sequence, alone: false });
        } else {
            self.passing.insert(key, (row, Some(sequence)));
        }
    }

    /// Changes a row that does not pass; `adds`: only by adding to it.
    fn change(
        &mut self,
        place: usize,
        sequence: u64,
        adds: bool,
        after: impl FnOnce(Option<Arc<Row>>) -> Option<Arc<Row>>,
    ) {
        let entry = self.rows.at_mut(place).expect("a row that is changed is held");
        debug_assert!(!entry.key.passes(), "rows of a batch have no places");
        entry.row = after(entry.row.take());
        if !entry.change(sequence, adds) {
            return;
        }
        // Most meters change once: those of an order.
        if entry.key.runs_on() && !entry.is_new {
            self.running.push_back((place, sequence));
        } else {
            self.changed.push(place);
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

    /// The rows that changed since the last time, as they are now; of meters and
    /// balances as many as the store takes.
    pub fn changed(&mut self, store: &dyn Store) -> Vec<Changed> {
        let passing = self.passing.drain().filter_map(|(key, (row, changed))| {
            Some(Changed { key, row, sequence: changed?, alone: false })
        });
        let mut all = std::mem::take(&mut self.written);
        all.extend(passing);
        let mut changed = std::mem::take(&mut self.changed);
        for place in changed.drain(..) {
            let Some(entry) = self.rows.at_mut(place) else { continue };
            let Some(sequence) = entry.changed.take() else { continue };
            let alone = entry.alone;
            // From here on the store has it.
            entry.is_new = false;
            if !entry.key.is_of_an_order() || store.is_shared() {
                let (key, row) = (entry.key.clone(), entry.row.clone());
                all.push(Changed { key, row, sequence, alone });
            } else if let Some(Entry { key, row, .. }) = self.rows.remove_at(place) {
                all.push(Changed { key, row, sequence, alone });
            }
        }
        self.changed = changed;
        if let Some((_, oldest)) = self.running.front() {
            all.extend(self.oldest(store.takes_running(self.running.len(), *oldest)));
        }
        all
    }

    /// Some of the meters and balances that the store does not have yet: those that
    /// wait longest. One that changes again is handed over again.
    fn oldest(&mut self, most: usize) -> impl Iterator<Item = Changed> {
        let rows = &mut self.rows;
        let places = self.running.drain(..most.min(self.running.len()));
        places.filter_map(|(place, _)| still_running(rows, place))
    }

    /// The meters and balances that the store does not have yet.
    pub fn rest(&mut self) -> impl Iterator<Item = Changed> {
        self.oldest(usize::MAX)
    }

    /// The first record whose change of a meter or balance the store does not have.
    pub fn lacks(&self) -> Option<u64> {
        self.running.front().map(|(_, first)| *first)
    }

    /// A batch of commands is over.
    pub fn settle(&mut self, store: &dyn Store) {
        self.passing.clear();
        for key in self.passing_by.drain(..) {
            if let Some(place) = self.rows.place(&key)
                && self.rows.at(place).is_some_and(|entry| entry.changed.is_none())
            {
                self.rows.remove_at(place);
            }
        }
        if store.is_shared() {
            self.moves += 1;
            self.rows.clear();
            self.changed.clear();
            self.running.clear();
        }
        if self.rows.len() > KEPT + self.running.len() {
            self.moves += 1;
            let room = Held::with_room(self.rows.len());
            let oldest = std::mem::replace(&mut self.old, std::mem::replace(&mut self.rows, room));
            let Self { old, rows, .. } = self;
            let mut stays = |place: &mut usize| match old.remove_at(*place) {
                Some(entry) => {
                    *place = rows.insert(entry);
                    true
                }
                None => false,
            };
            self.changed.retain_mut(&mut stays);
            self.running.retain_mut(|(place, _)| stays(place));
            // Letting go of them takes as long as judging a thousand payouts.
            let thread = thread::Builder::new().name("forget".to_owned());
            drop(thread.spawn(move || drop(oldest)));
        }
    }
}

/// A meter or balance that changed since the store had it. What comes here was
/// handed over before.
fn still_running(rows: &mut Held, place: usize) -> Option<Changed> {
    let entry = rows.at_mut(place)?;
    let sequence = entry.changed.take()?;
    Some(Changed { key: entry.key.clone(), row: entry.row.clone(), sequence, alone: false })
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

mod held;

#[cfg(test)]
mod tests;

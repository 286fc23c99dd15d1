//! The rows that commands are judged over: of a store that is this engine's
//! own from batch to batch, of one that others change too for one batch. Judging
//! a command sees what the commands before it changed, committed or not.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use crate::{
    decision::Loaded,
    domain::{
        change::{Change, Rows, following},
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
    rows: Rows,
    /// Rows that were not used lately. Nothing in here changed.
    old: Rows,
    /// By the last record that changed it.
    changed: HashMap<Key, u64, RandomState>,
    /// The same of meters and balances, which the store may not have yet.
    running: HashMap<Key, u64, RandomState>,
    /// Rows of payouts and what belongs to one: rarely asked for again.
    passing: Vec<Key>,
    /// Nothing is due before.
    earliest_due: Instant,
}

impl Default for Working {
    fn default() -> Self {
        Self {
            rows: Rows::default(),
            old: Rows::default(),
            changed: HashMap::default(),
            running: HashMap::default(),
            passing: Vec::new(),
            earliest_due: Instant::MIN,
        }
    }
}

impl Working {
    /// Loads those of the keys that are not here yet.
    pub fn load(&mut self, keys: &[Key], store: &mut dyn Store) -> Result<(), StoreError> {
        let mut missing: Vec<Key> = Vec::new();
        for key in keys {
            if self.rows.contains_key(key) {
                continue;
            }
            match self.old.remove(key) {
                Some(row) => drop(self.rows.insert(key.clone(), row)),
                None => missing.push(key.clone()),
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
        self.passing.extend(missing.iter().filter(|key| passes(key)).cloned());
        self.rows.extend(missing.into_iter().zip(rows));
        Ok(())
    }

    /// For judging.
    pub fn view(&self) -> Loaded<'_> {
        Loaded::new(&self.rows)
    }

    /// Applies a change that a record makes.
    pub fn apply(&mut self, change: &Change, sequence: u64) {
        let key = change.key();
        let delta = matches!(change, Change::Meter(_) | Change::Balance(_));
        assert!(
            !delta || self.rows.contains_key(&key),
            "changed a row that was not loaded: {key:?}"
        );
        let before = match change {
            // May be put unseen.
            Change::Put(_) => self.rows.get(&key).cloned().flatten(),
            _ => self.rows.get_mut(&key).and_then(Option::take),
        };
        if let Change::Put(after) = change {
            for (key, row) in following(before.as_deref(), Some(after)) {
                if let Key::Due(at, _) = &key
                    && row.is_some()
                {
                    self.earliest_due = self.earliest_due.min(*at);
                }
                self.keep(key, row.map(Arc::new), sequence);
            }
        }
        self.keep(key, change.apply(before), sequence);
    }

    fn keep(&mut self, key: Key, row: Option<Arc<Row>>, sequence: u64) {
        if passes(&key) && !self.rows.contains_key(&key) {
            self.passing.push(key.clone());
        }
        self.rows.insert(key.clone(), row);
        let changed = if runs(&key) { &mut self.running } else { &mut self.changed };
        changed.insert(key, sequence);
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
        let rows = &self.rows;
        let changed = |(key, sequence)| {
            let row = rows.get(&key).cloned().flatten();
            Changed { key, row, sequence }
        };
        let mut all: Vec<Changed> = self.changed.drain().map(changed).collect();
        if store.wants_running() {
            all.extend(self.running.drain().map(changed));
        }
        all
    }

    /// The meters and balances that the store does not have yet.
    pub fn rest(&mut self) -> Vec<Changed> {
        let rows = &self.rows;
        let changed = |(key, sequence)| {
            let row = rows.get(&key).cloned().flatten();
            Changed { key, row, sequence }
        };
        self.running.drain().map(changed).collect()
    }

    /// A batch of commands is over.
    pub fn settle(&mut self, store: &dyn Store) {
        self.changed.clear();
        if store.is_shared() {
            self.rows.clear();
            self.running.clear();
            self.passing.clear();
        }
        for key in self.passing.drain(..) {
            self.rows.remove(&key);
        }
        if self.rows.len() > KEPT + self.running.len() {
            self.old = std::mem::take(&mut self.rows);
            let old = &mut self.old;
            let changed = self.running.keys().filter_map(|key| old.remove_entry(key));
            self.rows = changed.collect();
        }
    }
}

/// Whether the parts of payouts are added up in a row.
fn runs(key: &Key) -> bool {
    matches!(key, Key::Meter(_) | Key::Balance(_))
}

/// Whether a row is one of many of its kind that hardly anybody asks for again.
fn passes(key: &Key) -> bool {
    matches!(
        key,
        Key::Movement(..)
            | Key::MovementNumber(..)
            | Key::Order(_)
            | Key::Payout(_)
            | Key::PayoutOfOrder(..)
            | Key::Decision(_)
            | Key::Request(_)
            | Key::Due(..)
    )
}

/// The row under a key, as the commands before see it.
pub(super) fn row(
    working: &Working,
    key: &Key,
    store: &mut dyn Store,
) -> Result<Option<Arc<Row>>, StoreError> {
    match working.rows.get(key).or_else(|| working.old.get(key)) {
        Some(row) => Ok(row.clone()),
        None => Ok(store.load(std::slice::from_ref(key))?.into_iter().next().flatten()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{account::BalanceChange, amount::Amount, change::Record, name::ShopName},
        store::{Commit, Tip},
    };

    /// A store of this engine's own, with nothing in it.
    struct Empty;

    impl Store for Empty {
        fn begin(&mut self) -> Result<Tip, StoreError> {
            Ok(Tip::EMPTY)
        }

        fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
            Ok(vec![None; keys.len()])
        }

        fn commit(&mut self, _: Commit) -> Result<(), StoreError> {
            Ok(())
        }

        fn wants_running(&self) -> bool {
            false
        }

        fn is_shared(&self) -> bool {
            false
        }

        fn scan(&mut self, _: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
            Ok(Vec::new())
        }

        fn records(&mut self, _: u64, _: usize) -> Result<Vec<Arc<Record>>, StoreError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn questions_do_not_fill_the_memory_and_what_the_store_lacks_stays() {
        let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
        let account = shop.account(Id::parse("a").expect("an id"));
        let mut working = Working::default();
        let key = Key::Balance(account.clone());
        working.load(std::slice::from_ref(&key), &mut Empty).expect("nothing");
        let credit = BalanceChange {
            account,
            credit: Amount::ONE,
            movement: true,
            before: None,
            after: None,
        };
        working.apply(&Change::Balance(credit), 1);
        working.settle(&Empty);
        for batch in 0..6 {
            let operator =
                |n: usize| shop.operator(Id::parse(&format!("o{batch}-{n}")).expect("id"));
            let keys: Vec<Key> = (0..KEPT / 2 + 1).map(|n| Key::Operator(operator(n))).collect();
            working.load(&keys, &mut Empty).expect("nothing");
            working.settle(&Empty);
            assert!(working.rows.len() + working.old.len() <= 2 * KEPT + 3);
        }
        let kept = row(&working, &key, &mut Empty).expect("no error");
        assert!(matches!(kept.as_deref(), Some(Row::Balance(balance)) if balance.movements == 1));
    }
}

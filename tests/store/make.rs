//! Rows, changes and commits to store. Keeps its own copy of the rows, so that
//! a commit always says what its records say.

use std::{collections::BTreeMap, sync::Arc};

use bursar::{
    domain::{
        account::BalanceChange,
        amount::{Amount, Currency},
        cell::{CellKey, Celled},
        change::{Change, Record},
        instant::Instant,
        key::Key,
        limit::OnReturn,
        meter::{MeterChange, MeterKey, Metered, Phase, Shape},
        name::{AccountName, Id, OrderName, PayoutName, ProgrammeName, RevisionName, ShopName},
        order::Order,
        payout::{CountsWhile, Holding, Payout, State},
        request::{Answered, Fingerprint, Request, RequestKey},
        row::{Revision, Row},
        shop::{Shop, Stamp},
        value::Facts,
        who::{Author, RoleSet},
    },
    store::{Changed, Commit, Scan, Store, StoreError},
};

pub fn id(text: &str) -> Id {
    Id::parse(text).expect("an id")
}

pub fn at(second: i64) -> Instant {
    Instant::from_parts(1_770_000_000 + second, 0).expect("an instant")
}

pub fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

pub fn shop_name() -> ShopName {
    ShopName::parse("platforms/p/shops/s").expect("a name")
}

pub fn order_name(order: &str) -> OrderName {
    let ShopName { platform, shop } = shop_name();
    OrderName { platform, shop, order: id(order) }
}

pub fn payout_name(payout: &str) -> PayoutName {
    shop_name().payout(id(payout))
}

pub fn account_name() -> AccountName {
    shop_name().account(id("main"))
}

pub fn programme_name() -> ProgrammeName {
    ProgrammeName { platform: id("p"), programme: id("small") }
}

pub fn shop(display_name: &str) -> Row {
    Row::Shop(Shop {
        name: shop_name(),
        display_name: display_name.into(),
        facts: Facts::default(),
        stamp: Stamp::new(at(0)),
    })
}

pub fn order(order: &str, caller: &str) -> Row {
    Row::Order(Order {
        name: order_name(order),
        paid: Some((amount("12.50"), Currency::parse("CNY").expect("a currency"))),
        place_time: None,
        facts: Arc::default(),
        asserted_by: RoleSet::ALL,
        source_time: at(1),
        update_time: at(2),
        caller: caller.into(),
    })
}

pub fn meter_key(rule: &str) -> MeterKey {
    let cell = Celled {
        programme: programme_name(),
        scope: vec!["s".into(), rule.into()],
        window_start: Some(at(0)),
    };
    let cell = CellKey::of_an_order(cell);
    let within = Metered { rule: rule.into(), scope: vec!["o".into()], window_start: None };
    MeterKey::new(cell, within)
}

pub fn payout(payout: &str, state: State) -> Row {
    Row::Payout(Arc::new(Payout {
        name: payout_name(payout),
        revision: RevisionName { programme: programme_name(), number: 1 },
        request_id: "r".into(),
        order: Some(order_name("o")),
        operator: None,
        payee: "".into(),
        purpose: "refund".into(),
        currency: Currency::parse("CNY").expect("a currency"),
        amount: amount("5"),
        net_amount: amount("5"),
        settled: None,
        returned: None,
        facts: Arc::default(),
        dimensions: BTreeMap::from([("kind".into(), "x".into())]),
        create_time: at(0),
        update_time: at(0),
        state_time: at(0),
        expire_time: Some(at(1800)),
        state,
        execution_id: None,
        execute_time: None,
        settle_time: None,
        reason: "".into(),
        flags: Vec::new(),
        settlements: Vec::new(),
        returns: Vec::new(),
        holdings: vec![Holding {
            key: meter_key("day"),
            shape: Shape::Fixed,
            rolling: Some(std::time::Duration::from_secs(60)),
            adds_amount: true,
            counts: CountsWhile::Live,
            on_return: OnReturn::Keep,
            now: Some((Phase::Expiring(at(1800)), amount("5"))),
        }],
        draws: Vec::new(),
        caller: "t".into(),
        fired: Vec::new(),
        due: (!state.is_final()).then(|| at(1800)),
    }))
}

pub fn request(request: &str) -> Row {
    Row::Request(Request {
        key: RequestKey {
            platform: shop_name().platform(),
            parent: "platforms/p/shops/s".into(),
            operation: "AuthorizePayout".into(),
            id: request.into(),
        },
        content: Fingerprint(vec![(1, u64::MAX), (4, 7)]),
        answered: Answered::Decision(id("d")),
        at: at(3),
        forget_time: None,
    })
}

/// That a payout is of an order.
pub fn of_order(order: &str, payout: &str) -> Row {
    Row::PayoutOfOrder(order_name(order), id(payout))
}

/// A payout's hold on a meter of its order.
pub fn hold_of_order(order: &str, rule: &str, payout: &str, quantity: &str) -> Change {
    let scope = vec![format!("{}/{order}", shop_name().shop).into()];
    let of = Celled { programme: programme_name(), scope, window_start: None };
    let within = Metered { rule: rule.into(), scope: Vec::new(), window_start: None };
    let Change::Meter(change) = hold(rule, Shape::Fixed, payout, quantity) else {
        unreachable!("a hold is a change of a meter")
    };
    let key = MeterKey::new(CellKey::of_an_order(of), within);
    Change::Meter(MeterChange { key, ..change })
}

/// A part of a meter that payouts about other orders are added up in too.
pub fn hold_of_shop(shop: &str, payout: &str, quantity: &str) -> Change {
    let scope = vec![shop.into()];
    let of = Celled { programme: programme_name(), scope, window_start: Some(at(0)) };
    let within = Metered { rule: "day".into(), scope: Vec::new(), window_start: None };
    let Change::Meter(change) = hold("day", Shape::Fixed, payout, quantity) else {
        unreachable!("a hold is a change of a meter")
    };
    Change::Meter(MeterChange { key: MeterKey::new(of.into(), within), ..change })
}

/// A row of about this many bytes.
pub fn revision(number: u32, bytes: usize) -> Row {
    let policy: Vec<u8> = (0..bytes).map(|at| u8::try_from(at * 31 % 100).unwrap_or(0)).collect();
    Row::Revision(Revision {
        name: RevisionName { programme: programme_name(), number },
        policy: policy.into(),
        create_time: at(0),
        caller: "t".into(),
        note: "".into(),
        checksum: "".into(),
    })
}

/// A payout's hold on a meter.
pub fn hold(rule: &str, shape: Shape, payout: &str, quantity: &str) -> Change {
    Change::Meter(MeterChange {
        key: meter_key(rule),
        shape,
        payout: id(payout),
        at: at(1),
        amount: amount(quantity),
        before: None,
        after: Some((Phase::Held, amount(quantity))),
        forget_until: None,
    })
}

pub fn credit(quantity: &str) -> Change {
    Change::Balance(BalanceChange {
        account: account_name(),
        credit: amount(quantity),
        movement: true,
        before: None,
        after: None,
    })
}

/// Makes commits, one after the other.
#[derive(Clone, Default)]
pub struct Writer {
    pub sequence: u64,
    /// The last record that was let go of.
    pub no_more: u64,
    /// Seconds between records, less one.
    pub pause: i64,
    pub rows: BTreeMap<Key, Arc<Row>>,
}

impl Writer {
    /// When a record is written.
    pub fn at(&self, sequence: u64) -> Instant {
        at(i64::try_from(sequence).expect("small") * (1 + self.pause))
    }

    /// A commit of one record per list of changes.
    pub fn commit(&mut self, records: Vec<Vec<Change>>) -> Commit {
        let mut made = Vec::new();
        for changes in records {
            self.sequence += 1;
            made.push(Record {
                sequence: self.sequence,
                at: self.at(self.sequence),
                author: Author { caller: "t".into(), actor: None },
                operation: "Test".into(),
                changes,
                events: Vec::new(),
            });
        }
        let commit = Commit::of(made, |key| self.rows.get(key).cloned());
        for Changed { key, row, .. } in &commit.rows {
            match row {
                Some(row) => self.rows.insert(key.clone(), row.clone()),
                None => self.rows.remove(key),
            };
        }
        commit
    }

    /// Takes over what others committed in between.
    pub fn catch_up(&mut self, store: &mut impl Store) {
        store.begin().expect("a tip");
        durable(store).expect("durable");
        for record in store.records(self.sequence, usize::MAX).expect("records") {
            self.sequence = record.sequence;
            for change in &record.changes {
                let before = self.rows.remove(&change.key());
                self.rows.extend(change.apply(before).map(|row| (change.key(), row)));
            }
        }
    }

    /// Commits one record with these rows.
    pub fn put(&mut self, store: &mut impl Store, rows: Vec<Row>) {
        let changes = rows.into_iter().map(Change::put).collect();
        settle(store, self.commit(vec![changes])).expect("a commit");
    }

    /// Commits one record with this change.
    pub fn change(&mut self, store: &mut impl Store, change: Change) {
        settle(store, self.commit(vec![vec![change]])).expect("a commit");
    }

    /// That a store has exactly these rows and records, however it is asked.
    pub fn agrees(&self, store: &mut impl Store) {
        let tip = store.begin().expect("a tip");
        durable(store).expect("durable");
        assert_eq!(tip.sequence, self.sequence);
        self.lists(store);
        let keys: Vec<Key> = self.rows.keys().cloned().collect();
        let loaded = store.load(&keys).expect("rows");
        for ((key, row), loaded) in self.rows.iter().zip(loaded) {
            assert_eq!(loaded, Some(row.clone()), "{key:?}");
        }
        let records = store.records(0, usize::MAX).expect("records");
        assert!(records.iter().map(|r| r.sequence).eq(self.no_more + 1..=self.sequence));
    }
}

impl Writer {
    /// That a store lists these rows, of all that are listed at once.
    pub fn lists(&self, store: &mut impl Store) {
        let is_listed = |row: &Arc<Row>| match row.key() {
            Key::Decision(_) | Key::PayoutOfOrder(..) => false,
            key => !key.is_of_an_order(),
        };
        let listed = store.scan(&everything()).expect("a listing");
        let listed: Vec<_> = listed.into_iter().filter(is_listed).collect();
        let expected: Vec<_> = self.rows.values().filter(|it| is_listed(it)).cloned().collect();
        let keys = |rows: &[Arc<Row>]| rows.iter().map(|r| r.key()).collect::<Vec<_>>();
        let (found, wanted) = (keys(&listed), keys(&expected));
        let without = |some: &[Key], others: &[Key]| {
            some.iter().filter(|key| !others.contains(key)).cloned().collect::<Vec<Key>>()
        };
        let (more, less) = (without(&found, &wanted), without(&wanted, &found));
        assert!(found == wanted, "besides: {more:?}; missing: {less:?}");
        assert!(listed == expected, "a row is another");
        let orders = self.rows.keys().filter_map(|key| match key {
            Key::PayoutOfOrder(order, _) => Some(order),
            _ => None,
        });
        let orders: std::collections::BTreeSet<_> = orders.collect();
        orders.into_iter().for_each(|order| self.lists_payouts_of(order, store));
    }

    fn lists_payouts_of(&self, order: &OrderName, store: &mut impl Store) {
        let key = |id| Key::PayoutOfOrder(order.clone(), id);
        let (from, to) = (key(Id::before_all()), key(Id::after_all()));
        let of_order = self.rows.range(from.clone()..to.clone()).map(|(_, row)| row.clone());
        let mut expected: Vec<_> = of_order.collect();
        for reverse in [false, true] {
            for limit in [1, 2, usize::MAX] {
                let scan = Scan { from: from.clone(), to: to.clone(), reverse, limit };
                let some: Vec<_> = expected.iter().take(limit).cloned().collect();
                assert_eq!(store.scan(&scan).expect("a listing"), some, "{scan:?}");
            }
            expected.reverse();
        }
        // A page begins behind the one before.
        expected.sort_by_key(|row| row.key());
        for (number, row) in expected.iter().enumerate() {
            let scan = Scan { from: row.key(), to: to.clone(), reverse: false, limit: 9 };
            let rest: Vec<_> = expected.iter().skip(number).take(9).cloned().collect();
            assert_eq!(store.scan(&scan).expect("a listing"), rest);
            let scan = Scan { from: from.clone(), to: row.key(), reverse: true, limit: 9 };
            let rest: Vec<_> = expected.iter().take(number).rev().take(9).cloned().collect();
            assert_eq!(store.scan(&scan).expect("a listing"), rest);
        }
    }
}

/// Commits, and waits until it is durable.
pub fn settle(store: &mut impl Store, commit: Commit) -> Result<(), StoreError> {
    store.commit(commit)?;
    durable(store)
}

/// Waits until all that was committed is durable.
pub fn durable(store: &mut impl Store) -> Result<(), StoreError> {
    let (told, done) = std::sync::mpsc::channel();
    store.when_durable(Box::new(move |outcome| told.send(outcome).expect("the test waits")));
    done.recv().expect("an outcome")
}

/// Every key.
pub fn everything() -> Scan {
    let first = Key::Platform(bursar::domain::name::PlatformName { platform: Id::before_all() });
    let last = Key::Due(Instant::MAX, payout_name("last"));
    Scan { from: first, to: last, reverse: false, limit: usize::MAX }
}

/// The message of a fatal error.
pub fn fatal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result.expect_err("an error") {
        StoreError::Fatal(why) => why,
        StoreError::Conflict => panic!("a conflict"),
    }
}

//! Letting go of the oldest records: what is kept of them, and that a store goes on
//! from it as from all of them, however it was stopped.

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use bursar::{
    domain::{
        change::Change,
        decision::Decision,
        instant::Instant,
        key::Key,
        meter::Shape,
        minted::mint,
        name::Id,
        payout::State,
        request::{Answered, Request},
        row::Row,
    },
    store::{
        Store,
        sled::{Damage, Item, Retain, Retained, Stage, retain, verify, verify_in_parts},
    },
};
use proptest::prelude::*;

use crate::{
    every_row::a_decision,
    make::{
        Writer, credit, hold, hold_of_order, of_order, order, payout, request, settle, shop,
        shop_name,
    },
    places::{Place, Sled},
};

/// A store, what it should have, and what retention may forget of it.
pub struct Play {
    pub place: Sled,
    pub writer: Writer,
    /// The last record that wrote each payout, and the order that it is of.
    payouts: BTreeMap<Id, (u64, u8)>,
    /// The record that made each decision that denied, and when its request is forgotten.
    denied: BTreeMap<Id, (u64, Instant)>,
    orders: Vec<u8>,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// A payout of an order, which comes along if it is new.
    Authorize(u8),
    Deny,
    /// One of the payouts, by its number, comes to a state.
    Move(usize, State),
    /// The order is registered anew, or the shop.
    Register(u8),
    Configure,
    Delete,
    Tidy,
    Reopen,
    Kill,
    /// Keeps what is not older than so many records: each is of another second.
    Retain(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let states = [
        State::Processing,
        State::Processing,
        State::Succeeded,
        State::Failed,
        State::Expired,
        State::Returned,
    ];
    let moved = (any::<usize>(), prop::sample::select(states.to_vec()));
    prop_oneof![
        12 => (0_u8..12).prop_map(Step::Authorize),
        3 => Just(Step::Deny),
        12 => moved.prop_map(|(which, state)| Step::Move(which, state)),
        2 => (0_u8..12).prop_map(Step::Register),
        2 => Just(Step::Configure),
        1 => Just(Step::Delete),
        2 => Just(Step::Tidy),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        2 => (0_u64..60).prop_map(Step::Retain),
    ]
}

fn order_id(number: u8) -> String {
    format!("o{number}")
}

impl Play {
    pub fn new() -> Self {
        Self {
            place: Sled::new(),
            writer: Writer::default(),
            payouts: BTreeMap::new(),
            denied: BTreeMap::new(),
            orders: Vec::new(),
        }
    }

    /// The same, of a store that is kept somewhere else.
    pub fn at(&self, place: Sled) -> Self {
        Self {
            place,
            writer: self.writer.clone(),
            payouts: self.payouts.clone(),
            denied: self.denied.clone(),
            orders: self.orders.clone(),
        }
    }

    fn next_id(&self) -> Id {
        mint(1_790_000_000_000, self.writer.sequence + 1, [7; 4])
    }

    fn decision(id: &Id, is_denied: bool) -> Change {
        let payout = (!is_denied).then(|| id.clone());
        let name = shop_name().decision(id.clone());
        Change::put(Row::Decision(Arc::new(Decision { name, payout, ..a_decision() })))
    }

    fn request(id: &Id, forget_time: Option<Instant>) -> Change {
        let Row::Request(request) = request(id.as_str()) else { panic!("a request") };
        let answered = Answered::Decision(id.clone());
        Change::put(Row::Request(Request { answered, forget_time, ..request }))
    }

    /// What an authorization changes, as the engine has it.
    fn authorize(&mut self, number: u8) -> Vec<Change> {
        let (id, of) = (self.next_id(), order_id(number));
        let mut changes = vec![Self::decision(&id, false), Self::request(&id, None)];
        if !self.orders.contains(&number) {
            self.orders.push(number);
            changes.push(Change::put(order(&of, id.as_str())));
        }
        changes.push(Change::put(of_order(&of, id.as_str())));
        changes.push(hold_of_order(&of, "count", id.as_str(), "1"));
        changes.push(hold_of_order(&of, "total", id.as_str(), "2.5"));
        changes.push(hold("day", Shape::Fixed, id.as_str(), "2.5"));
        changes.push(hold("minute", Shape::Rolling, id.as_str(), "1"));
        changes.push(Change::put(payout(id.as_str(), State::Authorized)));
        self.payouts.insert(id, (self.writer.sequence + 1, number));
        changes
    }

    /// What another state of a payout changes; none, if there is no payout.
    fn moved(&mut self, which: usize, state: State) -> Option<Vec<Change>> {
        let ids: Vec<Id> = self.payouts.keys().cloned().collect();
        let id = ids.get(which.checked_rem(ids.len())?)?.clone();
        let (last, number) = self.payouts.get_mut(&id)?;
        *last = self.writer.sequence + 1;
        let mut changes = vec![
            hold_of_order(&order_id(*number), "total", id.as_str(), "-0.5"),
            hold("day", Shape::Fixed, id.as_str(), "-0.5"),
            credit("1"),
        ];
        changes.push(Change::put(payout(id.as_str(), state)));
        Some(changes)
    }

    fn commit(&mut self, store: &mut <Sled as Place>::Store, changes: Vec<Change>) {
        settle(store, self.writer.commit(vec![changes])).expect("a commit");
    }

    /// Lets go of records, and forgets what is to go with them.
    pub fn retain(&mut self, keep: u64) -> Retained {
        let done = retain_records(&self.place, keep, false).expect("it is done");
        let Some(gone) = done.gone else { return done };
        let no_more = gone.last.sequence;
        assert_eq!(done.unfinished, None);
        let before = self.writer.sequence - keep;
        assert!(no_more < before, "{no_more} was to stay: {before}");
        let over = self.forget(no_more);
        assert_eq!(gone.counted.expect("it was done").gone, over);
        done
    }

    /// Forgets what is to go with records up to this one. Says how many payouts.
    pub fn forget(&mut self, no_more: u64) -> u64 {
        let now = self.writer.at(self.writer.sequence);
        let (rows, mut over) = (&mut self.writer.rows, 0);
        self.payouts.retain(|id, (last, _)| {
            let key = Key::Payout(shop_name().payout(id.clone()));
            let Some(Row::Payout(payout)) = rows.get(&key).map(|row| &**row) else {
                panic!("a payout without a row")
            };
            let stays = *last > no_more || !payout.state.is_final();
            over += u64::from(!stays);
            stays
        });
        self.denied.retain(|_, (made, forget)| *made > no_more || *forget > now);
        let known = |id: &Id| self.payouts.contains_key(id) || self.denied.contains_key(id);
        rows.retain(|key, row| match (key, &**row) {
            (Key::Payout(name) | Key::Due(_, name), _) => known(&name.payout),
            (Key::PayoutOfOrder(_, payout), _) => known(payout),
            (Key::Decision(name), _) => known(&name.decision),
            (Key::Request(_), Row::Request(request)) => {
                let Answered::Decision(id) = &request.answered else { panic!("a decision") };
                known(id)
            }
            _ => true,
        });
        self.writer.no_more = no_more;
        over
    }

    /// That it has all that it should have.
    pub fn agrees(&mut self, store: &mut <Sled as Place>::Store) {
        self.writer.agrees(store);
        let forgotten: Vec<Key> = (1..=self.writer.no_more)
            .map(|record| mint(1_790_000_000_000, record, [7; 4]))
            .flat_map(|id| {
                let request = Self::request(&id, None).key();
                let payout = shop_name().payout(id.clone());
                [Key::Payout(payout), Key::Decision(shop_name().decision(id)), request]
            })
            .filter(|key| !self.writer.rows.contains_key(key))
            .collect();
        let found = store.load(&forgotten).expect("rows");
        assert!(found.iter().all(Option::is_none), "what was let go of is there");
    }

    pub fn verifies(&self) {
        let (mut seen, mut kept) = (0, 0);
        let report = patiently(|| {
            (seen, kept) = (0, 0);
            verify(self.place.path(), &self.place.options, |item| {
                match item {
                    Item::Kept(_) => kept += 1,
                    Item::Record(record) => {
                        assert_eq!(record.sequence, self.writer.no_more + seen + 1);
                        seen += 1;
                    }
                }
                Ok(())
            })
        });
        let report = report.expect("a sound store");
        assert_eq!(self.writer.no_more + seen, self.writer.sequence);
        assert_eq!(report.no_more, self.writer.no_more);
        assert_eq!((report.rows, report.rows_incomplete), (self.writer.rows.len(), false));
        assert!(self.writer.no_more == 0 || kept > 0);
        let (path, options) = (self.place.path(), &self.place.options);
        let in_parts = patiently(|| verify_in_parts(path, options, 100, |_| Ok(()), |_, _, _| {}));
        assert_eq!(in_parts.expect("a sound store"), report);
    }

    pub fn step(&mut self, store: <Sled as Place>::Store, step: Step) -> <Sled as Place>::Store {
        let mut store = store;
        match step {
            Step::Authorize(number) => {
                let changes = self.authorize(number);
                self.commit(&mut store, changes);
            }
            Step::Deny => {
                let id = self.next_id();
                // Some are forgotten soon, and some when all is over.
                let forget = self.writer.at(self.writer.sequence % 3 * 100);
                self.denied.insert(id.clone(), (self.writer.sequence + 1, forget));
                let request = Self::request(&id, Some(forget));
                self.commit(&mut store, vec![Self::decision(&id, true), request]);
            }
            Step::Move(which, state) => {
                if let Some(changes) = self.moved(which, state) {
                    self.commit(&mut store, changes);
                }
            }
            Step::Register(number) => {
                if self.orders.contains(&number) {
                    let said = self.writer.sequence.to_string();
                    self.commit(&mut store, vec![Change::put(order(&order_id(number), &said))]);
                }
            }
            Step::Configure => {
                let said = self.writer.sequence.to_string();
                self.commit(&mut store, vec![Change::put(shop(&said))]);
            }
            Step::Delete => {
                let key = Key::Shop(shop_name());
                self.commit(&mut store, vec![Change::Delete(key)]);
            }
            Step::Tidy => store.tidy().expect("tidy"),
            Step::Reopen => {
                drop(store);
                store = self.place.open();
            }
            Step::Kill => {
                let copy = self.place.copy();
                drop(store);
                self.place = copy;
                store = self.place.open();
            }
            Step::Retain(keep) => {
                drop(store);
                self.retain(keep);
                store = self.place.open();
                assert!(!store.start().rebuilt, "rows at rest go on from what is kept");
                self.agrees(&mut store);
            }
        }
        store
    }
}

/// Keeps what is not older than so many seconds.
pub fn retain_records(place: &Sled, keep: u64, dry_run: bool) -> Result<Retained, Damage> {
    retain_as_of(place, Instant::MAX, keep, dry_run)
}

/// The same by another clock.
pub fn retain_as_of(
    place: &Sled,
    now: Instant,
    keep: u64,
    dry_run: bool,
) -> Result<Retained, Damage> {
    let what = Retain { keep: Duration::from_secs(keep), now, dry_run, unchecked: false };
    let mut last = Stage::Going(0, 0);
    let mut tell = |stage| {
        match (last, stage) {
            (Stage::Going(before, _), Stage::Going(done, all)) => {
                assert!(before <= done && done <= all);
            }
            (Stage::Comparing(..), Stage::Going(..)) => panic!("compared before all are done"),
            _ => {}
        }
        last = stage;
    };
    let done = patiently(|| retain(place.path(), &place.options, &what, &mut tell))?;
    let is_compared = matches!(last, Stage::Comparing(..));
    assert_eq!(is_compared, done.gone.is_some_and(|gone| gone.counted.is_some()));
    Ok(done)
}

/// A process that another test starts has the lock as well until it is that other
/// program: for a moment.
fn patiently<T>(mut act: impl FnMut() -> Result<T, Damage>) -> Result<T, Damage> {
    for _ in 0..50 {
        match act() {
            Err(Damage::InUse(_)) => std::thread::sleep(Duration::from_millis(10)),
            done => return done,
        }
    }
    act()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_let_go_of_is_gone_and_all_else_goes_on_as_it_was(
        steps in prop::collection::vec(steps(), 1..300),
    ) {
        let mut play = Play::new();
        let mut store = play.place.open();
        for step in steps {
            store = play.step(store, step);
        }
        play.agrees(&mut store);
        drop(store);
        play.verifies();
        // Rows that are made again of what is kept and of the records are the same.
        fs::remove_dir_all(play.place.path().join("runs")).expect("rows at rest");
        let mut store = play.place.open();
        play.agrees(&mut store);
        drop(store);
        play.verifies();
    }
}

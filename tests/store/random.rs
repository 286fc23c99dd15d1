//! Random commits, checkpoints, stops and kills: the embedded store answers as
//! the reference store does.

use std::collections::VecDeque;

use bursar::{
    domain::{change::Change, key::Key, meter::Shape, payout::State},
    store::{
        Changed, Commit, Scan, Store,
        memory::MemoryStore,
        sled::{verify, verify_in_parts},
    },
};
use proptest::prelude::*;

use crate::{
    make::{
        Writer, credit, hold, hold_of_order, hold_of_shop, of_order, order, order_name, payout,
        payout_name, request, revision,
    },
    places::{Place, Sled},
};

#[derive(Clone, Debug)]
enum Step {
    /// Records, and how many meters and balances go with them that wait.
    Commit(Vec<Vec<Change>>, usize),
    Tidy,
    Reopen,
    Kill,
    List {
        from: u8,
        to: u8,
        reverse: bool,
        limit: usize,
    },
    Read {
        after: u64,
        limit: usize,
    },
}

fn name(number: u8) -> String {
    format!("n{number:03}")
}

fn changes() -> impl Strategy<Value = Change> {
    let states = prop::sample::select(vec![State::Authorized, State::Processing, State::Failed]);
    prop_oneof![
        4 => (any::<u8>(), "[a-z]{0,300}").prop_map(|(n, text)| Change::put(order(&name(n), &text))),
        3 => (any::<u8>(), states).prop_map(|(n, state)| Change::put(payout(&name(n), state))),
        2 => any::<u8>().prop_map(|n| Change::put(request(&name(n)))),
        1 => (0_u32..4, 0_usize..15_000).prop_map(|(n, size)| Change::put(revision(n, size))),
        2 => any::<u8>().prop_map(|n| Change::Delete(Key::Order(order_name(&name(n))))),
        1 => any::<u8>().prop_map(|n| Change::Delete(Key::Payout(payout_name(&name(n))))),
        1 => Just(Change::Delete(hold("r", Shape::Rolling, "x", "1").key())),
        2 => any::<u8>().prop_map(|n| hold("r", Shape::Rolling, &name(n), "1")),
        2 => any::<u8>().prop_map(|n| hold("f", Shape::Fixed, &name(n), "0.01")),
        // Many cells, most of which few records change.
        4 => any::<u8>().prop_map(|n| hold(&name(n % 64), Shape::Fixed, "x", "1")),
        1 => any::<u8>().prop_map(|n| Change::Delete(hold(&name(n % 64), Shape::Fixed, "x", "1").key())),
        1 => Just(credit("1")),
        // Of shops, which payouts come back to.
        8 => (0_u8..12, any::<u8>()).prop_map(|(n, payout)| hold_of_shop(&name(n), &name(payout), "1")),
    ]
}

/// What a payout of one of a few orders changes, or some of it: their rows are found
/// by them, and they are not deleted.
fn of_an_order() -> impl Strategy<Value = Vec<Change>> {
    (0_u8..6, any::<u8>(), any::<[bool; 5]>()).prop_map(|(n, payout_id, which)| {
        let (order_id, payout_id) = (format!("of{n}"), name(payout_id));
        let all = [
            Change::put(order(&order_id, &payout_id)),
            Change::put(of_order(&order_id, &payout_id)),
            hold_of_order(&order_id, "count", &payout_id, "1"),
            hold_of_order(&order_id, "total", &payout_id, "2.5"),
            Change::put(payout(&payout_id, State::Authorized)),
        ];
        let some =
            all.into_iter().zip(which).filter_map(|(change, is_there)| is_there.then_some(change));
        some.collect()
    })
}

fn steps() -> impl Strategy<Value = Step> {
    let others = prop::collection::vec(changes(), 0..4);
    let record = prop_oneof![2 => others.boxed(), 1 => of_an_order().boxed()];
    prop_oneof![
        8 => (prop::collection::vec(record, 1..25), prop::sample::select(vec![0_usize, 0, 1, 2, 8]))
            .prop_map(|(records, takes)| Step::Commit(records, takes)),
        2 => Just(Step::Tidy),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        3 => (any::<u8>(), any::<u8>(), any::<bool>(), 0_usize..40)
            .prop_map(|(from, to, reverse, limit)| Step::List { from, to, reverse, limit }),
        2 => (0_u64..200, 0_usize..30).prop_map(|(after, limit)| Step::Read { after, limit }),
    ]
}

/// Meters and balances that changed since the store had them, those first that wait
/// longest, each with the first and the last record that changed it.
#[derive(Default)]
struct Late(VecDeque<(Key, u64, u64)>);

impl Late {
    /// Has those wait that the store had before, and gives it some that waited. `writer`
    /// has made the commit.
    fn hold_back(
        &mut self,
        mut commit: Commit,
        before: &Writer,
        writer: &Writer,
        takes: usize,
    ) -> Commit {
        commit.rows.retain(|Changed { key, row, sequence, .. }| {
            let place = self.0.iter().position(|(it, ..)| it == key);
            if row.is_none() || !key.runs_on() || !before.rows.contains_key(key) {
                // As it is, or not any more.
                place.map(|place| self.0.remove(place));
                return true;
            }
            let changes = |changes: &[Change]| changes.iter().any(|change| change.key() == *key);
            let first = commit.records.iter().find(|record| changes(&record.changes));
            match place.and_then(|place| self.0.get_mut(place)) {
                Some((_, _, last)) => *last = *sequence,
                None => {
                    let first = first.expect("a record changed it").sequence;
                    self.0.push_back((key.clone(), first, *sequence));
                }
            }
            false
        });
        for (key, _, sequence) in self.0.drain(..takes.min(self.0.len())) {
            let row = writer.rows.get(&key).cloned();
            commit.rows.push(Changed { key, row, sequence, alone: false });
        }
        commit.lacks = self.0.iter().map(|(_, first, _)| *first).min();
        commit
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_embedded_store_agrees_with_the_reference(
        steps in prop::collection::vec(steps(), 1..30),
    ) {
        let mut place = Sled::new();
        let mut reference = MemoryStore::new();
        let mut writer = Writer::default();
        let mut store = place.open();
        let mut late = Late::default();
        for step in steps {
            match step {
                Step::Commit(records, takes) => {
                    let before = writer.clone();
                    let commit = before.clone().commit(records.clone());
                    reference.commit(commit).expect("a commit");
                    let commit = writer.commit(records);
                    let commit = late.hold_back(commit, &before, &writer, takes);
                    crate::make::settle(&mut store, commit).expect("a commit");
                }
                Step::Tidy => store.tidy().expect("tidy"),
                Step::Reopen => {
                    drop(store);
                    store = place.open();
                    // What it lacked is made again.
                    late = Late::default();
                    writer.agrees(&mut store);
                }
                Step::Kill => {
                    let copy = place.copy();
                    drop(store);
                    place = copy;
                    store = place.open();
                    late = Late::default();
                    writer.agrees(&mut store);
                }
                Step::List { from, to, reverse, limit } => {
                    for kind in [0, 1] {
                        let key = |n| match kind {
                            0 => Key::Order(order_name(&name(n))),
                            _ => Key::Payout(payout_name(&name(n))),
                        };
                        let scan = Scan { from: key(from), to: key(to), reverse, limit };
                        prop_assert_eq!(
                            store.scan(&scan).expect("rows"),
                            reference.scan(&scan).expect("rows")
                        );
                    }
                }
                Step::Read { after, limit } => prop_assert_eq!(
                    store.records(after, limit).expect("records"),
                    reference.records(after, limit).expect("records")
                ),
            }
        }
        if late.0.is_empty() {
            writer.agrees(&mut store);
        }
        drop(store);
        let mut seen = 0;
        let report = verify(place.path(), &place.options, |_| { seen += 1; Ok(()) });
        let report = report.expect("a sound store");
        prop_assert_eq!((seen, report.tip.sequence), (writer.sequence, writer.sequence));
        prop_assert_eq!(report.rows, writer.rows.len());
        let mut parts = 1;
        let again = |part, of, _| parts = if part <= of { of } else { 0 };
        let in_parts = verify_in_parts(place.path(), &place.options, 20, |_| Ok(()), again);
        prop_assert_eq!(in_parts.expect("a sound store"), report);
        prop_assert!(parts > 1 || writer.rows.len() <= 20, "{} rows at once", writer.rows.len());
        writer.agrees(&mut place.open());
    }
}

//! Random commits, checkpoints, stops and kills: the embedded store answers as
//! the reference store does.

use bursar::{
    domain::{change::Change, key::Key, meter::Shape, payout::State},
    store::{
        Scan, Store,
        memory::MemoryStore,
        sled::{verify, verify_in_parts},
    },
};
use proptest::prelude::*;

use crate::{
    make::{
        Writer, credit, hold, hold_of_order, of_order, order, order_name, payout, payout_name,
        request, revision,
    },
    places::{Place, Sled},
};

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Vec<Change>>),
    Tidy,
    Reopen,
    Kill,
    List { from: u8, to: u8, reverse: bool, limit: usize },
    Read { after: u64, limit: usize },
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
        8 => prop::collection::vec(record, 1..25).prop_map(Step::Commit),
        2 => Just(Step::Tidy),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        3 => (any::<u8>(), any::<u8>(), any::<bool>(), 0_usize..40)
            .prop_map(|(from, to, reverse, limit)| Step::List { from, to, reverse, limit }),
        2 => (0_u64..200, 0_usize..30).prop_map(|(after, limit)| Step::Read { after, limit }),
    ]
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
        for step in steps {
            match step {
                Step::Commit(records) => {
                    let commit = writer.clone().commit(records.clone());
                    reference.commit(commit).expect("a commit");
                    crate::make::settle(&mut store, writer.commit(records)).expect("a commit");
                }
                Step::Tidy => store.tidy().expect("tidy"),
                Step::Reopen => {
                    writer.agrees(&mut store);
                    drop(store);
                    store = place.open();
                }
                Step::Kill => {
                    writer.agrees(&mut store);
                    let copy = place.copy();
                    drop(store);
                    place = copy;
                    store = place.open();
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
        writer.agrees(&mut store);
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
    }
}

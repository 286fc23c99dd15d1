//! Rows that are found without an entry of their own: decisions by their names, and
//! what the first record of an order made of it by the order.

use std::sync::Arc;

use bursar::{
    domain::{
        cell::CellKey,
        change::Change,
        decision::Decision,
        key::Key,
        meter::{MeterChange, MeterKey},
        minted::mint,
        name::Id,
        payout::State,
        row::Row,
    },
    store::{Store, sled::verify},
};

use crate::{
    every_row::a_decision,
    make::{Writer, fatal, hold_of_order, of_order, order, order_name, payout, settle, shop_name},
    places::{Place, Sled},
};

/// What an authorization about an order changes.
fn paid(order_id: &str, payout_id: &str) -> Vec<Change> {
    vec![
        Change::put(order(order_id, payout_id)),
        Change::put(of_order(order_id, payout_id)),
        hold_of_order(order_id, "count", payout_id, "1"),
        hold_of_order(order_id, "total", payout_id, "2.5"),
        Change::put(payout(payout_id, State::Authorized)),
    ]
}

/// The same of an order that is known.
fn paid_again(order_id: &str, payout_id: &str) -> Vec<Change> {
    paid(order_id, payout_id).into_iter().skip(1).collect()
}

/// That all of it is there: in memory, at rest, after a clean stop, and after a kill.
fn agrees_however_it_is_stopped(commits: &[Vec<Vec<Change>>]) {
    for (stops, tidies) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut place = Sled::new();
        let (mut store, mut writer) = (place.open(), Writer::default());
        for records in commits {
            settle(&mut store, writer.commit(records.clone())).expect("a commit");
            if tidies {
                store.tidy().expect("tidy");
            }
            if stops {
                let copy = (!tidies).then(|| place.copy());
                drop(store);
                place = copy.unwrap_or(place);
                store = place.open();
            }
            writer.agrees(&mut store);
        }
        drop(store);
        let report = verify(place.path(), &place.options, |_| Ok(())).expect("a sound store");
        assert!(report.rows == writer.rows.len() && !report.rows_incomplete, "{report:?}");
    }
}

#[test]
fn what_the_first_payout_of_an_order_made_is_found_by_the_order() {
    agrees_however_it_is_stopped(&[vec![paid("o1", "p1"), paid("o2", "p2")]]);
}

#[test]
fn payouts_that_come_later_are_found_beside_it() {
    agrees_however_it_is_stopped(&[
        vec![paid("o1", "p5")],
        // Before, and behind.
        vec![paid_again("o1", "p3"), paid_again("o1", "p7")],
        vec![paid_again("o1", "p4"), paid_again("o2", "p1")],
    ]);
}

#[test]
fn a_newer_version_of_the_order_leaves_what_was_there_before() {
    let newer = |caller| vec![Change::put(order("o1", caller))];
    agrees_however_it_is_stopped(&[
        vec![paid("o1", "p1")],
        vec![newer("b"), newer("c")],
        vec![paid("o1", "p2")],
        vec![newer("d")],
    ]);
}

#[test]
fn an_order_that_was_there_before_its_first_payout_has_it_under_its_own_key() {
    agrees_however_it_is_stopped(&[
        vec![vec![Change::put(order("o1", "a"))], paid_again("o1", "p1")],
        vec![vec![Change::put(order("o2", "a"))]],
        vec![paid("o2", "p2"), paid_again("o2", "p3")],
    ]);
}

#[test]
fn meters_that_others_of_the_order_change_go_on_from_the_first() {
    let more = |payout| vec![hold_of_order("o1", "total", payout, "1")];
    agrees_however_it_is_stopped(&[vec![paid("o1", "p1")], vec![more("p2")], vec![more("p3")]]);
    // Also within what is committed together.
    agrees_however_it_is_stopped(&[vec![paid("o1", "p1"), more("p2"), more("p3")]]);
}

#[test]
fn what_would_come_back_cannot_be_deleted() {
    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    settle(&mut store, writer.commit(vec![paid("o1", "p1")])).expect("a commit");
    let key = Key::PayoutOfOrder(order_name("o1"), Id::parse("p1").expect("an id"));
    let why = fatal(store.commit(writer.commit(vec![vec![Change::Delete(key)]])));
    assert!(why.contains("cannot be deleted"), "{why}");
}

#[test]
fn nor_can_what_would_come_back_as_it_was_before() {
    let more = hold_of_order("o1", "total", "p2", "1");
    let meters = more.key();
    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    settle(&mut store, writer.commit(vec![paid("o1", "p1"), vec![more]])).expect("a commit");
    let why = fatal(store.commit(writer.commit(vec![vec![Change::Delete(meters)]])));
    assert!(why.contains("cannot be deleted"), "{why}");

    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let (decision, made) = decided(&writer, 1);
    settle(&mut store, writer.commit(vec![vec![made]])).expect("a commit");
    let why = fatal(store.commit(writer.commit(vec![vec![Change::Delete(decision)]])));
    assert!(why.contains("cannot be deleted"), "{why}");
}

#[test]
fn meters_of_another_programme_over_the_order_begin_with_nothing() {
    let other = |payout| {
        let Change::Meter(change) = hold_of_order("o1", "total", payout, "3") else {
            panic!("a hold is a change of a meter")
        };
        let mut of = (*change.key.cell).clone();
        of.programme.programme = Id::parse("other").expect("an id");
        let key = MeterKey { cell: CellKey::of_an_order(of), ..change.key };
        vec![Change::Meter(MeterChange { key, ..change })]
    };
    agrees_however_it_is_stopped(&[vec![paid("o1", "p1")], vec![other("p2")], vec![other("p3")]]);
}

/// A decision that says which record made it, and the record's number.
fn decided(writer: &Writer, says: u64) -> (Key, Change) {
    let id =
        mint(1_790_000_000_000, says, writer.sequence.to_be_bytes()[4..].try_into().expect("four"));
    let decision = Decision { name: shop_name().decision(id), ..a_decision() };
    let key = Key::Decision(decision.name.clone());
    (key, Change::put(Row::Decision(Arc::new(decision))))
}

#[test]
fn a_decision_is_found_by_its_name_and_not_where_its_name_is_wrong() {
    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let (_, right) = decided(&writer, 1);
    // It says that another made it, which is there, or is not.
    let (_, wrong) = decided(&writer, 1);
    let (_, beyond) = decided(&writer, 1 << 40);
    for change in [right, wrong, beyond] {
        settle(&mut store, writer.commit(vec![vec![change]])).expect("a commit");
    }
    let nowhere: Vec<Key> = [0, 1, 2, 3, 4, 1 << 41]
        .map(|says| {
            let id = mint(1_790_000_000_000, says, [9; 4]);
            Key::Decision(shop_name().decision(id))
        })
        .to_vec();
    let check = |mut store: <Sled as Place>::Store| {
        writer.agrees(&mut store);
        assert!(store.load(&nowhere).expect("rows").iter().all(Option::is_none));
        store
    };
    let mut store = check(store);
    store.tidy().expect("tidy");
    drop(check(store));
    drop(check(place.open()));
    let report = verify(place.path(), &place.options, |_| Ok(())).expect("a sound store");
    assert!(report.rows == writer.rows.len() && !report.rows_incomplete, "{report:?}");
}

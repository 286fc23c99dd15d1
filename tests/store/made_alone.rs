//! Rows that one record made of nothing, as those of an order's first payout:
//! however they are kept, they are what the reference store has.

use bursar::{
    domain::{change::Change, key::Key, meter::Shape, payout::State},
    store::{Store, memory::MemoryStore, sled::verify},
};

use crate::{
    make::{Writer, credit, everything, hold, order, payout, settle},
    places::{Place, Sled},
};

/// What a payout of an order changes: its rows, and meters of two cells.
fn paid(order_id: &str, payout_id: &str) -> Vec<Change> {
    vec![
        Change::put(order(order_id, "c")),
        hold(order_id, Shape::Fixed, payout_id, "1.5"),
        hold("day", Shape::Rolling, payout_id, "1.5"),
        hold(order_id, Shape::Fixed, payout_id, "0.25"),
        Change::put(payout(payout_id, State::Authorized)),
    ]
}

/// How it is stopped before it is looked at again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    Not,
    PutAway,
    Cleanly,
    Killed,
}

/// Commits the same to both stores, stops the embedded one in between, and
/// compares.
fn agree(commits: &[Vec<Vec<Change>>], stop: Stop) {
    let mut place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let mut reference = MemoryStore::new();
    for records in commits {
        reference.commit(writer.clone().commit(records.clone())).expect("a commit");
        settle(&mut store, writer.commit(records.clone())).expect("a commit");
        if matches!(stop, Stop::PutAway | Stop::Cleanly) {
            store.tidy().expect("tidy");
        }
        let copy = (stop == Stop::Killed).then(|| place.copy());
        if matches!(stop, Stop::Cleanly | Stop::Killed) {
            drop(store);
            place = copy.unwrap_or(place);
            store = place.open();
        }
        let rows = reference.scan(&everything()).expect("rows");
        let keys: Vec<Key> = rows.iter().map(|row| row.key()).collect();
        let expected: Vec<_> = rows.into_iter().map(Some).collect();
        assert!(store.load(&keys).expect("rows") == expected, "{stop:?}");
        writer.agrees(&mut store);
    }
    drop(store);
    let report = verify(place.path(), &place.options, |_| Ok(())).expect("a sound store");
    assert!(report.rows == writer.rows.len() && !report.rows_incomplete, "{stop:?}");
}

fn agree_however_it_is_stopped(commits: &[Vec<Vec<Change>>]) {
    for stop in [Stop::Not, Stop::PutAway, Stop::Cleanly, Stop::Killed] {
        agree(commits, stop);
    }
}

#[test]
fn meters_of_an_order_that_one_payout_made_come_back_however_it_is_stopped() {
    agree_however_it_is_stopped(&[vec![paid("o1", "p1"), paid("o2", "p2")]]);
}

#[test]
fn two_payouts_of_one_order_in_one_batch_both_count() {
    agree_however_it_is_stopped(&[vec![paid("o1", "p1"), paid("o1", "p2")]]);
}

#[test]
fn meters_that_change_again_after_any_stop_have_what_was_before() {
    let again = |payout| vec![vec![hold("o1", Shape::Fixed, payout, "2")]];
    agree_however_it_is_stopped(&[vec![paid("o1", "p1")], again("p2"), again("p3")]);
}

#[test]
fn meters_that_were_removed_begin_with_nothing_also_within_a_record() {
    let delete = || Change::Delete(hold("o1", Shape::Fixed, "x", "1").key());
    let more = || hold("o1", Shape::Fixed, "x", "1");
    agree_however_it_is_stopped(&[
        vec![vec![more(), delete(), more()]],
        vec![vec![delete(), more()]],
        vec![vec![delete()]],
        vec![vec![more(), more()], vec![delete()], vec![more()]],
    ]);
}

#[test]
fn the_first_movements_on_an_account_add_up() {
    agree_however_it_is_stopped(&[
        vec![vec![credit("3"), credit("4")]],
        vec![vec![credit("5")], vec![credit("6")]],
    ]);
}

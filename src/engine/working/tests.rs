//! What is kept of rows, and what the store gets.

use super::*;
use crate::{
    domain::{
        account::BalanceChange,
        amount::Amount,
        cell::{CellKey, Celled},
        change::Record,
        meter::{MeterChange, MeterKey, Metered, Phase, Shape},
        name::{ProgrammeName, ShopName},
    },
    store::{Commit, Tip},
};

/// A store of this engine's own, with this under every key, that takes so many
/// meters before it wants all.
struct Stored {
    row: Option<Arc<Row>>,
    takes: usize,
    /// How many rows it was asked for.
    asked: usize,
    is_shared: bool,
}

fn stored(row: Option<Arc<Row>>) -> Stored {
    Stored { row, takes: 0, asked: 0, is_shared: false }
}

impl Store for Stored {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        Ok(Tip::EMPTY)
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
        self.asked += keys.len();
        Ok(vec![self.row.clone(); keys.len()])
    }

    fn commit(&mut self, _: Commit) -> Result<(), StoreError> {
        Ok(())
    }

    fn takes_running(&self, waiting: usize, oldest: u64) -> usize {
        assert!(waiting > 0 && oldest > 0, "it is asked if some wait");
        self.takes
    }

    fn is_shared(&self) -> bool {
        self.is_shared
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
    let key = Key::Balance(account);
    working.load(vec![key.clone()], false, &mut stored(None)).expect("nothing");
    let credit = credit();
    working.apply(std::slice::from_ref(&credit), 1, true);
    assert_eq!(working.changed(&stored(None)).len(), 1, "handed over at once");
    for sequence in 2..4 {
        working.load(vec![key.clone()], false, &mut stored(None)).expect("here");
        working.apply(std::slice::from_ref(&credit), sequence, true);
        assert_eq!(working.changed(&stored(None)).len(), 0, "again when the store wants all");
    }
    working.settle(&stored(None));
    for batch in 0..6 {
        let operator = |n: usize| shop.operator(Id::parse(&format!("o{batch}-{n}")).expect("id"));
        let keys: Vec<Key> = (0..KEPT / 2 + 1).map(|n| Key::Operator(operator(n))).collect();
        working.load(keys, false, &mut stored(None)).expect("nothing");
        working.settle(&stored(None));
        assert!(working.rows.len() + working.old.len() <= 2 * KEPT + 3);
    }
    let kept = row(&working, &key, &mut stored(None)).expect("no error");
    assert!(matches!(kept.as_deref(), Some(Row::Balance(balance)) if balance.movements == 3));
}

fn credit() -> Change {
    credit_to("a")
}

fn credit_to(account: &str) -> Change {
    let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
    Change::Balance(BalanceChange {
        account: shop.account(Id::parse(account).expect("an id")),
        credit: Amount::ONE,
        movement: true,
        before: None,
        after: None,
    })
}

/// A payout's part of a meter of its order.
fn hold() -> Change {
    let id = |text| Id::parse(text).expect("an id");
    let programme = ProgrammeName { platform: id("p"), programme: id("g") };
    let cell = Celled { programme, scope: vec!["s/o".into()], window_start: None };
    let cell = CellKey::of_an_order(cell);
    let (rule, scope, window_start) = ("r".into(), Vec::new(), None);
    Change::Meter(MeterChange {
        key: MeterKey::new(cell, Metered { rule, scope, window_start }),
        shape: Shape::Fixed,
        payout: id("p"),
        at: Instant::MIN,
        amount: Amount::ONE,
        before: None,
        after: Some((Phase::Held, Amount::ONE)),
        forget_until: None,
    })
}

#[test]
fn of_a_new_order_the_store_is_not_asked_for_meters_unless_others_change_it() {
    let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
    let balance = Key::Balance(shop.account(Id::parse("a").expect("an id")));
    let keys = || vec![hold().key(), balance.clone()];
    for (of_new_order, is_shared, asked) in
        [(false, false, 2), (true, false, 1), (false, true, 2), (true, true, 2)]
    {
        let mut store = Stored { is_shared, ..stored(None) };
        let mut working = Working::default();
        working.load(keys(), of_new_order, &mut store).expect("rows");
        assert_eq!(store.asked, asked, "of a new order: {of_new_order}, shared: {is_shared}");
        assert_eq!(working.find(&hold().key()), Some(&None), "it is known not to be there");
        working.apply(&[hold()], 1, true);
        let changed = working.changed(&store);
        assert!(changed.iter().any(|it| it.key == hold().key() && it.alone));
    }
}

/// Applies changes of records to a row, and what is handed over then: by which
/// record, and whether that one alone made it.
fn handed_over(
    working: &mut Working,
    key: Key,
    before: Option<&Arc<Row>>,
    changes: &[(u64, Change)],
) -> Vec<(u64, bool, Option<Arc<Row>>)> {
    let mut store = stored(before.cloned());
    working.load(vec![key], false, &mut store).expect("rows");
    for (sequence, change) in changes {
        working.apply(std::slice::from_ref(change), *sequence, true);
    }
    let changed = working.changed(&store).into_iter();
    changed.map(|Changed { sequence, alone, row, .. }| (sequence, alone, row)).collect()
}

#[test]
fn a_row_is_made_by_one_record_alone_until_another_changes_it() {
    let alone = |before: Option<&Arc<Row>>, changes: &[(u64, Change)]| {
        let mut working = Working::default();
        let handed = handed_over(&mut working, credit().key(), before, changes);
        let handed = handed.into_iter().map(|(sequence, alone, _)| (sequence, alone));
        // What the store has waits until it takes it.
        handed.chain(working.rest().map(|it| (it.sequence, it.alone))).collect::<Vec<_>>()
    };
    assert_eq!(alone(None, &[(1, credit())]), [(1, true)]);
    assert_eq!(alone(None, &[(1, credit()), (1, credit())]), [(1, true)]);
    // As by two payouts of one order in one batch.
    assert_eq!(alone(None, &[(1, credit()), (2, credit())]), [(2, false)]);
    let row = credit().apply(None).expect("a row");
    assert_eq!(alone(Some(&row), &[(2, credit())]), [(2, false)]);
    // What was written whole or removed is not made by adding alone.
    let delete = Change::Delete(credit().key());
    assert_eq!(alone(None, &[(1, Change::Put(row.clone())), (1, credit())]), [(1, false)]);
    assert_eq!(alone(Some(&row), &[(2, delete.clone()), (2, credit())]), [(2, false)]);
    assert_eq!(alone(None, &[(1, credit()), (2, delete), (3, credit())]), [(3, false)]);
}

#[test]
fn a_row_that_was_handed_over_is_not_made_by_a_later_record_alone() {
    for change in [hold(), credit()] {
        let mut working = Working::default();
        let first = handed_over(&mut working, change.key(), None, &[(1, change.clone())]);
        let [(1, true, Some(row))] = first.as_slice() else { panic!("{first:?}") };
        // The meters of an order are let go of.
        assert_eq!(working.rows.len() == 0, change.key().is_of_an_order());
        let mut later = |before, sequence| {
            let changes = [(sequence, change.clone())];
            let handed = handed_over(&mut working, change.key(), before, &changes);
            let handed = handed.into_iter().map(|(sequence, alone, _)| (sequence, alone));
            let rest = working.rest().map(|it| (it.sequence, it.alone));
            handed.chain(rest).collect::<Vec<_>>()
        };
        // Handed over again, or kept until the store wants all.
        assert_eq!(later(Some(row), 2), [(2, false)]);
        assert_eq!(later(Some(row), 3), [(3, false)]);
    }
}

#[test]
fn a_row_that_was_only_asked_for_is_still_made_by_one_record_alone() {
    let mut working = Working::default();
    let key = hold().key();
    assert_eq!(handed_over(&mut working, key.clone(), None, &[]), []);
    working.settle(&stored(None));
    assert_eq!(working.rows.len(), 0, "of an order: it was for that batch");
    let handed = handed_over(&mut working, key, None, &[(7, hold())]);
    assert!(matches!(handed.as_slice(), [(7, true, Some(_))]), "{handed:?}");
}

#[test]
fn a_store_that_takes_some_beforehand_gets_each_as_it_is_in_the_end() {
    let names = ["a", "b", "c", "d"];
    let mut working = Working::default();
    let keys = names.map(|name| credit_to(name).key());
    working.load(keys.to_vec(), false, &mut stored(None)).expect("nothing");
    let mut had = HashMap::new();
    let mut take = |changed: Vec<Changed>| {
        let count = changed.len();
        had.extend(changed.into_iter().map(|changed| (changed.key, changed.row)));
        count
    };
    let mut sequence = 0;
    let mut change = |working: &mut Working, name| {
        sequence += 1;
        working.apply(&[credit_to(name)], sequence, true);
    };
    names.iter().for_each(|name| change(&mut working, name));
    assert_eq!(
        take(working.changed(&Stored { takes: 3, ..stored(None) })),
        4,
        "the first time all, at once"
    );
    names.iter().for_each(|name| change(&mut working, name));
    assert_eq!(take(working.changed(&stored(None))), 0);
    assert_eq!(take(working.changed(&Stored { takes: 3, ..stored(None) })), 3);
    change(&mut working, "a");
    assert_eq!(take(working.rest().collect()), 2, "what changed again, and what was not taken");
    for (name, movements) in [("a", 3), ("b", 2), ("c", 2), ("d", 2)] {
        let row = had.get(&credit_to(name).key()).cloned().flatten();
        let Some(Row::Balance(balance)) = row.as_deref() else { panic!("{row:?}") };
        assert_eq!(balance.movements, movements, "{name}");
    }
}

#[test]
fn what_the_store_lacks_is_told_by_the_first_record_whose_change_it_has_not() {
    let mut working = Working::default();
    let names = ["a", "b", "c"];
    let keys = names.map(|name| credit_to(name).key());
    let row = credit_to("a").apply(None);
    working.load(keys.to_vec(), false, &mut stored(row)).expect("rows");
    assert_eq!(working.lacks(), None);
    for (sequence, name) in (1..).zip(["b", "a", "b", "c"]) {
        working.apply(&[credit_to(name)], sequence, true);
    }
    assert_eq!(working.lacks(), Some(1), "all wait");
    let take = |working: &mut Working, takes| {
        let changed = working.changed(&Stored { takes, ..stored(None) });
        changed.into_iter().map(|it| (it.key, it.sequence)).collect::<Vec<_>>()
    };
    let [a, b, c] = keys;
    assert_eq!(take(&mut working, 1), [(b.clone(), 3)], "what waits longest, as it is now");
    assert_eq!(working.lacks(), Some(2));
    working.apply(&[credit_to("b")], 5, true);
    assert_eq!(take(&mut working, 2), [(a, 2), (c, 4)]);
    assert_eq!(working.lacks(), Some(5), "it changed again");
    assert_eq!(take(&mut working, 2), [(b, 5)]);
    assert_eq!(working.lacks(), None);
}

/// Keys of the rows of two changes, and what is told of them by their places.
fn seated(working: &Working, places: usize) -> Vec<Option<Key>> {
    let rows = (0..places).map(|place| working.seated(place)?.as_deref().map(Row::key));
    rows.collect()
}

#[test]
fn rows_that_are_come_back_to_are_found_by_their_places_until_they_move() {
    let mut working = Working::default();
    let mut store = stored(None);
    let keys = ["a", "b"].map(|name| credit_to(name).key());
    let seats = working.seat(&keys, None, &mut store).expect("nothing");
    assert!(seats.is_some() && store.asked == 2, "they are loaded, and where they are is told");
    assert_eq!(seated(&working, 2), [None, None], "they are known not to be there");
    assert!(working.seated(2).is_none(), "there are two");
    working.apply(&[credit_to("b")], 1, true);
    assert_eq!(seated(&working, 2), [None, Some(keys[1].clone())]);
    let told = seats.as_deref().expect("where they are");
    assert!(working.rows_at(told).map(Row::key).eq([keys[1].clone()]), "the one that is there");
    working.unseat();
    assert!(working.seated(0).is_none(), "they were the last command's");
    let again = working.seat(&keys, seats.clone(), &mut store).expect("rows");
    assert!(again.is_none() && store.asked == 2, "they are where they were");
    // So many others that what was not used for long goes, and the rest moves.
    drop(working.changed(&store));
    let others = |from: usize| (from..from + KEPT).map(|it| credit_to(&format!("x{it}")).key());
    working.load(others(0).collect(), false, &mut store).expect("nothing");
    working.settle(&store);
    let told = seats.as_deref().expect("where they were");
    assert_eq!(working.rows_at(told).count(), 0, "other rows may be there now");
    let moved = working.seat(&keys, seats, &mut store).expect("rows");
    assert!(moved.is_some(), "they are elsewhere");
    assert_eq!(seated(&working, 2), [None, Some(keys[1].clone())], "and as they were");
    assert_eq!(store.asked, 2 + KEPT, "the store is not asked again");
    working.apply(&[credit_to("a")], 2, true);
    assert_eq!(seated(&working, 2), keys.map(Some));
}

#[test]
fn what_changed_and_was_not_handed_over_is_handed_over_after_it_moved() {
    let mut working = Working::default();
    let mut store = stored(None);
    let key = credit().key();
    working.load(vec![key.clone()], false, &mut store).expect("nothing");
    working.apply(&[credit()], 1, true);
    assert_eq!(working.changed(&store).len(), 1);
    working.apply(&[credit()], 2, true);
    assert_eq!(working.changed(&store).len(), 0, "it waits until the store wants all");
    let others = (0..KEPT + 2).map(|it| credit_to(&format!("x{it}")).key());
    working.load(others.collect(), false, &mut store).expect("nothing");
    working.settle(&store);
    let rest: Vec<_> = working.rest().map(|it| (it.key, it.sequence)).collect();
    assert_eq!(rest, [(key, 2)]);
}

//! What every store does. A store that cannot do one of these leaves it out by
//! name, with a reason; none does.

use bursar::{
    domain::{change::Change, instant::Instant, key::Key, meter::Shape, payout::State, row::Row},
    store::{
        Commit, Scan, Store, StoreError,
        fault::{Fate, FaultStore},
    },
};

use crate::{
    make::{
        self, Writer, amount, credit, everything, hold, order, order_name, payout, payout_name,
        request, revision, shop,
    },
    places::{Memory, Place, Sled},
};

/// Expands every test for every store.
macro_rules! store_suite {
    ($($store:ident => $place:ty),+ $(,)?) => {$(
        mod $store {
            use super::*;
            store_suite!(@tests $place:
                a_row_reads_back_as_it_was_put,
                a_key_without_a_row_is_none,
                a_scan_is_ordered_both_ways_and_bounded,
                a_listing_begun_after_a_commit_contains_it,
                commit_is_all_or_nothing,
                a_wrong_sequence_conflicts_and_writes_nothing,
                an_empty_commit_is_nothing,
                records_come_back_in_order_without_gaps,
                records_are_bounded_and_start_anywhere,
                a_meter_adds_up,
                a_deleted_row_stays_deleted_after_reopen,
                a_deleted_row_can_come_back,
                rows_survive_a_reopen,
                rows_survive_a_checkpoint_and_a_reopen,
                what_was_committed_survives_a_kill,
                a_checkpoint_and_more_survive_a_kill,
                a_final_payout_that_changes_again_is_current,
                what_is_due_follows_from_payouts,
                large_records_and_rows_come_back,
                many_rows_make_many_blocks,
                time_and_sequence_go_on_after_reopen,
                the_fault_store_lets_others_get_in_between,
                the_fault_store_finds_out_who_does_not_look,
            );
        }
    )+};
    (@tests $place:ty: $($test:ident,)+) => {$(
        #[test]
        fn $test() {
            super::$test::<$place>();
        }
    )+};
}

store_suite!(memory => Memory, sled => Sled);

fn load_one(store: &mut impl Store, key: Key) -> Option<Row> {
    let rows = store.load(&[key]).expect("rows");
    assert_eq!(rows.len(), 1, "only what was asked for");
    rows.into_iter().next().flatten().map(|row| (*row).clone())
}

fn a_row_reads_back_as_it_was_put<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let rows = vec![
        shop("Shop"),
        order("o", "c"),
        payout("x", State::Authorized),
        payout("y", State::Succeeded),
        request("r"),
        revision(1, 300),
    ];
    writer.put(&mut store, rows.clone());
    for again in 0..2 {
        for row in &rows {
            assert_eq!(load_one(&mut store, row.key()).as_ref(), Some(row), "{again}");
        }
        store.tidy().expect("tidy");
    }
}

fn a_key_without_a_row_is_none<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let keys = [Key::Shop(make::shop_name()), Key::Payout(payout_name("x"))];
    for _ in 0..2 {
        for key in &keys {
            assert_eq!(load_one(&mut store, key.clone()), None);
        }
        writer.put(&mut store, vec![order("o", "c")]);
        store.tidy().expect("tidy");
    }
}

fn orders(from: &str, to: &str, reverse: bool, limit: usize) -> Scan {
    let (from, to) = (Key::Order(order_name(from)), Key::Order(order_name(to)));
    Scan { from, to, reverse, limit }
}

fn listed(store: &mut impl Store, scan: &Scan) -> Vec<String> {
    let rows = store.scan(scan).expect("a listing");
    let name = |row: &Row| match row {
        Row::Order(order) => order.name.order.to_string(),
        other => panic!("{other:?}"),
    };
    rows.iter().map(|row| name(row)).collect()
}

fn a_scan_is_ordered_both_ways_and_bounded<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    // Some are put away, some are not.
    writer.put(&mut store, ["b", "d", "f"].map(|o| order(o, "c")).to_vec());
    store.tidy().expect("tidy");
    writer.put(&mut store, ["a", "c", "e", "g"].map(|o| order(o, "c")).to_vec());
    writer.change(&mut store, Change::Delete(Key::Order(order_name("d"))));
    for _ in 0..2 {
        assert_eq!(listed(&mut store, &orders("b", "g", false, 9)), ["b", "c", "e", "f"]);
        assert_eq!(listed(&mut store, &orders("b", "g", true, 9)), ["f", "e", "c", "b"]);
        assert_eq!(listed(&mut store, &orders("b", "g", false, 2)), ["b", "c"]);
        assert_eq!(listed(&mut store, &orders("b", "g", true, 2)), ["f", "e"]);
        assert_eq!(listed(&mut store, &orders("b", "g", true, 0)), [""; 0]);
        assert_eq!(listed(&mut store, &orders("g", "b", false, 9)), [""; 0]);
        assert_eq!(listed(&mut store, &orders("c", "c", false, 9)), [""; 0]);
        store.tidy().expect("tidy");
    }
}

fn a_listing_begun_after_a_commit_contains_it<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    for number in 0..120 {
        writer.put(&mut store, vec![order(&format!("o{number:03}"), "c")]);
        assert_eq!(listed(&mut store, &orders("o", "p", false, 999)).len(), number + 1);
    }
}

fn commit_is_all_or_nothing<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "before")]);
    let mut other = writer.clone();
    let mut bad = other.commit(vec![
        vec![Change::put(order("a", "after")), Change::put(order("b", "after"))],
        vec![credit("1")],
    ]);
    bad.records[1].sequence += 1;
    assert!(matches!(make::settle(&mut store, bad), Err(StoreError::Conflict)));
    writer.agrees(&mut store);
    drop(store);
    writer.agrees(&mut place.open());
}

fn a_wrong_sequence_conflicts_and_writes_nothing<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c")]);
    let stale = Writer::default().commit(vec![vec![Change::put(order("b", "c"))]]);
    assert!(matches!(make::settle(&mut store, stale), Err(StoreError::Conflict)));
    writer.put(&mut store, vec![order("c", "c")]);
    writer.agrees(&mut store);
}

fn an_empty_commit_is_nothing<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    make::settle(&mut store, Commit::default()).expect("nothing");
    Writer::default().agrees(&mut store);
}

fn records_come_back_in_order_without_gaps<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let mut written = Vec::new();
    for size in [1, 3, 40, 2] {
        let changes = |n: usize| vec![Change::put(order(&format!("o{n}"), "c"))];
        let commit = writer.commit((0..size).map(changes).collect());
        written.extend(commit.records.clone());
        make::settle(&mut store, commit).expect("a commit");
    }
    let read = store.records(0, usize::MAX).expect("records");
    assert!(read.iter().map(|record| &**record).eq(written.iter()));
}

fn records_are_bounded_and_start_anywhere<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let sizes = [10, 7000, 20, 13_000, 3000, 3000, 5, 900];
    let commit = |sizes: &[usize], writer: &mut Writer| {
        let changes = |(n, size): (usize, &usize)| {
            vec![Change::put(revision(u32::try_from(n).expect("small"), *size))]
        };
        writer.commit(sizes.iter().enumerate().map(changes).collect())
    };
    make::settle(&mut store, commit(&sizes, &mut writer)).expect("a commit");
    make::settle(&mut store, commit(&sizes[4..], &mut writer)).expect("a commit");
    for after in 0..writer.sequence + 2 {
        for limit in [0, 1, 2, 100] {
            let read = store.records(after, limit).expect("records");
            let expected = (after + 1..=writer.sequence).take(limit);
            assert!(read.iter().map(|r| r.sequence).eq(expected), "{after} {limit}");
        }
    }
}

fn a_meter_adds_up<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    for (number, shape) in [Shape::Fixed, Shape::Rolling, Shape::ByAmount].into_iter().enumerate() {
        let rule = format!("m{number}");
        for payout in ["x", "y", "z"] {
            writer.change(&mut store, hold(&rule, shape, payout, "1.5"));
            store.tidy().expect("tidy");
        }
    }
    writer.change(&mut store, credit("10"));
    writer.agrees(&mut store);
    drop(store);
    writer.agrees(&mut place.open());
}

fn a_deleted_row_stays_deleted_after_reopen<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c"), order("b", "c"), shop("S"), request("r")]);
    store.tidy().expect("tidy");
    for row in [order("a", "c"), shop("S"), request("r")] {
        writer.change(&mut store, Change::Delete(row.key()));
        writer.agrees(&mut store);
    }
    drop(store);
    let mut store = place.open();
    writer.agrees(&mut store);
    store.tidy().expect("tidy");
    writer.agrees(&mut store);
    drop(store);
    writer.agrees(&mut place.open());
}

fn a_deleted_row_can_come_back<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    for round in 0..4 {
        writer.put(&mut store, vec![order("a", &format!("round {round}"))]);
        if round % 2 == 0 {
            store.tidy().expect("tidy");
        }
        writer.change(&mut store, Change::Delete(Key::Order(order_name("a"))));
        writer.agrees(&mut store);
    }
    writer.put(&mut store, vec![order("a", "last")]);
    drop(store);
    writer.agrees(&mut place.open());
}

fn rows_survive_a_reopen<P: Place>() {
    let place = P::new();
    let mut writer = Writer::default();
    for round in 0..3 {
        let mut store = place.open();
        writer.agrees(&mut store);
        let name = format!("o{round}");
        writer.put(&mut store, vec![order(&name, "c"), payout(&name, State::Authorized)]);
        writer.change(&mut store, hold("m", Shape::Fixed, "x", "1"));
    }
    writer.agrees(&mut place.open());
}

fn rows_survive_a_checkpoint_and_a_reopen<P: Place>() {
    let place = P::new();
    let mut writer = Writer::default();
    for round in 0..3 {
        let mut store = place.open();
        let name = format!("o{round}");
        writer.put(&mut store, vec![order(&name, "c"), payout(&name, State::Failed), shop(&name)]);
        store.tidy().expect("tidy");
        writer.change(&mut store, hold("m", Shape::Rolling, &name, "1"));
        store.tidy().expect("tidy");
        store.tidy().expect("tidy");
        writer.agrees(&mut store);
    }
    writer.agrees(&mut place.open());
}

fn what_was_committed_survives_a_kill<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    for number in 0..5 {
        writer.put(&mut store, vec![order(&format!("o{number}"), "c")]);
        writer.change(&mut store, credit("2.25"));
        let (_killed, mut survivor) = place.open_as_if_killed();
        writer.agrees(&mut survivor);
    }
    writer.agrees(&mut store);
}

fn a_checkpoint_and_more_survive_a_kill<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    for number in 0..130 {
        let name = format!("o{number}");
        writer.put(&mut store, vec![order(&name, "c"), payout(&name, State::Succeeded)]);
    }
    let (killed, mut survivor) = place.open_as_if_killed();
    writer.agrees(&mut survivor);
    let mut fork = writer.clone();
    fork.put(&mut survivor, vec![shop("after")]);
    drop(survivor);
    fork.agrees(&mut killed.open());
    writer.agrees(&mut store);
}

fn a_final_payout_that_changes_again_is_current<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    for state in [State::Authorized, State::Processing, State::Failed, State::Succeeded] {
        writer.put(&mut store, vec![payout("x", state)]);
        writer.agrees(&mut store);
        store.tidy().expect("tidy");
        writer.agrees(&mut store);
    }
    drop(store);
    writer.agrees(&mut place.open());
}

fn what_is_due_follows_from_payouts<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let states = [
        ("a", State::Authorized),
        ("b", State::Processing),
        ("c", State::Succeeded),
        ("d", State::PendingApproval),
        ("e", State::Expired),
    ];
    writer.put(&mut store, states.map(|(name, state)| payout(name, state)).to_vec());
    writer.put(&mut store, vec![order("a", "c")]);
    let due = |store: &mut P::Store| -> Vec<String> {
        let bound = |at| Key::Due(at, payout_name("a"));
        let (from, to) = (bound(Instant::MIN), bound(Instant::MAX));
        let rows = store.scan(&Scan { from, to, reverse: false, limit: 99 }).expect("rows");
        let name = |row: &Row| match row {
            Row::Due(at, payout) if *at == make::at(1800) => payout.payout.to_string(),
            other => panic!("{other:?}"),
        };
        rows.iter().map(|row| name(row)).collect()
    };
    assert_eq!(due(&mut store), ["a", "b", "d"]);
    store.tidy().expect("tidy");
    assert_eq!(due(&mut store), ["a", "b", "d"]);
    drop(store);
    let mut store = place.open();
    assert_eq!(due(&mut store), ["a", "b", "d"]);
    writer.put(&mut store, vec![payout("b", State::Succeeded)]);
    assert_eq!(due(&mut store), ["a", "d"]);
}

fn large_records_and_rows_come_back<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    // Around the size of a chunk and a block, and far beyond.
    for (number, size) in
        [3800, 3850, 3900, 3950, 4000, 5000, 6000, 20_000, 400_000].into_iter().enumerate()
    {
        let number = u32::try_from(number).expect("small");
        writer.put(&mut store, vec![revision(number, size), revision(100 + number, 10)]);
    }
    writer.agrees(&mut store);
    store.tidy().expect("tidy");
    writer.put(&mut store, vec![revision(7, 30_000), revision(8, 50), revision(3, 9000)]);
    store.tidy().expect("tidy");
    writer.agrees(&mut store);
    drop(store);
    writer.agrees(&mut place.open());
}

fn many_rows_make_many_blocks<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    // In an order that is neither ascending nor descending.
    for batch in 0..10 {
        let rows = |n: usize| {
            let name = format!("o{:04}", (n * 37 + batch) % 1000);
            vec![Change::put(order(&name, "caller")), Change::put(request(&name))]
        };
        make::settle(&mut store, writer.commit((0..60).map(rows).collect())).expect("a commit");
    }
    store.tidy().expect("tidy");
    writer.agrees(&mut store);
    let mut scan = Scan { reverse: true, ..everything() };
    let backwards = store.scan(&scan).expect("a listing");
    assert!(backwards.iter().eq(writer.rows.values().rev()));
    scan.limit = 7;
    assert_eq!(store.scan(&scan).expect("a listing"), backwards[..7]);
    drop(store);
    writer.agrees(&mut place.open());
}

fn time_and_sequence_go_on_after_reopen<P: Place>() {
    let place = P::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    writer.put(&mut store, vec![order("a", "c")]);
    let before = store.begin().expect("a tip");
    assert_eq!((before.sequence, before.at), (1, make::at(1)));
    drop(store);
    let mut store = place.open();
    assert_eq!(store.begin().expect("a tip"), before);
    store.tidy().expect("tidy");
    drop(store);
    assert_eq!(place.open().begin().expect("a tip"), before);
}

fn the_fault_store_lets_others_get_in_between<P: Place>() {
    let place = P::new();
    let mut writer = Writer::default();
    let fate = |turn| match turn {
        1 | 3 => Fate::Overtaken,
        2 => Fate::GivenBack,
        _ => Fate::Passes,
    };
    let mut store = FaultStore::new(place.open(), fate);
    let mut try_to = |store: &mut FaultStore<P::Store>, changes: Vec<Change>| {
        writer.catch_up(store);
        store.load(&[credit("5").key()]).expect("rows");
        let mut attempt = writer.clone();
        let result = make::settle(store, attempt.commit(vec![changes]));
        if result.is_ok() {
            writer = attempt;
        }
        result
    };
    let money = || vec![Change::put(order("a", "c")), credit("5")];
    assert!(try_to(&mut store, money()).is_ok());
    assert!(matches!(try_to(&mut store, money()), Err(StoreError::Conflict)));
    assert_eq!(store.taken().len(), 1, "the balance is lower by as much");
    assert!(matches!(try_to(&mut store, money()), Err(StoreError::Conflict)));
    assert_eq!(store.taken(), []);
    let nothing = vec![Change::put(order("a", "d"))];
    assert!(matches!(try_to(&mut store, nothing), Err(StoreError::Conflict)));
    assert!(try_to(&mut store, money()).is_ok());
    assert_eq!((store.commits(), store.most_loads()), (5, 1));
    assert_eq!(writer.sequence, 5, "two of its own, three of others");
    writer.agrees(&mut store);
    let Some(Row::Balance(account)) = load_one(&mut store, credit("5").key()) else {
        panic!("there is no account");
    };
    assert_eq!(account.balance, amount("10"));
}

fn the_fault_store_finds_out_who_does_not_look<P: Place>() {
    let place = P::new();
    let mut writer = Writer::default();
    let mut store = FaultStore::new(place.open(), |_| Fate::Passes);
    let mut try_to = |store: &mut FaultStore<P::Store>, begin: bool, load: bool, stale: bool| {
        if begin {
            store.begin().expect("a tip");
        }
        if load {
            store.load(&[credit("5").key()]).expect("rows");
        }
        let mut attempt = writer.clone();
        if stale {
            attempt.rows.clear();
        }
        let result = make::settle(store, attempt.commit(vec![vec![credit("5")]]));
        if result.is_ok() {
            writer = attempt;
        }
        result
    };
    assert!(try_to(&mut store, true, true, false).is_ok());
    let missing = try_to(&mut store, false, true, false);
    assert!(make::fatal(missing).contains("without beginning anew"));
    assert!(make::fatal(try_to(&mut store, true, false, false)).contains("was not loaded"));
    assert!(make::fatal(try_to(&mut store, true, true, true)).contains("a row of before"));
    assert!(try_to(&mut store, true, true, false).is_ok());
    writer.agrees(&mut store);
}

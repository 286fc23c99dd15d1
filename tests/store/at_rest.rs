//! Rows at rest: whatever happens to them, the journal makes them again.

use std::{fs, path::PathBuf};

use bursar::{
    domain::{
        cell::{CellKey, Celled},
        change::Change,
        key::Key,
        meter::{MeterKey, Metered, Shape},
        name::{Id, PlatformName, ProgrammeName, ShopName},
        payout::State,
        request::RequestKey,
    },
    store::{
        Store,
        sled::{Options, encode_key, verify},
    },
};

use crate::{
    damage::closed,
    make::{Writer, everything, fatal, hold, order, payout, revision, settle},
    places::{Place, Sled},
};

/// A store with rows at rest in many blocks, some of them spread, closed.
fn at_rest() -> (Sled, Writer) {
    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    for number in 0..60 {
        let name = format!("o{number}");
        writer.put(&mut store, vec![order(&name, "c"), payout(&name, State::Authorized)]);
    }
    writer.put(&mut store, vec![revision(1, 30_000)]);
    store.tidy().expect("tidy");
    drop(store);
    (place, writer)
}

/// That its rows are made from the journal, at the start or at the next one
/// after somebody met the damage, and that it goes on.
fn is_made_again(place: &Sled, writer: &mut Writer) {
    let mut store = place.open();
    if store.start().replayed < writer.sequence {
        fatal(store.scan(&everything()));
        drop(store);
        store = place.open();
        assert!(store.start().rebuilt);
    }
    assert_eq!(store.start().replayed, writer.sequence);
    writer.agrees(&mut store);
    writer.put(&mut store, vec![order("more", "c")]);
    drop(store);
    let mut store = place.open();
    assert!(!store.start().rebuilt);
    writer.agrees(&mut store);
}

#[test]
fn a_run_that_is_damaged_anywhere_is_made_again_or_its_damage_does_not_matter() {
    let (place, writer) = at_rest();
    let (count, length) =
        (place.runs().len(), |file: &PathBuf| fs::read(file).expect("a run").len());
    for seed in 1..80_u64 {
        let dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17;
        let mut writer = writer.clone();
        let copy = place.copy();
        let file = &copy.runs()[usize::try_from(dice).expect("small") % count];
        let at = usize::try_from(dice >> 8).expect("small") % length(file);
        crate::files::change(file, |bytes| bytes[at] ^= 1 << (dice % 8));
        if seed % 2 == 0 {
            is_made_again(&copy, &mut writer);
            continue;
        }
        let report = verify(copy.path(), &Options::default(), |_| Ok(())).expect("a journal");
        assert!(report.rows_incomplete, "byte {at}: somebody will meet it");
        let mut store = copy.open();
        assert!(store.start().rebuilt, "byte {at}: who checks it tells the next start");
        writer.agrees(&mut store);
    }
}

#[test]
fn a_run_or_a_manifest_that_is_cut_or_gone_is_made_again() {
    for round in 0..4 {
        let (place, mut writer) = at_rest();
        let manifest = place.path().join("runs/manifest");
        let file = if round % 2 == 1 { manifest } else { place.runs()[0].clone() };
        if round >= 2 {
            fs::remove_file(file).expect("removed");
        } else {
            crate::files::change(&file, |bytes| bytes.truncate(bytes.len() / 2));
        }
        let report = verify(place.path(), &Options::default(), |_| Ok(())).expect("a journal");
        assert!(report.rows_incomplete);
        // A run is not read before somebody asks.
        if round != 0 {
            assert!(place.copy().open().start().rebuilt, "{round}");
        }
        is_made_again(&place, &mut writer);
    }
}

#[test]
fn runs_that_are_gone_are_made_again() {
    let (place, writer) = at_rest();
    fs::remove_dir_all(place.path().join("runs")).expect("removed");
    let mut store = place.open();
    assert_eq!(store.start().replayed, writer.sequence);
    writer.agrees(&mut store);
}

#[test]
fn a_start_that_was_killed_while_it_removed_damaged_runs_leaves_nothing_of_them() {
    // They have lost their name; so has what says that they are damaged; so have all.
    let gone: [&[&str]; 3] = [&[], &["damaged"], &["damaged", "manifest"]];
    for gone in gone {
        let (place, mut writer) = at_rest();
        let [runs, before] = ["runs", "runs.before"].map(|name| place.path().join(name));
        crate::files::change(&place.runs()[0], |bytes| bytes[0] ^= 1);
        fs::write(runs.join("damaged"), "").expect("marked");
        fs::rename(&runs, &before).expect("renamed");
        for name in gone {
            fs::remove_file(before.join(name)).expect("removed");
        }
        is_made_again(&place, &mut writer);
        assert!(!before.exists(), "{gone:?}");
    }
}

#[test]
fn runs_of_another_history_are_refused() {
    let (place, _) = closed();
    let mut store = place.open();
    store.tidy().expect("tidy");
    drop(store);
    let other = Sled::new();
    let (mut store, mut writer) = (other.open(), Writer::default());
    for number in 0..10 {
        let caller = if number == 4 { "x" } else { "c" };
        writer.put(&mut store, vec![order(&format!("o{number}"), caller), revision(number, 9_000)]);
    }
    store.tidy().expect("tidy");
    drop(store);
    fs::remove_dir_all(place.path().join("runs")).expect("removed");
    crate::places::copy_files(&other.path().join("runs"), &place.path().join("runs"));
    let why = verify(place.path(), &place.options, |_| Ok(())).expect_err("a difference");
    assert!(why.to_string().contains("the rows at rest saw"), "{why}");
    assert!(place.refusal().contains("the rows at rest saw"));
}

#[test]
fn long_keys_and_long_rows_come_back() {
    // The longest ids there are, in rows large and small.
    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let long = "x".repeat(120);
    for batch in 0..20 {
        let changes = |n: usize| {
            let name = format!("{long}{:08}", n * 31 + batch);
            vec![Change::put(order(&name, &"c".repeat(n * 90 % 5800)))]
        };
        settle(&mut store, writer.commit((0..40).map(changes).collect())).expect("a commit");
    }
    writer.put(&mut store, (0..40).map(|n| revision(n, 5000 + 100 * n as usize)).collect());
    store.tidy().expect("tidy");
    writer.agrees(&mut store);
    drop(store);
    writer.agrees(&mut place.open());
}

#[test]
fn the_longest_names_that_the_contract_takes_come_to_rest() {
    // Texts are bounded by characters, of four bytes at most.
    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let id = |letter: &str| Id::parse(&letter.repeat(128)).expect("an id");
    let platform = PlatformName { platform: id("p") };
    let shop = ShopName { platform: platform.platform.clone(), shop: id("s") };
    let request = RequestKey {
        platform,
        parent: shop.to_string().into(),
        operation: "AuthorizePayout".into(),
        id: "\u{20000}".repeat(128).into(),
    };
    let cell = CellKey::from(Celled {
        programme: ProgrammeName { platform: id("p"), programme: id("g") },
        scope: (0..16).map(|_| "\u{20000}".repeat(256).into()).collect(),
        window_start: None,
    });
    for key in [Key::Request(request), Key::Cell(cell.clone())] {
        assert!(encode_key(&key).len() > 480, "{key:?}");
    }
    let mut hold = hold("day", Shape::Fixed, "p1", "5");
    if let Change::Meter(change) = &mut hold {
        let rule = "r".into();
        let within = Metered { rule, scope: Vec::new(), window_start: None };
        change.key = MeterKey::new(cell, within);
    }
    settle(&mut store, writer.commit(vec![vec![hold]])).expect("a commit");
    store.tidy().expect("tidy");
    writer.agrees(&mut store);
    drop(store);
    writer.agrees(&mut place.open());
}

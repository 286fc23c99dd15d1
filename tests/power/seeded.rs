//! The harness itself is put to the test: with a bug sown on purpose it has to
//! find something, and without one nothing (docs/decisions/0045).

use std::{collections::BTreeSet, sync::Arc};

use bursar::{
    domain::{
        change::{Change, Record},
        payout::{Payout, State},
        row::Row,
    },
    proto::v1::Decision,
};

use crate::{
    book::{Book, END, Life},
    check::{self, Violation},
    client::Client,
    damage::{copy, put_away},
    dice::Dice,
    is_full,
    kill::assert_clean,
    lost::{self, Plan},
    place::Place,
    process::Server,
    reseal::Journal,
    seed,
    world::Programme,
};

/// The journal's syncs do nothing or come late, by the word for it in
/// `recorder.c`: which failure of the power shows it.
async fn is_found(bug: &'static str) {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let story =
        lost::record(&mut dice, Plan { answers: 150, bug: Some(bug), ..Plan::default() }).await;
    let story = story.unwrap_or_else(|violation| panic!("SEED={seed}: {}", violation.0));
    for round in 1..=100 {
        if let Err(Violation(why)) = lost::rounds(&story, 1, &mut dice).await {
            let why: String = why.lines().next().unwrap_or_default().chars().take(300).collect();
            println!("{bug}: found in round {round}: {why}");
            return;
        }
    }
    panic!("SEED={seed}: {bug} was not found");
}

#[tokio::test]
async fn a_reply_that_never_waits_for_the_disk_is_found() {
    is_found("none-is-synced").await;
}

#[tokio::test]
async fn a_reply_that_comes_shortly_before_the_disk_is_done_is_found() {
    is_found("late-sync").await;
}

/// Opens a directory and compares it with the book.
async fn opened(place: &Place, book: &Book) -> Result<(), Violation> {
    let server = Server::try_start(&place.data(), &[]);
    let server = server.map_err(|log| Violation(format!("does not open: {log}")))?;
    let result = check::check(&Client::connect(&server).await, book, END).await;
    server.kill();
    result.map(|_| ())
}

/// Payouts that hold as they were authorized: what is
/// missing of them is not made good by a later record.
fn untouched(book: &Book) -> BTreeSet<String> {
    let lasting = Programme::Lasting.name();
    let of = |life: &Life| {
        let is_lasting = life.request.payout.as_ref()?.programme == lasting;
        let (_, receipt) = life.answer.as_ref()?;
        let is_held = receipt.decision() == Decision::Allow && life.steps.is_empty();
        (is_held && is_lasting).then(|| receipt.payout.clone())
    };
    book.lives.iter().filter_map(of).collect()
}

/// Whether this is the record that authorized one of these payouts.
fn authorized(record: &Record, payouts: &BTreeSet<String>) -> bool {
    record.changes.iter().any(|change| {
        matches!(change.as_put(), Some(Row::Payout(p)) if payouts.contains(&p.name.to_string()))
    })
}

fn without(record: &mut Record, is_it: impl Fn(&Change) -> bool) -> bool {
    let count = record.changes.len();
    record.changes.retain(|change| !is_it(change));
    record.changes.len() != count
}

fn is_meter(change: &Change, rule: &str) -> bool {
    matches!(change, Change::Meter(meter) if &*meter.key.within.rule == rule)
}

/// Changes the payout that a record makes.
fn otherwise(record: &mut Record, change: impl Fn(&mut Payout)) -> bool {
    let payout = record.changes.iter_mut().find_map(|change| match change {
        Change::Put(row) => match Arc::make_mut(row) {
            Row::Payout(payout) => Some(Arc::make_mut(payout)),
            _ => None,
        },
        _ => None,
    });
    payout.map(change).is_some()
}

/// What becomes of the record that authorized a payout, and what has to be said
/// of it then.
type Fault = (&'static str, fn(&mut Record) -> bool, &'static str);

const FAULTS: [Fault; 12] = [
    ("a meter of an order", |r| without(r, |c| is_meter(c, "order-total")), "order-total of"),
    ("a rolling meter", |r| without(r, |c| is_meter(c, "order-week")), "order-week of"),
    ("a meter of attempts", |r| without(r, |c| is_meter(c, "order-attempts")), "order-attempts of"),
    ("a meter of a shop", |r| without(r, |c| is_meter(c, "shop-total")), "shop-total of"),
    ("a meter of an operator", |r| without(r, |c| is_meter(c, "operator-daily")), "operator-daily"),
    ("a hold on a balance", |r| without(r, |c| matches!(c, Change::Balance(_))), "the holds of"),
    ("a payout", |r| without(r, |c| matches!(c.as_put(), Some(Row::Payout(_)))), ""),
    ("a decision", |r| without(r, |c| matches!(c.as_put(), Some(Row::Decision(_)))), ""),
    ("a request", |r| without(r, |c| matches!(c.as_put(), Some(Row::Request(_)))), ""),
    ("what readers are told", |r| !std::mem::take(&mut r.events).is_empty(), ""),
    ("a payout's state", |r| otherwise(r, |p| p.state = State::Succeeded), ""),
    ("whose payout it is", |r| otherwise(r, |p| p.request_id = "r-other".into()), "nobody asked"),
];

#[tokio::test]
async fn whatever_is_not_restored_is_found_without_any_checksum() {
    let (place, book) = put_away(&mut Dice::new(seed()), 300).await;
    let payouts = untouched(&book);
    let journal = Journal::read(&place.data());
    // The tool itself changes nothing.
    let same = copy(&place);
    journal.write(&same.data());
    assert_clean(&same.data()).expect("it is sound");
    opened(&same, &book).await.expect("nothing is missing");

    for (what, fault, expected) in FAULTS {
        let (damaged, mut journal) = (copy(&place), journal.clone());
        journal.edit(|record| authorized(record, &payouts) && fault(record));
        journal.write(&damaged.data());
        let found = opened(&damaged, &book).await;
        let Err(Violation(why)) = found else { panic!("{what} is missing, and nobody noticed") };
        assert!(why.contains(expected), "{what}: {why}");
        println!("{what} is not restored: {}", why.chars().take(200).collect::<String>());
    }
}

#[tokio::test]
async fn a_flipped_bit_that_no_checksum_tells_of_is_found_by_what_it_does() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let (place, book) = put_away(&mut dice, 150).await;
    let journal = Journal::read(&place.data());
    let [mut unreadable, mut compared, mut recomputed, mut unnoticed] = [0; 4];
    for _ in 0..if is_full() { 200 } else { 12 } {
        let (damaged, mut journal) = (copy(&place), journal.clone());
        journal.flip(dice.next());
        journal.write(&damaged.data());
        match opened(&damaged, &book).await {
            Err(Violation(why)) if why.starts_with("does not open") => unreadable += 1,
            Err(_) => compared += 1,
            Ok(()) if assert_clean(&damaged.data()).is_err() => recomputed += 1,
            Ok(()) => unnoticed += 1,
        }
    }
    println!(
        "SEED={seed}: bits flipped under right checksums: {unreadable} cannot be read, {compared} \
         found by the comparison, {recomputed} by recomputing decisions, {unnoticed} by nothing"
    );
    // Many bits are about what comes later, or about nothing that anybody sees.
    assert!(unreadable + compared + recomputed > 0);
}

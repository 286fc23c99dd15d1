//! Backups that are taken while clients are at it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    book::Book,
    check,
    client::Client,
    commands::{back_up, put_back},
    dice::Dice,
    load::Load,
    place::Place,
    process::{PATIENCE, Server, assert_clean},
    world,
};

/// Backups of one load.
const BACKUPS: usize = 4;
/// Answers between two of them.
const ANSWERS: usize = 120;

#[tokio::test]
async fn a_backup_under_load_has_everything_that_was_answered_before_it_began() {
    let place = Place::new();
    let server = Server::start(&place.data());
    world::furnish(&Client::connect(&server).await).await.expect("a world");
    // Answers are marked with the number of the span that they came in; a span
    // ends where a backup begins or ends.
    let span = Arc::new(AtomicU64::new(0));
    let clock = span.clone();
    let clock = Arc::new(move || clock.load(Ordering::SeqCst));
    let mut load = Load::start(&server, Book::default(), 1, &mut Dice::new(11), clock).await;
    let mut taken = Vec::new();
    for number in 1..=BACKUPS {
        load.answers(number * ANSWERS, PATIENCE).await;
        let (data, to) = (place.data(), place.file(&format!("backup-{number}")));
        let before = span.fetch_add(1, Ordering::SeqCst);
        let target = to.clone();
        // On a thread of its own: the clients go on.
        let copied = tokio::task::spawn_blocking(move || back_up(&data, &target)).await;
        let note = copied.expect("a backup");
        let during = span.fetch_add(1, Ordering::SeqCst);
        taken.push((to, note, before, during));
    }
    let book = load.end().await;
    server.kill();

    let mut last = 0;
    for (number, (backup, note, before, during)) in taken.into_iter().enumerate() {
        let records = note["records"].as_u64().expect("a number");
        assert!(records > last, "a later backup has more");
        last = records;
        // Looked at where it is, which changes nothing that counts.
        assert_clean(&backup);
        let data = place.file(&format!("restored-{number}"));
        let restored = put_back(&backup, &data);
        assert_eq!(restored["last_hash"], note["last_hash"]);
        assert_eq!(assert_clean(&data), note["decisions"].as_u64().expect("a number"));
        let server = Server::start(&data);
        let client = Client::connect(&server).await;
        let checked = check::check_between(&client, &book, before, during).await;
        let seen = checked.unwrap_or_else(|violation| panic!("backup {number}: {}", violation.0));
        assert!(seen.answers > number * ANSWERS, "{seen:?}");
        server.kill();
    }
}

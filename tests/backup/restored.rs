//! What was restored: it serves, it knows what was answered, and it does not
//! know what came after.

use std::fs;

use crate::{
    book::{END, lasting},
    check,
    client::Client,
    commands::{Said, back_up, busy, everything, names, put_back, restore, stopped},
    process::{Server, assert_clean},
    trial::shop_name,
    world::{Programme, authorize},
};

#[tokio::test]
async fn what_was_restored_serves_and_repeats_what_was_answered() {
    let (place, server, book) = busy(150).await;
    let client = Client::connect(&server).await;
    let backup = place.file("backup");
    let note = back_up(&place.data(), &backup);
    // After the backup: not in it.
    let later = authorize(Programme::Lasting, "s1", "later", "o-later", "main", 500);
    let lost = client.authorize_payout(later.clone()).await.expect("an answer");
    server.kill();

    let data = place.file("restored");
    let said = Said::of(&mut restore(&backup, &data));
    assert_eq!(said.code, 0, "{said:?}");
    for word in ["last_hash", "last_time"] {
        assert!(said.out.contains(note[word].as_str().expect("text")), "{said:?}");
    }
    for word in ["request ids are taken for new ones", "platforms/p1", "bursar serve --data"] {
        assert!(said.out.contains(word), "no {word:?} in {said:?}");
    }
    let server = Server::start(&data);
    let client = Client::connect(&server).await;
    // Each answered request is repeated there, and holds once.
    let checked = check::check(&client, &book, END).await;
    checked.unwrap_or_else(|violation| panic!("{}", violation.0));
    // What came later is not known, and decided anew.
    let again = client.authorize_payout(later.clone()).await.expect("an answer");
    assert!(!again.replayed && again.payout != lost.payout, "{again:?}");
    let repeated = client.authorize_payout(later).await.expect("an answer");
    assert!(repeated.replayed);
    assert_eq!(lasting(&repeated), lasting(&again));
    drop(client);
    assert!(server.stop().await.success());
    assert_clean(&data);
}

#[tokio::test]
async fn a_backup_can_be_taken_of_what_was_killed_or_restored() {
    let (place, server, book) = busy(100).await;
    server.kill();
    let [first, data, second] = ["first", "data-2", "second"].map(|name| place.file(name));
    let note = back_up(&place.data(), &first);
    put_back(&first, &data);
    // Nothing has opened it since, and it is the same.
    let again = back_up(&data, &second);
    for field in ["records", "commits", "last_hash", "journal", "payouts", "platforms", "bytes"] {
        assert_eq!(again[field], note[field], "{field}");
    }
    let server = Server::start(&data);
    let checked = check::check(&Client::connect(&server).await, &book, END).await;
    checked.unwrap_or_else(|violation| panic!("{}", violation.0));
}

#[tokio::test]
async fn nothing_is_restored_into_a_directory_that_is_used() {
    let (place, _) = stopped(20).await;
    let backup = place.file("backup");
    back_up(&place.data(), &backup);
    let before = everything(&place.data());
    Said::of(&mut restore(&backup, &place.data())).refuses(&["is not empty", "new or empty"]);
    assert_eq!(everything(&place.data()), before, "it is as it was");
    let other = place.file("other");
    fs::create_dir(&other).expect("a directory");
    fs::write(other.join("notes.txt"), "mine").expect("written");
    Said::of(&mut restore(&backup, &other)).refuses(&["is not empty"]);
    assert_eq!(names(&other), ["notes.txt"]);
}

#[tokio::test]
async fn an_empty_directory_is_restored_into_also_if_it_is_the_root_of_a_disk() {
    let (place, book) = stopped(20).await;
    let backup = place.file("backup");
    back_up(&place.data(), &backup);
    let disk = place.file("disk");
    fs::create_dir_all(disk.join("lost+found")).expect("a directory");
    put_back(&backup, &disk);
    let server = Server::start(&disk);
    let checked = check::check(&Client::connect(&server).await, &book, END).await;
    checked.unwrap_or_else(|violation| panic!("{}", violation.0));
}

#[tokio::test]
async fn a_backup_that_was_served_is_no_backup_any_more() {
    let (place, _) = stopped(20).await;
    let backup = place.file("backup");
    back_up(&place.data(), &backup);
    let server = Server::start(&backup);
    let client = Client::connect(&server).await;
    let request = authorize(Programme::Lasting, "s1", "new", "o-new", "main", 500);
    client.authorize_payout(request).await.expect("an answer");
    drop(client);
    assert!(server.stop().await.success());
    let data = place.file("restored");
    let said = Said::of(&mut restore(&backup, &data));
    said.refuses(&["is not as it was made", "backup.json says", "Use another backup"]);
    assert!(!data.exists(), "nothing is left");
    // As a data directory it can be backed up.
    let again = place.file("again");
    back_up(&backup, &again);
    put_back(&again, &data);
    let server = Server::start(&data);
    let client = Client::connect(&server).await;
    let parent = shop_name("s1");
    let known = bursar::proto::v1::GetDecisionRequest {
        parent,
        request_id: "new".to_owned(),
        ..Default::default()
    };
    client.get_decision(known).await.expect("a decision");
}

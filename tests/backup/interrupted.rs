//! Copies that are killed, or whose disk is full: nothing is left that would be
//! taken for a backup, or served.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use crate::{
    book::END,
    check,
    client::Client,
    commands::{Said, back_up, backup, names, put_back, restore, stopped, with_a_failing_disk},
    place::Place,
    process::{PATIENCE, Server, refusal},
};

/// Waits until a file is there.
fn wait_for(path: &Path) {
    let until = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < until, "no {}", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A command that is stopped in the middle, when it syncs the journal that it
/// writes.
struct Halted {
    child: Child,
    gate: PathBuf,
}

impl Halted {
    fn start(place: &Place, command: &mut std::process::Command, below: &Path) -> Self {
        let gate = place.file("copy-gate");
        fs::write(&gate, "").expect("written");
        let command = with_a_failing_disk(command, place, below);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let halted = Self { child: child.expect("a process"), gate };
        wait_for(&below.join("journal/00000000000000000001.log"));
        halted
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
        fs::remove_file(&self.gate).expect("removed");
    }
}

#[tokio::test]
async fn a_backup_that_was_killed_is_none_and_the_next_one_takes_its_place() {
    let (place, book) = stopped(60).await;
    let data = place.data();
    let [target, draft] = ["backup", ".backup.partial"].map(|name| place.file(name));
    let halted = Halted::start(&place, &mut backup(&data, &target), &draft);
    assert!(!target.exists());
    // A second one does not get in its way.
    let said = Said::of(&mut backup(&data, &target));
    said.refuses(&["is being written by another process"]);
    halted.kill();

    assert_eq!(names(&place.file("")), [".backup.partial"]);
    let said = Said::of(&mut restore(&draft, &place.file("restored")));
    said.refuses(&["is not a finished backup"]);
    assert!(refusal(&draft).await.contains("durable.fence is missing"), "it is not served");

    back_up(&data, &target);
    assert_eq!(names(&place.file("")), ["backup"], "what was left is gone");
    assert_eq!(names(&target), ["backup.json", "durable.fence", "journal"]);
    let restored = place.file("restored");
    put_back(&target, &restored);
    let server = Server::start(&restored);
    let checked = check::check(&Client::connect(&server).await, &book, END).await;
    checked.unwrap_or_else(|violation| panic!("{}", violation.0));
}

#[tokio::test]
async fn what_a_killed_restore_leaves_is_not_served() {
    let (place, _) = stopped(60).await;
    let [copy, data] = ["backup", "restored"].map(|name| place.file(name));
    back_up(&place.data(), &copy);
    let halted = Halted::start(&place, &mut restore(&copy, &data), &data);
    assert!(refusal(&data).await.contains("bursar.lock is locked"), "nor meanwhile");
    halted.kill();
    // As a power failure may leave it: the file is there, and what was to be in
    // it is not.
    let file = data.join("journal/00000000000000000001.log");
    for length in [0, 4096, fs::metadata(&file).expect("a file").len() / 2] {
        fs::OpenOptions::new()
            .write(true)
            .open(&file)
            .and_then(|file| file.set_len(length))
            .expect("cut");
        let said = refusal(&data).await;
        assert!(said.contains("record") && said.contains("restore it from a backup"), "{said}");
    }
    Said::of(&mut restore(&copy, &data)).refuses(&["is not empty"]);
    fs::remove_dir_all(&data).expect("removed");
    put_back(&copy, &data);
    Server::start(&data).kill();
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing() {
    let (place, _) = stopped(60).await;
    let data = place.data();
    let [copy, target, restored] = ["copy", "backup", "restored"].map(|name| place.file(name));
    back_up(&data, &copy);
    fs::write(place.file("full"), "").expect("written");
    let draft = place.file(".backup.partial");
    let said = Said::of(with_a_failing_disk(&mut backup(&data, &target), &place, &draft));
    said.refuses(&["No space left on device", ".backup.partial"]);
    let said = Said::of(with_a_failing_disk(&mut restore(&copy, &restored), &place, &restored));
    said.refuses(&["No space left on device", "restored"]);
    assert_eq!(names(&place.file("")), ["copy"], "what was written is gone");
    fs::remove_file(place.file("full")).expect("removed");
    back_up(&data, &target);
    put_back(&target, &restored);
}

#[tokio::test]
async fn what_is_copied_is_synced_before_and_a_sync_that_fails_is_no_backup() {
    let (place, _) = stopped(20).await;
    let [target, log, error] = ["backup", "log", "error"].map(|name| place.file(name));
    let draft = place.file(".backup.partial");
    let run = || {
        let mut command = backup(&place.data(), &target);
        command.env("BURSAR_TEST_LOG", &log).env("BURSAR_TEST_SYNC_ERROR", &error);
        Said::of(with_a_failing_disk(&mut command, &place, &draft))
    };
    // A commit may be written and not synced yet.
    assert_eq!(run().code, 0);
    let synced = fs::read_to_string(&log).expect("a log");
    let first = synced.lines().next().expect("a sync");
    assert!(first.starts_with("begin ") && first.contains("/data/journal/"), "{synced}");
    fs::remove_dir_all(&target).expect("removed");
    fs::write(&error, "5").expect("written");
    run().refuses(&["os error 5", "/data/journal/"]);
    fs::remove_file(&error).expect("removed");
    fs::remove_file(&log).expect("removed");
    assert_eq!(names(&place.file("")), [""; 0]);
}

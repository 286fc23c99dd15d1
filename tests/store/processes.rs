//! Other processes: one that is refused, one that is killed while it writes.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use bursar::{
    domain::change::Change,
    store::{
        Store,
        sled::{Options, SledStore, verify},
    },
};

use crate::{
    make::{Writer, credit, order, revision},
    places::{Place, Sled},
};

const DIRECTORY: &str = "BURSAR_TEST_DIRECTORY";

/// What the other process does: commits for ever, and says each sequence when
/// the commit has returned. Not a test: does nothing unless it is told where.
#[test]
fn the_other_process() {
    let Ok(dir) = env::var(DIRECTORY) else { return };
    let options = Options { checkpoint_records: 37, ..Options::default() };
    let mut store = SledStore::open(Path::new(&dir), options).expect("a store");
    let mut writer = Writer::default();
    for record in store.records(0, usize::MAX).expect("records") {
        writer.commit(vec![record.changes.clone()]);
    }
    let mut out = std::io::stdout();
    loop {
        let commit = writer.commit(changes(writer.sequence));
        crate::make::settle(&mut store, commit).expect("a commit");
        writeln!(out, "committed {}", writer.sequence).expect("a line");
        out.flush().expect("a line");
    }
}

/// One to nine records, some larger than a chunk.
fn changes(after: u64) -> Vec<Vec<Change>> {
    let record = |n: u64| {
        let number = after + n;
        let name = format!("o{:05}", number * 7919 % 100_000);
        let size = if number.is_multiple_of(10) { 15_000 } else { 50 };
        let row = revision(u32::try_from(number % 50).expect("small"), size);
        vec![Change::put(order(&name, "caller")), credit("1"), Change::put(row)]
    };
    (1..2 + after % 9).map(record).collect()
}

fn spawn(dir: &Path) -> Child {
    Command::new(env::current_exe().expect("this program"))
        .args(["processes::the_other_process", "--exact", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

/// The sequence a line speaks of; the test harness has lines of its own, and
/// the kill may cut one off.
fn committed(line: &str) -> Option<u64> {
    line.split_once("committed ")?.1.parse().ok()
}

#[test]
fn a_killed_process_keeps_what_it_answered() {
    let place = Sled::new();
    let mut answered = 0;
    for round in 0..6_u64 {
        let mut child = spawn(place.path());
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = lines.find_map(|line| committed(&line.expect("a line"))).expect("a commit");
        assert!(first > answered);
        thread::sleep(Duration::from_millis(150 + round * 73));
        child.kill().expect("killed");
        child.wait().expect("waited for");
        let rest = lines.map_while(Result::ok).filter(|line| line.ends_with(char::is_numeric));
        let mut rest: Vec<u64> = rest.filter_map(|line| committed(&line)).collect();
        // The last line may be cut off in the middle of its number.
        rest.retain(|sequence| *sequence > first);
        answered = rest.last().copied().unwrap_or(first);

        let mut store = place.open();
        let tip = store.begin().expect("a tip").sequence;
        assert!(tip >= answered, "answered {answered}, kept {tip}");
        let mut writer = Writer::default();
        while writer.sequence < tip {
            writer.commit(changes(writer.sequence));
        }
        assert_eq!(writer.sequence, tip, "commits are whole");
        writer.agrees(&mut store);
        drop(store);
        verify(place.path(), &place.options, |_| Ok(())).expect("a sound store");
        answered = tip;
    }
}

#[test]
fn a_second_process_is_refused() {
    let place = Sled::new();
    let mut child = spawn(place.path());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.find_map(|line| committed(&line.expect("a line"))).expect("a commit");
    let why = place.refusal();
    assert!(why.contains("bursar.lock is locked: another Bursar"), "{why}");
    let why = verify(place.path(), &place.options, |_| Ok(())).expect_err("refused").to_string();
    assert!(why.contains("bursar.lock is locked"), "{why}");
    child.kill().expect("killed");
    child.wait().expect("waited for");
    place.open();
}

//! The background thread pauses while it has time, and only then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use super::{super::pace::Pace, *};

/// Longer than any test.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// What is seen of a thread at work.
#[derive(Clone, Default)]
struct Seen {
    /// Entries that were put.
    puts: Arc<AtomicUsize>,
    /// Whether somebody is in a hurry.
    is_hurried: Arc<AtomicBool>,
    /// Whether somebody was when the last entry was put.
    was_hurried: Arc<AtomicBool>,
}

impl Seen {
    /// A table of several blocks.
    fn table(&self, mark: &[u8]) -> Table {
        let (entries, seen) = (entries(0..1000, &[7; 100]), self.clone());
        let put_all = move |put: &mut Put<'_>| {
            for (key, value) in &entries {
                if !put(key, value.as_deref())? {
                    break;
                }
                seen.puts.fetch_add(1, Ordering::SeqCst);
            }
            seen.was_hurried.store(seen.is_hurried.load(Ordering::SeqCst), Ordering::SeqCst);
            Ok(())
        };
        Table { count: 1000, entries: Box::new(put_all), mark: mark.into() }
    }

    /// Waits until the thread has begun, and gives one that does not pause the
    /// time to end.
    fn wait_for_a_pause(&self) {
        while self.puts.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        wait_a_moment();
        self.is_hurried.store(true, Ordering::SeqCst);
    }

    fn paused(&self) -> bool {
        self.was_hurried.load(Ordering::SeqCst)
    }
}

/// Long enough for a thread that does not pause, whoever else runs.
fn wait_a_moment() {
    let (_sender, nobody) = channel::<()>();
    assert!(nobody.recv_timeout(Duration::from_millis(100)).is_err());
}

/// Pauses after each block for longer than any test: a block takes longer than a
/// microsecond, and a pause 43 million times as long.
fn slow(dir: &Path) -> Runs {
    let pace =
        Pace { piece: Duration::from_micros(1), share: u32::MAX, most: u32::MAX, longest: AN_HOUR };
    Runs::open(dir, Options { pace, ..options() }).unwrap().0
}

/// One whose first table is on its way, and has come to a pause.
fn pausing(dir: &Path, seen: &Seen) -> Runs {
    let mut runs = slow(dir);
    assert!(matches!(runs.freeze(seen.table(b"1")), Ok(Freeze::Taken)));
    seen.wait_for_a_pause();
    runs
}

#[test]
fn the_thread_pauses_until_somebody_waits_for_a_table() {
    let (dir, seen) = (tempfile::tempdir().unwrap(), Seen::default());
    let mut runs = pausing(dir.path(), &seen);
    assert_eq!(runs.wait().unwrap().as_deref(), Some(&b"1"[..]));
    assert!(seen.paused());
    // Nobody waits any more.
    let seen = Seen::default();
    assert!(matches!(runs.freeze(seen.table(b"2")), Ok(Freeze::Taken)));
    seen.wait_for_a_pause();
    assert_eq!(runs.wait().unwrap().as_deref(), Some(&b"2"[..]));
    assert!(seen.paused());
}

#[test]
fn the_thread_pauses_until_another_table_waits() {
    let (dir, first, second) = (tempfile::tempdir().unwrap(), Seen::default(), Seen::default());
    let mut runs = pausing(dir.path(), &first);
    assert!(matches!(runs.freeze(second.table(b"2")), Ok(Freeze::Taken)));
    while runs.poll().unwrap().is_none() {
        thread::yield_now();
    }
    assert!(first.paused());
    second.wait_for_a_pause();
    runs.close().unwrap();
    assert!(second.paused());
}

#[test]
fn a_pause_ends_when_all_is_to_be_at_rest() {
    let (dir, seen) = (tempfile::tempdir().unwrap(), Seen::default());
    let runs = pausing(dir.path(), &seen);
    runs.settle().unwrap();
    assert!(seen.paused());
    assert_eq!(all(&runs).len(), 1000);
}

#[test]
fn a_pause_ends_when_what_is_on_its_way_is_abandoned() {
    let (dir, seen) = (tempfile::tempdir().unwrap(), Seen::default());
    drop(pausing(dir.path(), &seen));
    assert!(seen.paused());
    assert_eq!(all(&open(dir.path())).len(), 0);
}

#[test]
fn a_merge_pauses_too_until_all_is_to_be_at_rest() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = slow(dir.path());
    for mark in 0..3_u8 {
        push(&mut runs, table(entries(0..1000, &[mark; 100]), &[mark]));
    }
    push(&mut runs, table(Vec::new(), b"3"));
    while runs.poll().unwrap().as_deref() != Some(b"3") {
        thread::yield_now();
    }
    wait_a_moment();
    assert_eq!(runs.sizes().unwrap().runs, 3, "a merge that does not pause is over");
    runs.settle().unwrap();
    assert_eq!(runs.sizes().unwrap().runs, 1);
}

/// Hands a table over without ever waiting for the thread.
fn push(runs: &mut Runs, mut table: Table) {
    while let Freeze::Behind(again) = runs.freeze(table).unwrap() {
        table = again;
        runs.poll().unwrap();
        thread::yield_now();
    }
}

#[test]
fn nothing_pauses_while_many_merges_are_to_be_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = slow(dir.path());
    for mark in 0..9_u8 {
        push(&mut runs, table(entries(0..1000, &[mark; 100]), &[mark]));
    }
    push(&mut runs, table(Vec::new(), b"9"));
    // Three merges are, of three runs each; two of them can wait.
    let (_sender, nobody) = channel::<()>();
    for _ in 0..1000 {
        if runs.sizes().unwrap().runs <= 7 {
            return;
        }
        assert!(nobody.recv_timeout(Duration::from_millis(10)).is_err());
    }
    panic!("no merge is done: {} runs", runs.sizes().unwrap().runs);
}

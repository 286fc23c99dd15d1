//! How much of a journal is read through when it is opened, and what is known of
//! the rest later.

use std::os::unix::fs::FileExt;

use tempfile::TempDir;

use super::{segment::FRAMES, *};
use crate::{
    domain::{instant::Instant, who::Author},
    store::sled::sync::RealDisk,
};

/// From which length on a file is followed by another: few commits.
const FULL: u64 = 150_000;
/// The length of a record: some go between two places that are remembered.
const LENGTH: usize = 40_000;

/// A journal of so many commits of one record each, and where it ended after each.
fn journal(dir: &Path, commits: u64) -> Vec<End> {
    let mut journal = Journal::create(dir, FULL).expect("a journal");
    let mut ends = vec![journal.end()];
    for sequence in 1..=commits {
        ends.push(append(&mut journal, sequence));
    }
    assert!(journal.segments.len() > 3, "{}", journal.segments.len());
    ends
}

/// Appends a commit of one record; where the journal ends with it.
fn append(journal: &mut Journal, sequence: u64) -> End {
    let mut written = Written::default();
    written.push(&record(sequence)).expect("a record");
    let draft = Draft::of(&[Arc::new(written)]);
    let place = journal.place(&draft).expect("a place");
    let appended = place.write(draft).expect("written");
    journal.accept(&appended);
    journal.end()
}

fn record(sequence: u64) -> Record {
    Record {
        sequence,
        at: Instant::MIN,
        author: Author { caller: "c".into(), actor: None },
        operation: "x".repeat(LENGTH).into(),
        changes: Vec::new(),
        events: Vec::new(),
    }
}

fn open(dir: &Path, depth: Depth, witnesses: &[Witness]) -> Result<Journal, Damage> {
    Journal::open(dir, End::default(), FULL, &RealDisk, depth, witnesses)
        .map(|(journal, _)| journal)
}

/// Where a frame is, and a bit of it flipped.
fn flip(journal: &Journal, sequence: u64) -> usize {
    let after = journal.segments.partition_point(|it| it.head.before.sequence < sequence);
    let segment = &journal.segments[after - 1];
    let mut offset = segment.near(sequence);
    while let Some(header) = segment.header(offset).expect("a header")
        && header.last < sequence
    {
        offset += header.frame_length();
    }
    let mut byte = [0];
    let at = offset + HEADER_LENGTH;
    segment.file.read_exact_at(&mut byte, at).expect("a byte");
    segment.file.write_all_at(&[byte[0] ^ 1], at).expect("written");
    after - 1
}

/// Into the payload of a frame.
const HEADER_LENGTH: u64 = 100;

#[test]
fn all_that_somebody_did_not_see_is_read_through_and_files_before_it_are_not() {
    const COMMITS: u64 = 13;
    for seen in 0..=COMMITS {
        for damaged in 1..=COMMITS {
            let dir = TempDir::new().expect("a directory");
            let ends = journal(dir.path(), COMMITS);
            let whole = open(dir.path(), Depth::All, &[]).expect("a journal");
            let number = flip(&whole, damaged);
            let end = ends[usize::try_from(seen).expect("few")];
            let last = *ends.last().expect("an end");
            let opened = [
                open(dir.path(), Depth::From(end, 0), &[]),
                open(dir.path(), Depth::From(last, 0), &[("the fence", end)]),
            ];
            for opened in opened {
                match opened {
                    // The last commit looks torn, which heals.
                    Ok(journal) if damaged == COMMITS => {
                        assert_eq!(journal.end().commit, COMMITS - 1);
                    }
                    Ok(journal) => {
                        assert!(damaged <= seen, "commit {damaged} was not seen: {seen}");
                        assert!(number < journal.first);
                    }
                    Err(why) => {
                        assert!(
                            why.to_string().contains(&format!("commit {damaged} "))
                                || damaged == COMMITS
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_read_through_later_is_known_as_if_it_had_been_at_once() {
    let dir = TempDir::new().expect("a directory");
    let ends = journal(dir.path(), 20);
    let known = |journal: &Journal| {
        let of = |it: &Segment| (it.filled, (1..30).map(|n| it.near(n)).collect::<Vec<_>>());
        journal.segments.iter().map(of).collect::<Vec<_>>()
    };
    let whole = known(&open(dir.path(), Depth::All, &[]).expect("a journal"));
    let later = || open(dir.path(), Depth::From(ends[20], 0), &[]).expect("a journal");
    let mut read = later();
    assert!(read.first > 2 && known(&read) != whole);
    read.read_through().expect("whole files");
    assert_eq!((known(&read), read.older().is_none()), (whole.clone(), true));
    let mut asked = later();
    for sequence in [3, 20, 1, 11] {
        assert_eq!(asked.record(sequence).expect("a record").sequence(), sequence);
    }
    let mut listed = later();
    let all = listed.records(0).expect("records").map(|it| it.expect("a record").sequence);
    assert!(all.eq(1..=20));
    (1..=20).for_each(|sequence| drop(asked.record(sequence).expect("a record")));
    assert_eq!(known(&asked), whole);
}

#[test]
fn a_commit_that_is_missing_where_nobody_read_is_named_by_who_reads_in_order() {
    let dir = TempDir::new().expect("a directory");
    let ends = journal(dir.path(), 20);
    let whole = open(dir.path(), Depth::All, &[]).expect("a journal");
    let segment = &whole.segments[0];
    let behind = |offset| {
        let header = segment.header(offset).expect("a header").expect("a frame");
        offset + header.frame_length()
    };
    let lost = behind(FRAMES);
    let kept = behind(lost);
    assert!(kept < segment.filled);
    let mut bytes = fs::read(&segment.path).expect("a file");
    let length = bytes.len();
    bytes.drain(usize::try_from(lost).expect("small")..usize::try_from(kept).expect("small"));
    bytes.resize(length, 0);
    fs::write(&segment.path, bytes).expect("written");
    let mut journal = open(dir.path(), Depth::From(ends[20], 0), &[]).expect("not read");
    let mut records = journal.records(0).expect("records");
    assert_eq!(records.next().expect("one").expect("a record").sequence, 1);
    let why = records.next().expect("a word").expect_err("a gap");
    assert!(matches!(why, Damage::Gap { sequence: 2 }), "{why}");
    assert!(records.next().is_none());
}

#[test]
fn a_check_that_is_told_to_stop_says_nothing_of_what_it_did_not_read() {
    let dir = TempDir::new().expect("a directory");
    let ends = journal(dir.path(), 20);
    let journal = open(dir.path(), Depth::From(ends[20], 0), &[]).expect("a journal");
    let stop = std::sync::atomic::AtomicBool::new(true);
    let older = journal.older().expect("older files");
    older.check_behind(&stop, |_| panic!("it was not read")).expect("no damage was seen");
}

#[test]
fn a_journal_in_which_damage_was_found_is_read_through_by_the_next_start() {
    let dir = TempDir::new().expect("a directory");
    let ends = journal(dir.path(), 20);
    let depth = Depth::From(ends[20], 0);
    let mut journal = open(dir.path(), depth, &[]).expect("a journal");
    assert!(journal.first > 0);
    journal.suspect();
    assert_eq!(open(dir.path(), depth, &[]).expect("a journal").first, 0);
    journal.heal(false).expect("healed");
    assert!(open(dir.path(), depth, &[]).expect("a journal").first > 0);
}

#[test]
fn room_that_is_set_aside_is_written_before_it_is_used() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::create(dir.path(), 64 * 1024 * 1024).expect("a journal");
    for sequence in 1..=20 {
        if sequence == 10 {
            // From the middle of a block on.
            journal.segments.last_mut().expect("a file").cut().expect("cut");
        }
        let end = append(&mut journal, sequence);
        let segment = journal.segments.last().expect("a file");
        segment.file.sync_all().expect("synced");
        let length = segment.file.metadata().expect("a length").len();
        assert_eq!((end.sequence, length), (sequence, segment.room));
        // Where there are pages that were never written, a file system has a hole.
        let hole = rustix::fs::seek(&segment.file, rustix::fs::SeekFrom::Hole(FRAMES));
        assert_eq!(hole.expect("an answer"), length, "{sequence}");
    }
}

//! What of a journal is whole, what is a torn tail, and what is damage.
//!
//! A commit is written only after the one before it was synced. So a crash
//! can tear the last commit alone, in any way: the disk may have kept any part
//! of it. Nobody had an answer that rested on it, and it is dropped. Anything
//! else that does not fit is damage and refuses: a frame that is not whole, or
//! not there, where a later commit is found, or where a witness (the fence, the
//! checkpoint) saw a later end; and a frame that is whole and does not follow.
//!
//! Of files that are not read through now (`older.rs`) only the heads are looked
//! at: whether they are of one journal and in order.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    frame::{End, Hash, Header},
    reader::{Found, Reader},
    segment::{FRAMES, Head, Segment},
};
use crate::store::sled::damage::Damage;

/// Somebody who saw the journal end somewhere, once.
pub(in crate::store::sled) type Witness = (&'static str, End);

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::store::sled) struct Checked {
    /// The end of the last commit that is whole.
    pub(in crate::store::sled) end: End,
    /// Bytes after it, of a commit that was never answered.
    pub(in crate::store::sled) torn: u64,
}

/// Reads the files from one on in order and checks everything; leaves each file
/// knowing up to where it is full. `base` is where the journal ended before the files
/// that are left.
pub(super) fn check(
    segments: &mut [Segment],
    first: usize,
    base: End,
    witnesses: &[Witness],
) -> Result<Checked, Damage> {
    let mut end = base;
    let mut torn = 0;
    let heads: Vec<Head> = segments.iter().map(|segment| segment.head).collect();
    let mark = heads.first().map_or(0, |head| head.mark);
    for (at, (segment, next)) in segments.iter_mut().zip(heads.iter().skip(1)).enumerate() {
        if at == first {
            break;
        }
        joins(&segment.head, at == 0, mark, &end)?;
        let follows = next.before.commit > end.commit && next.before.sequence > end.sequence;
        if !follows || next.filled > segment.room || !segment.has_its_name() {
            return Err(Damage::Gap { sequence: end.sequence + 1 });
        }
        end = next.before;
        segment.filled = next.filled;
    }
    let goes_on = AtomicBool::new(false);
    for (at, segment) in segments.iter_mut().enumerate().skip(first) {
        joins(&segment.head, at == 0, mark, &end)?;
        let stop = walk(segment, mark, &mut end, witnesses, &goes_on)?;
        match heads.get(at + 1) {
            Some(next) if next.filled == segment.filled => {}
            Some(_) => return Err(broken(stop, &end)),
            None => torn = tail(segment, stop, &end, witnesses)?,
        }
    }
    // Also where there is no file to look into.
    durable(witnesses, &end)?;
    Ok(Checked { end, torn })
}

/// Whether a file goes on where the one before it ended.
pub(super) fn joins(head: &Head, is_first: bool, mark: u64, end: &End) -> Result<(), Damage> {
    let Head { before: begins, mark: own, filled } = *head;
    if begins.commit > end.commit || begins.sequence > end.sequence {
        return Err(Damage::Gap { sequence: end.sequence + 1 });
    }
    // A first file with others before it says how full they were.
    let is_first = is_first && *end == End::default();
    if begins != *end || own != mark || is_first && filled != 0 {
        let (commit, sequence) = (end.commit + 1, end.sequence + 1);
        return Err(Damage::Frame { commit, sequence, why: "its file belongs to another journal" });
    }
    Ok(())
}

/// Why a walk ended.
pub(super) type Stop = Option<&'static str>;

/// Goes through the frames of a file until something is not one, or until `stop`
/// is set.
pub(super) fn walk(
    segment: &mut Segment,
    mark: u64,
    end: &mut End,
    witnesses: &[Witness],
    stop: &AtomicBool,
) -> Result<Stop, Damage> {
    let file = segment.file.clone();
    let mut reader = Reader::new(&file).map_err(Damage::io(&segment.path))?;
    segment.filled = FRAMES;
    while !stop.load(Ordering::Relaxed) {
        let found = reader.frame(segment.filled).map_err(Damage::io(&segment.path))?;
        let (header, bytes) = match found {
            Found::Frame(header, bytes) => (header, bytes),
            Found::Nothing => return Ok(None),
            Found::Damaged(why) => return Ok(Some(why)),
        };
        belongs(&header, mark, end)?;
        *end = End { sequence: header.last, commit: header.commit, hash: Hash::of(bytes) };
        witnessed(witnesses, end)?;
        segment.accept(header.first, header.frame_length());
    }
    Ok(Some("it was not read to its end"))
}

/// No crash makes a frame that is whole and in the wrong place.
pub(super) fn belongs(header: &Header, mark: u64, end: &End) -> Result<(), Damage> {
    let follows = if header.mark == mark {
        header.follows(end)
    } else {
        Err("it belongs to another journal")
    };
    let (commit, sequence) = (end.commit + 1, end.sequence + 1);
    follows.map_err(|why| Damage::Frame { commit, sequence, why })
}

pub(super) fn broken(stop: Stop, end: &End) -> Damage {
    let (commit, sequence) = (end.commit + 1, end.sequence + 1);
    match stop {
        Some(why) => Damage::Frame { commit, sequence, why },
        None => Damage::Gap { sequence },
    }
}

/// What is behind the last whole commit: bytes of one that was never answered,
/// unless somebody knows better.
fn tail(segment: &Segment, stop: Stop, end: &End, witnesses: &[Witness]) -> Result<u64, Damage> {
    let io = || Damage::io(&segment.path);
    let mut reader = Reader::new(&segment.file).map_err(io())?;
    let last = reader.last_byte(segment.filled).map_err(io())?;
    if last.is_some() {
        let later = reader.later(segment.filled, segment.head.mark, end.commit + 1);
        if later.map_err(io())?.is_some() {
            return Err(broken(stop, end));
        }
    }
    if stop.is_some() && durable(witnesses, end).is_err() {
        return Err(broken(stop, end));
    }
    Ok(last.map_or(0, |last| last + 1 - segment.filled))
}

/// Whether nobody saw a later end.
pub(super) fn durable(witnesses: &[Witness], end: &End) -> Result<(), Damage> {
    let latest = witnesses.iter().map(|(_, seen)| seen).max_by_key(|seen| seen.commit);
    match latest.filter(|seen| seen.commit > end.commit) {
        Some(seen) => Err(Damage::BelowFence { have: end.sequence, fence: seen.sequence }),
        None => Ok(()),
    }
}

/// Whether the journal is what the witnesses saw at this commit.
pub(super) fn witnessed(witnesses: &[Witness], end: &End) -> Result<(), Damage> {
    match witnesses.iter().find(|(_, seen)| seen.commit == end.commit && seen != end) {
        Some((witness, seen)) => Err(Damage::Exchanged { witness, sequence: seen.sequence }),
        None => Ok(()),
    }
}

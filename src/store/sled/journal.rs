//! The journal: chunks in a sled tree under their numbers, kept whole. Owns
//! appending, reading by sequence, and the check that decides at start-up what
//! is a torn tail and what is damage.

use std::sync::Arc;

use super::{
    chunk::{Chunk, Hash, Stream, payload},
    codec::{Fields, decode, encode},
    damage::Damage,
};
use crate::domain::change::Record;

/// Where a journal ends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct End {
    /// The last record; 0 if there is none.
    pub sequence: u64,
    /// The last chunk; 0 if there is none.
    pub chunk: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What the check found.
#[derive(Debug)]
pub(super) struct Checked {
    /// The end of the last commit that is whole.
    pub(super) end: End,
    /// Chunks after it: the beginning of a commit that was never answered.
    pub(super) torn: Vec<u64>,
}

/// The journal.
#[derive(Debug)]
pub(super) struct Journal {
    tree: ::sled::Tree,
    end: End,
}

/// What was appended and is not yet durable.
#[derive(Debug)]
pub(super) struct Appended {
    /// Where the journal ends with it.
    pub(super) end: End,
    /// How many bytes it took.
    pub(super) bytes: usize,
}

impl Journal {
    /// A journal that was checked.
    pub(super) fn new(tree: ::sled::Tree, end: End) -> Self {
        Self { tree, end }
    }

    /// Where it ends.
    pub(super) fn end(&self) -> End {
        self.end
    }

    /// Writes records behind the end, which stays where it is until `accept`.
    pub(super) fn append(&self, records: &[Record]) -> Result<Appended, Damage> {
        let mut stream = Stream::default();
        for record in records {
            stream.push(record.sequence, |out| encode(out, record))?;
        }
        let mut appended = Appended { end: self.end, bytes: 0 };
        for chunk in stream.cut(self.end.chunk, self.end.hash)? {
            appended.end.chunk += 1;
            appended.end.hash = Hash::of(&chunk);
            appended.bytes += chunk.len();
            let key = appended.end.chunk.to_be_bytes();
            if self.tree.insert(key, chunk)?.is_some() {
                return Err(Damage::Defect(format!(
                    "chunk {} was there already",
                    appended.end.chunk
                )));
            }
        }
        appended.end.sequence = records.last().map_or(self.end.sequence, |r| r.sequence);
        Ok(appended)
    }

    /// What was appended is durable now.
    pub(super) fn accept(&mut self, appended: &Appended) {
        self.end = appended.end;
    }

    /// Records after a sequence, oldest first.
    pub(super) fn records(&self, after: u64) -> Records<'_> {
        Records { journal: self, next: after + 1, place: None }
    }

    fn chunk(&self, number: u64, sequence: u64) -> Result<::sled::IVec, Damage> {
        let chunk = self.tree.get(number.to_be_bytes())?;
        chunk.ok_or(Damage::Gap { chunk: number, sequence })
    }

    /// The chunk in which a record starts: the first whose last byte belongs to
    /// it or a later one.
    fn find(&self, sequence: u64) -> Result<u64, Damage> {
        let (mut low, mut high) = (1, self.end.chunk);
        while low < high {
            let middle = low + (high - low) / 2;
            let bytes = self.chunk(middle, sequence)?;
            if parse(&bytes, middle, sequence)?.last < sequence {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

fn parse(bytes: &[u8], number: u64, sequence: u64) -> Result<Chunk<'_>, Damage> {
    let damaged = |why| Damage::Chunk { chunk: number, sequence, why };
    let chunk = Chunk::parse(bytes).map_err(damaged)?;
    if chunk.number == number {
        Ok(chunk)
    } else {
        Err(damaged("it was written under another number"))
    }
}

/// Reads records one after the other.
#[derive(Debug)]
pub(super) struct Records<'a> {
    journal: &'a Journal,
    next: u64,
    place: Option<Place>,
}

/// A chunk in hand that was checked, and how far its payload was read.
#[derive(Debug)]
struct Place {
    bytes: ::sled::IVec,
    number: u64,
    read: usize,
}

impl Records<'_> {
    fn read(&mut self) -> Result<Arc<Record>, Damage> {
        let sequence = self.next;
        if self.place.is_none() {
            let number = self.journal.find(sequence)?;
            let mut place = self.open(number, sequence)?;
            place.read = parse(&place.bytes, number, sequence)?.begins;
            self.place = Some(place);
            // The chunk may start with records before the one asked for.
            loop {
                let record = self.frame(sequence)?;
                if record.sequence == sequence {
                    return Ok(record);
                }
                if record.sequence > sequence {
                    return Err(Damage::Gap { chunk: number, sequence });
                }
            }
        }
        let record = self.frame(sequence)?;
        if record.sequence == sequence {
            Ok(record)
        } else {
            let chunk = self.place.as_ref().map_or(0, |place| place.number);
            Err(Damage::Chunk { chunk, sequence, why: "it has another record there" })
        }
    }

    /// The record at the present place, which moves behind it.
    fn frame(&mut self, sequence: u64) -> Result<Arc<Record>, Damage> {
        let mut length = Vec::with_capacity(4);
        self.take(4, &mut length, sequence)?;
        let wanted = Fields(&length).short().and_then(|length| usize::try_from(length).ok());
        let mut record = Vec::new();
        self.take(wanted.unwrap_or(usize::MAX), &mut record, sequence)?;
        decode(&format!("record {sequence} of the journal"), &record).map(Arc::new)
    }

    fn open(&self, number: u64, sequence: u64) -> Result<Place, Damage> {
        let bytes = self.journal.chunk(number, sequence)?;
        parse(&bytes, number, sequence)?;
        Ok(Place { bytes, number, read: 0 })
    }

    /// Takes bytes from the present chunk and those after it.
    fn take(&mut self, count: usize, out: &mut Vec<u8>, sequence: u64) -> Result<(), Damage> {
        loop {
            let Some(place) = &mut self.place else {
                return Err(Damage::Defect("reading from no chunk".to_owned()));
            };
            let rest = payload(&place.bytes).get(place.read..).unwrap_or_default();
            let taken = rest.get(..count - out.len()).unwrap_or(rest);
            out.extend(taken);
            place.read += taken.len();
            if out.len() == count {
                return Ok(());
            }
            let number = place.number;
            if number == self.journal.end.chunk {
                let why = "its last record is cut off";
                return Err(Damage::Chunk { chunk: number, sequence, why });
            }
            self.place = Some(self.open(number + 1, sequence)?);
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Arc<Record>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.journal.end.sequence {
            return None;
        }
        let record = self.read();
        // After an error there is nothing more to read.
        self.next = if record.is_ok() { self.next + 1 } else { u64::MAX };
        Some(record)
    }
}

/// Reads the whole journal and checks checksums, numbers, chain and sequences.
/// `witnesses` saw it end at these places once.
///
/// A torn tail is what may be missing after a crash without anybody having
/// had an answer that depended on it: chunks of the one commit after the last
/// whole one, some of which may be there. sled's log is not written in order
/// once the disk reorders, so a later chunk of that commit may have survived an
/// earlier one; a chunk of yet another commit cannot, since that is written
/// only after the one before it was synced. A chunk that is there and damaged
/// is never a torn tail: sled keeps a value whole or not at all.
pub(super) fn check(
    tree: &::sled::Tree,
    witnesses: &[(&'static str, End)],
) -> Result<Checked, Damage> {
    let mut end = End::default();
    let mut tip = End::default();
    let mut torn = Vec::new();
    let mut gap = None;
    for item in tree {
        let (key, bytes) = item?;
        let sequence = tip.sequence + 1;
        let number = <[u8; 8]>::try_from(&*key).map(u64::from_be_bytes);
        let number = number.map_err(|_| Damage::Unreadable {
            what: "the journal".to_owned(),
            why: "a chunk has a key that is no number".to_owned(),
        })?;
        let chunk = parse(&bytes, number, sequence)?;
        if number != tip.chunk + 1 {
            gap.get_or_insert((tip.chunk + 1, sequence));
        }
        if let Some((missing, sequence)) = gap {
            if chunk.commit != end.chunk + 1 {
                return Err(Damage::Gap { chunk: missing, sequence });
            }
            torn.push(number);
            continue;
        }
        follows(&chunk, tip, end).map_err(|why| Damage::Chunk { chunk: number, sequence, why })?;
        tip = End { sequence: chunk.last, chunk: number, hash: Hash::of(&bytes) };
        torn.push(number);
        if chunk.complete {
            end = tip;
            torn.clear();
        }
        witnessed(witnesses, tip, chunk.complete)?;
    }
    let durable = witnesses.iter().map(|(_, seen)| seen).max_by_key(|seen| seen.chunk);
    match (durable, gap) {
        (Some(seen), Some((chunk, sequence))) if seen.chunk > end.chunk => {
            Err(Damage::Gap { chunk, sequence })
        }
        (Some(seen), None) if seen.chunk > end.chunk => {
            Err(Damage::BelowFence { have: end.sequence, fence: seen.sequence })
        }
        _ => Ok(Checked { end, torn }),
    }
}

/// Whether a chunk continues a journal that ends at `tip`, and whose last whole
/// commit ends at `end`.
fn follows(chunk: &Chunk<'_>, tip: End, end: End) -> Result<(), &'static str> {
    if chunk.previous != tip.hash {
        return Err("it does not follow the chunk before it");
    }
    if chunk.commit != end.chunk + 1 {
        return Err("it belongs to another commit");
    }
    let starts_commit = chunk.commit == chunk.number;
    let expected = if chunk.continues() { tip.sequence } else { tip.sequence + 1 };
    if chunk.first != expected || chunk.last < chunk.first || starts_commit && chunk.continues() {
        return Err("its records do not follow those before it");
    }
    Ok(())
}

/// Whether a chunk is what the witnesses saw under its number: the end of a
/// commit, with the same hash.
fn witnessed(witnesses: &[(&'static str, End)], tip: End, is_complete: bool) -> Result<(), Damage> {
    let differs = |seen: &End| seen.chunk == tip.chunk && (*seen != tip || !is_complete);
    match witnesses.iter().find(|(_, seen)| differs(seen)) {
        Some((witness, seen)) => Err(Damage::Exchanged { witness, sequence: seen.sequence }),
        None => Ok(()),
    }
}

//! All rows: those that changed lately in memory, behind them those that are on
//! their way to rest, behind them those at rest. The newest wins.

use std::{
    cmp::Ordering,
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    codec::{Fields, decode, encode},
    damage::Damage,
    implied,
    layer::{Layer, Slot, Sought},
    mark::Mark,
    runs::{Freeze, Put, Runs, Sizes, Table, behind_others},
    sort_key::{encode_key, is_running},
};
use crate::domain::{key::Key, minted::record};

/// Begins the value of a row at rest that is kept as it is.
const ROW: u8 = 0;
/// Begins the value of a row that the journal keeps: the record follows, which
/// wrote it whole.
pub(super) const AT: u8 = 1;
/// The same, but the record made it of nothing by adding to it. Another number,
/// because a Bursar that does not know that would find nothing in the record; of
/// this one it knows that it has to make its rows again.
pub(super) const ADDED: u8 = 2;
/// Begins the value of a meter or balance that is kept as it is: the last record that
/// changed it follows, and the row.
const RUNNING: u8 = 4;
/// Begins the value of an order: the record that wrote it last follows, and the one
/// that wrote it first, by which its first meters and payout are found.
pub(super) const ORDER: u8 = 3;

/// The rows.
#[derive(Debug)]
pub(super) struct Rows {
    live: Layer,
    /// On their way to rest, the oldest first.
    freezing: VecDeque<Arc<Layer>>,
    runs: Runs,
    /// How many rows a layer has room for from the beginning.
    room: usize,
    /// An empty layer whose room was used before: the first use of memory takes
    /// long where a machine's memory is another machine's.
    spare: Arc<Mutex<Option<Layer>>>,
}

/// A row with its key as bytes.
pub(super) type Keyed = (Vec<u8>, Slot);

impl Rows {
    /// Those at rest, and room for some that change.
    pub(super) fn new(runs: Runs, room: usize) -> Self {
        Self {
            live: Layer::with_room(room),
            freezing: VecDeque::new(),
            runs,
            room,
            spare: Arc::default(),
        }
    }

    /// Keeps a row.
    pub(super) fn put(&mut self, key: &Key, slot: Slot) {
        self.live.put(key, slot);
    }

    /// Keeps a row that a record wrote, unless it is found without. Records come in
    /// order, and of each its order before what it made of it.
    pub(super) fn keep(&mut self, key: &Key, slot: Slot, sequence: u64) -> Result<(), Damage> {
        let slot = match slot {
            Slot::At(at) if matches!(key, Key::Order(_)) => {
                let first = match self.entry(key)? {
                    Slot::Order { first, .. } => first,
                    _ => sequence,
                };
                Slot::Order { at, first }
            }
            Slot::At(_) if self.is_implied(key, sequence)? => return Ok(()),
            Slot::Gone if self.comes_back(key)? => {
                return Err(Damage::Defect(format!("{key:?} cannot be deleted")));
            }
            slot => slot,
        };
        self.put(key, slot);
        Ok(())
    }

    /// Whether what this record alone made under a key is found without it.
    fn is_implied(&self, key: &Key, sequence: u64) -> Result<bool, Damage> {
        if let Key::Decision(name) = key {
            return Ok(record(&name.decision) == Some(sequence));
        }
        let Some(order) = implied::order_of(key) else { return Ok(false) };
        let first = matches!(self.entry(&order)?, Slot::Order { first, .. } if first == sequence);
        Ok(first)
    }

    /// Whether a row may come back when it is deleted, as a record made it.
    fn comes_back(&self, key: &Key) -> Result<bool, Damage> {
        if let Key::Decision(name) = key {
            return Ok(record(&name.decision).is_some());
        }
        let Some(order) = implied::order_of(key) else { return Ok(false) };
        Ok(matches!(self.entry(&order)?, Slot::Order { .. }))
    }

    /// The row under a key, kept there or found by what other rows say.
    pub(super) fn find(&self, key: &Key) -> Result<Slot, Damage> {
        if let Key::Decision(name) = key
            && let Some(sequence) = record(&name.decision)
        {
            return Ok(Slot::If(sequence));
        }
        match self.entry(key)? {
            Slot::Gone => {}
            slot => return Ok(slot),
        }
        let Some(order) = implied::order_of(key) else { return Ok(Slot::Gone) };
        Ok(match self.entry(&order)? {
            Slot::Order { first, .. } => Slot::If(first),
            _ => Slot::Gone,
        })
    }

    /// What is kept under a key.
    pub(super) fn entry(&self, key: &Key) -> Result<Slot, Damage> {
        let freezing = self.freezing.iter().rev().map(|layer| &**layer);
        let mut layers = std::iter::once(&self.live).chain(freezing);
        let sought = Sought::new(key);
        if let Some(slot) = layers.find_map(|layer| layer.get(&sought)) {
            return Ok(slot.clone());
        }
        match self.runs.get(sought.bytes())? {
            Some(value) => parse(&value),
            None => Ok(Slot::Gone),
        }
    }

    /// Closes everything that changed: what changes from now on is put away
    /// another time.
    pub(super) fn seal(&mut self) {
        let spare = locked(&self.spare).take();
        let next = spare.unwrap_or_else(|| Layer::with_room(self.room));
        let layer = std::mem::replace(&mut self.live, next);
        self.freezing.push_back(Arc::new(layer));
    }

    /// Begins to put away what was sealed last; `mark` is where the journal is
    /// durable, and the rows are.
    pub(super) fn freeze(&mut self, mark: Mark) -> Result<(), Damage> {
        let Some(layer) = self.freezing.back().cloned() else { return Ok(()) };
        let count = layer.count() as u64;
        let entries = Box::new(move |put: &mut Put<'_>| put_entries(&layer, put));
        let mut table = Table { count, entries, mark: mark.to_bytes().into() };
        loop {
            match self.runs.freeze(table)? {
                Freeze::Taken => return Ok(()),
                // Memory stays bounded: this waits for the disk.
                Freeze::Behind(again) => {
                    table = again;
                    self.rest()?;
                }
            }
        }
    }

    /// Forgets what has come to rest.
    pub(super) fn settle(&mut self) -> Result<(), Damage> {
        while self.runs.poll()?.is_some() {
            self.forget();
        }
        Ok(())
    }

    /// Waits until everything that is on its way is at rest: all that was sealed
    /// has to be on its way.
    pub(super) fn wait(&mut self) -> Result<(), Damage> {
        while !self.freezing.is_empty() {
            self.rest()?;
        }
        Ok(())
    }

    /// Waits until nothing is merged any more.
    pub(super) fn idle(&self) -> Result<(), Damage> {
        self.runs.settle()
    }

    /// How large those at rest are.
    pub(super) fn sizes(&self) -> Result<Sizes, Damage> {
        self.runs.sizes()
    }

    /// Ends when everything that is on its way is at rest.
    pub(super) fn close(self) -> Result<(), Damage> {
        self.runs.close()
    }

    /// Lets go of the oldest layer, elsewhere: that takes as long as judging a
    /// thousand payouts.
    fn forget(&mut self) {
        if let Some(layer) = self.freezing.pop_front() {
            let thread = thread::Builder::new().name("forget".to_owned());
            let spare = self.spare.clone();
            // Without a thread it is let go of here.
            drop(thread.spawn(move || {
                behind_others();
                if let Some(mut layer) = Arc::into_inner(layer) {
                    layer.clear();
                    *locked(&spare) = Some(layer);
                }
            }));
        }
    }

    /// Waits for the next that comes to rest.
    fn rest(&mut self) -> Result<(), Damage> {
        if self.runs.wait()?.is_some() {
            self.forget();
        }
        Ok(())
    }

    /// Rows from a key (inclusive) to a key (exclusive), at most `limit`.
    pub(super) fn scan(
        &self,
        from: &Key,
        to: &Key,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Keyed>, Damage> {
        if from >= to {
            return Ok(Vec::new());
        }
        self.scan_between(encode_key(from)..encode_key(to), reverse, limit)
    }

    /// The same between keys as bytes.
    pub(super) fn scan_between(
        &self,
        bounds: Range<Vec<u8>>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Keyed>, Damage> {
        let freezing = self.freezing.iter().rev().map(|layer| &**layer);
        let layers = std::iter::once(&self.live).chain(freezing);
        let kind = |key: &[u8]| key.first().copied().unwrap_or_default();
        let kinds = kind(&bounds.start)..=kind(&bounds.end);
        let orders: Vec<_> = layers.map(|layer| layer.in_order(kinds.clone())).collect();
        let mut sources = Vec::new();
        for order in &orders {
            let rows = order.range(&bounds);
            let rows: Box<dyn Iterator<Item = (&[u8], &Slot)>> =
                if reverse { Box::new(rows.rev()) } else { Box::new(rows) };
            sources.push(Source::new(rows.map(|(key, slot)| Ok((key.to_vec(), slot.clone()))))?);
        }
        let at_rest = self.runs.range(&bounds.start, &bounds.end, reverse)?;
        let at_rest = at_rest.map(|entry| {
            let (key, value) = entry?;
            Ok((key, parse(&value)?))
        });
        sources.push(Source::new(at_rest)?);
        merge(sources, reverse, limit)
    }
}

fn locked(spare: &Mutex<Option<Layer>>) -> MutexGuard<'_, Option<Layer>> {
    // Nothing panics while it is held.
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows in order, the first of which was looked at.
struct Source<'a> {
    next: Option<Keyed>,
    rest: Box<dyn Iterator<Item = Result<Keyed, Damage>> + 'a>,
}

impl<'a> Source<'a> {
    fn new(rest: impl Iterator<Item = Result<Keyed, Damage>> + 'a) -> Result<Self, Damage> {
        let mut source = Self { next: None, rest: Box::new(rest) };
        source.advance()?;
        Ok(source)
    }

    fn advance(&mut self) -> Result<Option<Keyed>, Damage> {
        let next = self.rest.next().transpose()?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}

/// Of rows under one key the first source's.
fn merge(mut sources: Vec<Source<'_>>, reverse: bool, limit: usize) -> Result<Vec<Keyed>, Damage> {
    let mut found = Vec::new();
    while found.len() < limit {
        let keys = sources.iter().filter_map(|source| source.next.as_ref().map(|(key, _)| key));
        let first = if reverse { keys.max() } else { keys.min() };
        let Some(key) = first.cloned() else { break };
        let mut newest = None;
        for source in &mut sources {
            let same = |(next, _): &Keyed| next.cmp(&key) == Ordering::Equal;
            if source.next.as_ref().is_some_and(same) {
                newest = newest.or(source.advance()?);
            }
        }
        found.extend(newest.filter(|(_, slot)| *slot != Slot::Gone));
    }
    Ok(found)
}

/// A row as it is at rest.
pub(super) fn parse(value: &[u8]) -> Result<Slot, Damage> {
    match value.split_first() {
        Some((&ROW, row)) => Ok(Slot::Row(Arc::new(decode("a row", row)?), 0)),
        Some((&RUNNING, row)) if let Some((at, row)) = after(row) => {
            Ok(Slot::Row(Arc::new(decode("a row", row)?), at))
        }
        Some((&(AT | ADDED), at)) if let Some(sequence) = Fields(at).long() => {
            Ok(Slot::At(sequence))
        }
        Some((&ORDER, records)) if let Some((at, first)) = two(records) => {
            Ok(Slot::Order { at, first })
        }
        _ => Err(Damage::Unreadable {
            what: "a row at rest".to_owned(),
            why: "it is of no known kind".to_owned(),
        }),
    }
}

/// The row that an entry has, if it has it whole.
pub(super) fn whole(value: &[u8]) -> Option<&[u8]> {
    match value.split_first()? {
        (&ROW, row) => Some(row),
        (&RUNNING, row) => after(row).map(|(_, row)| row),
        _ => None,
    }
}

/// A record, and what is behind it.
fn after(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut fields = Fields(bytes);
    Some((fields.long()?, fields.0))
}

fn two(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut fields = Fields(bytes);
    let two = (fields.long()?, fields.long()?);
    fields.0.is_empty().then_some(two)
}

/// Puts the rows of a layer away.
fn put_entries(layer: &Layer, put: &mut Put<'_>) -> Result<(), Damage> {
    let mut room = Vec::new();
    for (key, slot) in layer.rows() {
        if !put(key, value(key, slot, &mut room))? {
            break;
        }
    }
    Ok(())
}

/// A row as it is at rest, written into this room.
pub(super) fn value<'a>(key: &[u8], slot: &Slot, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    room.clear();
    match slot {
        // What is found by other rows is under no key.
        Slot::Gone | Slot::If(_) => return None,
        Slot::Order { at, first } => {
            room.push(ORDER);
            room.extend(at.to_be_bytes());
            room.extend(first.to_be_bytes());
        }
        Slot::At(sequence) => {
            room.push(if is_running(key) { ADDED } else { AT });
            room.extend(sequence.to_be_bytes());
        }
        Slot::Row(row, at) => {
            if *at > 0 && is_running(key) {
                room.push(RUNNING);
                room.extend(at.to_be_bytes());
            } else {
                room.push(ROW);
            }
            encode(room, row);
        }
    }
    Some(room)
}

//! Records as the journal will have them: written out when they are committed,
//! by whoever made them and while all of them is at hand, and kept until they are
//! durable. Knows nothing of files.

use super::frame::too_long;
use crate::{
    domain::{allowed::Allowed, change::Record, told::Told},
    store::sled::{
        codec::{decode_told, encode, encode_allowed},
        compact::Commons,
        damage::Damage,
    },
};

/// Bytes of most records.
const RECORD: usize = 1024;

/// Records in sequence, each behind its length of 4 bytes.
#[derive(Debug, Default)]
pub(in crate::store::sled) struct Written {
    bytes: Vec<u8>,
    /// The first record.
    first: u64,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Written {
    /// None, with room for about so many.
    pub(in crate::store::sled) fn with_room(records: usize) -> Self {
        let (bytes, ends) = (Vec::with_capacity(records * RECORD), Vec::with_capacity(records));
        Self { bytes, first: 0, ends }
    }

    /// Writes out the record that follows.
    pub(in crate::store::sled) fn push(&mut self, record: &Record) -> Result<(), Damage> {
        self.push_with(record.sequence, |bytes| encode(bytes, record))
    }

    /// Writes out the record that follows, in short.
    pub(in crate::store::sled) fn push_allowed(
        &mut self,
        allowed: &Allowed<'_>,
    ) -> Result<(), Damage> {
        self.push_with(allowed.sequence, |bytes| encode_allowed(bytes, allowed))
    }

    fn push_with(&mut self, sequence: u64, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Damage> {
        if self.is_empty() {
            self.first = sequence;
        }
        let start = self.end();
        // One that was too long was left behind.
        self.bytes.truncate(start);
        self.bytes.extend([0; 4]);
        write(&mut self.bytes);
        let end = self.bytes.len();
        let length = u32::try_from(end - start - 4).map_err(|_| too_long(sequence))?;
        if let Some(slot) = self.bytes.get_mut(start..start + 4) {
            slot.copy_from_slice(&length.to_be_bytes());
        }
        self.ends.push(end);
        Ok(())
    }

    /// Where the last one ends.
    fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Whether there are none.
    pub(in crate::store::sled) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of them.
    pub(in crate::store::sled) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many there are.
    pub(in crate::store::sled) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The first and the last one.
    pub(in crate::store::sled) fn span(&self) -> Option<(u64, u64)> {
        let last = self.first.checked_add(u64::try_from(self.ends.len()).ok()?)?;
        (!self.is_empty()).then(|| (self.first, last - 1))
    }

    /// All of them, as they stand in a frame.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.end()).unwrap_or_default()
    }

    /// Reads one of them. `None`: it is not among them.
    pub(in crate::store::sled) fn record(
        &self,
        sequence: u64,
        commons: &mut Commons,
    ) -> Option<Result<Told, Damage>> {
        let number = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let bytes = self.bytes.get(start.unwrap_or(0) + 4..end)?;
        let record = decode_told(bytes, commons);
        Some(record.map_err(|why| Damage::Draft { sequence, why }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{instant::Instant, who::Author};

    #[test]
    fn a_record_that_the_journal_may_not_have_is_not_said_to_be_in_it() {
        let record = Record {
            sequence: 7,
            at: Instant::MIN,
            author: Author { caller: "c".into(), actor: None },
            operation: "o".into(),
            changes: Vec::new(),
            events: Vec::new(),
        };
        let mut written = Written::default();
        written.push(&record).expect("a record");
        // Its form, behind its length.
        written.bytes[4] = 0;
        let read = written.record(7, &mut Commons::default()).expect("it is there");
        let why = read.expect_err("no form");
        assert!(why.is_of_the_journal() && why.sequence() == Some(7));
        let why = why.to_string();
        assert!(why.contains("record 7 cannot be read on its way to the journal"), "{why}");
        assert!(why.contains("Start again") && !why.contains("backup"), "{why}");
    }
}

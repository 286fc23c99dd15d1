//! Places in the journal as readers of events are given them: opaque, and only
//! good for the journal that they are from.

use sha2::{Digest, Sha256};

use crate::{
    domain::{
        change::Record,
        refusal::{Reason, Refusal},
    },
    engine::View,
};

/// A place in the journal: behind event `index` of record `sequence`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The record.
    pub sequence: u64,
    /// Which event of it.
    pub index: usize,
    /// Of what the record is, so that a place in another journal is not taken
    /// for one in this: a backup from before it was put back, say.
    check: u32,
}

impl Cursor {
    /// Before everything.
    pub const START: Self = Self { sequence: 0, index: usize::MAX, check: 0 };

    /// Behind an event of a record.
    pub fn behind(record: &Record, index: usize) -> Self {
        let digest = Sha256::new()
            .chain_update(record.sequence.to_be_bytes())
            .chain_update(record.at.0.as_nanosecond().to_be_bytes())
            .chain_update(record.author.caller.as_bytes())
            .chain_update(record.operation.as_bytes())
            .finalize();
        let check = digest.first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
        Self { sequence: record.sequence, index, check }
    }

    /// Before a record: of what was before it nothing is said.
    fn before(record: &Record) -> Self {
        let Self { sequence, check, .. } = Self::behind(record, 0);
        // Not what is told of a place behind it.
        Self { sequence: sequence.saturating_sub(1), index: usize::MAX, check: !check }
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::START);
        }
        let mut parts = text.strip_prefix('c')?.split('.');
        let (sequence, index, check) = (parts.next()?, parts.next()?, parts.next()?);
        let cursor = Self {
            sequence: sequence.parse().ok()?,
            index: index.parse().ok()?,
            check: u32::from_str_radix(check, 16).ok()?,
        };
        // Each has one spelling.
        (cursor.text() == text).then_some(cursor)
    }

    /// What readers are given.
    pub fn text(self) -> String {
        format!("c{}.{}.{:08x}", self.sequence, self.index, self.check)
    }

    /// That this journal has the place.
    ///
    /// # Errors
    /// It has not, or not any more.
    pub fn known(self, view: &mut View<'_>) -> Result<(), Refusal> {
        let Some(before) = self.sequence.checked_sub(1) else { return Ok(()) };
        let records = view.records(before, 1)?;
        if let Some(oldest) = records.first().filter(|oldest| oldest.sequence > self.sequence) {
            let oldest = Self::before(oldest);
            return if oldest == self { Ok(()) } else { Err(Self::too_old(oldest)) };
        }
        let is_here = records.first().is_some_and(|record| {
            let index = self.index == usize::MAX || self.index < record.events.len();
            index && Self::behind(record, self.index) == self
        });
        if is_here {
            return Ok(());
        }
        let message = "The journal does not have the place of the cursor.";
        Err(Refusal::new(Reason::PageTokenInvalid, message).at(
            "cursor",
            "Was the service restored from a backup? Begin with a cursor from before it, or with none.",
        ))
    }

    fn too_old(oldest: Self) -> Refusal {
        let oldest = oldest.text();
        let message = format!(
            "The record of the cursor is not kept any more; the oldest valid cursor is {oldest}."
        );
        let advice = format!(
            "Take what may be missing from an export or a backup, and go on with {oldest}."
        );
        Refusal::new(Reason::CursorTooOld, message)
            .at("cursor", advice)
            .with("oldest_cursor", oldest)
    }
}

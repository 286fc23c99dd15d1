//! Up to where rows at rest go: the journal makes the others of the records
//! after it.

use super::{
    codec::Fields,
    damage::Damage,
    journal::{End, Hash},
};
use crate::{domain::instant::Instant, store::Tip};

/// Names the format.
const MAGIC: &[u8; 4] = b"bMk2";
/// Of marks without a base.
const BEFORE: &[u8; 4] = b"bMk1";

/// Up to where rows go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    /// The last record that they have, and when it was written.
    pub(super) tip: Tip,
    /// Where the journal ended with that record or before it.
    pub(super) end: End,
    /// The last record that the journal had let go of: no row says a record up to it.
    pub(super) base: u64,
}

impl Default for Mark {
    fn default() -> Self {
        Self { tip: Tip::EMPTY, end: End::default(), base: 0 }
    }
}

impl Mark {
    /// As bytes.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let (seconds, nanos) = self.tip.at.to_parts();
        let mut out = MAGIC.to_vec();
        out.extend(self.base.to_be_bytes());
        out.extend(self.tip.sequence.to_be_bytes());
        out.extend(seconds.to_be_bytes());
        out.extend(nanos.to_be_bytes());
        out.extend(self.end.sequence.to_be_bytes());
        out.extend(self.end.commit.to_be_bytes());
        out.extend(self.end.hash.0);
        out
    }

    /// From its bytes; of none, the beginning of everything.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        Self::read(bytes).ok_or_else(|| Damage::Unreadable {
            what: "the mark of the rows at rest".to_owned(),
            why: "it is of no known form".to_owned(),
        })
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let base = match &fields.array()? {
            BEFORE => 0,
            MAGIC => fields.long()?,
            _ => return None,
        };
        let sequence = fields.long()?;
        let seconds = i64::from_be_bytes(fields.array()?);
        let at = Instant::from_parts(seconds, i32::from_be_bytes(fields.array()?))?;
        let end =
            End { sequence: fields.long()?, commit: fields.long()?, hash: Hash(fields.array()?) };
        Some(Self { tip: Tip { sequence, at }, end, base })
    }
}

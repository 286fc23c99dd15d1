//! Up to where rows at rest go: the journal makes the others of the records
//! after it. Meters and balances may be behind the other rows: each says after which
//! record it is as it is.

use super::{
    codec::Fields,
    damage::Damage,
    journal::{End, Hash, Journal},
};
use crate::{domain::instant::Instant, store::Tip};

/// Names the format.
const MAGIC: &[u8; 4] = b"bMk3";
/// Of marks whose meters and balances go as far as the other rows.
const TOGETHER: &[u8; 4] = b"bMk2";
/// Of those, without a base.
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
    /// The last record of which, and of all before, they have what it changed of meters
    /// and balances. They may have that of later ones.
    pub(super) running: u64,
    /// Where the journal ended with that record or before it.
    pub(super) running_end: End,
}

/// Up to where rows go that are at rest, on their way, or to be put away next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    /// The last record that they have.
    pub(super) tip: Tip,
    /// The same of meters and balances.
    pub(super) running: u64,
}

impl Default for Mark {
    fn default() -> Self {
        Self::whole(Tip::EMPTY, End::default(), 0)
    }
}

impl Mark {
    /// Of rows that all go as far.
    pub(super) fn whole(tip: Tip, end: End, base: u64) -> Self {
        Self { tip, end, base, running: tip.sequence, running_end: end }
    }

    /// Of rows that go up to `tip`, which the journal has, and meters and balances up to
    /// `running`.
    pub(super) fn find(journal: &Journal, tip: Tip, running: u64) -> Result<Self, Damage> {
        let (end, running_end) = (journal.end_by(tip.sequence)?, journal.end_by(running)?);
        Ok(Self { tip, end, base: journal.base().sequence, running, running_end })
    }

    /// As bytes.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let (seconds, nanos) = self.tip.at.to_parts();
        // A base, which cannot be made again, is read by a Bursar of before.
        let is_of_a_base = self == Self::whole(self.tip, self.end, self.tip.sequence);
        let mut out = if is_of_a_base { TOGETHER } else { MAGIC }.to_vec();
        out.extend(self.base.to_be_bytes());
        out.extend(self.tip.sequence.to_be_bytes());
        out.extend(seconds.to_be_bytes());
        out.extend(nanos.to_be_bytes());
        append(self.end, &mut out);
        if is_of_a_base {
            return out;
        }
        out.extend(self.running.to_be_bytes());
        append(self.running_end, &mut out);
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
        let magic = fields.array()?;
        let base = match &magic {
            BEFORE => 0,
            TOGETHER | MAGIC => fields.long()?,
            _ => return None,
        };
        let sequence = fields.long()?;
        let seconds = i64::from_be_bytes(fields.array()?);
        let at = Instant::from_parts(seconds, i32::from_be_bytes(fields.array()?))?;
        let end = read_end(&mut fields)?;
        let whole = Self::whole(Tip { sequence, at }, end, base);
        if magic != *MAGIC {
            return Some(whole);
        }
        Some(Self { running: fields.long()?, running_end: read_end(&mut fields)?, ..whole })
    }
}

fn append(end: End, out: &mut Vec<u8>) {
    out.extend(end.sequence.to_be_bytes());
    out.extend(end.commit.to_be_bytes());
    out.extend(end.hash.0);
}

fn read_end(fields: &mut Fields<'_>) -> Option<End> {
    Some(End { sequence: fields.long()?, commit: fields.long()?, hash: Hash(fields.array()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(sequence: u64) -> End {
        End { sequence, commit: sequence / 2, hash: Hash([7; 32]) }
    }

    #[test]
    fn a_mark_of_before_is_of_rows_that_all_go_as_far() {
        let tip = Tip { sequence: 9, at: Instant::MIN };
        let mark = Mark { running: 5, running_end: end(4), ..Mark::whole(tip, end(8), 3) };
        let bytes = mark.to_bytes();
        assert_eq!(Mark::parse(&bytes).expect("a mark"), mark);
        // Without what was added behind it.
        let length = bytes.len() - 8 - (8 + 8 + 32);
        let before = [&TOGETHER[..], &bytes[4..length]].concat();
        assert_eq!(Mark::parse(&before).expect("a mark"), Mark::whole(tip, end(8), 3));
        let base = Mark::whole(tip, end(9), 9);
        assert!(base.to_bytes().starts_with(TOGETHER), "it is as a Bursar of before reads it");
        assert_eq!(Mark::parse(&base.to_bytes()).expect("a mark"), base);
        for cut in [&bytes[..length], &bytes[..bytes.len() - 1], b"bMk4"] {
            assert!(Mark::parse(cut).is_err(), "{} bytes", cut.len());
        }
    }
}

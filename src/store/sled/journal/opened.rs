//! Frames of the journal in memory, for reading single records. A few are kept,
//! because what is asked for together was often written together; and the records
//! that were read last, because a payout is made of one, and then the meters of its
//! order are.

use std::{collections::VecDeque, sync::Arc};

use super::{
    frame::{self, HEADER, Header},
    records,
    segment::Segment,
};
use crate::{
    domain::told::Told,
    store::sled::{
        codec::{Fields, decode_told},
        compact::Commons,
        damage::Damage,
    },
};

/// How many records are kept: who goes on with a payout asks for it and then for the
/// meters of its order.
const RECORDS: usize = 16;

/// How many bytes of frames are kept.
const KEPT: usize = 16 * 1024 * 1024;

/// A frame that was read and checked.
#[derive(Debug)]
struct Opened {
    header: Header,
    bytes: Vec<u8>,
    /// Where its records begin, behind their lengths.
    starts: Vec<usize>,
}

impl Opened {
    fn new(header: Header, bytes: Vec<u8>) -> Self {
        let mut starts = Vec::new();
        let mut fields = Fields(frame::payload(&bytes));
        let mut at = HEADER;
        while let Some(record) = fields.counted() {
            starts.push(at + 4);
            at += 4 + record.len();
        }
        Self { header, bytes, starts }
    }

    fn record(&self, sequence: u64, commons: &mut Commons) -> Result<Told, Damage> {
        let number = usize::try_from(sequence - self.header.first).unwrap_or(usize::MAX);
        let start = self.starts.get(number).copied();
        let bytes = start.and_then(|start| self.bytes.get(start - 4..)).unwrap_or_default();
        let commit = self.header.commit;
        let damage = |why| Damage::Frame { commit, sequence, why };
        let bytes = Fields(bytes).counted().ok_or(damage("a record of it is cut off"))?;
        let record = decode_told(bytes, commons);
        let record = record.map_err(|why| Damage::Record { sequence, why })?;
        if record.sequence() == sequence {
            Ok(record)
        } else {
            Err(damage("it has another record there"))
        }
    }
}

/// Frames that were read lately.
#[derive(Debug, Default)]
pub(in crate::store::sled) struct Frames {
    opened: VecDeque<Opened>,
    /// The last one first.
    records: VecDeque<Arc<Told>>,
    commons: Commons,
}

impl Frames {
    /// A record that is durable; `segments` are those of its journal.
    pub(super) fn record(
        &mut self,
        sequence: u64,
        segments: &[Segment],
    ) -> Result<Arc<Told>, Damage> {
        if let Some(record) = self.records.iter().find(|record| record.sequence() == sequence) {
            return Ok(record.clone());
        }
        let record = Arc::new(self.decoded(sequence, segments)?);
        self.records.truncate(RECORDS - 1);
        self.records.push_front(record.clone());
        Ok(record)
    }

    fn decoded(&mut self, sequence: u64, segments: &[Segment]) -> Result<Told, Damage> {
        let has = |opened: &Opened| (opened.header.first..=opened.header.last).contains(&sequence);
        if let Some(at) = self.opened.iter().position(has)
            && let Some(opened) = self.opened.get(at)
        {
            return opened.record(sequence, &mut self.commons);
        }
        let (header, bytes) = records::find(segments, sequence)?;
        let opened = Opened::new(header, bytes);
        let record = opened.record(sequence, &mut self.commons);
        self.opened.push_front(opened);
        let mut bytes = 0;
        let few = self.opened.iter().take_while(|opened| {
            bytes += opened.bytes.len();
            bytes <= KEPT
        });
        let few = few.count().max(1);
        self.opened.truncate(few);
        record
    }
}

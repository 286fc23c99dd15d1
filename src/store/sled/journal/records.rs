//! Reads records of a journal, one after the other.

use std::sync::Arc;

use super::{
    Read,
    frame::{self, Header},
    segment::Segment,
};
use crate::store::sled::{
    codec::{Fields, decode_record},
    damage::Damage,
};

/// Where a frame is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    segment: usize,
    offset: u64,
}

/// The frame with a record that the journal has.
pub(super) fn find(segments: &[Segment], sequence: u64) -> Result<(Header, Vec<u8>), Damage> {
    read(segments, place(segments, sequence)?, sequence)
}

/// Where the frame with a record is.
fn place(segments: &[Segment], sequence: u64) -> Result<Place, Damage> {
    let after = segments.partition_point(|segment| segment.head.before.sequence < sequence);
    let gap = || Damage::Gap { sequence };
    let number = after.checked_sub(1).ok_or_else(gap)?;
    let segment = segments.get(number).ok_or_else(gap)?;
    let mut place = Place { segment: number, offset: segment.near(sequence) };
    loop {
        let header = segment.header(place.offset)?.ok_or_else(gap)?;
        if header.first > sequence {
            return Err(gap());
        }
        if header.last >= sequence {
            return Ok(place);
        }
        place.offset += header.frame_length();
    }
}

/// The frame at a place.
fn read(segments: &[Segment], place: Place, sequence: u64) -> Result<(Header, Vec<u8>), Damage> {
    let gap = || Damage::Gap { sequence };
    let segment = segments.get(place.segment).ok_or_else(gap)?;
    let header = segment.header(place.offset)?.ok_or_else(gap)?;
    Ok((header, segment.frame(place.offset, &header)?))
}

/// Reads records.
#[derive(Debug)]
pub(in crate::store::sled) struct Records<'a> {
    segments: &'a [Segment],
    next: u64,
    last: u64,
    frame: Option<Open>,
}

/// A frame in hand, and how far it was read.
#[derive(Debug)]
struct Open {
    place: Place,
    header: Header,
    bytes: Vec<u8>,
    /// The record that comes next in it, and where.
    next: u64,
    read: usize,
}

impl<'a> Records<'a> {
    /// From one record to another.
    pub(super) fn new(segments: &'a [Segment], next: u64, last: u64) -> Self {
        Self { segments, next, last, frame: None }
    }

    fn read(&mut self) -> Read {
        let sequence = self.next;
        if self.frame.is_none() {
            let place = place(self.segments, sequence)?;
            self.frame = Some(Open::new(self.segments, place, sequence)?);
        }
        loop {
            let Some(open) = &mut self.frame else {
                return Err(Damage::Defect("reading from no frame".to_owned()));
            };
            if open.header.last < sequence {
                let place = open.behind(self.segments);
                self.frame = Some(Open::new(self.segments, place, sequence)?);
                continue;
            }
            let record = open.record()?;
            // The frame may begin with records before the one asked for.
            if record.sequence == sequence {
                return Ok(record);
            }
        }
    }
}

impl Open {
    fn new(segments: &[Segment], place: Place, sequence: u64) -> Result<Self, Damage> {
        let (header, bytes) = read(segments, place, sequence)?;
        // The one that it is in may be missing.
        if header.first > sequence {
            return Err(Damage::Gap { sequence });
        }
        Ok(Self { place, next: header.first, header, bytes, read: 0 })
    }

    /// Where the next frame is.
    fn behind(&self, segments: &[Segment]) -> Place {
        let Place { segment, offset } = self.place;
        let offset = offset + self.header.frame_length();
        if segments.get(segment).is_some_and(|segment| offset >= segment.filled) {
            Place { segment: segment + 1, offset: super::segment::FRAMES }
        } else {
            Place { segment, offset }
        }
    }

    fn record(&mut self) -> Read {
        let (commit, sequence) = (self.header.commit, self.next);
        let damage = |why| Damage::Frame { commit, sequence, why };
        let payload = frame::payload(&self.bytes);
        let mut fields = Fields(payload.get(self.read..).unwrap_or_default());
        let record = fields.counted().ok_or(damage("a record of it is cut off"))?;
        self.read += 4 + record.len();
        self.next += 1;
        let record = decode_record(sequence, record)?;
        if record.sequence == sequence {
            Ok(Arc::new(record))
        } else {
            Err(damage("it has another record there"))
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Read;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.last {
            return None;
        }
        let record = self.read();
        // After an error there is nothing more to read.
        self.next = if record.is_ok() { self.next + 1 } else { u64::MAX };
        Some(record)
    }
}

//! Reads a file of the journal from front to back, in large pieces.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::frame::{self, HEADER, Header};

/// How much is read at a time, unless more is asked for.
const PIECE: u64 = 1024 * 1024;

/// The last byte that is not zero. Room that was set aside is nearly always
/// empty, so whole pages are compared first.
fn last_set(bytes: &[u8]) -> Option<usize> {
    const EMPTY: [u8; 4096] = [0; 4096];
    let pages = bytes.chunks(EMPTY.len()).enumerate().rev();
    pages.filter(|(_, page)| EMPTY.get(..page.len()) != Some(*page)).find_map(|(number, page)| {
        let at = page.iter().rposition(|byte| *byte != 0)?;
        Some(number * EMPTY.len() + at)
    })
}

/// What is at a place.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A frame whose checksum fits, and its bytes.
    Frame(Header, &'a [u8]),
    /// Nothing: zeros, or the end of the file.
    Nothing,
    /// Something that is no frame.
    Damaged(&'static str),
}

/// Reads a file.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    file: &'a File,
    length: u64,
    start: u64,
    piece: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// A file that does not change meanwhile.
    pub(super) fn new(file: &'a File) -> io::Result<Self> {
        Ok(Self { file, length: file.metadata()?.len(), start: 0, piece: Vec::new() })
    }

    /// A file that may grow: what is behind `length` is not looked at.
    pub(super) fn up_to(file: &'a File, length: u64) -> Self {
        Self { file, length, start: 0, piece: Vec::new() }
    }

    /// So many bytes from a place; fewer at the end of the file.
    pub(super) fn bytes(&mut self, offset: u64, length: u64) -> io::Result<&[u8]> {
        let held = self.start..self.start + self.piece.len() as u64;
        if offset < held.start || offset + length > held.end {
            self.fill(offset, length.max(PIECE))?;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let rest = self.piece.get(from..).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(rest.get(..length).unwrap_or(rest))
    }

    fn fill(&mut self, offset: u64, length: u64) -> io::Result<()> {
        let left = self.length.saturating_sub(offset);
        let length = usize::try_from(length.min(left)).unwrap_or(usize::MAX);
        self.piece.resize(length, 0);
        self.start = offset;
        self.file.read_exact_at(&mut self.piece, offset)
    }

    /// What is at a place.
    pub(super) fn frame(&mut self, offset: u64) -> io::Result<Found<'_>> {
        let front = self.bytes(offset, HEADER as u64)?;
        let Some(header) = Header::parse(front) else {
            let is_empty = front.iter().all(|byte| *byte == 0);
            return Ok(if is_empty {
                Found::Nothing
            } else {
                Found::Damaged("it does not begin as one")
            });
        };
        if header.frame_length() > self.length.saturating_sub(offset) {
            return Ok(Found::Damaged("it is cut off"));
        }
        let bytes = self.bytes(offset, header.frame_length())?;
        Ok(match frame::parse(bytes) {
            Ok(header) => Found::Frame(header, bytes),
            Err(why) => Found::Damaged(why),
        })
    }

    /// Whether there are only zeros from a place on.
    pub(super) fn is_empty(&mut self, from: u64) -> io::Result<bool> {
        Ok(self.last_byte(from)?.is_none())
    }

    /// Where the last byte is that is not zero, from a place on.
    pub(super) fn last_byte(&mut self, from: u64) -> io::Result<Option<u64>> {
        let (mut offset, mut last) = (from, None);
        loop {
            let piece = self.bytes(offset, PIECE)?;
            if piece.is_empty() {
                return Ok(last);
            }
            if let Some(at) = last_set(piece) {
                last = Some(offset + at as u64);
            }
            offset += piece.len() as u64;
        }
    }

    /// The first frame behind a place, of this journal and of a commit above
    /// this number, that is whole.
    pub(super) fn later(&mut self, from: u64, mark: u64, above: u64) -> io::Result<Option<Header>> {
        let mut offset = from;
        loop {
            let piece = self.bytes(offset, PIECE)?;
            if piece.len() < HEADER {
                return Ok(None);
            }
            let Some(at) = frame::find_magic(piece) else {
                // It may begin at the very end of the piece.
                offset += (piece.len() - 3) as u64;
                continue;
            };
            offset += at as u64;
            if let Found::Frame(header, _) = self.frame(offset)?
                && header.mark == mark
                && header.commit > above
            {
                return Ok(Some(header));
            }
            offset += 1;
        }
    }
}

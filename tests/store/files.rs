//! The files of a journal, seen from outside: where its frames are, by the
//! format that `journal/frame.rs` writes down, and how to change them.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::places::Sled;

/// Where frames begin in a file.
const FRAMES: usize = 4096;

/// A frame in a file.
#[derive(Clone, Debug)]
pub struct Frame {
    pub file: PathBuf,
    pub bytes: Range<usize>,
    pub first: u64,
    pub last: u64,
}

/// The files, in order.
pub fn files(place: &Sled) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path().join("journal")).expect("a listing");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The frames, in order.
pub fn frames(place: &Sled) -> Vec<Frame> {
    let mut frames = Vec::new();
    for file in files(place) {
        let bytes = fs::read(&file).expect("a file");
        let mut at = FRAMES;
        while bytes.get(at..at + 4) == Some(b"bJF1") {
            let length = u32::from_be_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes"));
            let end = at + 72 + length as usize + 4;
            frames.push(Frame {
                file: file.clone(),
                bytes: at..end,
                first: long(&bytes, at + 24),
                last: long(&bytes, at + 32),
            });
            at = end;
        }
    }
    frames
}

/// The frame with a record.
pub fn frame_of(place: &Sled, sequence: u64) -> Frame {
    let mut all = frames(place).into_iter();
    all.find(|frame| (frame.first..=frame.last).contains(&sequence)).expect("a frame")
}

/// Changes a file.
pub fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).expect("a file");
    change(&mut bytes);
    fs::write(file, bytes).expect("written");
}

impl Frame {
    /// Changes its bytes.
    pub fn change(&self, edit: impl FnOnce(&mut [u8])) {
        change(&self.file, |bytes| edit(&mut bytes[self.bytes.clone()]));
    }

    /// As if it had never been written, nor anything behind it in its file.
    pub fn cut(&self) {
        change(&self.file, |bytes| bytes.truncate(self.bytes.start));
    }
}

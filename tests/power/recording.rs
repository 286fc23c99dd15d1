//! The log that `recorder.c` writes: everything that was done to the files of a
//! server, in order; and what was there when it began.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::book::Mark;

/// What precedes the name and the data of a record.
const HEADER: usize = 40;

/// Something that was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Bytes of the log were written to a place.
    Write { inode: u64, offset: u64, data: Range<usize> },
    /// A file has another length.
    Size { inode: u64, length: u64 },
    /// A file was made.
    Create { path: String, inode: u64 },
    /// A directory was made.
    MakeDir { path: String, inode: u64 },
    /// A file has another name.
    Rename { from: String, to: String },
    /// A name is gone.
    Unlink { path: String },
    /// A directory is gone.
    RemoveDir { path: String },
    /// What of a file or directory is noted before this is being made durable.
    SyncBegins { inode: u64, id: u64 },
    /// It is durable.
    SyncEnded { id: u64 },
}

/// A file or directory that was there at the beginning.
#[derive(Clone, Debug)]
pub struct Old {
    /// Below the root. Empty for the root itself.
    pub path: String,
    pub inode: u64,
    /// `None` for a directory.
    pub content: Option<Vec<u8>>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Recording {
    pub log: Vec<u8>,
    /// Each act, and where its record ends.
    pub acts: Vec<(Mark, Act)>,
    pub base: Vec<Old>,
}

/// What is below a directory, parents first.
pub fn look(root: &Path) -> Vec<Old> {
    let mut all = Vec::new();
    visit(root, root, &mut all);
    all
}

fn visit(root: &Path, path: &Path, all: &mut Vec<Old>) {
    let status = fs::symlink_metadata(path).expect("a status");
    let content = (!status.is_dir()).then(|| fs::read(path).expect("a file"));
    let name = path.strip_prefix(root).expect("below").to_str().expect("a name").to_owned();
    all.push(Old { path: name, inode: status.ino(), content });
    if status.is_dir() {
        let entries = fs::read_dir(path).expect("a listing");
        let mut entries: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| visit(root, entry, all));
    }
}

/// Reads numbers off the front of a record.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn short(&mut self) -> u32 {
        let (taken, rest) = self.0.split_first_chunk().expect("a whole header");
        self.0 = rest;
        u32::from_ne_bytes(*taken)
    }

    fn long(&mut self) -> u64 {
        let (taken, rest) = self.0.split_first_chunk().expect("a whole header");
        self.0 = rest;
        u64::from_ne_bytes(*taken)
    }
}

impl Recording {
    /// Of a log and what was there before it.
    pub fn new(log: Vec<u8>, base: Vec<Old>) -> Self {
        let mut acts = Vec::new();
        let mut at = 0;
        while log.len() - at >= HEADER {
            let mut fields = Fields(&log[at..]);
            let (kind, name) = (fields.short(), fields.short() as usize);
            let (inode, a, _) = (fields.long(), fields.long(), fields.long());
            let data = usize::try_from(fields.long()).expect("small");
            let (name_at, data_at) = (at + HEADER, at + HEADER + name);
            at = data_at + data;
            let name = std::str::from_utf8(&log[name_at..data_at]).expect("a name");
            acts.push((at as Mark, act(kind, inode, a, name, data_at..at)));
        }
        assert_eq!(at, log.len(), "the log ends in the middle of a record");
        Self { log, acts, base }
    }

    /// The file at a place, while nobody writes to it.
    pub fn read(log: &Path, base: Vec<Old>) -> Self {
        Self::new(fs::read(log).unwrap_or_default(), base)
    }
}

fn act(kind: u32, inode: u64, a: u64, name: &str, data: Range<usize>) -> Act {
    let path = name.to_owned();
    let two = || {
        let (from, to) = name.split_once('\0').expect("two names");
        (from.to_owned(), to.to_owned())
    };
    match kind {
        1 => Act::Write { inode, offset: a, data },
        2 => Act::Size { inode, length: a },
        3 => Act::Create { path, inode },
        4 => Act::MakeDir { path, inode },
        5 => {
            let (from, to) = two();
            Act::Rename { from, to }
        }
        6 => Act::Unlink { path },
        7 => Act::RemoveDir { path },
        9 => Act::SyncBegins { inode, id: a },
        10 => Act::SyncEnded { id: a },
        other => panic!("no model of what {other} does: {name}"),
    }
}

/// The content of every file below a directory.
pub fn contents(root: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    look(root).into_iter().map(|old| (old.path, old.content)).collect()
}

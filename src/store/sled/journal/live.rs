//! Reads a journal that another process may be writing: nothing is locked,
//! nothing is changed, and nothing is taken that is not durable.
//!
//! What is read ends at a cut, which is found first: the last commit that is
//! whole in the file that is the last one when this begins. Whatever was
//! answered before is at or below it, because a commit is written, then synced,
//! then answered. The last commit may be written and not synced; so the file is
//! synced from here too, and read from the disk, as a start does it. The fence
//! would not do for a cut: it may be 100 ms behind what was answered.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    check::{self, Witness},
    files,
    frame::{self, End, Hash, Header},
    reader::{Found, Reader},
    segment::{FRAMES, Head, Segment},
};
use crate::{
    domain::told::Told,
    store::sled::{
        codec::{Fields, decode_told},
        compact::Commons,
        damage::Damage,
        sync::{Disk, Stage},
    },
};

/// A journal up to a cut.
#[derive(Debug)]
pub(in crate::store::sled) struct Live {
    files: Vec<PathBuf>,
    mark: u64,
    /// What the fence said before anything was looked at.
    fence: End,
    /// Where the journal ended before the files that are left.
    base: End,
    cut: End,
    bytes: u64,
}

/// What is read of one, in order.
#[derive(Debug)]
pub(in crate::store::sled) enum Piece<'a> {
    /// A file begins: its name, and what stands before its frames.
    File(String, Vec<u8>),
    /// A commit, which was checked.
    Frame(&'a Frame<'a>),
}

/// A commit that was checked.
#[derive(Debug)]
pub(in crate::store::sled) struct Frame<'a> {
    header: Header,
    /// As it is in the file.
    pub(in crate::store::sled) bytes: &'a [u8],
}

impl Frame<'_> {
    /// Its records, in order, which were read lately with others.
    pub(in crate::store::sled) fn records(
        &self,
        commons: &mut Commons,
    ) -> impl Iterator<Item = Result<Told, Damage>> {
        let Header { commit, first, last, .. } = self.header;
        let mut fields = Fields(frame::payload(self.bytes));
        (first..=last).map(move |sequence| {
            let damaged = |why| Damage::Frame { commit, sequence, why };
            let bytes = fields.counted().ok_or_else(|| damaged("a record of it is cut off"))?;
            let record = decode_told(bytes, commons);
            let record = record.map_err(|why| Damage::Record { sequence, why })?;
            if record.sequence() == sequence {
                Ok(record)
            } else {
                Err(damaged("it has another record there"))
            }
        })
    }
}

impl Live {
    /// Finds the cut.
    pub(in crate::store::sled) fn open(
        path: &Path,
        fence: End,
        base: End,
        disk: &dyn Disk,
    ) -> Result<Self, Damage> {
        let mut files = files(path, base)?;
        let mut last = files.last().map(|path| begin(path)).transpose()?;
        if let Some((_, None)) = last {
            // It is being made: nobody was answered by what is not in it yet.
            files.pop();
            last = files.last().map(|path| begin(path)).transpose()?;
        }
        let mut bytes = 0;
        for file in &files {
            bytes += file.metadata().map_err(Damage::io(file))?.len();
        }
        let Some(((file, head), path)) = last.zip(files.last()) else {
            check::durable(&[("the fence", fence)], &base)?;
            return Ok(Self { files, mark: 0, fence, base, cut: base, bytes });
        };
        let head = head.ok_or_else(|| headless(path))?;
        let cut = last_whole(&file, path, head, fence)?;
        disk.sync(Stage::Start, &file).map_err(Damage::io(path))?;
        // Advice, as at a start.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        Ok(Self { files, mark: head.mark, fence, base, cut, bytes })
    }

    /// What tells this journal from others.
    pub(in crate::store::sled) fn mark(&self) -> u64 {
        self.mark
    }

    /// About how many bytes there are.
    pub(in crate::store::sled) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads all of it and checks chain, checksums and gaps. Says where it ended.
    pub(in crate::store::sled) fn read<E: From<Damage>>(
        &self,
        mut each: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<End, E> {
        let (mut end, mut filled) = (self.base, None);
        let witnesses = [("the fence", self.fence)];
        for (at, path) in self.files.iter().enumerate() {
            let (file, head) = begin(path)?;
            let head = head.ok_or_else(|| headless(path))?;
            check::joins(&head, at == 0, self.mark, &end)?;
            if filled.is_some_and(|filled| filled != head.filled) {
                return Err(check::broken(None, &end).into());
            }
            let mut bytes = head.to_bytes();
            bytes.resize(usize::try_from(FRAMES).unwrap_or(usize::MAX), 0);
            each(Piece::File(Segment::name(head.before.sequence + 1), bytes))?;
            let is_last = at + 1 == self.files.len();
            filled = Some(self.walk(&file, path, is_last, &mut end, &witnesses, &mut each)?);
        }
        check::durable(&witnesses, &end)?;
        Ok(end)
    }

    /// Reads one file. Says up to where it is full.
    fn walk<E: From<Damage>>(
        &self,
        file: &File,
        path: &Path,
        is_last: bool,
        end: &mut End,
        witnesses: &[Witness],
        each: &mut impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut reader = Reader::new(file).map_err(Damage::io(path))?;
        let mut offset = FRAMES;
        while *end != self.cut {
            let found = reader.frame(offset).map_err(Damage::io(path))?;
            let (header, bytes) = match found {
                Found::Frame(header, bytes) => (header, bytes),
                // The next file says whether this is where it is full.
                Found::Nothing if !is_last => break,
                // It was never durable, and is gone from the disk.
                _ if is_last && self.may_end(end) => break,
                Found::Nothing => return Err(check::broken(None, end).into()),
                Found::Damaged(why) => return Err(check::broken(Some(why), end).into()),
            };
            check::belongs(&header, self.mark, end)?;
            *end = End { sequence: header.last, commit: header.commit, hash: Hash::of(bytes) };
            check::witnessed(witnesses, end)?;
            each(Piece::Frame(&Frame { header, bytes }))?;
            offset += header.frame_length();
        }
        Ok(offset)
    }

    /// Whether the journal may end here, before the cut: what was whole in memory
    /// and is not on the disk is a commit that nobody was answered by.
    fn may_end(&self, end: &End) -> bool {
        end.commit + 1 == self.cut.commit && self.fence.commit <= end.commit
    }
}

/// Opens a file. Without a head, if making it was not finished.
fn begin(path: &Path) -> Result<(File, Option<Head>), Damage> {
    let file = File::open(path).map_err(Damage::io(path))?;
    let mut reader = Reader::new(&file).map_err(Damage::io(path))?;
    let head = Head::read(path, reader.bytes(0, FRAMES).map_err(Damage::io(path))?)?;
    if head.is_none() && !reader.is_empty(FRAMES).map_err(Damage::io(path))? {
        return Err(headless(path));
    }
    Ok((file, head))
}

fn headless(path: &Path) -> Damage {
    Damage::Unreadable {
        what: format!("the head of {}", path.display()),
        why: "its checksum does not fit".to_owned(),
    }
}

/// The last commit of a file that is whole. Somebody may be writing the next one
/// meanwhile, so that what is not whole is looked at again before it is called
/// damaged.
fn last_whole(file: &File, path: &Path, head: Head, fence: End) -> Result<End, Damage> {
    let io = || Damage::io(path);
    // What is behind was not there when this began.
    let length = file.metadata().map_err(io())?.len();
    let (mut offset, mut end) = (FRAMES, head.before);
    let mut stuck = None;
    loop {
        let mut reader = Reader::up_to(file, length);
        let stop = loop {
            match reader.frame(offset).map_err(io())? {
                Found::Frame(header, bytes) => {
                    check::belongs(&header, head.mark, &end)?;
                    let hash = Hash::of(bytes);
                    end = End { sequence: header.last, commit: header.commit, hash };
                    offset += header.frame_length();
                }
                Found::Nothing => break None,
                Found::Damaged(why) => break Some(why),
            }
        };
        let mut reader = Reader::up_to(file, length);
        if reader.later(offset, head.mark, end.commit + 1).map_err(io())?.is_none() {
            return match check::durable(&[("the fence", fence)], &end) {
                Err(_) if stop.is_some() => Err(check::broken(stop, &end)),
                judged => judged.map(|()| end),
            };
        }
        // A later one is written only after this one was whole.
        if stuck.replace(offset) == Some(offset) {
            return Err(check::broken(stop, &end));
        }
    }
}

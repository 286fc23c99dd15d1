//! The journal: all commits in order, in files of their own. A reply waits for
//! it and for nothing else; everything else can be made again from it.
//!
//! Not in sled, because sled writes over segments whose content it has moved
//! before what it moved is durable: a power failure while a checkpoint was
//! written took the whole log (docs/decisions/0013).

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

mod check;
mod frame;
mod live;
mod older;
mod opened;
mod reader;
mod records;
mod segment;
mod written;

#[cfg(test)]
mod tests;

pub use self::frame::{End, Hash};
pub(super) use self::{
    check::{Checked, Witness},
    frame::Draft,
    live::{Live, Piece},
    older::{Depth, Known, Older},
    records::Records,
    written::Written,
};
use self::{
    opened::Frames,
    segment::{Head, Segment},
};
use super::{
    damage::Damage,
    sync::{Disk, Stage, sync_all, sync_names},
};
use crate::domain::{change::Record, told::Told};

/// A file that is there if damage was found where a start had not read.
const SUSPECT: &str = "suspect";

/// The journal.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    /// From where on a file is followed by another.
    segment_bytes: u64,
    segments: Vec<Segment>,
    /// The first file that was read through when it was opened.
    first: usize,
    /// Where it ended before the files that are left: nothing before is asked for.
    base: End,
    end: End,
    frames: Frames,
}

/// Where the next commit is to be written.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    file: Arc<File>,
    offset: u64,
    /// How many zeros follow.
    zeros: usize,
    mark: u64,
    before: End,
}

/// A commit that was written and is not yet durable.
#[derive(Debug)]
pub(super) struct Appended {
    /// Where the journal ends with it.
    end: End,
    first: u64,
    bytes: u64,
}

impl Place {
    /// Writes a commit, which counts when it was synced and accepted.
    pub(super) fn write(&self, draft: Draft) -> Result<Appended, Damage> {
        let (mut frame, end) = draft.finish(self.mark, &self.before)?;
        let length = frame.len();
        frame.resize(length + self.zeros, 0);
        self.file.write_all_at(&frame, self.offset).map_err(Damage::io(&self.path))?;
        Ok(Appended { end, first: self.before.sequence + 1, bytes: length as u64 })
    }

    /// Makes durable what was written.
    pub(super) fn sync(&self, disk: &dyn Disk) -> Result<(), Damage> {
        disk.sync(Stage::Journal, &self.file).map_err(Damage::io(&self.path))
    }
}

impl Journal {
    /// Where its files are.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("journal")
    }

    /// Whether there is one.
    pub(super) fn exists(dir: &Path) -> Result<bool, Damage> {
        Ok(!files(&Self::path(dir), End::default())?.is_empty())
    }

    /// Makes an empty one.
    pub(super) fn create(dir: &Path, segment_bytes: u64) -> Result<Self, Damage> {
        let path = Self::path(dir);
        fs::create_dir_all(&path).map_err(Damage::io(&path))?;
        sync_all(dir)?;
        let (base, frames) = (End::default(), Frames::default());
        let segments = vec![Self::first(&path, base)?];
        Ok(Self { dir: path, segment_bytes, segments, first: 0, base, end: base, frames })
    }

    fn first(path: &Path, before: End) -> Result<Segment, Damage> {
        Segment::create(path, Head { mark: draw_mark(), before, filled: 0 })
    }

    /// Opens one and checks as much of it as is wanted; changes nothing. What is before
    /// `base` was let go of, whether it is there or not.
    pub(super) fn open(
        dir: &Path,
        base: End,
        segment_bytes: u64,
        disk: &dyn Disk,
        depth: Depth,
        witnesses: &[Witness],
    ) -> Result<(Self, Checked), Damage> {
        let path = Self::path(dir);
        let mut segments = Vec::new();
        let files = files(&path, base)?;
        for (at, file) in files.iter().enumerate() {
            match Segment::open(file)? {
                Some(segment) => segments.push(segment),
                // Nobody was answered by what was never begun.
                None if at + 1 == files.len() => {}
                None => {
                    return Err(Damage::Unreadable {
                        what: format!("the head of {}", file.display()),
                        why: "there is nothing in it".to_owned(),
                    });
                }
            }
        }
        if let Some(last) = segments.last() {
            last.forget_cached(disk)?;
        }
        let is_suspect = path.join(SUSPECT).exists();
        let first = if is_suspect { 0 } else { depth.first(&segments, witnesses) };
        let checked = check::check(&mut segments, first, base, witnesses)?;
        if is_suspect {
            // Checksums do not tell what cannot be read although they fit.
            let next = base.sequence + 1;
            let mut records = Records::new(&segments, next, checked.end.sequence);
            records.try_for_each(|record| record.map(drop))?;
        }
        let (end, frames) = (checked.end, Frames::default());
        Ok((Self { dir: path, segment_bytes, segments, first, base, end, frames }, checked))
    }

    /// Has the next start read all of it: it is damaged.
    pub(super) fn suspect(&self) {
        let path = self.dir.join(SUSPECT);
        let made = File::create(&path).and_then(|file| file.sync_all());
        let made = made.map_err(Damage::io(&path)).and_then(|()| sync_all(&self.dir));
        if let Err(error) = made {
            tracing::error!(%error, path = %path.display(), "the next start may serve what is damaged");
        }
    }

    /// Reads through what was not when it was opened: everything is to be made of it.
    pub(super) fn read_through(&mut self) -> Result<(), Damage> {
        if let Some(older) = self.older() {
            older.check(|known| self.learn(known))?;
        }
        self.first = 0;
        Ok(())
    }

    /// Drops what a crash left behind the end, for good.
    pub(super) fn heal(&mut self, is_torn: bool) -> Result<(), Damage> {
        match fs::remove_file(self.dir.join(SUSPECT)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Damage::io(&self.dir)(error));
            }
            _ => {}
        }
        if is_torn && let Some(last) = self.segments.last_mut() {
            last.cut()?;
        }
        let is_ours = |file: &PathBuf| self.segments.iter().any(|segment| segment.path == *file);
        for file in files(&self.dir, End::default())?.into_iter().filter(|file| !is_ours(file)) {
            fs::remove_file(&file).map_err(Damage::io(&file))?;
            sync_all(&self.dir)?;
        }
        if self.segments.is_empty() {
            // The very first start ended before it had made a file.
            self.segments.push(Self::first(&self.dir, self.base)?);
        }
        Ok(())
    }

    /// Files whose records are all before an end of it.
    pub(super) fn files_before(dir: &Path, base: End) -> Result<Vec<PathBuf>, Damage> {
        let path = Self::path(dir);
        let left = files(&path, base)?;
        let all = files(&path, End::default())?;
        Ok(all.into_iter().filter(|file| !left.contains(file)).collect())
    }

    /// Removes them.
    pub(super) fn remove_before(dir: &Path, base: End, disk: &dyn Disk) -> Result<(), Damage> {
        for file in Self::files_before(dir, base)? {
            fs::remove_file(&file).map_err(Damage::io(&file))?;
        }
        sync_names(&Self::path(dir), disk)
    }

    /// What was not read through when it was opened; `None` if all was.
    pub(super) fn older(&self) -> Option<Older> {
        Older::of(&self.segments, self.first)
    }

    /// A file of those was read through.
    pub(super) fn learn(&mut self, Known(segment): Known) {
        let own = self.segments.iter_mut().find(|own| own.path == segment.path);
        if let Some(own) = own {
            *own = segment;
        }
    }

    /// Where it ends.
    pub(super) fn end(&self) -> End {
        self.end
    }

    /// Where it ended before the files that are left.
    pub(super) fn base(&self) -> End {
        self.base
    }

    /// Where its files end, but for the last one.
    pub(super) fn ends(&self) -> impl ExactSizeIterator<Item = End> {
        self.segments.iter().skip(1).map(|segment| segment.head.before)
    }

    /// Whether it ended as somebody saw it end once.
    pub(super) fn saw(&self, witness: Witness) -> Result<(), Damage> {
        let (_, seen) = witness;
        if seen.commit > self.end.commit {
            return Err(Damage::BelowFence { have: self.end.sequence, fence: seen.sequence });
        }
        if seen == End::default() || seen == self.base {
            return Ok(());
        }
        let (header, frame) = records::find(&self.segments, seen.sequence)?;
        let end = End { sequence: header.last, commit: header.commit, hash: Hash::of(&frame) };
        if end == seen {
            Ok(())
        } else {
            Err(Damage::Exchanged { witness: witness.0, sequence: seen.sequence })
        }
    }

    /// Where to write the next commit; the end stays where it is until `accept`.
    pub(super) fn place(&mut self, draft: &Draft) -> Result<Place, Damage> {
        let (before, whole) = (self.end, self.segment_bytes);
        let segment = self.segment()?;
        let zeros = segment.make_room(draft.frame_length(), whole)?;
        Ok(Place {
            path: segment.path.clone(),
            file: segment.file.clone(),
            offset: segment.filled,
            zeros,
            mark: segment.head.mark,
            before,
        })
    }

    /// The file to write to: the last one, or the next if that is full.
    fn segment(&mut self) -> Result<&mut Segment, Damage> {
        let last = self.segments.last();
        if let Some(last) = last.filter(|last| last.filled >= self.segment_bytes) {
            let head = Head { mark: last.head.mark, before: self.end, filled: last.filled };
            self.segments.push(Segment::create(&self.dir, head)?);
        }
        self.segments
            .last_mut()
            .ok_or_else(|| Damage::Defect("a journal without a file".to_owned()))
    }

    /// What was appended is durable now.
    pub(super) fn accept(&mut self, appended: &Appended) {
        if let Some(last) = self.segments.last_mut() {
            last.accept(appended.first, appended.bytes);
        }
        self.end = appended.end;
    }

    /// Whether it has a record.
    pub(super) fn has(&self, sequence: u64) -> bool {
        self.base.sequence < sequence && sequence <= self.end.sequence
    }

    /// A record that is durable.
    pub(super) fn record(&mut self, sequence: u64) -> Result<Arc<Told>, Damage> {
        if !self.has(sequence) {
            return Err(Damage::Gap { sequence });
        }
        self.know(sequence)?;
        self.frames.record(sequence, &self.segments)
    }

    /// Where it ended with this record or before it.
    pub(super) fn end_by(&self, sequence: u64) -> Result<End, Damage> {
        if sequence == self.end.sequence {
            return Ok(self.end);
        }
        if sequence == self.base.sequence {
            return Ok(self.base);
        }
        let (header, frame) = records::find(&self.segments, sequence)?;
        Ok(if header.last == sequence {
            End { sequence, commit: header.commit, hash: Hash::of(&frame) }
        } else {
            let commit = header.commit - 1;
            End { sequence: header.first - 1, commit, hash: header.previous }
        })
    }

    /// Records after a sequence, oldest first; what was let go of is passed over.
    ///
    /// # Errors
    /// If the file that the first of them is in cannot be read.
    pub(super) fn records(&mut self, after: u64) -> Result<Records<'_>, Damage> {
        let after = after.max(self.base.sequence);
        self.know(after + 1)?;
        Ok(Records::new(&self.segments, after + 1, self.end.sequence))
    }

    /// Knows where frames are in the file with a record.
    fn know(&mut self, sequence: u64) -> Result<(), Damage> {
        let after = self.segments.partition_point(|it| it.head.before.sequence < sequence);
        let segment = after.checked_sub(1).and_then(|at| self.segments.get_mut(at));
        segment.map_or(Ok(()), Segment::know)
    }
}

/// The files of a journal behind an end of it, in order.
fn files(path: &Path, base: End) -> Result<Vec<PathBuf>, Damage> {
    let first = path.join(Segment::name(base.sequence + 1));
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Damage::io(path)(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(Damage::io(path))?.path();
        if Segment::is_one(&file) && (base == End::default() || file >= first) {
            files.push(file);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Tells frames of this journal from those of any other, also from what only
/// looks like a frame inside a record: whoever sends records does not know it.
#[allow(clippy::disallowed_methods, reason = "a name for a file; nothing decided depends on it")]
fn draw_mark() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// A record of a payload.
type Read = Result<Arc<Record>, Damage>;

//! `durable.fence`: how far the journal was durable. Tells a tail that was torn
//! by a crash from one that somebody lost.
//!
//! Two slots, written in turn and each synced, so that a torn write leaves the
//! other. Never ahead of what was synced; behind it by what `Options` allow
//! while the store is asked anything, and level after `tidy` and a clean close.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    codec::Fields,
    damage::Damage,
    journal::{End, Hash},
    sync::{Disk, Stage},
};

/// Marks a slot and its format.
const MAGIC: &[u8; 8] = b"bursarF1";
/// Slots lie in different pages, so that one torn write cannot take both.
const SLOT_DISTANCE: u64 = 4096;
/// Magic, turn, sequence, commit, hash, checksum.
const SLOT_LENGTH: usize = 8 + 8 + 8 + 8 + 32 + 4;

/// The open fence file.
#[derive(Debug)]
pub(super) struct Fence {
    path: PathBuf,
    file: File,
    turn: u64,
    end: End,
    pace: Pace,
}

impl Fence {
    /// Where it is.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("durable.fence")
    }

    /// Where it is written before it has its name.
    pub(super) fn draft(dir: &Path) -> PathBuf {
        dir.join("durable.fence.new")
    }

    /// Makes one for an empty journal, before there is a journal: whoever finds
    /// a journal without a fence knows that somebody took the fence away.
    pub(super) fn create(
        dir: &Path,
        every: Duration,
        disk: &dyn Disk,
        end: End,
    ) -> Result<Self, Damage> {
        let (path, draft) = (Self::path(dir), Self::draft(dir));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&draft)
            .map_err(Damage::io(&draft))?;
        let mut fence = Self { path, file, turn: 0, end, pace: Pace::new(every) };
        fence.write(end, disk)?;
        fence.file.sync_all().map_err(Damage::io(&draft))?;
        // There only when it can be read: a start that fails here can be tried again.
        fs::rename(&draft, &fence.path).map_err(Damage::io(&draft))?;
        Ok(fence)
    }

    /// Opens the one that is there. `None`: there is none.
    pub(super) fn open(dir: &Path, every: Duration) -> Result<Option<Self>, Damage> {
        let path = Self::path(dir);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Damage::Io { path, cause }),
        };
        match latest(&file) {
            Some((turn, end)) => Ok(Some(Self { path, file, turn, end, pace: Pace::new(every) })),
            None => Err(Damage::FenceUnreadable { path, why: "both are damaged".to_owned() }),
        }
    }

    /// What the one that is there says, for who does not move it: another process
    /// may be moving it meanwhile. `None`: there is none.
    pub(super) fn look(dir: &Path) -> Result<Option<End>, Damage> {
        let path = Self::path(dir);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Damage::Io { path, cause }),
        };
        match latest(&file) {
            Some((_, end)) => Ok(Some(end)),
            None => Err(Damage::FenceUnreadable { path, why: "both are damaged".to_owned() }),
        }
    }

    /// What it says: the journal was durable up to here.
    pub(super) fn end(&self) -> End {
        self.end
    }

    /// Moves it, if it was not moved lately.
    pub(super) fn follow(&mut self, end: End, disk: &dyn Disk) -> Result<(), Damage> {
        if end != self.end && self.pace.is_due() { self.write(end, disk) } else { Ok(()) }
    }

    /// Moves it to the end of a journal that was synced.
    pub(super) fn write(&mut self, end: End, disk: &dyn Disk) -> Result<(), Damage> {
        if end == self.end && self.turn > 0 {
            return Ok(());
        }
        let turn = self.turn + 1;
        let mut slot = Vec::with_capacity(SLOT_LENGTH);
        slot.extend(MAGIC);
        slot.extend(turn.to_be_bytes());
        slot.extend(end.sequence.to_be_bytes());
        slot.extend(end.commit.to_be_bytes());
        slot.extend(end.hash.0);
        slot.extend(crc32fast::hash(&slot).to_be_bytes());
        self.file
            .write_all_at(&slot, turn % 2 * SLOT_DISTANCE)
            .and_then(|()| disk.sync(Stage::Fence, &self.file))
            .map_err(Damage::io(&self.path))?;
        self.turn = turn;
        self.end = end;
        self.pace.restart();
        Ok(())
    }
}

/// The slot that was written last.
fn latest(file: &File) -> Option<(u64, End)> {
    let slots = [0, SLOT_DISTANCE].map(|offset| read_slot(file, offset));
    slots.into_iter().flatten().max_by_key(|(turn, _)| *turn)
}

fn read_slot(file: &File, offset: u64) -> Option<(u64, End)> {
    let mut slot = [0; SLOT_LENGTH];
    file.read_exact_at(&mut slot, offset).ok()?;
    let (content, checksum) = slot.split_last_chunk::<4>()?;
    if u32::from_be_bytes(*checksum) != crc32fast::hash(content) {
        return None;
    }
    let mut fields = Fields(content);
    if &fields.array()? != MAGIC {
        return None;
    }
    let turn = fields.long()?;
    let end = End { sequence: fields.long()?, commit: fields.long()?, hash: Hash(fields.array()?) };
    Some((turn, end))
}

/// How often it is moved. Monotonic time, and only for this: no row, record or
/// answer depends on it.
#[derive(Debug)]
struct Pace {
    every: Duration,
    last: Option<std::time::Instant>,
}

impl Pace {
    fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    fn is_due(&self) -> bool {
        self.last.is_none_or(|last| now().duration_since(last) >= self.every)
    }

    fn restart(&mut self) {
        self.last = Some(now());
    }
}

#[allow(clippy::disallowed_methods, reason = "how often the fence moves is no one's answer")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

//! One file of the journal: a head, then frames one after the other, then
//! zeros that were set aside for more. Owns where frames are in the file; what
//! they have to say to each other is `check.rs`'s.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    frame::{self, End, HEADER, Hash, Header},
    reader::Reader,
};
use crate::store::sled::{
    codec::{FORM, Fields},
    damage::Damage,
    sync::sync_all,
    sync::{Disk, Stage},
};

/// Begins a file; the form of its records follows as a digit.
const MAGIC: &[u8; 7] = b"bursarJ";
/// The form as it is written there.
const DIGIT: u8 = b'0' + FORM;
/// Where frames begin: what is written behind cannot tear the head.
pub(super) const FRAMES: u64 = 4096;
/// Room is set aside in multiples of this, so that most syncs of a commit do not
/// also have to write down that the file became longer, nor that a block of it is
/// written now (ADR 0097).
const SET_ASIDE: u64 = 256 * 1024;
/// How far apart the places are that are remembered.
const MARK_EVERY: u64 = 64 * 1024;

/// How a file of the journal begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// The journal's mark.
    pub(super) mark: u64,
    /// Where the journal ended before this file.
    pub(super) before: End,
    /// Up to where the file before it is full. 0 for the first file.
    pub(super) filled: u64,
}

impl Head {
    /// A head from the beginning of a file. `None`: it is not whole.
    ///
    /// # Errors
    /// If the records behind it are of another form.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Option<Self>, Damage> {
        match Self::fields(bytes) {
            Some((found, _)) if found != DIGIT => {
                let found = found.wrapping_sub(b'0');
                Err(Damage::Form { path: path.to_owned(), found, reads: FORM })
            }
            Some((_, head)) => Ok(Some(head)),
            None => Ok(None),
        }
    }

    /// The form of the records behind a head that is whole, and the head.
    fn fields(bytes: &[u8]) -> Option<(u8, Self)> {
        let length = 8 + 3 * 8 + 32 + 8 + 4;
        let (content, checksum) = bytes.get(..length)?.split_last_chunk()?;
        if u32::from_be_bytes(*checksum) != crc32fast::hash(content) {
            return None;
        }
        let mut fields = Fields(content);
        (&fields.array()? == MAGIC).then_some(())?;
        let form = fields.byte()?;
        let head = Self {
            mark: fields.long()?,
            before: End {
                sequence: fields.long()?,
                commit: fields.long()?,
                hash: Hash(fields.array()?),
            },
            filled: fields.long()?,
        };
        Some((form, head))
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(DIGIT);
        for field in [self.mark, self.before.sequence, self.before.commit] {
            out.extend(field.to_be_bytes());
        }
        out.extend(self.before.hash.0);
        out.extend(self.filled.to_be_bytes());
        out.extend(crc32fast::hash(&out).to_be_bytes());
        out
    }
}

/// An open file of the journal.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) file: Arc<File>,
    pub(super) head: Head,
    /// Up to where it is full.
    pub(super) filled: u64,
    /// Up to where room was set aside.
    pub(super) room: u64,
    /// Some frames: their first records and where they are. None, if it was not
    /// read through.
    marks: Vec<(u64, u64)>,
}

impl Segment {
    /// The name of the file whose first record has this sequence.
    pub(super) fn name(first: u64) -> String {
        format!("{first:020}.log")
    }

    /// Whether a file's name is one of a journal's.
    pub(super) fn is_one(path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let digits = name.strip_suffix(".log").unwrap_or_default();
        digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Whether its name is that of its first record.
    pub(super) fn has_its_name(&self) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name == Some(&*Self::name(self.head.before.sequence + 1))
    }

    /// Makes a file that goes on after `head.before`. It is durable when this
    /// returns, so that a frame in it is never without its head.
    pub(super) fn create(dir: &Path, head: Head) -> Result<Self, Damage> {
        let path = dir.join(Self::name(head.before.sequence + 1));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|file| {
                file.write_all_at(&head.to_bytes(), 0)?;
                file.set_len(FRAMES)?;
                file.sync_all()?;
                Ok(file)
            })
            .map_err(Damage::io(&path))?;
        sync_all(dir)?;
        let file = Arc::new(file);
        Ok(Self { path, file, head, filled: FRAMES, room: FRAMES, marks: Vec::new() })
    }

    /// Opens a file that was not checked yet. `None`: making it was never
    /// finished, and nothing was written to it.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Damage> {
        let io = || Damage::io(path);
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(io())?;
        let length = file.metadata().map_err(io())?.len();
        let mut head = vec![0; usize::try_from(length.min(FRAMES)).unwrap_or_default()];
        file.read_exact_at(&mut head, 0).map_err(io())?;
        match Head::read(path, &head)? {
            Some(head) => Ok(Some(Self {
                path: path.to_owned(),
                file: Arc::new(file),
                head,
                filled: FRAMES,
                room: length,
                marks: Vec::new(),
            })),
            None if is_empty(&file).map_err(io())? => Ok(None),
            None => Err(Damage::Unreadable {
                what: format!("the head of {}", path.display()),
                why: "its checksum does not fit".to_owned(),
            }),
        }
    }

    /// Makes durable what is found, which may be in the kernel's hands only, and
    /// sees to it that it is read from the disk: after a sync that failed, the
    /// kernel may show what the disk never got.
    pub(super) fn forget_cached(&self, disk: &dyn Disk) -> Result<(), Damage> {
        disk.sync(Stage::Start, &self.file).map_err(Damage::io(&self.path))?;
        self.drop_cached();
        Ok(())
    }

    /// Leaves the memory that its content takes to others.
    pub(super) fn drop_cached(&self) {
        // Advice; a file system that does not take it keeps its own counsel.
        let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed);
    }

    /// Forgets where frames are, to be read through again.
    pub(super) fn forget(&mut self) {
        self.filled = FRAMES;
        self.marks.clear();
    }

    /// Sets room aside for a frame behind the last. `whole` is how large the
    /// file is to become. Gives how many zeros are to be written behind the frame:
    /// what was only set aside is made room by the first write.
    pub(super) fn make_room(&mut self, length: u64, whole: u64) -> Result<usize, Damage> {
        let end = self.filled + length;
        if end > self.room {
            let wanted = (end - self.room).next_multiple_of(SET_ASIDE.min(whole).max(1));
            let flags = rustix::fs::FallocateFlags::empty();
            let set_aside = || rustix::fs::fallocate(&self.file, flags, self.room, wanted);
            match rustix::io::retry_on_intr(set_aside) {
                Ok(()) => self.room += wanted,
                // The file then grows as it is written.
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => self.room = end,
                Err(error) => return Err(Damage::io(&self.path)(error.into())),
            }
            return Ok(usize::try_from(self.room - end).unwrap_or_default());
        }
        Ok(0)
    }

    /// Takes a frame that is in the file for part of the journal.
    pub(super) fn accept(&mut self, first: u64, length: u64) {
        let last = self.marks.last().map_or(0, |(_, offset)| *offset);
        if self.marks.is_empty() || self.filled - last >= MARK_EVERY {
            self.marks.push((first, self.filled));
        }
        self.filled += length;
    }

    /// Cuts off what is behind the last frame.
    pub(super) fn cut(&mut self) -> Result<(), Damage> {
        let cut = self.file.set_len(self.filled).and_then(|()| self.file.sync_all());
        self.room = self.filled;
        cut.map_err(Damage::io(&self.path))
    }

    /// A place at or before the frame with this record.
    pub(super) fn near(&self, sequence: u64) -> u64 {
        let after = self.marks.partition_point(|(first, _)| *first <= sequence);
        let mark = after.checked_sub(1).and_then(|at| self.marks.get(at));
        mark.map_or(FRAMES, |(_, offset)| *offset)
    }

    /// Finds out where its frames are, if nobody has read it through yet. What is
    /// wrong with them is said by who reads them.
    pub(super) fn know(&mut self) -> Result<(), Damage> {
        if !self.marks.is_empty() || self.filled <= FRAMES {
            return Ok(());
        }
        let (file, filled) = (self.file.clone(), self.filled);
        let mut reader = Reader::up_to(&file, filled);
        self.forget();
        while self.filled < filled {
            let front = reader.bytes(self.filled, HEADER as u64);
            let front = front.map_err(Damage::io(&self.path))?;
            let Some(header) = Header::parse(front) else { break };
            self.accept(header.first, header.frame_length());
        }
        self.filled = filled;
        Ok(())
    }

    /// The header of the frame at a place.
    pub(super) fn header(&self, offset: u64) -> Result<Option<Header>, Damage> {
        let mut bytes = [0; HEADER];
        match self.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(Header::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Damage::io(&self.path)(error)),
        }
    }

    /// The frame at a place, whose header was read.
    pub(super) fn frame(&self, offset: u64, header: &Header) -> Result<Vec<u8>, Damage> {
        let damaged = |why| Damage::Frame { commit: header.commit, sequence: header.first, why };
        let length = header.frame_length();
        if length > self.filled.saturating_sub(offset) {
            return Err(damaged("its length does not fit"));
        }
        let length = usize::try_from(length).map_err(|_| damaged("its length does not fit"))?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(Damage::io(&self.path))?;
        frame::parse(&bytes).map_err(damaged)?;
        Ok(bytes)
    }
}

/// Whether there is nothing in a file where frames are.
fn is_empty(file: &File) -> io::Result<bool> {
    Reader::new(file)?.is_empty(FRAMES)
}

//! The manifest: which runs there are, from the oldest to the newest, and the
//! mark up to which they reach. The one file that is replaced, so that it is
//! always either as before or as after.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    super::{
        codec::Fields,
        damage::Damage,
        sync::{Disk, Stage, sync_names},
    },
    Mark,
};

const MAGIC: &[u8; 8] = b"bursrums";
const VERSION: u32 = 1;
/// Longest mark.
pub(super) const MAX_MARK: usize = 256;
/// Bytes of a run in it.
const NAMED: usize = 8 + 4 + 8 + 8 + 4;

/// A run, as the manifest names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Named {
    /// Its number, never used twice.
    pub(super) number: u64,
    /// How often its entries were merged.
    pub(super) level: u32,
    /// How many entries it has, deletions included.
    pub(super) entries: u64,
    /// How long it is.
    pub(super) bytes: u64,
    /// Checksum of its end.
    pub(super) seal: u32,
}

/// What the manifest says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Manifest {
    /// The runs, the oldest first.
    pub(super) runs: Vec<Named>,
    /// Up to where they reach.
    pub(super) mark: Mark,
    /// The number of the next run.
    pub(super) next: u64,
}

impl Manifest {
    /// Where it is.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("manifest")
    }

    /// Where its successor is while it is written.
    pub(super) fn path_of_next(dir: &Path) -> PathBuf {
        dir.join("manifest.next")
    }

    /// Reads it. `None`: there is none.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, Damage> {
        let path = Self::path(dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Damage::io(path)(error)),
        };
        let damaged = || Damage::Unreadable {
            what: path.display().to_string(),
            why: "its checksum or version does not fit".to_owned(),
        };
        Self::parse(&bytes).ok_or_else(damaged).map(Some)
    }

    /// Puts it in the place of the one before, durably.
    pub(super) fn write(&self, dir: &Path, disk: &dyn Disk) -> Result<(), Damage> {
        let bytes = self.to_bytes()?;
        // What it names must be there before it is.
        sync_names(dir, disk)?;
        let (next, path) = (Self::path_of_next(dir), Self::path(dir));
        let write = || -> io::Result<()> {
            let mut file = File::create(&next)?;
            file.write_all(&bytes)?;
            disk.sync(Stage::Head, &file)
        };
        write().map_err(Damage::io(&next))?;
        fs::rename(&next, &path).map_err(Damage::io(&path))?;
        sync_names(dir, disk)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Damage> {
        let too_long = |what| Damage::Defect(format!("a manifest with too many {what}"));
        let mark = u32::try_from(self.mark.len()).ok().filter(|_| self.mark.len() <= MAX_MARK);
        let mark = mark.ok_or_else(|| too_long("bytes in its mark"))?;
        let runs = u32::try_from(self.runs.len()).map_err(|_| too_long("runs"))?;
        let mut out = Vec::with_capacity(64 + self.mark.len() + NAMED * self.runs.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&self.next.to_be_bytes());
        out.extend_from_slice(&mark.to_be_bytes());
        out.extend_from_slice(&self.mark);
        out.extend_from_slice(&runs.to_be_bytes());
        for run in &self.runs {
            out.extend_from_slice(&run.number.to_be_bytes());
            out.extend_from_slice(&run.level.to_be_bytes());
            out.extend_from_slice(&run.entries.to_be_bytes());
            out.extend_from_slice(&run.bytes.to_be_bytes());
            out.extend_from_slice(&run.seal.to_be_bytes());
        }
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_be_bytes());
        Ok(out)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        let mut fields = Fields(content);
        if u32::from_be_bytes(*checksum) != crc32fast::hash(content)
            || fields.bytes(MAGIC.len())? != MAGIC
            || fields.short()? != VERSION
        {
            return None;
        }
        let next = fields.long()?;
        let mark = Mark::from(fields.counted()?);
        let count = usize::try_from(fields.short()?).ok()?;
        if fields.0.len() != count.checked_mul(NAMED)? {
            return None;
        }
        let mut runs = Vec::with_capacity(count);
        for _ in 0..count {
            runs.push(Named {
                number: fields.long()?,
                level: fields.short()?,
                entries: fields.long()?,
                bytes: fields.long()?,
                seal: fields.short()?,
            });
        }
        Some(Self { runs, mark, next })
    }
}

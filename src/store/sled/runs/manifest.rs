//! Which runs there are, from the oldest to the newest, and up to where they go.
//! Replaced as a whole, so that a kill leaves the one before or the one after.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::store::sled::{
    codec::Fields,
    damage::Damage,
    database::sync_all,
    sync::{Disk, Stage},
};

/// Begins the file, and names its format.
const MAGIC: &[u8; 8] = b"bursarM1";

/// A run, as the manifest names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Named {
    /// Its number, which is also its directory's name.
    pub(super) number: u64,
    /// How many entries it has.
    pub(super) entries: u64,
}

/// The runs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Manifest {
    pub(super) runs: Vec<Named>,
    /// The number of the next run.
    pub(super) next: u64,
    /// Up to where the runs go, as their owner says it.
    pub(super) mark: Vec<u8>,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("manifest")
}

impl Manifest {
    /// The one that is there, or of no runs.
    pub(super) fn read(dir: &Path) -> Result<Self, Damage> {
        let path = path(dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Damage::io(&path)(error)),
        };
        Self::parse(&bytes).ok_or_else(|| Damage::Unreadable {
            what: path.display().to_string(),
            why: "its checksum does not fit".to_owned(),
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk()?;
        if u32::from_be_bytes(*checksum) != crc32fast::hash(content) {
            return None;
        }
        let mut fields = Fields(content);
        if &fields.array()? != MAGIC {
            return None;
        }
        let next = fields.long()?;
        let mark = fields.counted()?.to_vec();
        let mut runs = Vec::new();
        while !fields.0.is_empty() {
            runs.push(Named { number: fields.long()?, entries: fields.long()? });
        }
        Some(Self { runs, next, mark })
    }

    /// Puts it in the place of the one before, durably.
    pub(super) fn write(&self, dir: &Path, disk: &dyn Disk) -> Result<(), Damage> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.next.to_be_bytes());
        let length = u32::try_from(self.mark.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(&self.mark);
        for run in &self.runs {
            bytes.extend(run.number.to_be_bytes());
            bytes.extend(run.entries.to_be_bytes());
        }
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        let draft = dir.join("manifest.new");
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft);
        file.and_then(|mut file| {
            file.write_all(&bytes)?;
            disk.sync(Stage::Head, &file)
        })
        .and_then(|()| fs::rename(&draft, path(dir)))
        .map_err(Damage::io(&draft))?;
        sync_all(dir)
    }
}

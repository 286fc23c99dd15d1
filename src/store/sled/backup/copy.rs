//! Writes a copy of a journal: its files by the same names, each frame checked
//! by who reads it, each file synced.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{Progress, Source, failure::Failure, survey::Survey};
use crate::store::sled::{
    compact::Commons,
    damage::Damage,
    journal::{End, Journal, Piece},
    sync::sync_all,
};

/// Bytes after which what was written is synced, so that a service on the same
/// disk never waits for more than these.
const SYNC_EVERY: u64 = 4 * 1024 * 1024;

/// What a copy has.
pub(super) struct Copied {
    pub(super) survey: Survey,
    pub(super) end: End,
    pub(super) bytes: u64,
}

/// A file that is being written.
struct Draft {
    path: PathBuf,
    file: BufWriter<File>,
    unsynced: u64,
}

impl Draft {
    fn create(path: PathBuf) -> Result<Self, Failure> {
        let file = File::create_new(&path).map_err(Failure::io(&path))?;
        Ok(Self { path, file: BufWriter::with_capacity(256 * 1024, file), unsynced: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(Failure::io(&self.path))?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced < SYNC_EVERY {
            return Ok(());
        }
        self.unsynced = 0;
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(Failure::io(&self.path))
    }

    fn finish(mut self) -> Result<(), Failure> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(Failure::io(&self.path))
    }
}

/// Either side of a copy.
enum Halt {
    Read(Damage),
    Write(Failure),
}

impl From<Damage> for Halt {
    fn from(damage: Damage) -> Self {
        Self::Read(damage)
    }
}

/// Copies a journal into a folder. All of it is durable afterwards, but for the
/// folder's own name.
pub(super) fn copy(
    Source { base, live }: &Source,
    source: &Path,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<Copied, Failure> {
    let journal = Journal::path(folder);
    fs::create_dir(&journal).map_err(Failure::io(&journal))?;
    // What cannot be written is no trouble of the source.
    base.copy_to(folder).map_err(|damage| match damage {
        Damage::Io { path, cause } if path.starts_with(folder) => Failure::Io { path, cause },
        other => Failure::source(source)(other),
    })?;
    let mut survey = Survey::default();
    let kept = base.bytes().map_err(Failure::source(source))?;
    let mut bytes = kept;
    let all = live.bytes() + kept;
    base.rows(|_, row| {
        survey.keep(&row);
        Ok::<(), Damage>(())
    })
    .map_err(Failure::source(source))?;
    let mut draft: Option<Draft> = None;
    let mut commons = Commons::default();
    let read = live.read(|piece| {
        match piece {
            Piece::File(name, head) => {
                if let Some(whole) = draft.take() {
                    whole.finish().map_err(Halt::Write)?;
                }
                let mut new = Draft::create(journal.join(name)).map_err(Halt::Write)?;
                new.write(&head).map_err(Halt::Write)?;
                bytes += head.len() as u64;
                draft = Some(new);
            }
            Piece::Frame(frame) => {
                for record in frame.records(&mut commons) {
                    survey.take(&record?);
                }
                if let Some(draft) = &mut draft {
                    draft.write(frame.bytes).map_err(Halt::Write)?;
                }
                bytes += frame.bytes.len() as u64;
            }
        }
        progress(bytes, all);
        Ok::<(), Halt>(())
    });
    let end = read.map_err(|halt| match halt {
        Halt::Read(damage) => Failure::source(source)(damage),
        Halt::Write(failure) => failure,
    })?;
    if let Some(whole) = draft.take() {
        whole.finish()?;
    }
    sync(&journal)?;
    Ok(Copied { survey, end, bytes })
}

/// Makes a folder's entries durable.
pub(super) fn sync(folder: &Path) -> Result<(), Failure> {
    sync_all(folder).map_err(written)
}

/// Damage of something that is being written is a failed file operation.
pub(super) fn written(damage: Damage) -> Failure {
    match damage {
        Damage::Io { path, cause } => Failure::Io { path, cause },
        Damage::InUse(path) => Failure::Busy(path),
        other => Failure::Source { path: PathBuf::new(), damage: other },
    }
}

//! Why nothing was copied, in words that say what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::store::sled::damage::Damage;

/// What stands in the way.
#[derive(Debug, Error)]
pub enum Failure {
    /// What is to be copied is damaged, or not there.
    #[error("{}: {damage}", .path.display())]
    Source {
        /// What was to be copied.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The target is there.
    #[error("{} is there already. Name a folder that is not", .0.display())]
    Exists(PathBuf),
    /// The target is in the data directory.
    #[error(
        "{} is inside the data directory. A backup belongs elsewhere, best on another disk",
        .0.display()
    )]
    Inside(PathBuf),
    /// Somebody else is at it.
    #[error("{} is being written by another process. Wait for it, or name another folder", .0.display())]
    Busy(PathBuf),
    /// The directory to restore into is in use.
    #[error(
        "{} is not empty. Restore into a directory that is new or empty; nothing in this one was \
         changed", .0.display()
    )]
    NotEmpty(PathBuf),
    /// Not enough room.
    #[error(
        "{} has room for {have} bytes, and the journal needs {need}. Make room, or name another \
         disk; nothing was written", .path.display()
    )]
    NoRoom {
        /// Where.
        path: PathBuf,
        /// How many bytes are free.
        have: u64,
        /// How many are needed.
        need: u64,
    },
    /// Not a backup, or not a finished one.
    #[error("{} is not a finished backup: {why}", .path.display())]
    NotABackup {
        /// What was taken for one.
        path: PathBuf,
        /// Why it is none.
        why: String,
    },
    /// What is in a backup is not what its note says.
    #[error(
        "{} is not as it was made: {what} is {found}, and backup.json says {noted}. Use another \
         backup", .path.display()
    )]
    Differs {
        /// Which backup.
        path: PathBuf,
        /// In what.
        what: &'static str,
        /// What is there.
        found: String,
        /// What was noted.
        noted: String,
    },
    /// Writing failed.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// How.
        cause: io::Error,
    },
}

impl Failure {
    /// A failed file operation on what is written.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { path, cause }
    }

    /// Something about what is read.
    pub(super) fn source(path: &Path) -> impl Fn(Damage) -> Self {
        let path = path.to_owned();
        move |damage| Self::Source { path: path.clone(), damage }
    }

    /// The first record that is affected, if that is known.
    pub fn sequence(&self) -> Option<u64> {
        match self {
            Self::Source { damage, .. } => damage.sequence(),
            _ => None,
        }
    }
}

//! Why a data directory is not served, in words an operator can act on. Every
//! one becomes [`StoreError::Fatal`].

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{domain::told::Misfit, store::StoreError};

/// What an operator does about a journal that lacks something.
const RESTORE: &str = "Nothing was changed by Bursar. Keep a copy of this directory, \
                       then restore it from a backup";

/// What is wrong.
#[derive(Debug, Error)]
pub enum Damage {
    /// Another process has it.
    #[error(
        "{} is locked: another Bursar serves this data directory. Stop that one, or give this \
         one a directory of its own; deleting the file does not help and is not safe", .0.display()
    )]
    InUse(PathBuf),
    /// There is no store.
    #[error("{} holds no store", .0.display())]
    Nothing(PathBuf),
    /// A file operation failed.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// Of which file.
        path: PathBuf,
        /// How.
        cause: io::Error,
    },
    /// There is a journal but no fence.
    #[error(
        "{} is missing, so that nothing says how far the journal beside it was durable. \
         Put the file back; if it is lost, `bursar verify --data {} --rebuild-fence` writes a new \
         one, but only if everything that is there hangs together", .0.display(), beside(.0).display()
    )]
    FenceMissing(PathBuf),
    /// Its records are written in another form.
    #[error(
        "{} has records of form {found}, and this Bursar reads form {reads}. Nothing was changed; \
         serve this directory with the Bursar that wrote it", .path.display()
    )]
    Form {
        /// Which file.
        path: PathBuf,
        /// The form it has.
        found: u8,
        /// The form that is read here.
        reads: u8,
    },
    /// Neither slot of the fence can be read.
    #[error("{}: no slot can be read; {why}. {RESTORE}", .path.display())]
    FenceUnreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The journal ends too early.
    #[error(
        "the journal ends at record {have}, but record {fence} was durable: records from {} are \
         lost. {RESTORE}", .have + 1
    )]
    BelowFence {
        /// Its last record.
        have: u64,
        /// The last that was durable.
        fence: u64,
    },
    /// The journal is not the one that the fence or checkpoint was written beside.
    #[error(
        "the journal differs from what {witness} saw at record {sequence}: it was changed or \
         exchanged. {RESTORE}"
    )]
    Exchanged {
        /// What differs from it.
        witness: &'static str,
        /// Where.
        sequence: u64,
    },
    /// A commit is not there.
    #[error("the journal has a gap: the commit with record {sequence} is missing. {RESTORE}")]
    Gap {
        /// The first record that is affected.
        sequence: u64,
    },
    /// A commit is damaged.
    #[error("commit {commit} of the journal, with record {sequence}, is damaged: {why}. {RESTORE}")]
    Frame {
        /// Which commit.
        commit: u64,
        /// The first record that is affected.
        sequence: u64,
        /// How.
        why: &'static str,
    },
    /// A record cannot be made of its bytes, which are as they were written. A start may
    /// have mended other things before it came to it.
    #[error(
        "record {sequence} of the journal cannot be read, although its checksum fits: {why}. \
         Keep a copy of this directory, then restore it from a backup"
    )]
    Record {
        /// Which.
        sequence: u64,
        /// Why not.
        why: String,
    },
    /// The same of one that the journal may not have yet.
    #[error(
        "record {sequence} cannot be read on its way to the journal: {why}. Start again: all of \
         the journal is read then, and nothing that it lacks was answered"
    )]
    Draft {
        /// Which.
        sequence: u64,
        /// Why not.
        why: String,
    },
    /// A backup is what was copied, and nothing else.
    #[error(
        "{} is a backup. Restore it into a directory of its own, and let go of records there",
        .0.display()
    )]
    Backup(PathBuf),
    /// Records were let go of while they were read.
    #[error("records were let go of while {} was read; run it again", .0.display())]
    Meanwhile(PathBuf),
    /// What is kept of records that were let go of is damaged.
    #[error(
        "what is kept of records that are no more, in {}, cannot be read: {why}. {RESTORE}",
        .path.display()
    )]
    Base {
        /// Where.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Something else that was stored cannot be decoded.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// Rows differ from what the journal makes of them.
    #[error("the row {key} differs from what the journal says")]
    Row {
        /// Which.
        key: String,
    },
    /// A defect in Bursar.
    #[error("a defect: {0}")]
    Defect(String),
}

impl Damage {
    /// Whether it concerns rows at rest alone, which the journal can make again.
    pub(super) fn is_of_rows(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }

    /// Whether it concerns what the journal has, so that the next start is to read all
    /// of it.
    pub(super) fn is_of_the_journal(&self) -> bool {
        matches!(
            self,
            Self::Gap { .. } | Self::Frame { .. } | Self::Record { .. } | Self::Draft { .. }
        )
    }

    /// The first record that is affected, if that is known.
    pub fn sequence(&self) -> Option<u64> {
        match self {
            Self::BelowFence { have, .. } => Some(have + 1),
            Self::Exchanged { sequence, .. }
            | Self::Gap { sequence }
            | Self::Frame { sequence, .. }
            | Self::Record { sequence, .. }
            | Self::Draft { sequence, .. } => Some(*sequence),
            _ => None,
        }
    }

    /// A record that does not fit its template.
    pub fn misfit(sequence: u64) -> impl FnOnce(Misfit) -> Self {
        move |_| Self::Record { sequence, why: "it does not fit its template".to_owned() }
    }

    /// A row is said to be as a record made it that did not make it, or is not there.
    pub(super) fn unmade(sequence: u64) -> Self {
        Self::Unreadable {
            what: "a row".to_owned(),
            why: format!("record {sequence} is to have made it, and did not"),
        }
    }

    /// A failed file operation.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { path, cause }
    }
}

/// The directory that a file is in.
fn beside(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

impl From<Damage> for StoreError {
    fn from(damage: Damage) -> Self {
        Self::Fatal(damage.to_string())
    }
}

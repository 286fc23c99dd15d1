//! The one place where data is made durable. Behind a trait so that tests can
//! count, delay and fail it.

use std::{fmt, fs::File, io};

/// What is being made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// A commit of the journal: a reply waits for it.
    Journal,
    /// Blocks of a checkpoint.
    Blocks,
    /// The head of a checkpoint.
    Head,
    /// The fence.
    Fence,
    /// What was found at start-up.
    Start,
}

/// Makes data durable. Any error is final: after a failed sync the kernel may
/// have dropped what it could not write, so a second try proves nothing.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Hands sled's buffers to the kernel. sled calls this durable; it ends in
    /// `sync_file_range`, so it is not.
    fn flush(&self, stage: Stage, db: &::sled::Db) -> io::Result<()> {
        let _ = stage;
        db.flush().map(|_| ()).map_err(io::Error::from)
    }

    /// Makes durable what the kernel has of a file.
    fn sync(&self, stage: Stage, file: &File) -> io::Result<()> {
        let _ = stage;
        file.sync_data()
    }
}

/// The disk that is there.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

impl Disk for RealDisk {}

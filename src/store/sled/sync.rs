//! The one place where data is made durable. Behind a trait so that tests can
//! count, delay and fail it.

use std::{
    fmt,
    fs::{self, File},
    io,
    path::Path,
};

use super::damage::Damage;

/// What is being made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// A commit of the journal: a reply waits for it.
    Journal,
    /// Rows at rest.
    Blocks,
    /// What names rows at rest.
    Head,
    /// The fence.
    Fence,
    /// What was found at start-up.
    Start,
}

/// Makes data durable. Any error is final: after a failed sync the kernel may
/// have dropped what it could not write, so a second try proves nothing.
pub trait Disk: Send + Sync + fmt::Debug {
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

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<(), Damage> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Damage::io(path)(error)),
        _ => Ok(()),
    }
}

/// Makes the entries of a directory durable.
pub(super) fn sync_names(dir: &Path, disk: &dyn Disk) -> Result<(), Damage> {
    let opened = File::open(dir).map_err(Damage::io(dir))?;
    disk.sync(Stage::Blocks, &opened).map_err(Damage::io(dir))
}

/// Makes a file, or the entries of a directory, durable.
pub(super) fn sync_all(path: &Path) -> Result<(), Damage> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Damage::io(path))
}

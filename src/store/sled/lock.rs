//! One process per data directory.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use super::damage::Damage;

/// Held while a store is open. The kernel lets go of it when the process ends,
/// however it ends, so the file is never deleted.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    /// Of the file.
    pub(super) const NAME: &str = "bursar.lock";

    /// Takes the directory, or says who to ask.
    pub(super) fn take(dir: &Path) -> Result<Self, Damage> {
        let path = dir.join(Self::NAME);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Damage::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Damage::InUse(path)),
            Err(TryLockError::Error(cause)) => Err(Damage::Io { path, cause }),
        }
    }
}

//! Whether there is room for a copy. Looked at before anything is written, so
//! that a disk is not filled under whoever else writes to it.

use std::path::Path;

use super::failure::Failure;

/// Left over beside the journal: fence, note, folders.
const BESIDE: u64 = 256 * 1024;

/// That a folder's disk has room for so many bytes of a journal.
pub(super) fn check(folder: &Path, journal: u64) -> Result<(), Failure> {
    let space = rustix::fs::statvfs(folder);
    let space = space.map_err(|error| Failure::io(folder)(error.into()))?;
    fits(folder, space.f_bavail.saturating_mul(space.f_frsize), journal)
}

fn fits(folder: &Path, have: u64, journal: u64) -> Result<(), Failure> {
    let need = journal.saturating_add(BESIDE);
    if need <= have {
        return Ok(());
    }
    Err(Failure::NoRoom { path: folder.to_owned(), have, need })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_refused_with_both_numbers() {
        let folder = Path::new("/backups");
        assert!(fits(folder, BESIDE + 5, 5).is_ok());
        let why = fits(folder, BESIDE + 4, 5).expect_err("no room").to_string();
        assert!(why.contains("/backups has room for 262148 bytes"), "{why}");
        assert!(why.contains("needs 262149") && why.contains("nothing was written"), "{why}");
        assert!(fits(folder, u64::MAX, u64::MAX).is_ok(), "sums do not wrap");
    }
}

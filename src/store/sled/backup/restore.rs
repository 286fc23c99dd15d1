//! Makes a data directory of a backup. The fence is written first and says how
//! much is to come: whatever interrupts this, a service that is started on the
//! directory refuses, because records are missing.

use std::{fs, path::Path, time::Duration};

use super::{
    Progress, Source,
    copy::{copy, sync, written},
    failure::Failure,
    look,
    note::Note,
    room,
};
use crate::{
    domain::instant::Instant,
    store::sled::{
        base::Base, damage::Damage, fence::Fence, journal::Journal, lock::Lock, sync::RealDisk,
    },
};

/// What an empty directory may have.
const NOTHING: [&str; 2] = [Lock::NAME, "lost+found"];

/// Copies a backup into a data directory that is new or empty, and checks all of
/// it on the way.
///
/// # Errors
/// Why nothing was restored.
pub fn restore(from: &Path, data: &Path, progress: Progress<'_>) -> Result<Note, Failure> {
    let note = Note::read(from)?;
    let source = look(from).map_err(Failure::source(from))?;
    let new = make(data)?;
    is_empty(data)?;
    // Where it cannot be had, what is there is another's.
    let lock = Lock::take(data).map_err(written)?;
    is_empty(data)?;
    let done = fill(&note, &source, from, data, progress);
    if done.is_err() {
        undo(data, new);
    }
    drop(lock);
    done.map(|()| note)
}

fn fill(
    note: &Note,
    source: &Source,
    from: &Path,
    data: &Path,
    progress: Progress<'_>,
) -> Result<(), Failure> {
    room::check(data, source.bytes().map_err(Failure::source(from))?)?;
    let end = Fence::look(from).map_err(Failure::source(from))?.unwrap_or_default();
    drop(Fence::create(data, Duration::ZERO, &RealDisk, end).map_err(written)?);
    // From here on a start refuses what is not whole, also after a power failure.
    sync_with_name(data)?;
    let copied = copy(source, from, data, progress)?;
    let there = copied.end;
    note.fits(&Note::new(Instant::MIN, source, copied), from)?;
    if there != end {
        let (have, fence) = (there.sequence, end.sequence);
        return Err(Failure::source(from)(Damage::BelowFence { have, fence }));
    }
    sync_with_name(data)
}

/// Makes the directory. Says whether it was not there.
fn make(data: &Path) -> Result<bool, Failure> {
    let new = !data.exists();
    fs::create_dir_all(data).map_err(Failure::io(data))?;
    Ok(new)
}

/// That there is nothing in it.
fn is_empty(data: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(data).map_err(Failure::io(data))? {
        let name = entry.map_err(Failure::io(data))?.file_name();
        if !NOTHING.iter().any(|nothing| name == *nothing) {
            return Err(Failure::NotEmpty(data.to_owned()));
        }
    }
    Ok(())
}

/// Makes durable that it is there.
fn sync_with_name(data: &Path) -> Result<(), Failure> {
    sync(data)?;
    match data.canonicalize().map_err(Failure::io(data))?.parent() {
        Some(parent) => sync(parent),
        None => Ok(()),
    }
}

/// Takes away what was written. The fence last: while it is there, nobody serves
/// the rest.
fn undo(data: &Path, new: bool) {
    let _ = fs::remove_dir_all(Base::folder(data));
    let removed = fs::remove_dir_all(Journal::path(data));
    if removed.is_ok() || !Journal::path(data).exists() {
        // What stays is refused by a start, and by another restore.
        for file in [Fence::path(data), Fence::draft(data)] {
            let _ = fs::remove_file(file);
        }
        if new {
            let _ = fs::remove_file(data.join(Lock::NAME));
            let _ = fs::remove_dir(data);
        }
    }
}

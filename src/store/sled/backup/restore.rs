//! Makes a data directory of a backup. The fence is written first and says how
//! much is to come: whatever interrupts this, a service that is started on the
//! directory refuses, because records are missing.

use std::{fs, io, path::Path, time::Duration};

use super::{
    Progress,
    copy::{copy, sync, written},
    failure::Failure,
    look,
    note::Note,
    room,
};
use crate::{
    domain::instant::Instant,
    store::sled::{damage::Damage, fence::Fence, journal::Journal, lock::Lock, sync::RealDisk},
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
    let live = look(from).map_err(Failure::source(from))?;
    let fence = Fence::look(from).map_err(Failure::source(from))?.unwrap_or_default();
    let new = enter(data)?;
    let lock = Lock::take(data).map_err(written)?;
    room::check(data, live.bytes())?;
    // Named by who holds its name.
    let written_down = Fence::create(data, Duration::ZERO, &RealDisk, fence);
    let done = written_down.map_err(written).and_then(|_| {
        sync(data)?;
        let copied = copy(&live, from, data, progress)?;
        let made = Note::new(Instant::MIN, live.mark(), copied.survey, &copied.end, copied.bytes);
        note.fits(&made, from)?;
        if copied.end == fence {
            Ok(())
        } else {
            let (have, fence) = (copied.end.sequence, fence.sequence);
            Err(Failure::source(from)(Damage::BelowFence { have, fence }))
        }
    });
    let done = done.and_then(|()| sync_with_name(data));
    if done.is_err() {
        undo(data, new);
    }
    drop(lock);
    done.map(|()| note)
}

/// Makes the directory, or sees that there is nothing in it. Says whether it was
/// made.
fn enter(data: &Path) -> Result<bool, Failure> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(data).map_err(Failure::io(data))?;
            return Ok(true);
        }
        Err(error) => return Err(Failure::io(data)(error)),
    };
    for entry in entries {
        let name = entry.map_err(Failure::io(data))?.file_name();
        if !NOTHING.iter().any(|nothing| name == *nothing) {
            return Err(Failure::NotEmpty(data.to_owned()));
        }
    }
    Ok(false)
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
    let removed = fs::remove_dir_all(Journal::path(data));
    if removed.is_ok() || !Journal::path(data).exists() {
        // What stays is refused by a start, and by another restore.
        let _ = fs::remove_file(Fence::path(data));
        if new {
            let _ = fs::remove_file(data.join(Lock::NAME));
            let _ = fs::remove_dir(data);
        }
    }
}

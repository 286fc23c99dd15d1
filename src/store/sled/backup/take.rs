//! Makes a backup: in a folder beside the target, which gets the target's name
//! when everything in it is durable. One that was interrupted leaves that folder,
//! which is not taken for a backup, and which the next one removes.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    Progress,
    copy::{copy, sync, written},
    failure::Failure,
    has_changed, look, meanwhile,
    note::{NOTE, Note},
    room,
};
use crate::{
    domain::instant::Instant,
    store::sled::{fence::Fence, lock::Lock, sync::RealDisk},
};

/// Copies a data directory, served or not, into a new folder. `at` is now.
///
/// # Errors
/// Why there is no backup; nothing is there then that looks like one.
pub fn back_up(
    data: &Path,
    to: &Path,
    at: Instant,
    progress: Progress<'_>,
) -> Result<Note, Failure> {
    let target = Target::find(data, to)?;
    let source = look(data).map_err(Failure::source(data))?;
    room::check(&target.parent, source.bytes().map_err(Failure::source(data))?)?;
    let draft = Draft::begin(&target)?;
    let copied = copy(&source, data, &draft.folder, progress);
    let copied = copied.map_err(|why| match &why {
        Failure::Source { .. } if has_changed(data, &source.base) => {
            Failure::source(data)(meanwhile(data))
        }
        _ => why,
    })?;
    let fence = Fence::create(&draft.folder, Duration::ZERO, &RealDisk, copied.end);
    drop(fence.map_err(written)?);
    let note = Note::new(at, &source, copied);
    note.write(&draft.folder)?;
    draft.finish(&target)?;
    Ok(note)
}

/// Where a backup is to be.
struct Target {
    path: PathBuf,
    parent: PathBuf,
    name: OsString,
}

impl Target {
    fn find(data: &Path, to: &Path) -> Result<Self, Failure> {
        let exists = || Failure::Exists(to.to_owned());
        // Also what points to nothing is there.
        if fs::symlink_metadata(to).is_ok() {
            return Err(exists());
        }
        let name = to.file_name().ok_or_else(exists)?.to_owned();
        let parent = match to.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let parent = parent.canonicalize().map_err(Failure::io(parent))?;
        let inside = data.canonicalize().is_ok_and(|data| parent.starts_with(data));
        if inside {
            return Err(Failure::Inside(to.to_owned()));
        }
        Ok(Self { path: parent.join(&name), parent, name })
    }

    /// The folder beside it.
    fn draft(&self) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(".partial");
        self.parent.join(name)
    }
}

/// A backup that is not finished. Removed, unless it becomes one.
struct Draft {
    folder: PathBuf,
    lock: Option<Lock>,
}

impl Draft {
    fn begin(target: &Target) -> Result<Self, Failure> {
        let folder = target.draft();
        match fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !is_left_over(&folder) {
                    return Err(Failure::Exists(folder));
                }
                // Unless the other one is still at it.
                let lock = Lock::take(&folder).map_err(|_| Failure::Busy(target.path.clone()))?;
                let again = fs::remove_dir_all(&folder).and_then(|()| fs::create_dir(&folder));
                again.map_err(Failure::io(&folder))?;
                drop(lock);
            }
            Err(error) => return Err(Failure::io(&folder)(error)),
        }
        let lock = Lock::take(&folder).map_err(written)?;
        Ok(Self { folder, lock: Some(lock) })
    }

    /// Gives it the target's name, unless that was taken meanwhile.
    fn finish(mut self, target: &Target) -> Result<(), Failure> {
        // The lock file goes along: without it another one would take the folder for
        // left over.
        sync(&self.folder)?;
        match renameat_with(CWD, &self.folder, CWD, &target.path, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return Err(Failure::Exists(target.path.clone())),
            // This disk knows no such renaming; one without it replaces nothing
            // but an empty folder.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                fs::rename(&self.folder, &target.path).map_err(Failure::io(&target.path))?;
            }
            Err(error) => return Err(Failure::io(&target.path)(error.into())),
        }
        let lock = target.path.join(Lock::NAME);
        fs::remove_file(&lock).map_err(Failure::io(&lock))?;
        drop(self.lock.take());
        sync(&target.path)?;
        sync(&target.parent)
    }
}

/// Whether a folder is what a backup leaves that was killed, at whatever moment.
fn is_left_over(folder: &Path) -> bool {
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    is_empty || [Lock::NAME, NOTE].iter().any(|name| folder.join(name).exists())
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // What cannot be removed is not taken for a backup either.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

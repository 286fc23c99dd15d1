//! Where the bytes of a run are: a file, written once from front to back and
//! then only read. Nothing else here knows that it is a file; ADR 0054 says why
//! it is one, and not a sled database.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Arc,
};

use super::super::{
    damage::Damage,
    sync::{Disk, Stage},
};

/// What is collected before it is handed to the kernel.
const BUFFER: usize = 128 * 1024;
/// Bytes after which what was written is made durable. In one piece at the end,
/// a large run would keep the journal's syncs waiting behind it.
const SYNC_EVERY: usize = 8 * 1024 * 1024;

/// A run that is being written. What is not finished is removed.
#[derive(Debug)]
pub(super) struct Writing {
    path: PathBuf,
    file: File,
    disk: Arc<dyn Disk>,
    buffer: Vec<u8>,
    /// Bytes so far, those in the buffer included.
    at: u64,
    unsynced: usize,
    is_finished: bool,
}

impl Writing {
    /// Begins one, where there must be none.
    pub(super) fn begin(path: PathBuf, disk: Arc<dyn Disk>) -> Result<Self, Damage> {
        let file = File::options().write(true).create_new(true).open(&path);
        let file = file.map_err(Damage::io(&path))?;
        let buffer = Vec::with_capacity(BUFFER);
        Ok(Self { path, file, disk, buffer, at: 0, unsynced: 0, is_finished: false })
    }

    /// Appends bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.drain()?;
        }
        self.buffer.extend_from_slice(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// How much was appended.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    fn drain(&mut self) -> Result<(), Damage> {
        self.file.write_all(&self.buffer).map_err(Damage::io(&self.path))?;
        self.unsynced += self.buffer.len();
        self.buffer.clear();
        if self.unsynced >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), Damage> {
        self.unsynced = 0;
        self.disk.sync(Stage::Blocks, &self.file).map_err(Damage::io(&self.path))
    }

    /// Makes the content durable; the name is not yet.
    pub(super) fn finish(mut self) -> Result<(), Damage> {
        self.drain()?;
        self.sync()?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.is_finished {
            // If this fails, the next start removes it: no manifest names it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A run that is read. Its bytes stay readable when its name is removed.
#[derive(Debug)]
pub(super) struct Reading {
    path: PathBuf,
    file: File,
}

impl Reading {
    /// Opens one.
    pub(super) fn open(path: PathBuf) -> Result<Self, Damage> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file }),
            // Whoever took it away, the rows can be made again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Damage::Unreadable {
                what: path.display().to_string(),
                why: "it is missing".to_owned(),
            }),
            Err(error) => Err(Damage::io(path)(error)),
        }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> Result<u64, Damage> {
        self.file.metadata().map(|data| data.len()).map_err(Damage::io(&self.path))
    }

    /// Bytes from somewhere.
    pub(super) fn read(&self, at: u64, count: usize) -> Result<Vec<u8>, Damage> {
        let mut bytes = vec![0; count];
        self.file.read_exact_at(&mut bytes, at).map_err(Damage::io(&self.path))?;
        Ok(bytes)
    }

    /// Removes its name.
    pub(super) fn remove(&self) -> Result<(), Damage> {
        fs::remove_file(&self.path).map_err(Damage::io(&self.path))
    }

    /// What is wrong with it.
    pub(super) fn damaged(&self, why: &str) -> Damage {
        Damage::Unreadable { what: self.path.display().to_string(), why: why.to_owned() }
    }
}

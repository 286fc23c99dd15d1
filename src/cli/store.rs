//! Which store a command works on, from its argument.

use std::{path::Path, sync::Arc};

use super::local::{LocalFactory, Opener};
use crate::{
    engine::Options,
    store::{Store, memory::MemoryStore},
};

/// Opens the store that `--store` and `--data` name.
///
/// # Errors
/// If there is no such store, or it cannot be opened.
pub fn open(kind: &str, data: &Path) -> Result<Box<dyn Store>, String> {
    match kind {
        "memory" => Ok(Box::new(MemoryStore::new())),
        other => Err(unknown(other, data)),
    }
}

fn unknown(kind: &str, _data: &Path) -> String {
    format!("there is no store {kind:?}; stores are: memory, sled")
}

/// Starts scenario services on fresh stores of a kind.
///
/// # Errors
/// If there is no such store.
pub fn factory(kind: &str) -> Result<LocalFactory, String> {
    match kind {
        "memory" => Ok(LocalFactory::memory()),
        other => Err(unknown(other, Path::new(""))),
    }
}

/// The same store each time, in memory.
pub fn memory_opener() -> Opener {
    let store = MemoryStore::new();
    Arc::new(move || Ok(Box::new(store.clone())))
}

/// How scenario services run.
pub fn options() -> Options {
    Options::default()
}

//! Which store a command works on, from its argument.

use std::{path::Path, sync::Arc};

use super::local::{LocalFactory, Opener, ScratchDir};
use crate::{
    engine::Options,
    store::{
        Store, StoreError,
        memory::MemoryStore,
        sled::{Options as SledOptions, SledStore},
    },
};

fn unknown(kind: &str) -> String {
    format!("there is no store {kind:?}; stores are: memory, sled")
}

fn sled(data: &Path, options: SledOptions) -> Result<Box<dyn Store>, String> {
    let store = SledStore::open(data, options);
    store
        .map(|store| Box::new(store) as Box<dyn Store>)
        .map_err(|damage| StoreError::from(damage).to_string())
}

/// Opens the store that `--store` and `--data` name, with a checkpoint every so
/// many records.
///
/// # Errors
/// If there is no such store, or it cannot be opened.
pub fn open(
    kind: &str,
    data: &Path,
    checkpoint_records: Option<u64>,
) -> Result<Box<dyn Store>, String> {
    let mut options = SledOptions::default();
    options.checkpoint_records = checkpoint_records.unwrap_or(options.checkpoint_records);
    match kind {
        "memory" => Ok(Box::new(MemoryStore::new())),
        "sled" => sled(data, options),
        other => Err(unknown(other)),
    }
}

/// Starts services on fresh stores of a kind, each removed with its service.
///
/// # Errors
/// If there is no such store.
pub fn factory(kind: &str) -> Result<LocalFactory, String> {
    match kind {
        "memory" => Ok(LocalFactory::memory()),
        "sled" => Ok(LocalFactory::new(
            Arc::new(|| {
                let scratch = ScratchDir::new("scenario")?;
                let path = scratch.0.join("data");
                let opener: Opener = Arc::new(move || sled(&path, SledOptions::default()));
                Ok((opener, Some(Box::new(scratch) as Box<dyn Send + Sync>)))
            }),
            Options::default(),
        )),
        other => Err(unknown(other)),
    }
}

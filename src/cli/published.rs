//! The published policies that come with the program: what a file name means
//! where there is no folder of policies.

use std::{fs, io, path::Path};

/// Names and texts of `policies/*.yaml`.
const PUBLISHED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/published.rs"));

/// The policy of a file in a folder; if there is no such file, the published
/// one of that name.
///
/// # Errors
/// If there is neither.
pub fn policy(folder: &Path, file: &str) -> io::Result<String> {
    let published = PUBLISHED.iter().find(|(name, _)| *name == file);
    match (fs::read_to_string(folder.join(file)), published) {
        (Err(error), Some((_, text))) if error.kind() == io::ErrorKind::NotFound => {
            Ok((*text).to_owned())
        }
        (read, _) => read,
    }
}

//! What a sync costs on the disk of a folder, and the folders that are measured
//! on. Knows nothing of stores.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use super::now;
use crate::cli::local::ScratchDir;

/// Appends that are timed.
const TIMES: usize = 200;
/// Bytes of each.
const BYTES: usize = 4096;
/// What Linux calls a file system in memory.
const TMPFS: u64 = 0x0102_1994;

/// A folder of this run's own in another one, removed at the end; in that of
/// temporary files if no other is named.
///
/// # Errors
/// If it cannot be made.
pub fn folder(parent: Option<&Path>) -> Result<ScratchDir, String> {
    let Some(parent) = parent else { return ScratchDir::new("bench") };
    let path = parent.join(format!("bursar-bench-{}", std::process::id()));
    fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(ScratchDir(path))
}

/// Whether a folder is in memory, where a sync costs nothing.
pub fn is_memory(folder: &Path) -> bool {
    rustix::fs::statfs(folder)
        .is_ok_and(|stats| u64::try_from(stats.f_type).is_ok_and(|kind| kind == TMPFS))
}

/// Median time of one `fdatasync` after 4 KiB were appended to a file.
///
/// # Errors
/// If the file cannot be written.
pub fn median_sync(folder: &Path) -> Result<Duration, String> {
    let path = folder.join("syncs");
    let said = |error: std::io::Error| format!("{}: {error}", path.display());
    let times = sync_times(&path).map_err(said);
    fs::remove_file(&path).map_err(said)?;
    Ok(median(times?))
}

fn sync_times(path: &PathBuf) -> std::io::Result<Vec<Duration>> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begin = now();
        file.write_all(&[7; BYTES])?;
        file.sync_data()?;
        times.push(now().saturating_duration_since(begin));
    }
    Ok(times)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        let times = [5, 1, 900].map(Duration::from_micros).to_vec();
        assert_eq!(median(times), Duration::from_micros(5));
    }

    #[test]
    fn a_folder_of_its_own_is_removed_with_all_in_it() {
        let parent = ScratchDir::new("bench-test").expect("a folder");
        let own = folder(Some(&parent.0)).expect("a folder");
        median_sync(&own.0).expect("syncs");
        let path = own.0.clone();
        fs::write(path.join("more"), "x").expect("a file");
        drop(own);
        assert!(!path.exists());
    }
}

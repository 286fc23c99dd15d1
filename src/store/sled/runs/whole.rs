//! All entries of a directory at once: read without changing anything, and written
//! anew into another one.

use std::{fs, path::Path, sync::Arc};

use super::{
    super::damage::Damage, Mark, Options, Put, cache::Cache, manifest::Manifest, options::Counts,
    range::Range, set::Set, writer::Writer,
};

/// Above the first byte of every key that is asked for here.
const ABOVE: &[u8] = &[u8::MAX];

/// Bytes of blocks that are kept while all are read in order.
const CACHE: u64 = 1024 * 1024;

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Extent {
    entries: u64,
    counts: Counts,
    level: u32,
}

impl Extent {
    /// That of both together.
    pub fn and(self, other: Self) -> Self {
        let counts = Counts {
            always: self.counts.always.saturating_add(other.counts.always),
            small: self.counts.small.saturating_add(other.counts.small),
        };
        let entries = self.entries.saturating_add(other.entries);
        Self { entries, counts, level: self.level.max(other.level) }
    }
}

/// Entries whose keys begin below 255, in order; how many they are; and the mark.
///
/// # Errors
/// There are none that can be read.
pub fn read(dir: &Path) -> Result<(Range, Extent, Mark), Damage> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| Damage::Nothing(dir.to_owned()))?;
    let set = Set::open(dir, &manifest.runs)?;
    let extent = set.runs().fold(Extent::default(), |extent, run| {
        let (entries, level) = (run.named().entries, run.named().level);
        extent.and(Extent { entries, counts: run.filtered(), level })
    });
    let merged = set.merged(&Arc::new(Cache::new(CACHE)), false, &[])?;
    Ok((Range::new(Some(merged), ABOVE, false), extent, manifest.mark))
}

/// Makes a directory of one run, which has at most so many entries.
///
/// # Errors
/// If it cannot be written; or what `entries` says.
pub fn make(
    dir: &Path,
    extent: Extent,
    mark: Mark,
    options: &Options,
    entries: impl FnOnce(&mut Put<'_>) -> Result<(), Damage>,
) -> Result<(), Damage> {
    fs::create_dir(dir).map_err(Damage::io(dir))?;
    let Extent { entries: most, counts, level } = extent;
    let mut writer = Writer::begin(dir, (0, level), (most, counts), options)?;
    entries(&mut |key, value| writer.push(key, value).map(|_| true))?;
    let runs = writer.finish()?.into_iter().collect();
    Manifest { runs, mark, next: 1 }.write(dir, &*options.disk)
}

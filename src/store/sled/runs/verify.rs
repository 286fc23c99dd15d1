//! Reads every byte of the runs in a directory, and says what is damaged.

use std::path::Path;

use super::{
    super::damage::Damage,
    filter::KeyHash,
    manifest::Manifest,
    packed::{GROUP, Group, Packed},
    run::Run,
};

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Runs that the manifest names.
    pub runs: usize,
    /// Entries in them, deletions and what was replaced included.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is damaged; each names the run.
    pub damage: Vec<Damage>,
}

/// Reads all runs that the manifest names. An error: there is no manifest that
/// can be read.
pub fn verify(dir: &Path) -> Result<Checked, Damage> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| Damage::Nothing(dir.to_owned()))?;
    let mut checked = Checked { runs: manifest.runs.len(), ..Checked::default() };
    for named in manifest.runs {
        checked.entries = checked.entries.saturating_add(named.entries);
        checked.bytes = checked.bytes.saturating_add(named.bytes);
        match Run::open(dir, named) {
            Ok(run) => verify_run(&run, &mut checked.damage),
            Err(damage) => checked.damage.push(damage),
        }
    }
    Ok(checked)
}

fn verify_run(run: &Run, damage: &mut Vec<Damage>) {
    let before = damage.len();
    let mut last = Vec::new();
    let (mut entries, mut checksums) = (0_u64, crc32fast::Hasher::new());
    for block in 0..run.blocks() {
        let checked = verify_block(run, block, &mut last, &mut checksums);
        match checked {
            Ok(count) => entries += count,
            Err(found) => damage.push(found),
        }
    }
    if damage.len() > before {
        return;
    }
    if entries != run.named().entries {
        damage.push(run.damaged(&format!("it has {entries} entries")));
    }
    if checksums.finalize() != run.blocks_checksum() {
        damage.push(run.damaged("its blocks are not those that it was written with"));
    }
}

/// Checks a block and counts its entries; `last` is the highest key so far.
fn verify_block(
    run: &Run,
    block: usize,
    last: &mut Vec<u8>,
    checksums: &mut crc32fast::Hasher,
) -> Result<u64, Damage> {
    let bytes = run.read(block, block + 1)?;
    checksums.update(bytes.last_chunk::<4>().map_or(&[][..], |sum| sum));
    let content = bytes.get(run.content(block, block)?).unwrap_or_default();
    let lowest = index_key(run, block).ok_or_else(|| run.malformed())?;
    let bound = index_key(run, block + 1);
    let packed = Packed::parse(content).ok_or_else(|| run.malformed())?;
    let (mut group, mut entries) = (Group::default(), 0);
    for at in 0..packed.groups() {
        packed.read(at, &mut group).ok_or_else(|| run.malformed())?;
        for entry in 0..group.len() {
            let key = group.key(entry).unwrap_or_default();
            let is_within = key >= &*lowest && bound.as_deref().is_none_or(|bound| key < bound);
            let is_above = last.is_empty() || key > &**last;
            if !is_within || !is_above || key.is_empty() {
                return Err(run.damaged(&format!("its block {block}: keys out of order")));
            }
            if !run.may_have(KeyHash::of(key)) {
                return Err(run.damaged(&format!("its filter lacks a key of block {block}")));
            }
            last.clear();
            last.extend_from_slice(key);
            entries += 1;
        }
    }
    Ok(entries)
}

/// The lowest key that may be in a block.
fn index_key(run: &Run, block: usize) -> Option<Vec<u8>> {
    let mut group = Group::default();
    let index = run.index()?;
    (block / GROUP < index.groups()).then_some(())?;
    index.read(block / GROUP, &mut group)?;
    group.key(block % GROUP).map(<[u8]>::to_vec)
}

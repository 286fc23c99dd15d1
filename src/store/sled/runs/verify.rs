//! Reads every byte of the runs in a directory, and says what is damaged.

use std::path::Path;

use super::{
    super::damage::Damage,
    filter::KeyHash,
    manifest::Manifest,
    options::{Counts, Filtered},
    packed::{GROUP, Group, Packed},
    run::Run,
};

/// Reads all runs that the manifest names; which keys are in their filters is as
/// in their options. Says what is damaged; each names the run. An error: there is no
/// manifest that can be read.
pub fn verify(dir: &Path, filtered: fn(&[u8]) -> Filtered) -> Result<Vec<Damage>, Damage> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| Damage::Nothing(dir.to_owned()))?;
    let mut damage = Vec::new();
    for named in manifest.runs {
        match Run::open(dir, named) {
            Ok(run) => verify_run(&run, filtered, &mut damage),
            Err(why) => damage.push(why),
        }
    }
    Ok(damage)
}

fn verify_run(run: &Run, filtered: fn(&[u8]) -> Filtered, damage: &mut Vec<Damage>) {
    let before = damage.len();
    let mut seen = Seen::default();
    for block in 0..run.blocks() {
        damage.extend(verify_block(run, block, filtered, &mut seen).err());
    }
    if damage.len() > before {
        return;
    }
    if seen.entries != run.named().entries {
        damage.push(run.damaged(&format!("it has {} entries", seen.entries)));
    }
    if seen.filtered != run.filtered() {
        damage.push(run.damaged(&format!("its filter is not of {:?}", seen.filtered)));
    }
    if seen.checksums.finalize() != run.blocks_checksum() {
        damage.push(run.damaged("its blocks are not those that it was written with"));
    }
}

/// What was seen of a run so far.
#[derive(Default)]
struct Seen {
    entries: u64,
    /// Keys of them that go into filters.
    filtered: Counts,
    /// The highest key.
    last: Vec<u8>,
    checksums: crc32fast::Hasher,
}

/// Checks a block.
fn verify_block(
    run: &Run,
    block: usize,
    filtered: fn(&[u8]) -> Filtered,
    seen: &mut Seen,
) -> Result<(), Damage> {
    let bytes = run.read(block, block + 1)?;
    seen.checksums.update(bytes.last_chunk::<4>().map_or(&[][..], |sum| sum));
    let content = bytes.get(run.content(block, block)?).unwrap_or_default();
    let lowest = index_key(run, block).ok_or_else(|| run.malformed())?;
    let bound = index_key(run, block + 1);
    let packed = Packed::parse(content).ok_or_else(|| run.malformed())?;
    let mut group = Group::default();
    for at in 0..packed.groups() {
        packed.read(at, &mut group).ok_or_else(|| run.malformed())?;
        for entry in 0..group.len() {
            let key = group.key(entry).unwrap_or_default();
            let is_within = key >= &*lowest && bound.as_deref().is_none_or(|bound| key < bound);
            let is_above = seen.last.is_empty() || key > &*seen.last;
            if !is_within || !is_above || key.is_empty() {
                return Err(run.damaged(&format!("its block {block}: keys out of order")));
            }
            let filtered = filtered(key);
            if !run.may_have(filtered, KeyHash::of(key)) {
                return Err(run.damaged(&format!("its filter lacks a key of block {block}")));
            }
            seen.last.clear();
            seen.last.extend_from_slice(key);
            seen.filtered.add(filtered);
            seen.entries += 1;
        }
    }
    Ok(())
}

/// The lowest key that may be in a block.
fn index_key(run: &Run, block: usize) -> Option<Vec<u8>> {
    let mut group = Group::default();
    let index = run.index()?;
    (block / GROUP < index.groups()).then_some(())?;
    index.read(block / GROUP, &mut group)?;
    group.key(block % GROUP).map(<[u8]>::to_vec)
}

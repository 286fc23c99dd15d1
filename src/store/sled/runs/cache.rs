//! Blocks that were read lately, of all runs together. Never takes more than
//! it was given.

use std::sync::{Arc, Mutex, PoisonError};

use super::writer::BLOCK;

/// A block is in one of two slots, or nowhere.
const WAYS: usize = 2;

/// Which block: the run's number, and which of its blocks.
type Name = (u64, usize);

#[derive(Clone, Debug)]
struct Slot {
    name: Name,
    block: Arc<Vec<u8>>,
}

/// The blocks.
#[derive(Debug)]
pub(super) struct Cache {
    /// In each set the one used last comes first.
    sets: Mutex<Vec<[Option<Slot>; WAYS]>>,
}

impl Cache {
    /// One that takes at most so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let sets = bytes / (WAYS * BLOCK) as u64;
        let sets = usize::try_from(sets).unwrap_or(usize::MAX);
        Self { sets: Mutex::new(vec![const { [const { None }; WAYS] }; sets]) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is below the number of sets")]
    fn set((run, block): Name, sets: usize) -> usize {
        let mixed = (run << 40 ^ block as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mixed) * sets as u128) >> 64) as usize
    }

    /// A block, if it was read lately.
    pub(super) fn get(&self, name: Name) -> Option<Arc<Vec<u8>>> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Self::set(name, sets.len());
        let set = sets.get_mut(at)?;
        let is_it = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.name == name);
        let way = set.iter().position(is_it)?;
        set.swap(0, way);
        set.first()?.as_ref().map(|slot| slot.block.clone())
    }

    /// Keeps a block, unless it is one of the large ones.
    pub(super) fn put(&self, name: Name, block: &Arc<Vec<u8>>) {
        if block.len() > BLOCK {
            return;
        }
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Self::set(name, sets.len());
        if let Some(set) = sets.get_mut(at) {
            set.rotate_right(1);
            if let Some(slot) = set.first_mut() {
                *slot = Some(Slot { name, block: block.clone() });
            }
        }
    }
}

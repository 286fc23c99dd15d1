//! Contents of blocks: in the value of the block, or, if too large for one,
//! spread over parts in a tree of their own. Parts get new keys each time, and
//! the old ones go when nothing points to them; a crash may leave some behind,
//! which nobody reads.

use ::sled::IVec;

use super::{
    MAX_VALUE,
    block::{self, Entry, ROOM, Spread, Value},
    damage::Damage,
    journal::Hash,
};

/// What a part carries.
const PART: usize = MAX_VALUE - 64;

/// The parts.
#[derive(Debug)]
pub(super) struct Parts {
    tree: ::sled::Tree,
}

/// The content of a block that was checked.
pub(super) enum Content {
    /// In the block's value.
    Inline(IVec),
    /// Put together from parts.
    Spread(Vec<u8>),
}

impl Content {
    /// The rows, packed.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline(value) => block::inline(value),
            Self::Spread(content) => content,
        }
    }
}

impl Parts {
    /// The parts in a tree.
    pub(super) fn new(tree: ::sled::Tree) -> Self {
        Self { tree }
    }

    /// The value of a block with these rows; writes its parts if it needs any.
    pub(super) fn value(
        &self,
        bound: &[u8],
        generation: u64,
        rows: &[Entry],
    ) -> Result<Vec<u8>, Damage> {
        let content = block::content(rows)?;
        if content.len() <= ROOM {
            return Ok(Value::Inline(&content).to_bytes());
        }
        let mut parts = 0;
        for part in content.chunks(PART) {
            self.tree.insert(part_key(bound, generation, parts), part)?;
            parts += 1;
        }
        let checksum = crc32fast::hash(&content);
        Ok(Value::Spread(Spread { generation, parts, checksum }).to_bytes())
    }

    /// The content that a block's value holds or points to.
    pub(super) fn content(&self, bound: &[u8], value: &IVec) -> Result<Content, Damage> {
        let damaged = || Damage::Unreadable {
            what: "a block".to_owned(),
            why: "its checksum does not fit".to_owned(),
        };
        match Value::parse(value).ok_or_else(damaged)? {
            Value::Inline(_) => Ok(Content::Inline(value.clone())),
            Value::Spread(spread) => {
                let mut content = Vec::new();
                for part in 0..spread.parts {
                    let key = part_key(bound, spread.generation, part);
                    content.extend(&*self.tree.get(key)?.ok_or_else(damaged)?);
                }
                if crc32fast::hash(&content) == spread.checksum {
                    Ok(Content::Spread(content))
                } else {
                    Err(damaged())
                }
            }
        }
    }

    /// Removes the parts of a version that no block points to.
    pub(super) fn remove(&self, bound: &[u8], spread: &Spread) -> Result<(), Damage> {
        for part in 0..spread.parts {
            self.tree.remove(part_key(bound, spread.generation, part))?;
        }
        Ok(())
    }
}

fn part_key(bound: &[u8], generation: u64, part: u32) -> Vec<u8> {
    // The hash keeps keys short, whatever the block's own is.
    let name = Hash::of(bound);
    let mut key = name.0.to_vec();
    key.extend(generation.to_be_bytes());
    key.extend(part.to_be_bytes());
    key
}

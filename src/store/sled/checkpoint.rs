//! Checkpoints: changed rows go to blocks, then one head says up to which
//! record. Start-up is the head, its rows, and the records after it.
//!
//! Order: new blocks, sync, old blocks let go of what moved, sync, parts nobody
//! points to, head, sync. A crash before the head leaves the head before, whose
//! census no longer fits the blocks; start-up then makes all rows again from
//! the journal. sled keeps no order that one could rely on instead, least of
//! all through a power failure (docs/decisions/0013).

use serde::{Deserialize, Serialize};

use super::{
    census::Census,
    codec::{decode, encode},
    damage::Damage,
    database::Database,
    journal::{End, Hash},
    rows::Rows,
    sync::{Disk, Stage},
};
use crate::domain::instant::Instant;

const HEAD: &str = "head";

/// What a checkpoint covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Where the journal ended.
    pub(super) end: End,
    /// When its last record was written.
    pub(super) at: Instant,
    /// The blocks.
    pub(super) census: Census,
}

/// A head as it is stored; fields are only ever appended.
#[derive(Serialize, Deserialize)]
struct Stored {
    sequence: u64,
    commit: u64,
    hash: [u8; 32],
    at: Instant,
    blocks: u64,
    sum: u64,
}

impl Head {
    /// Before the first checkpoint.
    pub(super) fn none() -> Self {
        Self { end: End::default(), at: Instant::MIN, census: Census::default() }
    }
}

/// Where the head is kept.
#[derive(Debug)]
pub(super) struct Heads {
    tree: ::sled::Tree,
}

impl Heads {
    /// The heads of a database.
    pub(super) fn open(database: &Database) -> Result<Self, Damage> {
        Ok(Self { tree: database.tree("head")? })
    }

    /// The newest head.
    pub(super) fn read(&self) -> Result<Head, Damage> {
        let Some(bytes) = self.tree.get(HEAD)? else { return Ok(Head::none()) };
        let damaged = || Damage::Unreadable {
            what: "the head of the checkpoint".to_owned(),
            why: "its checksum does not fit".to_owned(),
        };
        let (content, checksum) = bytes.split_last_chunk().ok_or_else(damaged)?;
        if u32::from_be_bytes(*checksum) != crc32fast::hash(content) {
            return Err(damaged());
        }
        let stored: Stored = decode("the head of the checkpoint", content)?;
        Ok(Head {
            end: End { sequence: stored.sequence, commit: stored.commit, hash: Hash(stored.hash) },
            at: stored.at,
            census: Census { blocks: stored.blocks, sum: stored.sum },
        })
    }

    /// Forgets every checkpoint.
    pub(super) fn clear(&self) -> Result<(), Damage> {
        Ok(self.tree.clear()?)
    }

    fn write(&self, head: &Head) -> Result<(), Damage> {
        let mut bytes = Vec::new();
        let stored = Stored {
            sequence: head.end.sequence,
            commit: head.end.commit,
            hash: head.end.hash.0,
            at: head.at,
            blocks: head.census.blocks,
            sum: head.census.sum,
        };
        encode(&mut bytes, &stored)?;
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        self.tree.insert(HEAD, bytes)?;
        Ok(())
    }
}

/// Puts rows away to blocks, without a head. Enough to make room in memory.
pub(super) fn put_away(
    database: &Database,
    rows: &mut Rows,
    disk: &dyn Disk,
) -> Result<(), Damage> {
    let mut unfinished = rows.blocks.write(rows.hot.changes())?;
    database.sync(Stage::Blocks, disk)?;
    if rows.blocks.shrink(&mut unfinished)? {
        database.sync(Stage::Blocks, disk)?;
    }
    rows.blocks.sweep(unfinished)?;
    rows.hot.settle();
    database.refuse_blobs()
}

/// Writes a checkpoint of rows that are at `end`.
pub(super) fn write(
    database: &Database,
    heads: &Heads,
    rows: &mut Rows,
    (end, at): (End, Instant),
    disk: &dyn Disk,
) -> Result<Head, Damage> {
    put_away(database, rows, disk)?;
    let head = Head { end, at, census: rows.blocks.census() };
    heads.write(&head)?;
    database.sync(Stage::Head, disk)?;
    Ok(head)
}

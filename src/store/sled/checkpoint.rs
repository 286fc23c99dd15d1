//! Checkpoints: changed rows go to blocks, then one head says up to which
//! record. Start-up is the head, its rows, and the records after it.
//!
//! Order: new blocks, sync, old blocks let go of what moved, sync, parts nobody
//! points to, head, sync. A crash before the head leaves the head before, whose
//! census no longer fits the blocks; start-up then makes all rows again from
//! the journal. sled keeps no order that one could rely on instead, least of
//! all through a power failure (docs/decisions/0013).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    Options,
    blocks::Blocks,
    census::Census,
    codec::{decode, encode},
    damage::Damage,
    database::Database,
    journal::{End, Hash, Journal},
    rows::Rows,
    sync::{Disk, Stage},
};
use crate::{domain::instant::Instant, store::Tip};

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

/// Rows, and what is at rest of them.
#[derive(Debug)]
pub(super) struct AtRest {
    pub(super) rows: Rows,
    pub(super) head: Head,
    heads: Heads,
    database: Database,
}

impl AtRest {
    /// What is there beside a journal, if it is exactly what the last
    /// checkpoint left.
    pub(super) fn open(dir: &Path, options: &Options, journal: &Journal) -> Result<Self, Damage> {
        let mut rest = Self::find(dir, options)?;
        journal.saw(("the checkpoint", rest.head.end))?;
        rest.rows.warm()?;
        if rest.rows.blocks.census() == rest.head.census {
            Ok(rest)
        } else {
            Err(Damage::Unreadable {
                what: "the checkpoint".to_owned(),
                why: "its blocks are not those that its head counted; it was not finished"
                    .to_owned(),
            })
        }
    }

    /// None, in a database of its own: one that was found wrong is not used again.
    pub(super) fn anew(dir: &Path, options: &Options) -> Result<Self, Damage> {
        Database::remove(dir)?;
        Self::find(dir, options)
    }

    fn find(dir: &Path, options: &Options) -> Result<Self, Damage> {
        let database = Database::open(dir, options.cache_bytes)?;
        let heads = Heads::open(&database)?;
        let head = heads.read()?;
        let blocks = Blocks::new(database.tree("blocks")?, database.tree("parts")?);
        Ok(Self { rows: Rows::new(blocks), head, heads, database })
    }

    /// Up to where the rows at rest are.
    pub(super) fn tip(&self) -> Tip {
        Tip { sequence: self.head.end.sequence, at: self.head.at }
    }

    /// Puts rows away to blocks, without a head. Enough to make room in memory.
    pub(super) fn put_away(&mut self, disk: &dyn Disk) -> Result<(), Damage> {
        let Self { rows, database, .. } = self;
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
    pub(super) fn checkpoint(
        &mut self,
        end: End,
        at: Instant,
        disk: &dyn Disk,
    ) -> Result<(), Damage> {
        self.put_away(disk)?;
        let head = Head { end, at, census: self.rows.blocks.census() };
        self.heads.write(&head)?;
        self.database.sync(Stage::Head, disk)?;
        self.head = head;
        Ok(())
    }
}

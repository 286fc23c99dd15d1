//! Copies of a journal: `back_up` makes one while a service serves, `restore`
//! makes a data directory of it, `read` reads one without copying. None of them
//! locks or changes what it reads from (docs/decisions/0057).
//!
//! A backup is a folder with
//! - `journal/`, the journal up to a cut, as it is in the data directory;
//! - `base/`, what is kept of records that are no more, if any are;
//! - `durable.fence`, which says that cut;
//! - `backup.json`, a note of what is in it. Written last: without it, it is none.
//!
//! Rows at rest are not in it: the journal makes them.

use std::path::Path;

use super::{
    Item,
    base::Base,
    compact::Commons,
    damage::Damage,
    fence::Fence,
    journal::{Journal, Live, Piece},
    sync::RealDisk,
};
use crate::{domain::told::Told, store::Tip};

mod copy;
mod failure;
mod note;
mod restore;
mod room;
mod survey;
mod take;

pub use self::{
    failure::Failure,
    note::{NOTE, Note},
    restore::restore,
    take::back_up,
};

/// Told how far a copy is: bytes that are done, and about how many there are.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Where a reading ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The last record, and when it was written.
    pub tip: Tip,
    /// The last record that was let go of; 0, if none was.
    pub no_more: u64,
    /// How many commits there are.
    pub commits: u64,
    /// BLAKE3 of the last commit, hexadecimal.
    pub last_hash: String,
    /// What tells this journal from others, hexadecimal.
    pub journal: String,
}

/// What is copied.
struct Source {
    /// What is kept of records that are no more.
    base: Base,
    /// The journal up to its cut.
    live: Live,
}

impl Source {
    /// About how many bytes there are.
    fn bytes(&self) -> Result<u64, Damage> {
        Ok(self.live.bytes() + self.base.bytes()?)
    }
}

/// Whether records were let go of since somebody looked.
fn has_changed(data: &Path, base: &Base) -> bool {
    Base::find(data).is_ok_and(|now| now != *base)
}

fn meanwhile(data: &Path) -> Damage {
    Damage::Meanwhile(data.to_owned())
}

/// What is there.
fn look(data: &Path) -> Result<Source, Damage> {
    let path = Journal::path(data);
    // First: what it says was durable before anything else is looked at.
    match (Fence::look(data)?, Journal::exists(data)?) {
        (Some(fence), true) => {
            let base = Base::find(data)?;
            let live = Live::open(&path, fence, base.end(), &RealDisk);
            let live =
                live.map_err(|why| if has_changed(data, &base) { meanwhile(data) } else { why });
            Ok(Source { base, live: live? })
        }
        (Some(fence), false) if fence.sequence > 0 => {
            Err(Damage::BelowFence { have: 0, fence: fence.sequence })
        }
        (None, true) => Err(Damage::FenceMissing(Fence::path(data))),
        (_, false) => Err(Damage::Nothing(data.to_owned())),
    }
}

/// Reads a data directory, served or not, or a backup: gives every row that is kept of
/// records that are no more, and then every record as it is told, in order, up to what
/// was answered when this began. What `each` fails with ends it.
///
/// # Errors
/// What is wrong with it; or what `each` says.
pub fn read<E: From<Damage>>(
    data: &Path,
    mut each: impl FnMut(Item<'_, Told>) -> Result<(), E>,
) -> Result<Cut, E> {
    let source = look(data)?;
    let cut = read_all(&source, &mut each);
    cut.map_err(|why| if has_changed(data, &source.base) { meanwhile(data).into() } else { why })
}

fn read_all<E: From<Damage>>(
    Source { base, live }: &Source,
    each: &mut impl FnMut(Item<'_, Told>) -> Result<(), E>,
) -> Result<Cut, E> {
    base.rows(|_, row| each(Item::Kept(&row)))?;
    let mut tip = base.tip();
    let mut commons = Commons::default();
    let end = live.read(|piece| {
        let Piece::Frame(frame) = piece else { return Ok(()) };
        for record in frame.records(&mut commons) {
            let record = record?;
            tip = Tip { sequence: record.sequence(), at: record.at() };
            each(Item::Record(&record))?;
        }
        Ok::<(), E>(())
    })?;
    Ok(Cut {
        tip,
        no_more: base.tip().sequence,
        commits: end.commit,
        last_hash: format!("{:?}", end.hash),
        journal: note::journal_id(live.mark()),
    })
}

//! Files of a journal that a start did not read through: rows at rest have what
//! is in them, and reading them all takes minutes where a start may take seconds.
//! They are checked while the store serves, as a start checks the others.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    check,
    frame::End,
    segment::{Head, Segment},
};
use crate::store::sled::damage::Damage;

/// How much of a journal is checked before it is used.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::sled) enum Depth {
    /// All of it.
    All,
    /// What is behind this end, and of what is before it the last so many bytes.
    From(End, u64),
}

impl Depth {
    /// The first file that is checked: those before it are whole files before the
    /// end that somebody saw.
    pub(super) fn first(self, segments: &[Segment], witnesses: &[check::Witness]) -> usize {
        let Self::From(rows, bytes) = self else { return 0 };
        let ends = witnesses.iter().map(|(_, end)| end.commit);
        let oldest = ends.fold(rows.commit, u64::min);
        let has_it = segments.partition_point(|segment| segment.head.before.commit < oldest);
        let mut left = bytes;
        let newest = segments.iter().rev().take_while(|segment| {
            let fits = segment.room <= left;
            left = left.saturating_sub(segment.room);
            fits
        });
        has_it.saturating_sub(1).min(segments.len() - newest.count())
    }
}

/// Files that are still to be checked, each with the head of the one after it.
#[derive(Debug)]
pub(in crate::store::sled) struct Older(Vec<(Segment, Head)>);

/// A file that was checked, which knows now where its frames are.
#[derive(Debug)]
pub(in crate::store::sled) struct Known(pub(super) Segment);

impl Older {
    /// The files before the one with this number; `None` if there are none.
    pub(super) fn of(segments: &[Segment], first: usize) -> Option<Self> {
        let next = segments.iter().skip(1).map(|next| next.head);
        let older: Vec<_> = segments.iter().cloned().zip(next).take(first).collect();
        (!older.is_empty()).then_some(Self(older))
    }

    /// How many bytes they have.
    pub(in crate::store::sled) fn bytes(&self) -> u64 {
        self.0.iter().map(|(segment, _)| segment.filled).sum()
    }

    /// Checks them at once.
    pub(in crate::store::sled) fn check(self, each: impl FnMut(Known)) -> Result<(), Damage> {
        self.read(&AtomicBool::new(false), |_| {}, each)
    }

    /// Checks them with an eighth of a processor at most. Ends early when `stop` is set;
    /// whoever sets it unparks the thread.
    pub(in crate::store::sled) fn check_behind(
        self,
        stop: &AtomicBool,
        each: impl FnMut(Known),
    ) -> Result<(), Damage> {
        let rest = |took| {
            let until = now() + 7 * took;
            while !stop.load(Ordering::Acquire) && now() < until {
                thread::park_timeout(until.saturating_duration_since(now()));
            }
        };
        self.read(stop, rest, each)
    }

    /// Reads them, the newest first: what was written last is asked for first.
    fn read(
        self,
        stop: &AtomicBool,
        rest: impl Fn(Duration),
        mut each: impl FnMut(Known),
    ) -> Result<(), Damage> {
        for (mut segment, next) in self.0.into_iter().rev() {
            let begun = now();
            let mut end = segment.head.before;
            segment.forget();
            let why = check::walk(&mut segment, next.mark, &mut end, &[], stop)?;
            if stop.load(Ordering::Acquire) {
                return Ok(());
            }
            if end != next.before || segment.filled != next.filled {
                return Err(check::broken(why, &end));
            }
            segment.drop_cached();
            each(Known(segment));
            rest(now() - begun);
        }
        Ok(())
    }
}

#[allow(clippy::disallowed_methods, reason = "how fast it reads is no one's answer")]
fn now() -> Instant {
    Instant::now()
}

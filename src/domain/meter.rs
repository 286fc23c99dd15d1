//! The running use of one limit or measure. Owns what is used and held and
//! until when; judges nothing. A hold that has expired counts nothing, written
//! or not.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    ops::Deref,
    sync::{Arc, LazyLock},
};

use super::{
    amount::Amount,
    cell::{Cell, CellKey},
    instant::Instant,
    line::Line,
    name::Id,
    row::Row,
    text::Text,
};
use foldhash::fast::RandomState;

/// Which meter. It stands in a payout, in its changes and under rows, so what it is
/// made of is shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeterKey {
    /// The row it is in, which says a part of what it counts over.
    pub cell: CellKey,
    /// What tells it apart from others in its cell.
    pub within: Within,
}

/// What hashes of keys begin with: another in each process.
pub(super) static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// What tells a meter apart from others in its cell. The same for the orders of a
/// shop, so it is made apart from the cell, and hashed once.
#[derive(Clone)]
pub struct Within {
    of: Arc<Metered>,
    hash: u64,
}

/// What a meter counts, and over which values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Metered {
    /// Id of the limit or measure.
    pub rule: Text,
    /// Values of the scope's facts that the cell does not say, unambiguous across
    /// shops.
    pub scope: Vec<Text>,
    /// Start of a calendar window that the cell does not say.
    pub window_start: Option<Instant>,
}

impl From<Metered> for Within {
    fn from(of: Metered) -> Self {
        let mut state = SEED.build_hasher();
        state.write(of.rule.as_bytes());
        of.scope.iter().for_each(|text| state.write(text.as_bytes()));
        // Meters of one limit differ by little else than when they begin.
        of.window_start.hash(&mut state);
        Self { hash: state.finish(), of: Arc::new(of) }
    }
}

impl Deref for Within {
    type Target = Metered;

    fn deref(&self) -> &Metered {
        &self.of
    }
}

impl PartialEq for Within {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.of, &other.of) || self.of == other.of)
    }
}

impl Eq for Within {}

impl PartialOrd for Within {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Within {
    fn cmp(&self, other: &Self) -> Ordering {
        self.of.cmp(&other.of)
    }
}

impl fmt::Debug for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.fmt(f)
    }
}

impl MeterKey {
    /// A meter in a cell.
    pub fn new(cell: CellKey, within: Metered) -> Self {
        Self { cell, within: within.into() }
    }
}

impl fmt::Debug for MeterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {:?}", self.within, self.cell)
    }
}

/// How a payout counts in a meter or an account at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Held until this instant, then nothing.
    Expiring(Instant),
    /// Held until its payout settles.
    Held,
    /// Confirmed.
    Used,
}

/// Confirmed and held quantities.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Confirmed.
    pub used: Amount,
    /// Held until settled.
    pub held: Amount,
    /// Held until an instant.
    pub expiring: Expiring,
}

/// What is held until an instant each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expiring {
    /// What expires first: all there is in the meters of most orders, which then
    /// need no memory for more.
    first: Option<(Instant, Amount)>,
    /// What expires after it.
    later: Line,
    /// All of it together, so that nothing has to be added up to know it.
    total: Amount,
}

impl Expiring {
    /// What was kept: [`Expiring::shelves`] and [`Expiring::loose`]. `None`: it is not
    /// in order, or together more than there can be.
    pub fn kept<'a>(
        shelves: impl Iterator<Item = &'a [u8]>,
        loose: impl IntoIterator<Item = (Instant, Amount)>,
    ) -> Option<Self> {
        let mut later = Line::kept(shelves, loose)?;
        let total = later.iter().try_fold(Amount::ZERO, |sum, (_, it)| sum.checked_plus(it))?;
        Some(Self { first: later.pop_first(), later, total })
    }

    /// The older part of what is held, as bytes: a few holds each, which stay as
    /// they are while others are added.
    pub fn shelves(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.later.shelves()
    }

    /// What is held besides, the first first.
    pub fn loose(&self) -> impl Iterator<Item = (Instant, Amount)> {
        self.first.into_iter().chain(self.later.loose())
    }

    /// What expires when, the first first.
    pub fn all(&self) -> impl Iterator<Item = (Instant, Amount)> {
        self.first.into_iter().chain(self.later.iter())
    }

    /// What expires last.
    pub fn last(&self) -> Option<(Instant, Amount)> {
        self.later.last().or(self.first)
    }

    /// What has not expired by an instant.
    pub fn held_at(&self, now: Instant) -> Amount {
        match self.first {
            Some((at, amount)) if at <= now => self.total.minus(amount).minus(self.later.by(now)),
            // Nearly always nothing has: what expires is written soon after.
            _ => self.total,
        }
    }

    /// What expires after an instant, by when.
    pub fn after(&self, now: Instant) -> impl Iterator<Item = (Instant, Amount)> {
        self.first.filter(|(at, _)| *at > now).into_iter().chain(self.later.after(now))
    }

    /// Adds, or with a negative quantity takes away.
    fn add(&mut self, at: Instant, quantity: Amount) {
        self.total = self.total.plus(quantity);
        match &mut self.first {
            Some((first, amount)) if *first == at => {
                *amount = amount.plus(quantity);
                if *amount == Amount::ZERO {
                    self.first = self.later.pop_first();
                }
            }
            Some((first, _)) if *first < at => self.later.add(at, quantity),
            _ if quantity == Amount::ZERO => {}
            before => {
                if let Some((at, amount)) = before.replace((at, quantity)) {
                    self.later.add(at, amount);
                }
            }
        }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl Tally {
    /// Held at an instant.
    pub fn held_at(&self, now: Instant) -> Amount {
        self.held.plus(self.expiring.held_at(now))
    }

    /// Adds, or with a negative quantity takes away.
    pub fn add(&mut self, phase: Phase, quantity: Amount) {
        match phase {
            Phase::Used => self.used = self.used.plus(quantity),
            Phase::Held => self.held = self.held.plus(quantity),
            Phase::Expiring(at) => self.expiring.add(at, quantity),
        }
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.used == Amount::ZERO && self.held == Amount::ZERO && self.expiring.is_empty()
    }
}

/// A payout's part of a rolling meter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When it was authorized.
    pub at: Instant,
    /// Which payout.
    pub payout: Id,
    /// How it counts.
    pub phase: Phase,
    /// How much.
    pub quantity: Amount,
}

/// The running use, in the shape its window and scope need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Meter {
    /// A window with a fixed start, or without one.
    Fixed(Tally),
    /// A rolling window: each payout by itself, by time of authorization.
    Rolling(Vec<Entry>),
    /// A scope that includes the amount: a tally per amount.
    ByAmount(BTreeMap<Amount, Tally>),
}

/// Which shape a meter has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// See [`Meter::Fixed`].
    Fixed,
    /// See [`Meter::Rolling`].
    Rolling,
    /// See [`Meter::ByAmount`].
    ByAmount,
}

impl Meter {
    /// An empty one.
    pub fn new(shape: Shape) -> Self {
        match shape {
            Shape::Fixed => Self::Fixed(Tally::default()),
            Shape::Rolling => Self::Rolling(Vec::new()),
            Shape::ByAmount => Self::ByAmount(BTreeMap::new()),
        }
    }

    /// Whether nothing is counted in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Fixed(tally) => tally.is_empty(),
            Self::Rolling(entries) => entries.is_empty(),
            Self::ByAmount(tallies) => tallies.is_empty(),
        }
    }

    /// Applies a change to it.
    pub fn apply(&mut self, change: &Step<'_>) {
        match self {
            Self::Fixed(tally) => change.apply_to(tally),
            Self::ByAmount(tallies) => {
                let tally = tallies.entry(change.amount).or_default();
                change.apply_to(tally);
                if tally.is_empty() {
                    tallies.remove(&change.amount);
                }
            }
            Self::Rolling(entries) => {
                entries.retain(|entry| {
                    entry.payout != *change.payout
                        && change.forget_until.is_none_or(|until| entry.at > until)
                });
                if let Some((phase, quantity)) = change.after
                    && change.forget_until.is_none_or(|until| change.at > until)
                {
                    let entry =
                        Entry { at: change.at, payout: change.payout.clone(), phase, quantity };
                    let place =
                        entries.partition_point(|e| (e.at, &e.payout) < (entry.at, &entry.payout));
                    entries.insert(place, entry);
                }
            }
        }
    }
}

/// How a payout's part of a meter changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterChange {
    /// Which meter.
    pub key: MeterKey,
    /// Its shape, for when it is new.
    pub shape: Shape,
    /// Which payout.
    pub payout: Id,
    /// When the payout was authorized: its place in a rolling window.
    pub at: Instant,
    /// The payout's amount: its place in a scope that includes it.
    pub amount: Amount,
    /// How it counted before.
    pub before: Option<(Phase, Amount)>,
    /// How it counts now.
    pub after: Option<(Phase, Amount)>,
    /// Entries of a rolling window at or before this instant have left it for good.
    pub forget_until: Option<Instant>,
}

impl MeterChange {
    /// The same of what it is made of.
    pub fn step(&self) -> Step<'_> {
        let Self { key, shape, payout, at, amount, before, after, forget_until } = self;
        Step {
            key,
            shape: *shape,
            payout,
            at: *at,
            amount: *amount,
            before: *before,
            after: *after,
            forget_until: *forget_until,
        }
    }
}

/// A [`MeterChange`] of what stands elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Which meter.
    pub key: &'a MeterKey,
    /// Its shape.
    pub shape: Shape,
    /// Which payout.
    pub payout: &'a Id,
    /// When it was authorized.
    pub at: Instant,
    /// Its amount.
    pub amount: Amount,
    /// How it counted before.
    pub before: Option<(Phase, Amount)>,
    /// How it counts now.
    pub after: Option<(Phase, Amount)>,
    /// Entries at or before this instant have left for good.
    pub forget_until: Option<Instant>,
}

impl Step<'_> {
    /// The change, of pieces of its own.
    pub fn change(&self) -> MeterChange {
        let Self { key, shape, payout, at, amount, before, after, forget_until } = *self;
        let (key, payout) = (key.clone(), payout.clone());
        MeterChange { key, shape, payout, at, amount, before, after, forget_until }
    }

    /// The row of its meter after it, from the row before it.
    pub fn apply(&self, row: Option<Arc<Row>>) -> Arc<Row> {
        let mut row = row.unwrap_or_else(|| Arc::new(Row::Cell(Cell::new(self.key.cell.clone()))));
        match Arc::make_mut(&mut row) {
            Row::Cell(cell) => cell.apply(self),
            other => unreachable!("{:?} counts in the row {:?}", self.key, other.key()),
        }
        row
    }

    fn apply_to(&self, tally: &mut Tally) {
        if let Some((phase, quantity)) = self.before {
            tally.add(phase, quantity.negated());
        }
        if let Some((phase, quantity)) = self.after {
            tally.add(phase, quantity);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_parts(seconds, 0).expect("in range")
    }

    proptest! {
        #[test]
        fn what_expires_is_what_a_plain_map_says(steps in vec((0..60_i64, 1..4_u64, any::<bool>()), 0..200)) {
            let (mut expiring, mut plain) = (Expiring::default(), BTreeMap::new());
            for (second, count, adds) in steps {
                let held: &mut Amount = plain.entry(at(second)).or_default();
                let count = Amount::from_count(count);
                // No more is taken away than there is.
                let quantity = if adds { count } else { count.min(*held).negated() };
                *held = held.plus(quantity);
                plain.retain(|_, held| *held != Amount::ZERO);
                expiring.add(at(second), quantity);
                prop_assert_eq!(Some(expiring.clone()), Expiring::kept(expiring.shelves(), expiring.loose()));
                prop_assert_eq!(Some(expiring.clone()), Expiring::kept(std::iter::empty(), plain.clone()));
                prop_assert_eq!(expiring.is_empty(), plain.is_empty());
            }
            for now in (-1..61).map(at) {
                let after: Vec<_> = plain.iter().filter(|(at, _)| **at > now).map(|(at, held)| (*at, *held)).collect();
                let held = after.iter().fold(Amount::ZERO, |sum, (_, held)| sum.plus(*held));
                prop_assert_eq!(expiring.after(now).collect::<Vec<_>>(), after);
                prop_assert_eq!(expiring.held_at(now), held);
            }
            prop_assert_eq!(expiring.last(), expiring.all().last());
            prop_assert_eq!(expiring.all().collect::<Vec<_>>(), plain.into_iter().collect::<Vec<_>>());
        }
    }
}

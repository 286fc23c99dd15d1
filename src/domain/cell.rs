//! Meters that are kept together in one row, because a payout touches them
//! together: all of one order, and otherwise all that count over the same values
//! in the same window. An order has few payouts, so its row stays small; the
//! others have as many meters as the policy has rules.

use std::{
    cmp::Ordering,
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use super::{
    instant::Instant,
    meter::{Meter, MeterKey, SEED, Step, Within},
    name::ProgrammeName,
    text::Text,
};

/// Which cell. Shared by the meters in it, and hashed once.
#[derive(Clone)]
pub struct CellKey {
    of: Arc<Celled>,
    hash: u64,
    /// Whether it is known to be of one order. Tells it apart from one over the same
    /// values: an order may have the id of an operator.
    of_an_order: bool,
}

/// What the meters of a cell have in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Celled {
    /// The programme whose policy has the limits.
    pub programme: ProgrammeName,
    /// Values of facts that all scopes have, unambiguous across shops.
    pub scope: Vec<Text>,
    /// Start of a calendar window that all have.
    pub window_start: Option<Instant>,
}

impl From<Celled> for CellKey {
    fn from(of: Celled) -> Self {
        let mut state = SEED.build_hasher();
        of.scope.iter().for_each(|text| state.write(text.as_bytes()));
        // Cells over the same values differ by little else.
        of.window_start.hash(&mut state);
        Self { hash: state.finish(), of: Arc::new(of), of_an_order: false }
    }
}

impl CellKey {
    /// The cell of an order.
    pub fn of_an_order(of: Celled) -> Self {
        Self { of_an_order: true, ..of.into() }
    }

    /// Whether it is known to be of one order: then hardly anybody asks for it
    /// again.
    pub fn is_of_an_order(&self) -> bool {
        self.of_an_order
    }
}

impl Deref for CellKey {
    type Target = Celled;

    fn deref(&self) -> &Celled {
        &self.of
    }
}

impl Hash for CellKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for CellKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.of_an_order == other.of_an_order
            && (Arc::ptr_eq(&self.of, &other.of) || self.of == other.of)
    }
}

impl Eq for CellKey {}

impl PartialOrd for CellKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CellKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.of_an_order.cmp(&other.of_an_order).then_with(|| self.of.cmp(&other.of))
    }
}

impl fmt::Debug for CellKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.fmt(f)
    }
}

/// A cell's meters, in the order of their keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    key: CellKey,
    meters: Vec<(MeterKey, Meter)>,
}

impl Cell {
    /// An empty one.
    pub fn new(key: CellKey) -> Self {
        Self { key, meters: Vec::new() }
    }

    /// One that was kept with its meters, in the order of their keys.
    pub fn kept(key: CellKey, meters: Vec<(MeterKey, Meter)>) -> Self {
        Self { key, meters }
    }

    /// Its meters, in the order of their keys.
    pub fn meters(&self) -> &[(MeterKey, Meter)] {
        &self.meters
    }

    /// Which one.
    pub fn key(&self) -> &CellKey {
        &self.key
    }

    /// The meter that this tells apart from the others. `None`: nothing was counted in
    /// it yet.
    pub fn meter(&self, within: &Within) -> Option<&Meter> {
        self.meters.get(self.find(within)?).map(|(_, meter)| meter)
    }

    /// Where a meter is. All have the cell in common, so that nothing has to be
    /// compared but the rest.
    fn find(&self, within: &Within) -> Option<usize> {
        self.meters.iter().position(|(other, _)| other.within == *within)
    }

    /// Applies a change to one of its meters.
    pub fn apply(&mut self, change: &Step<'_>) {
        debug_assert_eq!(change.key.cell, self.key, "a meter of another cell");
        if let Some(place) = self.find(&change.key.within) {
            let Some((_, meter)) = self.meters.get_mut(place) else { return };
            meter.apply(change);
            if meter.is_empty() {
                // Or values that are not counted any more would stay for ever.
                self.meters.remove(place);
            }
            return;
        }
        let mut meter = Meter::new(change.shape);
        meter.apply(change);
        if !meter.is_empty() {
            let place = self.place(change.key);
            self.meters.insert(place, (change.key.clone(), meter));
        }
    }

    /// Puts a meter in it.
    #[must_use]
    pub fn with(mut self, key: MeterKey, meter: Meter) -> Self {
        let place = self.place(&key);
        self.meters.insert(place, (key, meter));
        self
    }

    /// Where a meter belongs that is not there.
    fn place(&self, key: &MeterKey) -> usize {
        self.meters.partition_point(|(other, _)| other.within < key.within)
    }
}

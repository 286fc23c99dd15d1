//! Rows that changed and are not at rest yet. Rows that one record made are kept
//! as its number, because the journal has them already: those of payouts and of
//! what belongs to one, which are written whole, and the meters of an order that
//! nobody had before and that no other record changed; after a replay, also other
//! meters and balances of which that is true. Others as they are.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashMap, hash_map::Entry},
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    ops::{Bound, Range, RangeInclusive},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::RandomState;

use super::{
    sort_key::{append_key, encode_key, is_read_in_order},
    sorting::Sorting,
};
use crate::domain::{key::Key, row::Row};

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    /// As it is, after this record: the last one that changed it; 0 if that is not
    /// known.
    Row(Arc<Row>, u64),
    /// As this record made it.
    At(u64),
    /// An order as record `at` wrote it. What `first`, the first one that wrote it, made
    /// besides of its meters and payouts is kept under no key of their own.
    Order {
        /// The last record that wrote it.
        at: u64,
        /// The first one.
        first: u64,
    },
    /// As this record made it, if it did: found by what another row or its own name
    /// says.
    If(u64),
    /// It was deleted.
    Gone,
}

impl Slot {
    /// A row that records changed, this one last; `alone`: this one alone, see
    /// [`Changed`](crate::store::Changed).
    pub(super) fn new(key: &Key, row: Option<Arc<Row>>, sequence: u64, alone: bool) -> Self {
        match row {
            None => Self::Gone,
            // The record that made it is all that is kept of it.
            Some(_) if key.passes() || alone && key.is_of_an_order() => Self::At(sequence),
            Some(row) => Self::Row(row, sequence),
        }
    }
}

/// What hashes of keys begin with: another in each process, the same in all
/// layers, so that a key that is looked for in several is hashed once.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// A key that is looked for.
#[derive(Debug)]
pub(super) struct Sought<'a> {
    key: &'a Key,
    hash: u64,
    bytes: OnceCell<Vec<u8>>,
}

impl<'a> Sought<'a> {
    /// This one.
    pub(super) fn new(key: &'a Key) -> Self {
        Self { key, hash: SEED.hash_one(key), bytes: OnceCell::new() }
    }

    /// The key as bytes, written out when somebody needs them.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get_or_init(|| encode_key(self.key))
    }
}

/// Takes a hash for what it is.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only whole hashes are written, see below.
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Rows by key. Their keys lie behind one another as bytes, so that a row takes
/// little memory, putting one in touches hardly any, and letting go of them all
/// is nothing. Those that are read in order, and hardly ever by name, are found by
/// their order alone: a place in the index is memory that is nowhere near.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Of the rows with a hash, the one that was put in last; without those that are
    /// found by their order.
    index: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    places: Vec<Place>,
    keys: Vec<u8>,
    /// By the kind of key: what is due is asked for all the time, and others hardly
    /// ever.
    order: Mutex<BTreeMap<u8, Order>>,
}

/// A row in a layer.
#[derive(Debug)]
struct Place {
    /// Where its key begins.
    at: usize,
    length: u32,
    /// The row with the same hash before it.
    before: Option<NonLast>,
    slot: Slot,
}

impl Place {
    fn key<'a>(&self, keys: &'a [u8]) -> &'a [u8] {
        let rest = keys.get(self.at..).unwrap_or_default();
        rest.get(..self.length as usize).unwrap_or_default()
    }
}

/// The number of the row under a key, among those with the hash of this one.
fn number(places: &[Place], keys: &[u8], mut last: u32, key: &[u8]) -> Option<u32> {
    loop {
        let place = places.get(last as usize)?;
        if place.key(keys) == key {
            return Some(last);
        }
        last = place.before?.get() - 1;
    }
}

/// The number of a row that has another behind it, plus one: never beyond what
/// there can be.
type NonLast = std::num::NonZeroU32;

/// The rows with one kind of key in the order of their keys, as far as somebody
/// asked for it.
#[derive(Debug, Default)]
struct Order {
    sorted: BTreeMap<Box<[u8]>, u32>,
    /// How many rows of the layer were looked through: the first ones.
    known: usize,
}

/// A layer, in order.
pub(super) struct InOrder<'a> {
    layer: &'a Layer,
    kinds: RangeInclusive<u8>,
    order: MutexGuard<'a, BTreeMap<u8, Order>>,
}

impl InOrder<'_> {
    /// The rows of a range of these kinds.
    pub(super) fn range<'s>(
        &'s self,
        range: &'s Range<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = (&'s [u8], &'s Slot)> {
        let bounds =
            (Bound::Included(range.start.as_slice()), Bound::Excluded(range.end.as_slice()));
        let kinds = self.order.range(self.kinds.clone());
        let rows = kinds.flat_map(move |(_, order)| order.sorted.range::<[u8], _>(bounds));
        rows.filter_map(|(key, number)| Some((&**key, &self.layer.place(*number)?.slot)))
    }
}

impl Layer {
    /// An empty one with room for so many rows: making room later takes as long as
    /// judging a thousand payouts.
    pub(super) fn with_room(rows: usize) -> Self {
        /// Bytes of most keys.
        const KEY: usize = 64;
        Self {
            index: HashMap::with_capacity_and_hasher(rows, BuildHasherDefault::default()),
            places: Vec::with_capacity(rows),
            keys: Vec::with_capacity(rows.saturating_mul(KEY)),
            order: Mutex::default(),
        }
    }

    /// Forgets all rows and keeps the room.
    pub(super) fn clear(&mut self) {
        let order = self.order.get_mut().unwrap_or_else(PoisonError::into_inner);
        order.clear();
        self.index.clear();
        self.places.clear();
        self.keys.clear();
    }

    fn place(&self, number: u32) -> Option<&Place> {
        self.places.get(number as usize)
    }

    fn key(&self, place: &Place) -> &[u8] {
        place.key(&self.keys)
    }

    /// What is known of a row.
    pub(super) fn get(&self, sought: &Sought<'_>) -> Option<&Slot> {
        if is_read_in_order(sought.bytes()) {
            let kind = *sought.bytes().first()?;
            let number =
                *self.in_order(kind..=kind).order.get(&kind)?.sorted.get(sought.bytes())?;
            return self.place(number).map(|place| &place.slot);
        }
        let last = *self.index.get(&sought.hash)?;
        let number = number(&self.places, &self.keys, last, sought.bytes())?;
        self.place(number).map(|place| &place.slot)
    }

    /// Keeps a row.
    ///
    /// # Panics
    /// If there are 2³² rows already, long after memory was full.
    pub(super) fn put(&mut self, key: &Key, slot: Slot) {
        self.put_hashed(|| SEED.hash_one(key), key, slot);
    }

    fn put_hashed(&mut self, hash: impl FnOnce() -> u64, key: &Key, slot: Slot) {
        let at = self.keys.len();
        append_key(key, &mut self.keys);
        let length = u32::try_from(self.keys.len() - at).expect("keys are bounded");
        let next = u32::try_from(self.places.len()).expect("memory holds fewer rows");
        let mut place = Place { at, length, before: None, slot };
        if is_read_in_order(place.key(&self.keys)) {
            self.places.push(place);
            return;
        }
        match self.index.entry(hash()) {
            Entry::Vacant(last) => drop(last.insert(next)),
            Entry::Occupied(mut last) => {
                let known = number(&self.places, &self.keys, *last.get(), place.key(&self.keys));
                if let Some(known) = known.and_then(|known| self.places.get_mut(known as usize)) {
                    self.keys.truncate(at);
                    known.slot = place.slot;
                    return;
                }
                place.before = NonLast::new(last.insert(next) + 1);
            }
        }
        self.places.push(place);
    }

    /// The rows whose keys are of these kinds, in the order of their keys.
    pub(super) fn in_order(&self, kinds: RangeInclusive<u8>) -> InOrder<'_> {
        // Nothing panics meanwhile; the rows that are known are whole at any time.
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        for kind in kinds.clone() {
            let of_kind = order.entry(kind).or_default();
            let new = self.places.iter().enumerate().skip(of_kind.known);
            let new = new.filter_map(|(number, place)| {
                let key = self.key(place);
                (key.first() == Some(&kind)).then_some((key.into(), u32::try_from(number).ok()?))
            });
            of_kind.sorted.extend(new);
            of_kind.known = self.places.len();
        }
        InOrder { layer: self, kinds, order }
    }

    /// How many rows there are at most.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// All rows, in the order of their keys.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[u8], &Slot)> {
        let count = u32::try_from(self.places.len()).expect("as many as were put in");
        let key = |number| self.place(number).map(|place| self.key(place)).unwrap_or_default();
        // Of those with one key the last one counts.
        let places = Sorting::of(count, key).filter_map(|number| self.place(number));
        places.map(|place| (self.key(place), &place.slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{Id, ShopName};

    fn key(shop: &str) -> Key {
        Key::Shop(ShopName::parse(&format!("platforms/p/shops/{shop}")).expect("a name"))
    }

    /// As one that is looked for, with a hash that others have too.
    fn sought(key: &Key) -> Sought<'_> {
        Sought { hash: 7, ..Sought::new(key) }
    }

    #[test]
    fn keys_with_one_hash_are_told_apart() {
        let mut layer = Layer::default();
        let keys = ["a", "b", "c", "d"].map(key);
        for (sequence, key) in (1..).zip(keys.iter().take(3)) {
            layer.put_hashed(|| 7, key, Slot::At(sequence));
        }
        layer.put_hashed(|| 7, &key("a"), Slot::At(9));
        layer.put_hashed(|| 7, &key("b"), Slot::Gone);
        let found: Vec<_> = keys.iter().map(|key| layer.get(&sought(key)).cloned()).collect();
        let expected = [Some(Slot::At(9)), Some(Slot::Gone), Some(Slot::At(3)), None];
        assert_eq!(found, expected);
        assert_eq!(layer.rows().count(), 3, "each once");
    }

    #[test]
    fn a_layer_that_was_cleared_knows_nothing_and_takes_rows_again() {
        let mut layer = Layer::with_room(4);
        layer.put(&key("b"), Slot::At(1));
        let to_c = encode_key(&key("a"))..encode_key(&key("c"));
        assert_eq!(layer.in_order(2..=2).range(&to_c).count(), 1);
        layer.clear();
        assert_eq!(layer.get(&Sought::new(&key("b"))), None);
        layer.put(&key("c"), Slot::At(2));
        layer.put(&key("a"), Slot::At(3));
        let (order, to_d) = (layer.in_order(2..=2), encode_key(&key("a"))..encode_key(&key("d")));
        let all = order.range(&to_d);
        let slots: Vec<_> = all.map(|(_, slot)| slot.clone()).collect();
        assert_eq!(slots, [Slot::At(3), Slot::At(2)]);
    }

    #[test]
    fn of_what_is_read_in_order_the_last_counts_too() {
        let mut layer = Layer::default();
        let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
        let order = shop.order(Id::parse("o").expect("an id"));
        let payout = |id: &str| Key::PayoutOfOrder(order.clone(), Id::parse(id).expect("an id"));
        layer.put(&payout("b"), Slot::At(1));
        layer.put(&payout("a"), Slot::At(2));
        assert_eq!(layer.get(&Sought::new(&payout("b"))), Some(&Slot::At(1)));
        layer.put(&payout("b"), Slot::At(3));
        layer.put(&payout("c"), Slot::At(4));
        layer.put(&payout("c"), Slot::Gone);
        let found = ["a", "b", "c", "d"].map(|id| layer.get(&Sought::new(&payout(id))).cloned());
        assert_eq!(found, [Some(Slot::At(2)), Some(Slot::At(3)), Some(Slot::Gone), None]);
        let rows: Vec<_> = layer.rows().map(|(_, slot)| slot.clone()).collect();
        assert_eq!(rows, [Slot::At(2), Slot::At(3), Slot::Gone]);
    }

    #[test]
    fn kinds_of_keys_come_in_order_each_by_itself_and_together() {
        let mut layer = Layer::default();
        let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
        let platform = Key::Platform(shop.platform());
        let (first, last) = (vec![0], vec![u8::MAX]);
        let slots = |layer: &Layer, kinds: RangeInclusive<u8>| -> Vec<Slot> {
            let (order, all) = (layer.in_order(kinds), first.clone()..last.clone());
            let forward: Vec<Slot> = order.range(&all).map(|(_, slot)| slot.clone()).collect();
            let backward = order.range(&all).rev().map(|(_, slot)| slot.clone());
            assert!(backward.eq(forward.iter().rev().cloned()));
            forward
        };
        layer.put(&key("b"), Slot::At(1));
        layer.put(&platform, Slot::At(2));
        assert_eq!(slots(&layer, 2..=2), [Slot::At(1)]);
        layer.put(&key("a"), Slot::At(3));
        assert_eq!(slots(&layer, 1..=1), [Slot::At(2)]);
        assert_eq!(slots(&layer, 2..=2), [Slot::At(3), Slot::At(1)]);
        assert_eq!(slots(&layer, 0..=9), [Slot::At(2), Slot::At(3), Slot::At(1)]);
    }
}

//! A few amounts by instant, as bytes: what stands in a [`Line`](super::line::Line)
//! for long takes a fourth of the memory, is shared by copies, and is written to
//! disk as it is.

use std::sync::Arc;

use super::{amount::Amount, instant::Instant};

/// How many amounts go on a shelf.
pub(super) const ENTRIES: usize = 16;

/// Instant of the first, and with how many decimals amounts are written.
const HEAD: usize = 16 + 1;

/// Amounts by instant, in order: at least one, none of them 0, each instant once.
///
/// Behind the head there is the first amount in its smallest units, and of each
/// other how many nanoseconds it is later, and the amount: as varints.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    last: Instant,
    /// Its amounts together: a few of 64 bits fit.
    sum: Amount,
    bytes: Arc<[u8]>,
}

impl Shelf {
    /// Of entries in order, each instant once. `None`: there are none, or they are not
    /// above 0, or too large or too far apart.
    pub(super) fn new(entries: &[(Instant, Amount)]) -> Option<Self> {
        let [(first, _), ..] = entries else { return None };
        let (last, _) = entries.last()?;
        let decimals = entries.iter().map(|(_, amount)| amount.digits().1).max()?;
        let mut bytes = Vec::with_capacity(HEAD + 8 * entries.len());
        bytes.extend(first.nanos().to_be_bytes());
        bytes.push(u8::try_from(decimals).ok()?);
        let (mut before, mut sum) = (*first, Amount::ZERO);
        for (number, (at, amount)) in entries.iter().enumerate() {
            if number > 0 {
                varint(&mut bytes, u64::try_from(at.nanos() - before.nanos()).ok()?);
                before = *at;
            }
            let digits = u64::try_from(amount.digits_with(decimals)?).ok()?;
            (digits > 0).then_some(())?;
            varint(&mut bytes, digits);
            sum = sum.checked_plus(*amount)?;
        }
        Some(Self { last: *last, sum, bytes: bytes.into() })
    }

    /// One that was kept. `None`: it is none.
    pub(super) fn kept(bytes: &[u8]) -> Option<Self> {
        let mut entries = Entries::of(bytes);
        let (mut last, mut sum) = entries.next()?;
        while !entries.bytes.is_empty() {
            let (at, amount) = entries.next()?;
            (last < at).then_some(())?;
            last = at;
            sum = sum.checked_plus(amount)?;
        }
        Some(Self { last, sum, bytes: bytes.into() })
    }

    /// The last instant.
    pub(super) fn last(&self) -> Instant {
        self.last
    }

    /// Its amounts together.
    pub(super) fn sum(&self) -> Amount {
        self.sum
    }

    /// As bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is on it, in order.
    pub(super) fn entries(&self) -> Entries<'_> {
        Entries::of(&self.bytes)
    }
}

/// What is on a shelf, in order.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    /// Instant and decimals, when they can be read.
    head: Option<(i128, u32)>,
    is_first: bool,
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let head = bytes.split_first_chunk().and_then(|(first, rest)| {
            let (decimals, rest) = rest.split_first()?;
            Some(((i128::from_be_bytes(*first), u32::from(*decimals)), rest))
        });
        let (head, bytes) = head.map_or((None, [].as_slice()), |(head, rest)| (Some(head), rest));
        Self { head, is_first: true, bytes }
    }
}

impl Iterator for Entries<'_> {
    type Item = (Instant, Amount);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, decimals) = self.head.as_mut()?;
        if !std::mem::take(&mut self.is_first) {
            *at = at.checked_add(take_varint(&mut self.bytes)?.into())?;
        }
        let digits = take_varint(&mut self.bytes)?;
        let amount = Amount::from_digits(digits.into(), *decimals)?;
        (digits > 0).then_some((Instant::from_nanos(*at)?, amount))
    }
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, prelude::*};

    use super::*;

    fn sum(entries: &[(Instant, Amount)]) -> Amount {
        entries.iter().fold(Amount::ZERO, |sum, (_, amount)| sum.plus(*amount))
    }

    fn entry(nanos: i64, digits: u64, decimals: u32) -> (Instant, Amount) {
        let amount = Amount::from_digits(digits.into(), decimals).expect("an amount");
        (Instant::from_nanos(nanos.into()).expect("an instant"), amount)
    }

    proptest! {
        #[test]
        fn what_is_put_on_a_shelf_is_on_it(
            all in btree_map(any::<i64>(), (1..=u64::MAX >> 31, 0..9_u32), 1..2 * ENTRIES),
        ) {
            let all: Vec<_> = all.into_iter().map(|(at, (digits, decimals))| entry(at, digits, decimals)).collect();
            let shelf = Shelf::new(&all).expect("a shelf");
            let kept = Shelf::kept(shelf.bytes()).expect("a shelf");
            for shelf in [shelf, kept] {
                let found: Vec<_> = shelf.entries().collect();
                prop_assert_eq!(&found, &all);
                prop_assert_eq!(Some(shelf.last()), all.last().map(|(at, _)| *at));
                prop_assert_eq!(shelf.sum(), sum(&all));
            }
        }

        #[test]
        fn whatever_the_bytes_are_a_shelf_is_one_or_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(shelf) = Shelf::kept(&bytes) {
                let all: Vec<_> = shelf.entries().collect();
                prop_assert!(all.is_sorted_by(|a, b| a.0 < b.0));
                prop_assert!(all.iter().all(|(_, amount)| amount.is_positive()));
                prop_assert_eq!(all.last().map(|(at, _)| *at), Some(shelf.last()));
                prop_assert_eq!(shelf.sum(), sum(&all));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_put_on_no_shelf() {
        assert!(Shelf::new(&[]).is_none());
        assert!(Shelf::new(&[entry(0, 0, 2)]).is_none(), "nothing");
        let negative = entry(0, 5, 2).1.negated();
        assert!(Shelf::new(&[(entry(0, 1, 2).0, negative)]).is_none());
        let large = Amount::from_digits(1 << 64, 0).expect("an amount");
        assert!(Shelf::new(&[(entry(0, 1, 2).0, large)]).is_none());
        assert!(Shelf::new(&[entry(0, u64::MAX, 0), entry(1, 1, 1)]).is_none());
        assert!(Shelf::new(&[(Instant::MIN, Amount::ONE), (Instant::MAX, Amount::ONE)]).is_none());
    }

    #[test]
    fn a_shelf_that_is_cut_is_none() {
        let whole = Shelf::new(&[entry(0, 1, 2), entry(5, 1 << 40, 2)]).expect("a shelf");
        let cut = |length: usize| Shelf::kept(&whole.bytes()[..length]);
        // The first entry alone is a shelf of one.
        assert!((0..whole.bytes().len()).filter(|it| cut(*it).is_some()).eq([HEAD + 1]));
    }
}

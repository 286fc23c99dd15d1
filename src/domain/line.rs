//! Amounts by instant, for what is nearly always added at the end: payouts of one
//! policy expire in the order in which they were authorized. What is taken away
//! in between leaves a gap until there are many; what comes in between stands apart.

use std::{
    collections::{BTreeMap, VecDeque},
    iter,
    ops::Bound,
};

use super::{amount::Amount, instant::Instant};

/// Gaps that are left in any case, and how far from the end something is put in
/// between: further from it, moving what is behind would take too long.
const FEW: usize = 16;

/// See the module. No amount that stands in it is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// In order, each instant once. An amount of 0 is a gap; there is none at
    /// either end.
    entries: VecDeque<(Instant, Amount)>,
    gaps: usize,
    /// What belongs far from the end of the others: of policies that hold for less
    /// long than another. None of their instants is among the others'.
    between: BTreeMap<Instant, Amount>,
}

/// Gaps make no difference.
impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Line {}

impl FromIterator<(Instant, Amount)> for Line {
    fn from_iter<T: IntoIterator<Item = (Instant, Amount)>>(entries: T) -> Self {
        let mut line = Self::default();
        entries.into_iter().for_each(|(at, amount)| line.add(at, amount));
        line
    }
}

impl Line {
    /// Adds to the amount at an instant, or with a negative quantity takes away.
    pub(super) fn add(&mut self, at: Instant, quantity: Amount) {
        if quantity == Amount::ZERO {
            return;
        }
        if let Some(amount) = self.between.get_mut(&at) {
            *amount = amount.plus(quantity);
            if *amount == Amount::ZERO {
                self.between.remove(&at);
            }
            return;
        }
        let place = match self.entries.back() {
            Some((last, _)) if *last < at => Err(self.entries.len()),
            _ => self.entries.binary_search_by_key(&at, |(at, _)| *at),
        };
        let place = match place {
            Ok(place) => place,
            Err(place) if self.entries.len() - place <= FEW => {
                self.entries.insert(place, (at, quantity));
                return;
            }
            Err(_) => {
                self.between.insert(at, quantity);
                return;
            }
        };
        let Some((_, amount)) = self.entries.get_mut(place) else { return };
        let was_gap = *amount == Amount::ZERO;
        *amount = amount.plus(quantity);
        match (was_gap, *amount == Amount::ZERO) {
            (true, _) => self.gaps -= 1,
            (false, true) => {
                self.gaps += 1;
                self.close();
            }
            (false, false) => {}
        }
    }

    /// Closes gaps at the ends, and all when they are more than what stands.
    fn close(&mut self) {
        let is_gap = |entry: &mut (Instant, Amount)| entry.1 == Amount::ZERO;
        while self.entries.pop_front_if(is_gap).is_some() {
            self.gaps -= 1;
        }
        while self.entries.pop_back_if(is_gap).is_some() {
            self.gaps -= 1;
        }
        if self.gaps > FEW && self.gaps > self.entries.len() / 2 {
            self.entries.retain(|(_, amount)| *amount != Amount::ZERO);
            self.gaps = 0;
        }
    }

    /// Takes out what is first.
    pub(super) fn pop_first(&mut self) -> Option<(Instant, Amount)> {
        let front = self.entries.front().map(|(at, _)| *at);
        match self.between.first_key_value() {
            Some((at, _)) if front.is_none_or(|front| *at < front) => self.between.pop_first(),
            _ => {
                let first = self.entries.pop_front();
                self.close();
                first
            }
        }
    }

    /// What stands in it, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Instant, Amount)> {
        let entries = self.entries.iter().copied().filter(|(_, amount)| *amount != Amount::ZERO);
        in_order(entries, self.between.iter().map(|(at, amount)| (*at, *amount)))
    }

    /// The same after an instant.
    pub(super) fn after(&self, now: Instant) -> impl Iterator<Item = (Instant, Amount)> {
        let place = self.entries.partition_point(|(at, _)| *at <= now);
        let entries = self.entries.range(place..).copied();
        let entries = entries.filter(|(_, amount)| *amount != Amount::ZERO);
        let after = (Bound::Excluded(now), Bound::Unbounded);
        in_order(entries, self.between.range(after).map(|(at, amount)| (*at, *amount)))
    }
}

/// Two in order as one.
fn in_order(
    one: impl Iterator<Item = (Instant, Amount)>,
    other: impl Iterator<Item = (Instant, Amount)>,
) -> impl Iterator<Item = (Instant, Amount)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some((first, _)), Some((second, _))) if second < first => other.next(),
        (None, _) => other.next(),
        _ => one.next(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_parts(seconds, 0).expect("in range")
    }

    proptest! {
        #[test]
        fn a_line_has_what_a_map_has(steps in vec((0..200_i64, -2..3_i8), 0..600), now in 0..200_i64, pops in 0..10_usize) {
            let (mut line, mut map) = (Line::default(), BTreeMap::<Instant, Amount>::new());
            for (second, quantity) in steps {
                let amount = Amount::from_count(u64::from(quantity.unsigned_abs()));
                let amount = if quantity < 0 { amount.negated() } else { amount };
                line.add(at(second), amount);
                let stands = map.entry(at(second)).or_default();
                *stands = stands.plus(amount);
                map.retain(|_, amount| *amount != Amount::ZERO);
                let gaps = line.entries.iter().filter(|(_, amount)| *amount == Amount::ZERO).count();
                prop_assert_eq!(gaps, line.gaps);
                prop_assert!(gaps <= FEW.max(line.entries.len() / 2));
            }
            for _ in 0..pops {
                prop_assert_eq!(line.pop_first(), map.pop_first());
            }
            let plain: Vec<_> = map.iter().map(|(at, amount)| (*at, *amount)).collect();
            prop_assert_eq!(line.iter().collect::<Vec<_>>(), plain.clone());
            let later: Vec<_> = plain.iter().copied().filter(|(then, _)| *then > at(now)).collect();
            prop_assert_eq!(line.after(at(now)).collect::<Vec<_>>(), later);
            prop_assert_eq!(&line, &plain.into_iter().collect::<Line>());
        }
    }
}

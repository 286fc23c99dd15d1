//! Amounts by instant, for what is nearly always added at the end: payouts of one
//! policy expire in the order in which they were authorized. What is not at the end
//! any more goes on shelves, a few together. What is taken away at the end leaves a
//! gap until there are many; what comes in between stands apart.

use std::{
    collections::{BTreeMap, VecDeque},
    iter,
    ops::Bound,
};

use super::{
    amount::Amount,
    instant::Instant,
    shelf::{self, Shelf},
};

/// Gaps that are left in any case, and how far from the end something is put in
/// between: further from it, moving what is behind would take too long.
const FEW: usize = 16;

/// See the module. No amount that stands in it is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// What is before the end, in order.
    shelves: VecDeque<Shelf>,
    /// The end, behind what is on shelves, in order, each instant once. An amount of
    /// 0 is a gap; there is none at either end.
    entries: VecDeque<(Instant, Amount)>,
    gaps: usize,
    /// What belongs far from the end of the others: of policies that hold for less
    /// long than another; and what does not fit on a shelf, or was on the first. None
    /// of their instants is among the others'.
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
        if self.shelves.back().is_some_and(|shelf| at <= shelf.last()) {
            return self.add_to_shelf(at, quantity);
        }
        let place = match self.entries.back() {
            Some((last, _)) if *last < at => Err(self.entries.len()),
            _ => self.entries.binary_search_by_key(&at, |(at, _)| *at),
        };
        let place = match place {
            Ok(place) => place,
            Err(place) if self.entries.len() - place <= FEW => {
                self.entries.insert(place, (at, quantity));
                return self.shelve();
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

    /// Adds where there are shelves.
    fn add_to_shelf(&mut self, at: Instant, quantity: Amount) {
        let number = self.shelves.partition_point(|shelf| shelf.last() < at);
        let Some(shelf) = self.shelves.get_mut(number) else { return };
        let mut entries: Vec<(Instant, Amount)> = shelf.entries().collect();
        let Ok(place) = entries.binary_search_by_key(&at, |(at, _)| *at) else {
            self.between.insert(at, quantity);
            return;
        };
        if let Some((_, amount)) = entries.get_mut(place) {
            *amount = amount.plus(quantity);
            if *amount == Amount::ZERO {
                entries.remove(place);
            }
        }
        match Shelf::new(&entries) {
            Some(changed) => *shelf = changed,
            None => {
                self.shelves.remove(number);
                self.between.extend(entries);
            }
        }
    }

    /// Puts what is not at the end any more on a shelf.
    fn shelve(&mut self) {
        if self.entries.len() < 2 * shelf::ENTRIES {
            return;
        }
        let entries: Vec<_> = self.entries.drain(..shelf::ENTRIES).collect();
        let stands: Vec<_> =
            entries.iter().copied().filter(|(_, amount)| *amount != Amount::ZERO).collect();
        self.gaps -= entries.len() - stands.len();
        match Shelf::new(&stands) {
            Some(shelf) => self.shelves.push_back(shelf),
            None => self.between.extend(stands),
        }
        self.close();
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

    /// What is last.
    pub(super) fn last(&self) -> Option<(Instant, Amount)> {
        let shelved = || self.shelves.back().and_then(|shelf| shelf.entries().last());
        // There is no gap at the end.
        let last = self.entries.back().copied().or_else(shelved);
        let between = self.between.last_key_value().map(|(at, amount)| (*at, *amount));
        last.into_iter().chain(between).max_by_key(|(at, _)| *at)
    }

    /// Takes out what is first.
    pub(super) fn pop_first(&mut self) -> Option<(Instant, Amount)> {
        let shelved = self.shelves.front().and_then(|shelf| shelf.entries().next());
        if let Some((at, _)) = shelved
            && self.between.first_key_value().is_none_or(|(first, _)| at < *first)
            && let Some(shelf) = self.shelves.pop_front()
        {
            self.between.extend(shelf.entries());
        }
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

    /// What is on shelves, as bytes, in order.
    pub(super) fn shelves(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.shelves.iter().map(Shelf::bytes)
    }

    /// What is not on shelves, in order.
    pub(super) fn loose(&self) -> impl Iterator<Item = (Instant, Amount)> {
        let entries = self.entries.iter().copied().filter(|(_, amount)| *amount != Amount::ZERO);
        in_order(entries, self.between.iter().map(|(at, amount)| (*at, *amount)))
    }

    /// One that was kept: what was on shelves, and what was not. `None`: those are no
    /// shelves, or it is not in order, or an instant stands in it twice or with 0.
    pub(super) fn kept<'a>(
        shelves: impl Iterator<Item = &'a [u8]>,
        loose: impl IntoIterator<Item = (Instant, Amount)>,
    ) -> Option<Self> {
        let shelves: VecDeque<Shelf> = shelves.map(Shelf::kept).collect::<Option<_>>()?;
        let last = shelves.back().map(Shelf::last);
        let (mut line, mut before) = (Self { shelves, ..Self::default() }, None);
        for (at, amount) in loose {
            if Some(at) <= before || amount == Amount::ZERO {
                return None;
            }
            before = Some(at);
            if Some(at) <= last {
                line.between.insert(at, amount);
            } else {
                line.entries.push_back((at, amount));
                line.shelve();
            }
        }
        let is_in_order = line.iter().is_sorted_by(|(one, _), (other, _)| one < other);
        is_in_order.then_some(line)
    }

    /// All that stands at an instant or before it, together.
    pub(super) fn by(&self, now: Instant) -> Amount {
        let number = self.shelves.partition_point(|shelf| shelf.last() <= now);
        let whole = self.shelves.range(..number).map(Shelf::sum);
        let part = self.shelves.get(number).into_iter().flat_map(Shelf::entries);
        let between = self.between.range(..=now).map(|(at, amount)| (*at, *amount));
        let entries = self.entries.iter().copied();
        let is_by = |(at, _): &(Instant, Amount)| *at <= now;
        let single = part.take_while(is_by).chain(entries.take_while(is_by)).chain(between);
        whole.chain(single.map(|(_, amount)| amount)).fold(Amount::ZERO, Amount::plus)
    }

    /// What stands in it, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Instant, Amount)> {
        let entries = self.entries.iter().copied().filter(|(_, amount)| *amount != Amount::ZERO);
        let entries = self.shelves.iter().flat_map(Shelf::entries).chain(entries);
        in_order(entries, self.between.iter().map(|(at, amount)| (*at, *amount)))
    }

    /// The same after an instant.
    pub(super) fn after(&self, now: Instant) -> impl Iterator<Item = (Instant, Amount)> {
        let place = self.entries.partition_point(|(at, _)| *at <= now);
        let entries = self.entries.range(place..).copied();
        let entries = entries.filter(|(_, amount)| *amount != Amount::ZERO);
        let number = self.shelves.partition_point(|shelf| shelf.last() <= now);
        let shelves = self.shelves.range(number..).flat_map(Shelf::entries);
        let entries = shelves.filter(move |(at, _)| *at > now).chain(entries);
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

    #[test]
    fn what_is_not_at_the_end_is_on_shelves() {
        let mut line: Line = (0..100).map(|second| (at(second), Amount::ONE)).collect();
        assert_eq!(line.shelves().len(), 5);
        assert!(line.between.is_empty());
        line.add(at(20), Amount::ONE.negated());
        line.add(at(21), Amount::ONE);
        assert_eq!((line.shelves().len(), line.between.len()), (5, 0));
        assert_eq!(line.iter().count(), 99);
        assert_eq!(line.pop_first(), Some((at(0), Amount::ONE)));
        assert_eq!((line.shelves().len(), line.between.len()), (4, 15));
    }

    proptest! {
        #[test]
        fn a_line_has_what_a_map_has(first in 0..150_i64, steps in vec((0..200_i64, -2..3_i8), 0..600), now in 0..200_i64, pops in 0..10_usize) {
            let (mut line, mut map) = (Line::default(), BTreeMap::<Instant, Amount>::new());
            let first = (0..first).map(|second| (second, 1));
            for (second, quantity) in first.chain(steps) {
                let amount = Amount::from_count(u64::from(quantity.unsigned_abs()));
                let amount = if quantity < 0 { amount.negated() } else { amount };
                line.add(at(second), amount);
                let stands = map.entry(at(second)).or_default();
                *stands = stands.plus(amount);
                map.retain(|_, amount| *amount != Amount::ZERO);
                let gaps = line.entries.iter().filter(|(_, amount)| *amount == Amount::ZERO).count();
                prop_assert_eq!(gaps, line.gaps);
                prop_assert!(gaps <= FEW.max(line.entries.len() / 2));
                let shelved = line.shelves.iter().flat_map(Shelf::entries).map(|(at, _)| at);
                let all: Vec<_> = shelved.chain(line.entries.iter().map(|(at, _)| *at)).collect();
                prop_assert!(all.is_sorted_by(|a, b| a < b));
                prop_assert!(line.entries.len() < 2 * shelf::ENTRIES);
            }
            let kept = Line::kept(line.shelves(), line.loose());
            prop_assert_eq!(kept.as_ref(), Some(&line));
            for _ in 0..pops {
                prop_assert_eq!(line.pop_first(), map.pop_first());
            }
            let plain: Vec<_> = map.iter().map(|(at, amount)| (*at, *amount)).collect();
            prop_assert_eq!(line.iter().collect::<Vec<_>>(), plain.clone());
            prop_assert_eq!(line.last(), plain.last().copied());
            let later: Vec<_> = plain.iter().copied().filter(|(then, _)| *then > at(now)).collect();
            let by = plain.iter().filter(|(then, _)| *then <= at(now));
            let by = by.fold(Amount::ZERO, |sum, (_, amount)| sum.plus(*amount));
            prop_assert_eq!(line.by(at(now)), by);
            prop_assert_eq!(line.after(at(now)).collect::<Vec<_>>(), later);
            prop_assert_eq!(&line, &plain.into_iter().collect::<Line>());
        }
    }
}

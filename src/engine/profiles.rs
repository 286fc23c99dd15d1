//! Profiles of operators that asked lately, for their next payouts. Of a store
//! that nobody else changes: a change of what is configured comes by here, and
//! lets go of what it may concern.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use super::working::Seats;
use crate::{
    decision::profile::{Profile, Whose},
    domain::{change::Change, instant::Instant, key::Key, name::ShopName, row::Row},
};

/// How many are kept, of some 2 KB each under the published policy, besides the rows
/// that they share. When there are more, all go: working one out takes no longer
/// than judging a payout.
const MOST: usize = 32_768;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Profiles(Kept<Seated>);

/// A profile, and where the rows were held the last time that its payouts come back to.
pub(super) type Seated = (Arc<Profile>, Option<Arc<Seats>>);

impl Profiles {
    /// The profile of whose payouts they are, if it holds at an instant.
    pub(super) fn get(&self, whose: &Whose, now: Instant) -> Option<Seated> {
        self.peek(whose).filter(|(profile, _)| profile.holds_at(now)).cloned()
    }

    /// The same, whether it still holds or not.
    pub(super) fn peek(&self, whose: &Whose) -> Option<&Seated> {
        self.0.get(whose)
    }

    /// Keeps one for later, if all of it is there.
    pub(super) fn keep(&mut self, whose: Whose, profile: Arc<Profile>) {
        if profile.is_complete() && profile.whose() == Some(&whose) {
            self.0.keep(whose, (profile, None));
        }
    }

    /// Takes note of where the rows of one are held.
    pub(super) fn seat(&mut self, whose: &Whose, seats: Arc<Seats>) {
        if let Some((_, known)) = self.0.get_mut(whose) {
            *known = Some(seats);
        }
    }

    /// Takes note of a change.
    pub(super) fn see(&mut self, change: &Change) {
        self.0.see(change);
    }
}

/// What is kept of whom, and of whom of a shop, because most changes concern one
/// shop.
#[derive(Debug)]
struct Kept<T> {
    of: HashMap<Whose, T, RandomState>,
    shops: HashMap<ShopName, Vec<Whose>, RandomState>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { of: HashMap::default(), shops: HashMap::default() }
    }
}

/// What a change concerns.
enum Concern {
    Nobody,
    Shop(ShopName),
    Everybody,
}

impl<T> Kept<T> {
    fn get(&self, whose: &Whose) -> Option<&T> {
        self.of.get(whose)
    }

    fn get_mut(&mut self, whose: &Whose) -> Option<&mut T> {
        self.of.get_mut(whose)
    }

    fn keep(&mut self, whose: Whose, value: T) {
        if self.of.len() >= MOST {
            self.clear();
        }
        if self.of.insert(whose.clone(), value).is_none() {
            let Whose { platform, shop, .. } = whose.clone();
            self.shops.entry(ShopName { platform, shop }).or_default().push(whose);
        }
    }

    fn see(&mut self, change: &Change) {
        let concern = match change {
            Change::Meter(_) | Change::Balance(_) => Concern::Nobody,
            Change::Put(row) => match row.as_ref() {
                // What every payout writes: without writing out its key.
                Row::Order(_)
                | Row::Payout(_)
                | Row::PayoutOfOrder(..)
                | Row::Decision(_)
                | Row::Request(_) => Concern::Nobody,
                row => concern(&row.key()),
            },
            Change::Delete(key) => concern(key),
        };
        match concern {
            Concern::Nobody => {}
            Concern::Shop(shop) => {
                for whose in self.shops.remove(&shop).into_iter().flatten() {
                    self.of.remove(&whose);
                }
            }
            Concern::Everybody => self.clear(),
        }
    }

    fn clear(&mut self) {
        self.of.clear();
        self.shops.clear();
    }
}

/// Whose profiles may read a row.
fn concern(key: &Key) -> Concern {
    match key {
        Key::Platform(_) | Key::Programme(_) | Key::Revision(_) => Concern::Everybody,
        Key::Shop(name) => Concern::Shop(name.clone()),
        Key::Operator(name) => Concern::Shop(name.shop()),
        Key::Grant(name) => Concern::Shop(name.shop()),
        Key::Account(name) => Concern::Shop(name.shop()),
        Key::Freezes(target) => Concern::Shop(target.shop()),
        Key::Balance(_)
        | Key::Movement(..)
        | Key::MovementNumber(..)
        | Key::Order(_)
        | Key::Payout(_)
        | Key::PayoutOfOrder(..)
        | Key::Decision(_)
        | Key::Request(_)
        | Key::Freeze(_)
        | Key::Cell(_)
        | Key::Due(..) => Concern::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        freeze::Target,
        name::{Id, OperatorName, PlatformName, ProgrammeName, RevisionName},
    };

    fn id(text: &str) -> Id {
        Id::parse(text).expect("an id")
    }

    fn shop(name: &str) -> ShopName {
        ShopName { platform: id("p"), shop: id(name) }
    }

    fn operator(of: &str) -> OperatorName {
        shop(of).operator(id("o"))
    }

    fn who(shop: &str) -> Whose {
        let (operator, programme) = (Some(id("o")), id("g"));
        Whose { platform: id("p"), shop: id(shop), operator, programme }
    }

    /// Which of two shops are still known after a change.
    fn known_after(change: &Change) -> Vec<&'static str> {
        let mut kept = Kept::default();
        let shops = ["s", "t"];
        shops.into_iter().for_each(|name| kept.keep(who(name), ()));
        kept.see(change);
        let known = |name: &&str| kept.get(&who(name)).is_some();
        let known: Vec<_> = shops.into_iter().filter(known).collect();
        assert_eq!(kept.of.len(), known.len());
        known
    }

    #[test]
    fn what_is_configured_of_a_shop_lets_go_of_that_shop() {
        let account = shop("s").account(id("a"));
        for key in [
            Key::Shop(shop("s")),
            Key::Operator(operator("s")),
            Key::Grant(operator("s").grant(&id("g"))),
            Key::Account(account.clone()),
            Key::Freezes(Target::Shop(shop("s"))),
            Key::Freezes(Target::Operator(operator("s"))),
            Key::Freezes(Target::Account(account)),
        ] {
            assert_eq!(known_after(&Change::Delete(key.clone())), ["t"], "{key:?}");
        }
    }

    #[test]
    fn what_is_configured_of_a_platform_lets_go_of_all() {
        let programme = ProgrammeName { platform: id("p"), programme: id("g") };
        for key in [
            Key::Platform(PlatformName { platform: id("p") }),
            Key::Programme(programme.clone()),
            Key::Revision(RevisionName { programme, number: 1 }),
        ] {
            assert!(known_after(&Change::Delete(key.clone())).is_empty(), "{key:?}");
        }
    }

    #[test]
    fn what_a_payout_writes_lets_go_of_nobody() {
        let order = shop("s").order(id("o"));
        for key in [
            Key::Order(order.clone()),
            Key::PayoutOfOrder(order, id("x")),
            Key::Payout(shop("s").payout(id("x"))),
            Key::Decision(shop("s").decision(id("x"))),
            Key::Balance(shop("s").account(id("a"))),
        ] {
            assert_eq!(known_after(&Change::Delete(key.clone())), ["s", "t"], "{key:?}");
        }
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let mut kept = Kept::default();
        for number in 0..=MOST {
            let whose = Whose { operator: Some(id(&format!("o{number}"))), ..who("s") };
            kept.keep(whose.clone(), ());
            assert!(kept.of.len() <= MOST);
            assert!(kept.get(&whose).is_some(), "the last one is known");
        }
        assert_eq!((kept.of.len(), kept.shops.len()), (1, 1));
    }
}

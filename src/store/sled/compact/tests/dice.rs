//! What records are made of, by chance and with everything that types allow:
//! nothing, a lot, the same again, the largest and the smallest.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::domain::{
    amount::{Amount, Currency},
    cell::{Cell, CellKey, Celled},
    instant::Instant,
    limit::OnReturn,
    meter::{Entry, Expiring, Meter, MeterKey, Metered, Phase, Shape, Tally},
    name::{FreezeName, Id, ProgrammeName, RevisionName, ShopName},
    named::Named,
    payout::{CountsWhile, Holding, State},
    shop::Stamp,
    text::Text,
    value::{Fact, Value},
    who::{Author, RoleSet},
};

/// Draws; the same of the same seed.
pub(in crate::store::sled) struct Dice(u64);

impl Dice {
    pub(in crate::store::sled) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    pub(super) fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A number of any size.
    pub(super) fn number(&mut self) -> u64 {
        let shift = self.below(64);
        self.draw() >> shift
    }

    pub(super) fn small(&mut self) -> u32 {
        u32::try_from(self.number() >> 32).expect("32 bits")
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        let at = self.below(of.len() as u64);
        of[usize::try_from(at).expect("small")].clone()
    }

    pub(super) fn maybe<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| draw(self))
    }

    pub(super) fn list<T>(&mut self, draw: impl Fn(&mut Self) -> T) -> Vec<T> {
        let most = if self.below(20) == 0 { 40 } else { 4 };
        (0..self.below(most)).map(|_| draw(self)).collect()
    }

    pub(super) fn map<K: Ord, V>(
        &mut self,
        key: impl Fn(&mut Self) -> K,
        value: impl Fn(&mut Self) -> V,
    ) -> BTreeMap<K, V> {
        self.list(|dice| (key(dice), value(dice))).into_iter().collect()
    }

    pub(super) fn text(&mut self) -> Text {
        match self.below(12) {
            0 => Text::default(),
            1 => "x".repeat(usize::try_from(self.below(300)).expect("small")).into(),
            2 => format!("é{}", self.number()).into(),
            3 => format!("platforms/p/shops/s1/orders/{}", self.below(3)).into(),
            4 => "platforms/p/shops/s1".into(),
            5 => format!("platforms/{}", self.below(9)).into(),
            6 => "0123456789abcdef-same-ends-0123456789abcdef".into(),
            7 => "0123456789abcdef+same+ends+0123456789abcdef".into(),
            _ => self.one(&["a", "ab", "abc", "abcd", "abcdefgh", "abcdefghi", "a/b"]).into(),
        }
    }

    pub(super) fn id(&mut self) -> Id {
        let long = "z".repeat(200);
        Id::kept(match self.below(20) {
            0 => long.into(),
            1 => Text::default(),
            2..6 => format!("{:x}-{:x}-7000", self.draw(), self.draw()).into(),
            _ => self.one(&["p", "q", "s1", "s1", "operator-17", "order-1"]).into(),
        })
    }

    pub(super) fn instant(&mut self) -> Instant {
        let seconds = match self.below(8) {
            0 => return Instant::MIN,
            1 => return Instant::MAX,
            2 => i64::try_from(self.below(250_000_000_000)).expect("small"),
            3 => -i64::try_from(self.below(370_000_000_000)).expect("small"),
            _ => 1_790_000_000 + i64::try_from(self.below(4)).expect("small") * 1800,
        };
        let nanos = match self.below(4) {
            0 => 0,
            1 => i32::try_from(self.below(1_000_000_000)).expect("small"),
            _ => 494_090_044,
        };
        Instant::from_parts(seconds, nanos).expect("in range")
    }

    pub(super) fn span(&mut self) -> (Instant, Instant) {
        (self.instant(), self.instant())
    }

    pub(super) fn amount(&mut self) -> Amount {
        let digits = match self.below(4) {
            0 => self.one(&[0, 1, 1, 100]),
            1 => (i128::from(self.draw()) << 32 | i128::from(self.draw() >> 32)).abs() >> 1,
            _ => i128::from(self.number()),
        };
        let decimals = match self.below(4) {
            0 => u32::try_from(self.below(29)).expect("small"),
            1 => 2,
            _ => 0,
        };
        let digits = if self.below(4) == 0 { -digits } else { digits };
        Amount::from_digits(digits, decimals).expect("it fits")
    }

    /// An amount of which many can be added up.
    pub(super) fn bounded(&mut self) -> Amount {
        Amount::from_count(self.number() >> 20)
    }

    pub(super) fn value(&mut self) -> Value {
        match self.below(5) {
            0 => Value::Text(self.text()),
            1 => Value::Bool(self.flag()),
            2 => Value::Decimal(self.amount()),
            3 => Value::Time(self.instant()),
            _ => Value::List(self.list(Self::text)),
        }
    }

    pub(super) fn roles(&mut self) -> RoleSet {
        RoleSet::from_bits(self.one(&[0, 1, 63]))
    }

    pub(super) fn facts(&mut self) -> Named<Fact> {
        let fact = |dice: &mut Self| Fact { value: dice.value(), asserted_by: dice.roles() };
        self.map(Self::text, fact).into_iter().collect()
    }

    pub(super) fn sent(&mut self) -> Arc<Named<Value>> {
        Arc::new(self.map(Self::text, Self::value).into_iter().collect())
    }

    pub(super) fn texts(&mut self) -> BTreeMap<Text, Text> {
        self.map(Self::text, Self::text)
    }

    pub(super) fn currency(&mut self) -> Currency {
        Currency::parse(self.one(&["CNY", "JPY", "EUR"])).expect("a currency")
    }

    pub(super) fn shop(&mut self) -> ShopName {
        ShopName { platform: self.id(), shop: self.id() }
    }

    pub(super) fn programme(&mut self) -> ProgrammeName {
        ProgrammeName { platform: self.id(), programme: self.id() }
    }

    pub(super) fn revision(&mut self) -> RevisionName {
        RevisionName { programme: self.programme(), number: self.small() }
    }

    pub(super) fn freeze_name(&mut self) -> FreezeName {
        FreezeName { platform: self.id(), freeze: self.id() }
    }

    pub(super) fn stamp(&mut self) -> Stamp {
        let (create_time, update_time) = self.span();
        Stamp { create_time, update_time, version: self.number() }
    }

    pub(super) fn author(&mut self) -> Author {
        let actor = self.maybe(|dice| dice.shop().operator(dice.id()));
        Author { caller: self.text(), actor }
    }

    pub(super) fn cell_key(&mut self) -> CellKey {
        let window_start = self.maybe(Self::instant);
        let (programme, scope) = (self.programme(), self.list(Self::text));
        let of = Celled { programme, scope, window_start };
        if self.below(3) == 0 { CellKey::of_an_order(of) } else { CellKey::from(of) }
    }

    pub(super) fn meter_key(&mut self) -> MeterKey {
        let (cell, rule, scope) = (self.cell_key(), self.text(), self.list(Self::text));
        MeterKey::new(cell, Metered { rule, scope, window_start: self.maybe(Self::instant) })
    }

    pub(super) fn phase(&mut self) -> Phase {
        match self.below(4) {
            0 => Phase::Held,
            1 => Phase::Used,
            _ => Phase::Expiring(self.instant()),
        }
    }

    pub(super) fn part(&mut self) -> Option<(Phase, Amount)> {
        self.maybe(|dice| (dice.phase(), dice.amount()))
    }

    pub(super) fn shape(&mut self) -> Shape {
        self.one(&[Shape::Fixed, Shape::Rolling, Shape::ByAmount])
    }

    pub(super) fn tally(&mut self) -> Tally {
        let mut expiring = self.map(Self::instant, Self::bounded);
        if self.below(3) == 0 {
            // So many that some go on shelves.
            let begin = self.instant();
            let hold = |n| (begin.plus(Duration::from_millis(37 * n)), Amount::from_count(n));
            expiring.extend((1..70).map(hold));
        }
        expiring.retain(|_, amount| *amount != Amount::ZERO);
        let expiring = Expiring::kept(std::iter::empty(), expiring).expect("it fits");
        Tally { used: self.amount(), held: self.amount(), expiring }
    }

    pub(super) fn meter(&mut self) -> Meter {
        let entry = |dice: &mut Self| {
            let (at, payout) = (dice.instant(), dice.id());
            Entry { at, payout, phase: dice.phase(), quantity: dice.amount() }
        };
        match self.below(3) {
            0 => Meter::Fixed(self.tally()),
            1 => Meter::Rolling(self.list(entry)),
            _ => Meter::ByAmount(self.map(Self::amount, Self::tally)),
        }
    }

    pub(super) fn cell(&mut self) -> Cell {
        let key = self.cell_key();
        let meters = self.list(|dice| {
            let (rule, scope) = (dice.text(), dice.list(Self::text));
            let window_start = dice.maybe(Self::instant);
            let within = Metered { rule, scope, window_start };
            (MeterKey::new(key.clone(), within), dice.meter())
        });
        Cell::kept(key, meters)
    }

    pub(super) fn state(&mut self) -> State {
        self.one(&[State::PendingApproval, State::Authorized, State::Returned, State::Expired])
    }

    pub(super) fn holding(&mut self, key: MeterKey) -> Holding {
        let counts = match self.below(3) {
            0 => CountsWhile::Live,
            1 => CountsWhile::Always,
            _ => CountsWhile::InStates(self.list(Self::state)),
        };
        let rolling = self.maybe(|dice| {
            Duration::new(dice.number(), u32::try_from(dice.below(1_000_000_000)).expect("small"))
        });
        Holding {
            key,
            shape: self.shape(),
            rolling,
            adds_amount: self.flag(),
            counts,
            on_return: self.one(&[OnReturn::Keep, OnReturn::Restore]),
            now: self.part(),
        }
    }
}

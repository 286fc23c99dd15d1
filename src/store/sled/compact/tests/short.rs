//! Authorizations in short, by chance.

use std::sync::Arc;

use proptest::prelude::*;

use super::{dice::Dice, from_bytes, written};
use crate::{
    domain::{
        account::Position,
        allowed::Allowed,
        amount::Amount,
        change::{Change, Record, made_by},
        key::Key,
        limit::OnReturn,
        meter::MeterKey,
        name::{Id, MAX_ID, PlatformName, ShopName},
        named::Named,
        order::Order,
        payout::{CountsWhile, State},
        request::{Fingerprint, RequestKey},
        template::{Common, FactSource, Over, Part, PartOf, Read, Template, Written},
        text::Text,
        value::Value,
        who::Author,
    },
    store::sled::compact::{Commons, append_allowed, told_from_bytes},
};

/// What an authorization in short refers to.
struct Told {
    author: Author,
    id: Id,
    request: RequestKey,
    content: Fingerprint,
    order: Order,
    payee: Text,
    purpose: Text,
    facts: Arc<Named<Value>>,
    template: Arc<Template>,
    numbers: Vec<(Amount, Amount)>,
    positions: Vec<Position>,
}

impl Dice {
    /// With so many facts.
    fn part_of(&mut self, facts: u64, meters: u64) -> Part {
        let index = |dice: &mut Self| usize::try_from(dice.below(facts)).expect("small");
        let of = match self.flag() {
            true => PartOf::Meter(usize::try_from(self.below(meters)).expect("small")),
            false => PartOf::Order {
                rule: self.text(),
                scope: self.list(|dice| match dice.flag() {
                    true => Over::IdOfShop(index(dice)),
                    false => Over::Fact(index(dice)),
                }),
                window_start: self.maybe(Self::instant),
            },
        };
        Part {
            of,
            shape: self.shape(),
            rolling: self.maybe(|dice| std::time::Duration::from_secs(dice.number())),
            adds_amount: self.flag(),
            counts: match self.below(3) {
                0 => CountsWhile::Live,
                1 => CountsWhile::Always,
                _ => CountsWhile::InStates(
                    self.list(|dice| dice.one(&[State::Authorized, State::Processing])),
                ),
            },
            on_return: self.one(&[OnReturn::Keep, OnReturn::Restore]),
        }
    }

    /// One whose name is no longer than there can be.
    fn real_shop(&mut self) -> ShopName {
        loop {
            let shop = self.shop();
            if shop.platform.as_str().len().max(shop.shop.as_str().len()) <= MAX_ID {
                return shop;
            }
        }
    }

    fn template(&mut self) -> Template {
        let shop = self.real_shop();
        let facts = 1 + self.below(30);
        let key = |dice: &mut Self, n: u64| format!("{}{n}", dice.text()).into();
        let source = |dice: &mut Self, n: u64| match dice.below(9) {
            0 => FactSource::Configured,
            1 => FactSource::Payee,
            2 => FactSource::Purpose,
            3 => FactSource::OrderId,
            4 => FactSource::OrderExists,
            5 => FactSource::OrderPaid,
            6 => FactSource::OrderPlaceTime,
            7 => FactSource::Order(key(dice, n)),
            _ => FactSource::Request(key(dice, n)),
        };
        let read = |dice: &mut Self| match dice.below(3) {
            0 => Read::Nothing,
            1 => Read::Empty(dice.maybe(Self::span)),
            _ => Read::Numbers(dice.maybe(Self::span)),
        };
        let meters: Vec<MeterKey> = (0..1 + self.below(4)).map(|_| self.meter_key()).collect();
        let common = Common {
            currency: self.currency(),
            hold: self.maybe(|dice| std::time::Duration::from_secs(dice.number())),
            next_revision: self.maybe(Self::instant),
            sources: Arc::new((0..facts).map(|n| source(self, n)).collect()),
            dimensions: (0..usize::try_from(facts).expect("small"))
                .filter(|_| self.below(4) == 0)
                .map(|index| (format!("{index}").into(), index))
                .collect(),
            limits: self.list(read),
            measures: self.list(read),
            parts: self.list(|dice| dice.part_of(facts, meters.len() as u64)),
            draws: self.list(Self::id),
            written: Written::default(),
        };
        Template {
            operator: self.maybe(|dice| shop.operator(dice.id())),
            revision: self.revision(),
            facts: Arc::new((0..facts).map(|_| self.maybe(Self::value)).collect()),
            meters,
            common: common.into(),
            written: Written::default(),
            shop,
        }
    }

    fn told(&mut self) -> Told {
        let template = self.template();
        let Template { shop, operator, common, .. } = &template;
        let Common { limits, measures, draws, .. } = &**common;
        let of_shop = self.flag();
        let mut author = self.author();
        if self.flag() {
            author.actor.clone_from(operator);
        }
        let (platform, parent, operation) = match of_shop {
            true => (shop.platform(), shop.text().into(), "AuthorizePayout".into()),
            false => (PlatformName { platform: self.id() }, self.text(), self.text()),
        };
        let position = |dice: &mut Self| {
            let (balance, held) = (dice.amount(), dice.amount());
            Position { balance, held, freeze: dice.maybe(Self::amount) }
        };
        let reads = limits.iter().chain(measures);
        let numbers = reads.filter(|read| matches!(read, Read::Numbers(_)));
        Told {
            numbers: numbers.map(|_| (self.amount(), self.amount())).collect(),
            positions: draws.iter().map(|_| position(self)).collect(),
            author,
            id: self.id(),
            request: RequestKey { platform, parent, operation, id: self.text() },
            content: Fingerprint(self.list(|dice| (dice.small(), dice.draw()))),
            order: Order {
                name: shop.order(self.id()),
                paid: self.maybe(|dice| (dice.amount(), dice.currency())),
                place_time: self.maybe(Self::instant),
                facts: self.facts().into(),
                asserted_by: self.roles(),
                source_time: self.instant(),
                update_time: self.instant(),
                caller: self.text(),
            },
            payee: self.text(),
            purpose: self.text(),
            facts: self.sent(),
            template: Arc::new(template),
        }
    }
}

impl Told {
    fn allowed(&self, dice: &mut Dice) -> Allowed<'_> {
        let Self { author, id, request, content, order, payee, purpose, facts, .. } = self;
        Allowed {
            template: self.template.clone(),
            sequence: dice.number(),
            at: dice.instant(),
            author,
            id,
            request,
            content,
            order,
            payee,
            purpose,
            facts,
            amount: dice.amount(),
            numbers: (&self.numbers).into(),
            positions: (&self.positions).into(),
        }
    }
}

fn in_short(allowed: &Allowed<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_allowed(&mut bytes, allowed);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_was_told_in_short_is_read_at_length(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let told = dice.told();
        let (one, two) = (told.allowed(&mut dice), told.allowed(&mut dice));
        // The second time by what was kept of the first.
        for allowed in [&one, &two, &one] {
            let record = allowed.record().expect("it fits");
            prop_assert_eq!(from_bytes::<Record>(&in_short(allowed)), Ok(record));
        }
        let mut bytes = written(&one.record().expect("it fits"));
        let behind = bytes.len();
        append_allowed(&mut bytes, &two);
        prop_assert_eq!(&bytes[behind..], &in_short(&two)[..]);
    }

    #[test]
    fn a_row_that_is_made_by_itself_is_the_one_that_all_of_the_record_makes(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let told = dice.told();
        // Of another operator's template that has the same in common, and of more that
        // have not than are kept.
        let mut others: Vec<Told> = (0..10).map(|_| dice.told()).collect();
        let same = Template {
            facts: Arc::new(told.template.facts.iter().map(|_| dice.maybe(Dice::value)).collect()),
            meters: told.template.meters.iter().map(|_| dice.meter_key()).collect(),
            common: told.template.common.clone(),
            written: Written::default(),
            ..(*others[0].template).clone()
        };
        others[0].numbers.clone_from(&told.numbers);
        others[0].positions.clone_from(&told.positions);
        others[0].order.name = same.shop.order(dice.id());
        others[0].template = Arc::new(same);
        let mut commons = Commons::default();
        for told in std::iter::once(&told).chain(&others).chain([&told]) {
            // Rows are added up, so it is an amount of a payout.
            let amount = Amount::from_count(1 + dice.below(1000));
            let allowed = Allowed { amount, ..told.allowed(&mut dice) };
            let record = allowed.record().expect("it fits");
            let read = told_from_bytes(&in_short(&allowed), &mut commons).expect("it is one");
            let foreign = Key::Payout(dice.shop().payout(dice.id()));
            let of_changes = record.changes.iter().map(Change::key);
            let keys = of_changes.chain(allowed.keys()).chain(allowed.implied()).chain([foreign]);
            for key in keys {
                let is_it = |it: &Key| *it == key;
                prop_assert_eq!(read.row(is_it), Ok(made_by(&record.changes, is_it)));
            }
            prop_assert_eq!(read.payouts_of(&told.order.name), vec![told.id.clone()]);
            prop_assert_eq!(read.sequence(), record.sequence);
            prop_assert_eq!(read.record(), Ok(Arc::new(record.clone())));
            let at_length = told_from_bytes(&written(&record), &mut commons).expect("it is one");
            prop_assert_eq!(at_length.payouts_of(&told.order.name), vec![told.id.clone()]);
            prop_assert_eq!(at_length.record(), Ok(Arc::new(record)));
        }
    }

    #[test]
    fn what_was_told_in_short_and_cut_off_is_not_read(
        seed in any::<u64>(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut dice = Dice::new(seed);
        let told = dice.told();
        let bytes = in_short(&told.allowed(&mut dice));
        prop_assert!(from_bytes::<Record>(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn whatever_became_of_what_was_told_in_short_is_read_or_refused(
        seed in any::<u64>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut dice = Dice::new(seed);
        let told = dice.told();
        let mut bytes = in_short(&told.allowed(&mut dice));
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let told = told_from_bytes(&bytes, &mut Commons::default()).ok();
        let record = told.as_ref().map(|told| told.record().expect("what was read fits"));
        let read = from_bytes::<Record>(&bytes).ok();
        prop_assert_eq!(record.as_deref(), read.as_ref());
        let puts = read.iter().flat_map(|record| &record.changes).filter(|change| !change.adds());
        for (told, key) in told.iter().flat_map(|told| puts.clone().map(move |it| (told, it.key()))) {
            prop_assert!(matches!(told.row(|it| *it == key), Ok(Some(_))));
        }
        if let Some(read) = read {
            prop_assert_eq!(from_bytes::<Record>(&written(&read)), Ok(read));
        }
    }

    #[test]
    fn what_does_not_fit_its_template_is_no_record(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let told = dice.told();
        let whole = told.allowed(&mut dice);
        let fits = |change: &dyn Fn(&mut Allowed<'_>)| {
            let mut other = whole.clone();
            change(&mut other);
            let fits = other.record().is_some();
            let bytes = in_short(&other);
            assert_eq!(told_from_bytes(&bytes, &mut Commons::default()).is_ok(), fits);
            assert_eq!(from_bytes::<Record>(&bytes).is_ok(), fits);
            fits
        };
        let template = |change: &dyn Fn(&mut Template, &mut Common)| {
            let mut template = (*whole.template).clone();
            let mut common = (*template.common).clone();
            (template.written, common.written) = (Written::default(), Written::default());
            change(&mut template, &mut common);
            template.common = common.into();
            fits(&|other| other.template = Arc::new(template.clone()))
        };
        prop_assert!(whole.record().is_some());
        prop_assert!(!fits(&|other| other.numbers.to_mut().push((Amount::ZERO, Amount::ONE))));
        prop_assert!(whole.numbers.is_empty() || !fits(&|other| other.numbers.to_mut().truncate(whole.numbers.len() - 1)));
        prop_assert!(!fits(&|other| other.positions.to_mut().push(Position::default())));
        let beyond = whole.template.facts.len();
        prop_assert!(!template(&|_, it| it.dimensions.push(("beyond".into(), beyond))));
        prop_assert!(!template(&|it, _| it.facts = Arc::new(Vec::new())));
        let over = |of: Over| PartOf::Order { rule: "r".into(), scope: vec![of], window_start: None };
        for of in [over(Over::Fact(beyond)), over(Over::IdOfShop(beyond)), PartOf::Meter(whole.template.meters.len())] {
            let part = Part { of, ..dice.part_of(1, 1) };
            prop_assert!(!template(&|_, it| it.parts.push(part.clone())));
        }
    }

    #[test]
    fn a_template_that_says_something_twice_is_not_read(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let told = dice.told();
        let whole = told.allowed(&mut dice);
        let read = |change: &dyn Fn(&mut Template, &mut Common)| {
            let mut template = (*whole.template).clone();
            template.written = Written::default();
            let mut common = (*template.common).clone();
            common.written = Written::default();
            change(&mut template, &mut common);
            template.common = common.into();
            let other = Allowed { template: template.into(), ..whole.clone() };
            from_bytes::<Record>(&in_short(&other)).is_ok()
        };
        prop_assert!(read(&|_, _| ()));
        for source in [FactSource::Order("twice".into()), FactSource::Request("twice".into())] {
            let say = |times: usize| {
                read(&|template, common| {
                    let mut sources = (*common.sources).clone();
                    let mut facts = (*template.facts).clone();
                    sources.extend(std::iter::repeat_n(source.clone(), times));
                    facts.extend(std::iter::repeat_n(None, times));
                    (common.sources, template.facts) = (sources.into(), facts.into());
                })
            };
            prop_assert!(say(1));
            prop_assert!(!say(2));
        }
        let say = |indexes: &[usize]| {
            read(&|_, common| {
                let dimension = |index: &usize| (format!("n{index}").into(), *index);
                common.dimensions = indexes.iter().map(dimension).collect();
            })
        };
        prop_assert!(say(&[0]));
        prop_assert!(!say(&[0, 0]));
        // 200 is what a policy may have.
        let many = |facts: usize| {
            read(&|template, common| {
                common.sources = Arc::new(vec![FactSource::Payee; facts]);
                template.facts = Arc::new(vec![None; facts]);
                (common.dimensions, common.parts) = (Vec::new(), Vec::new());
            })
        };
        prop_assert!(many(200));
        prop_assert!(!many(201));
    }
}

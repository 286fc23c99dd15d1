//! What a payout's request says, as a hash per field: two that say the same have
//! the same, however it was spelled. Hashed from what was made of the request, in
//! which equal amounts and lists are alike. Nothing is written out for it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    decision::spec::Spec,
    domain::{amount::Amount, request::Fingerprint, text::Text, value::Value},
    proto::{google::r#type::Money, v1},
};

/// The hash of one thing after another. Each is hashed with what came before as
/// its seed, its length included: moving a byte from one to the next changes it.
#[derive(Clone, Copy)]
struct Said(u64);

impl Said {
    const NOTHING: Self = Self(0);

    fn and(self, bytes: &[u8]) -> Self {
        Self(xxh3_64_with_seed(bytes, self.0))
    }

    fn text(self, text: &str) -> Self {
        self.and(text.as_bytes())
    }

    /// Two numbers and what they are, all of which are always there.
    fn numbers(self, kind: u8, large: i64, small: i32) -> Self {
        let mut bytes = [0; 13];
        let (first, rest) = bytes.split_at_mut(1);
        let (second, third) = rest.split_at_mut(8);
        first.copy_from_slice(&[kind]);
        second.copy_from_slice(&large.to_le_bytes());
        third.copy_from_slice(&small.to_le_bytes());
        self.and(&bytes)
    }

    /// Which of several it is, or how many there are.
    fn number(self, kind: u8, number: usize) -> Self {
        self.numbers(kind, i64::try_from(number).unwrap_or(i64::MAX), 0)
    }

    fn money(self, money: &Money) -> Self {
        let Money { currency_code, units, nanos } = money;
        self.text(currency_code).numbers(AMOUNT, *units, *nanos)
    }

    fn time(self, time: &prost_types::Timestamp) -> Self {
        self.numbers(TIME, time.seconds, time.nanos)
    }

    fn amount(self, amount: Amount) -> Self {
        match amount.to_units_nanos() {
            Some((units, nanos)) => self.numbers(AMOUNT, units, nanos),
            None => self.number(TEXT, 0).text(&amount.to_string()),
        }
    }

    fn value(self, value: &Value) -> Self {
        match value {
            Value::Text(text) => self.number(TEXT, 0).text(text),
            Value::Bool(flag) => self.number(BOOL, usize::from(*flag)),
            Value::Decimal(amount) => self.amount(*amount),
            Value::Time(instant) => {
                let (seconds, nanos) = instant.to_parts();
                self.numbers(TIME, seconds, nanos)
            }
            Value::List(values) => {
                let texts = values.iter();
                texts.fold(self.number(LIST, values.len()), |said, text| said.text(text))
            }
        }
    }
}

// What follows: stored with requests, so never given a new meaning.
const FIELD: u8 = 0;
const TEXT: u8 = 1;
const BOOL: u8 = 2;
const AMOUNT: u8 = 3;
const TIME: u8 = 4;
const LIST: u8 = 5;
const FACTS: u8 = 6;

fn facts<'a>(said: Said, facts: impl ExactSizeIterator<Item = (&'a Text, &'a Value)>) -> Said {
    let said = said.number(FACTS, facts.len());
    facts.fold(said, |said, (name, value)| said.text(name).value(value))
}

/// A hash of each field that says something; `spec` is what was made of them.
/// Fields are taken apart by name: one that is added to the contract and not
/// here does not compile.
pub fn of_payout(payout: &v1::PayoutSpec, spec: &Spec) -> Fingerprint {
    let v1::PayoutSpec {
        programme,
        amount,
        operator,
        order,
        inline_order,
        payee,
        purpose,
        // As values, of the spec.
        facts: _,
    } = payout;
    let mut fields = Vec::with_capacity(8);
    let mut say = |number, said: Option<Said>| {
        if let Some(Said(hash)) = said {
            fields.push((number, hash));
        }
    };
    let text = |text: &str| (!text.is_empty()).then(|| Said::NOTHING.text(text));
    say(1, text(programme));
    say(2, amount.as_ref().map(|amount| Said::NOTHING.money(amount)));
    say(3, text(operator));
    say(4, text(order));
    say(5, inline_order.as_ref().map(|order| of_order(order, spec)));
    say(6, text(payee));
    say(7, text(purpose));
    let sent = &spec.facts;
    say(8, (!sent.is_empty()).then(|| facts(Said::NOTHING, sent.iter())));
    Fingerprint(fields)
}

/// An order that came along. Its name only repeats the payout's. Fields that are
/// not there add nothing, so that one of a later contract changes no hash.
fn of_order(order: &v1::Order, spec: &Spec) -> Said {
    let v1::Order { name: _, paid_amount, place_time, facts: _, source_time, update_time } = order;
    let mut said = Said::NOTHING;
    if let Some(paid) = paid_amount {
        said = said.number(FIELD, 2).money(paid);
    }
    for (field, time) in [(3, place_time), (5, source_time), (6, update_time)] {
        if let Some(time) = time {
            said = said.number(FIELD, field).time(time);
        }
    }
    if let Some(order) = spec.inline_order.as_ref().filter(|order| !order.facts.is_empty()) {
        let sent = order.facts.iter().map(|(name, fact)| (name, &fact.value));
        said = facts(said.number(FIELD, 4), sent);
    }
    said
}

#[cfg(test)]
mod tests {
    use v1::fact_value::Kind;

    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        api::{convert_payout, problems::Problems},
        domain::{
            limit::Stage,
            who::{Caller, RoleSet},
        },
    };

    fn value(kind: Kind) -> v1::FactValue {
        v1::FactValue { kind: Some(kind) }
    }

    fn list(values: &[&str]) -> Kind {
        Kind::ListValue(v1::StringList { values: values.iter().map(ToString::to_string).collect() })
    }

    fn facts(kinds: &[(&str, Kind)]) -> BTreeMap<String, v1::FactValue> {
        kinds.iter().map(|(name, kind)| ((*name).to_owned(), value(kind.clone()))).collect()
    }

    fn money(units: i64, nanos: i32) -> Option<Money> {
        Some(Money { currency_code: "CNY".to_owned(), units, nanos })
    }

    fn payout() -> v1::PayoutSpec {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        v1::PayoutSpec {
            programme: "platforms/p/programmes/x".to_owned(),
            amount: money(1, 500_000_000),
            operator: "platforms/p/shops/s/operators/o".to_owned(),
            order: "platforms/p/shops/s/orders/1".to_owned(),
            payee: "buyer".to_owned(),
            facts: facts(&[("a", Kind::DecimalValue("1.5".to_owned())), ("b", list(&["x", "y"]))]),
            inline_order: Some(v1::Order {
                paid_amount: money(10, 0),
                source_time: at(100),
                facts: facts(&[("c", Kind::BoolValue(true))]),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn of(payout: &v1::PayoutSpec) -> Fingerprint {
        let caller =
            Caller { name: "local".into(), roles: RoleSet::ALL, platforms: None, shops: None };
        let asked = convert_payout::Asked {
            parent: "platforms/p/shops/s",
            payout: Some(payout),
            stage: Stage::Confirm,
            needs_amount: true,
            full: false,
        };
        let mut problems = Problems::default();
        let spec = convert_payout::spec(asked, &caller, &mut problems);
        let spec = problems.finish(spec).expect("well-formed").expect("the shop's own");
        of_payout(payout, &spec)
    }

    #[test]
    fn the_same_in_another_spelling_has_the_same_fingerprint() {
        let mut other = payout();
        other.facts =
            facts(&[("b", list(&["y", "x", "y"])), ("a", Kind::DecimalValue("1.500".to_owned()))]);
        if let Some(order) = &mut other.inline_order {
            order.name.clone_from(&other.order);
        }
        assert_eq!(of(&other), of(&payout()));
    }

    #[test]
    fn what_is_stored_is_found_again_by_other_versions() {
        let Fingerprint(fields) = of(&payout());
        let numbers: Vec<u32> = fields.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 8]);
        let all =
            fields.iter().fold(Said::NOTHING, |said, (_, hash)| said.and(&hash.to_le_bytes()));
        assert_eq!(all.0, STORED);
    }

    /// Of the payout above. A change of it makes stored requests look different
    /// from their repeats.
    const STORED: u64 = 8_968_503_832_445_088_193;

    #[test]
    fn a_difference_is_found_in_its_field() {
        type Change = fn(&mut v1::PayoutSpec);
        let changes: [(u32, Change); 15] = [
            (1, |p| p.programme.push('2')),
            (2, |p| p.amount = money(1, 500_000_001)),
            (3, |p| p.operator.clear()),
            (4, |p| p.order.push('2')),
            (6, |p| p.payee.push('2')),
            (7, |p| p.purpose.push('2')),
            (8, |p| p.facts = facts(&[("a", Kind::StringValue("1.5".to_owned()))])),
            (8, |p| p.facts.clear()),
            (8, |p| drop(p.facts.insert("c".to_owned(), value(Kind::BoolValue(true))))),
            (8, |p| drop(p.facts.insert("b".to_owned(), value(list(&["xy"]))))),
            (8, |p| drop(p.facts.insert("b".to_owned(), value(list(&["x", "y", "z"]))))),
            (5, |p| order(p).paid_amount = None),
            (5, |p| order(p).place_time = order(p).source_time),
            (5, |p| order(p).facts.clear()),
            (5, |p| order(p).facts = facts(&[("c", Kind::BoolValue(false))])),
        ];
        for (number, (field, change)) in changes.into_iter().enumerate() {
            let mut other = payout();
            change(&mut other);
            assert_eq!(of(&other).difference(&of(&payout())), Some(field), "change {number}");
        }
    }

    fn order(payout: &mut v1::PayoutSpec) -> &mut v1::Order {
        payout.inline_order.as_mut().expect("it has one")
    }
}

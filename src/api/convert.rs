//! Wire ⇄ domain for what all services share: names, money, times, facts.
//! From the wire it fails with the field's path, which is written out only then;
//! inside, values cannot be invalid.

use std::{collections::BTreeMap, fmt};

use prost_types::Timestamp;

use super::problems::Problems;
use crate::{
    contract::is_printable,
    domain::{
        amount::{Amount, Currency},
        instant::Instant,
        name::Id,
        named::Named,
        refusal::Reason,
        text::Text,
        value::{Fact, Facts, Value},
        who::RoleSet,
    },
    proto::{google::r#type::Money, v1},
};

/// A resource name that has to be there.
pub fn name<T>(
    text: &str,
    field: &str,
    pattern: &str,
    parse: impl Fn(&str) -> Option<T>,
    problems: &mut Problems,
) -> Option<T> {
    let parsed = parse(text);
    if parsed.is_none() {
        problems.add(Reason::NameInvalid, field, format!("Must be a name like {pattern}."));
    }
    parsed
}

/// A resource name that may be empty.
pub fn optional_name<T>(
    text: &str,
    field: &str,
    pattern: &str,
    parse: impl Fn(&str) -> Option<T>,
    problems: &mut Problems,
) -> Option<T> {
    if text.is_empty() { None } else { name(text, field, pattern, parse, problems) }
}

/// The last id of a name in a collection below another name, which was found to
/// be one: nothing of what both begin with is read again.
pub fn id_below(text: &str, parent: &str, collection: &str) -> Option<Id> {
    let below = text.strip_prefix(parent)?.strip_prefix('/')?;
    Id::parse(below.strip_prefix(collection)?.strip_prefix('/')?)
}

/// Money that has to be in a known currency and in range.
pub fn money(
    money: &Money,
    field: impl fmt::Display,
    problems: &mut Problems,
) -> Option<(Amount, Currency)> {
    let Some(currency) = Currency::parse(&money.currency_code) else {
        problems.add(
            Reason::FieldInvalid,
            format!("{field}.currency_code"),
            "Must be a currency code of ISO 4217, such as CNY.",
        );
        return None;
    };
    let Some(amount) = Amount::from_units_nanos(money.units, money.nanos) else {
        problems.add(
            Reason::AmountInvalid,
            format!("{field}.units"),
            "Must be below 1,000,000,000,000,000.",
        );
        return None;
    };
    Some((amount, currency))
}

/// An amount as money. Reports of one payout may add up to more than money can
/// say: then the largest there is. Balances and limits count all of it.
pub fn to_money(amount: Amount, currency: Currency) -> Money {
    const NANOS: i32 = 999_999_999;
    let largest = if amount.is_negative() { (i64::MIN, -NANOS) } else { (i64::MAX, NANOS) };
    let (units, nanos) = amount.to_units_nanos().unwrap_or(largest);
    Money { currency_code: currency.code().to_owned(), units, nanos }
}

/// A decimal that may be absent.
pub fn decimal(
    text: Option<&String>,
    field: impl fmt::Display,
    problems: &mut Problems,
) -> Option<Amount> {
    let text = text?;
    let amount = Amount::parse(text);
    if amount.is_none() {
        problems.add(
            Reason::FieldInvalid,
            field.to_string(),
            "Must be a decimal such as \"500.00\", below 1,000,000,000,000,000.",
        );
    }
    amount
}

/// A time that has to be one that can be reckoned with. `None`: it is not, and
/// a problem says so.
pub fn instant(
    timestamp: &Timestamp,
    field: impl fmt::Display,
    problems: &mut Problems,
) -> Option<Instant> {
    let instant = Instant::from_parts(timestamp.seconds, timestamp.nanos);
    if instant.is_none() {
        // The contract's check has the same bounds; this is in case it had not.
        let field = field.to_string();
        problems.add(Reason::FieldInvalid, field, "Must be at most 9999-12-30T22:00:00Z.");
    }
    instant
}

/// A time that may be absent: then `Some(None)`. One that is out of range is
/// `None`, so that it can never be taken for an absent one.
pub fn optional_instant(
    timestamp: Option<&Timestamp>,
    field: impl fmt::Display,
    problems: &mut Problems,
) -> Option<Option<Instant>> {
    match timestamp {
        None => Some(None),
        Some(timestamp) => instant(timestamp, field, problems).map(Some),
    }
}

/// An instant as a timestamp.
pub fn to_time(instant: Instant) -> Timestamp {
    let (seconds, nanos) = instant.to_parts();
    Timestamp { seconds, nanos }
}

/// One value of a fact.
fn value(
    value: &v1::FactValue,
    field: impl fmt::Display,
    problems: &mut Problems,
) -> Option<Value> {
    use v1::fact_value::Kind;
    match value.kind.as_ref()? {
        Kind::StringValue(text) => Some(Value::text(text)),
        Kind::BoolValue(flag) => Some(Value::Bool(*flag)),
        Kind::DecimalValue(text) => {
            let amount = decimal(Some(text), format_args!("{field}.decimal_value"), problems)?;
            Some(Value::Decimal(amount))
        }
        Kind::TimeValue(timestamp) => {
            instant(timestamp, format_args!("{field}.time_value"), problems).map(Value::Time)
        }
        Kind::ListValue(list) => {
            let mut values: Vec<Text> =
                list.values.iter().map(|v| Text::from(v.as_str())).collect();
            values.sort_unstable();
            values.dedup();
            Some(Value::List(values))
        }
    }
}

/// A value on the wire.
pub fn to_value(value: &Value) -> v1::FactValue {
    use v1::fact_value::Kind;
    let kind = match value {
        Value::Text(text) => Kind::StringValue(text.to_string()),
        Value::Bool(flag) => Kind::BoolValue(*flag),
        Value::Decimal(amount) => Kind::DecimalValue(amount.to_string()),
        Value::Time(instant) => Kind::TimeValue(to_time(*instant)),
        Value::List(values) => Kind::ListValue(v1::StringList {
            values: values.iter().map(ToString::to_string).collect(),
        }),
    };
    v1::FactValue { kind: Some(kind) }
}

/// Most characters of a fact's name.
const MAX_FACT_NAME: usize = 128;

/// Values of facts by name.
pub fn values(
    facts: &BTreeMap<String, v1::FactValue>,
    field: impl fmt::Display,
    problems: &mut Problems,
) -> Named<Value> {
    by_name(facts, field, problems, |value| value)
}

/// What is made of each value, by the fact's name.
fn by_name<T>(
    facts: &BTreeMap<String, v1::FactValue>,
    field: impl fmt::Display,
    problems: &mut Problems,
    made: impl Fn(Value) -> T,
) -> Named<T> {
    let mut values = Vec::with_capacity(facts.len());
    for (key, sent) in facts {
        if !is_fact_name(key) {
            let shown: String = key.chars().take(20).collect();
            problems.add(
                Reason::FieldInvalid,
                format!("{field}[{shown:?}]"),
                "A fact's name is 1 to 128 characters without control characters.",
            );
        } else if let Some(value) = value(sent, format_args!("{field}[{key:?}]"), problems) {
            values.push((Text::from(key.as_str()), made(value)));
        }
    }
    values.into_iter().collect()
}

/// A name that a fact may have.
fn is_fact_name(name: &str) -> bool {
    // Nearly all are; of others the characters are looked at one by one.
    let is_plain = name.is_ascii() && is_printable(name);
    let fits = match is_plain {
        true => name.len() <= MAX_FACT_NAME,
        false => name.chars().count() <= MAX_FACT_NAME && !name.chars().any(char::is_control),
    };
    fits && !name.is_empty()
}

/// Registered facts, as asserted by a caller in these roles.
pub fn facts(
    facts: &BTreeMap<String, v1::FactValue>,
    field: impl fmt::Display,
    roles: RoleSet,
    problems: &mut Problems,
) -> Facts {
    by_name(facts, field, problems, |value| Fact { value, asserted_by: roles })
}

/// Registered facts on the wire.
pub fn to_facts(facts: &Facts) -> BTreeMap<String, v1::FactValue> {
    facts.iter().map(|(key, fact)| (key.to_string(), to_value(&fact.value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{OrderName, ShopName};

    #[test]
    fn a_time_out_of_range_is_a_problem_and_never_an_absent_one() {
        let at = |seconds| Timestamp { seconds, nanos: 0 };
        for (sent, expected, fine) in [
            (None, Some(None), true),
            (Some(at(0)), Some(Instant::from_parts(0, 0)), true),
            (Some(at(253_402_207_200)), Some(Instant::from_parts(253_402_207_200, 0)), true),
            (Some(at(253_402_207_201)), None, false),
            (Some(at(253_402_300_799)), None, false),
            (Some(at(i64::MAX)), None, false),
            (Some(at(i64::MIN)), None, false),
        ] {
            let mut problems = Problems::default();
            let instant = optional_instant(sent.as_ref(), "start_time", &mut problems);
            assert_eq!((instant, problems.is_empty()), (expected, fine), "{sent:?}");
        }
    }

    #[test]
    fn a_name_below_another_is_read_as_it_is_by_itself() {
        let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
        for text in [
            "platforms/p/shops/s/orders/o-1",
            "platforms/p/shops/s2/orders/o",
            "platforms/p/shops/s/orders/",
            "platforms/p/shops/s/orders/a/b",
            "platforms/p/shops/s/orders/-a",
            "platforms/p/shops/s/operators/o",
            "platforms/p/shops/s/ordersx/o",
            "platforms/p/shops/s//orders/o",
            "platforms/p/shops/s",
            "",
        ] {
            let alone = OrderName::parse(text).filter(|order| order.shop() == shop);
            let below = id_below(text, "platforms/p/shops/s", "orders").map(|id| shop.order(id));
            assert_eq!(below, alone, "{text}");
        }
    }

    #[test]
    fn the_name_of_a_fact_is_short_and_without_control_characters() {
        for good in ["a", "app id", "店铺", &"名".repeat(128), &"a".repeat(128)] {
            assert!(is_fact_name(good), "{good}");
        }
        for bad in ["", "a\n", "\u{7f}", "名\u{85}", &"名".repeat(129), &"a".repeat(129)] {
            assert!(!is_fact_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_sum_that_money_cannot_say_is_shown_as_the_largest_money() {
        let yuan = Currency::parse("CNY").expect("a currency");
        let most = Amount::parse("999999999999999").expect("an amount");
        let paid = (0..10_000).fold(Amount::ZERO, |sum, _| sum.plus(most));
        let shown = to_money(paid, yuan);
        assert_eq!((shown.units, shown.nanos), (i64::MAX, 999_999_999));
        let owed = to_money(paid.negated(), yuan);
        assert_eq!((owed.units, owed.nanos), (i64::MIN, -999_999_999));
        assert_eq!(to_money(most, yuan).units, 999_999_999_999_999);
    }
}

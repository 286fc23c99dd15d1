//! Wire ⇄ domain for what all services share: names, money, times, facts.
//! From the wire it fails with the field's path; inside, values cannot be
//! invalid.

use std::{collections::BTreeMap, fmt};

use prost_types::Timestamp;

use super::problems::Problems;
use crate::{
    domain::{
        amount::{Amount, Currency},
        instant::Instant,
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

/// Money that has to be in a known currency and in range.
pub fn money(money: &Money, field: &str, problems: &mut Problems) -> Option<(Amount, Currency)> {
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
pub fn decimal(text: Option<&String>, field: &str, problems: &mut Problems) -> Option<Amount> {
    let text = text?;
    let amount = Amount::parse(text);
    if amount.is_none() {
        problems.add(
            Reason::FieldInvalid,
            field,
            "Must be a decimal such as \"500.00\", below 1,000,000,000,000,000.",
        );
    }
    amount
}

/// A time that has to be one that can be reckoned with. `None`: it is not, and
/// a problem says so.
pub fn instant(timestamp: &Timestamp, field: &str, problems: &mut Problems) -> Option<Instant> {
    let instant = Instant::from_parts(timestamp.seconds, timestamp.nanos);
    if instant.is_none() {
        // The contract's check has the same bounds; this is in case it had not.
        problems.add(Reason::FieldInvalid, field, "Must be at most 9999-12-30T22:00:00Z.");
    }
    instant
}

/// A time that may be absent: then `Some(None)`. One that is out of range is
/// `None`, so that it can never be taken for an absent one.
pub fn optional_instant(
    timestamp: Option<&Timestamp>,
    field: &str,
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

/// One value of a fact. Its path is written out only where it is needed.
fn value(
    value: &v1::FactValue,
    field: fmt::Arguments<'_>,
    problems: &mut Problems,
) -> Option<Value> {
    use v1::fact_value::Kind;
    match value.kind.as_ref()? {
        Kind::StringValue(text) => Some(Value::text(text)),
        Kind::BoolValue(flag) => Some(Value::Bool(*flag)),
        Kind::DecimalValue(text) => {
            let amount = decimal(Some(text), &format!("{field}.decimal_value"), problems)?;
            Some(Value::Decimal(amount))
        }
        Kind::TimeValue(timestamp) => {
            instant(timestamp, &format!("{field}.time_value"), problems).map(Value::Time)
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
    field: &str,
    problems: &mut Problems,
) -> BTreeMap<Text, Value> {
    by_name(facts, field, problems, |value| value)
}

/// What is made of each value, by the fact's name.
fn by_name<T>(
    facts: &BTreeMap<String, v1::FactValue>,
    field: &str,
    problems: &mut Problems,
    made: impl Fn(Value) -> T,
) -> BTreeMap<Text, T> {
    let mut values = BTreeMap::new();
    for (key, sent) in facts {
        let plain = !key.is_empty()
            && key.chars().count() <= MAX_FACT_NAME
            && !key.chars().any(char::is_control);
        if !plain {
            let shown: String = key.chars().take(20).collect();
            problems.add(
                Reason::FieldInvalid,
                format!("{field}[{shown:?}]"),
                "A fact's name is 1 to 128 characters without control characters.",
            );
        } else if let Some(value) = value(sent, format_args!("{field}[{key:?}]"), problems) {
            values.insert(Text::from(key.as_str()), made(value));
        }
    }
    values
}

/// Registered facts, as asserted by a caller in these roles.
pub fn facts(
    facts: &BTreeMap<String, v1::FactValue>,
    field: &str,
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

//! Wire ⇄ domain for what all services share: names, money, times, facts.
//! From the wire it fails with the field's path; inside, values cannot be
//! invalid.

use std::{collections::BTreeMap, sync::Arc};

use prost_types::Timestamp;

use super::problems::Problems;
use crate::{
    domain::{
        amount::{Amount, Currency},
        instant::Instant,
        refusal::Reason,
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

/// An amount as money.
pub fn to_money(amount: Amount, currency: Currency) -> Money {
    let (units, nanos) =
        amount.to_units_nanos().expect("what is shown as money was sent as money, or is less");
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

/// A time that may be absent. The contract's check has seen that it is valid.
pub fn time(timestamp: Option<&Timestamp>) -> Option<Instant> {
    timestamp.and_then(|t| Instant::from_parts(t.seconds, t.nanos))
}

/// A time that may be absent, but may not be beyond what can be reckoned with:
/// the last hours of the year 9999, which the contract's check lets through.
pub fn instant(
    timestamp: Option<&Timestamp>,
    field: &str,
    problems: &mut Problems,
) -> Option<Instant> {
    let instant = time(timestamp);
    if timestamp.is_some() && instant.is_none() {
        problems.add(Reason::FieldInvalid, field, "Must be before 9999-12-30T22:00:00Z.");
    }
    instant
}

/// An instant as a timestamp.
pub fn to_time(instant: Instant) -> Timestamp {
    let (seconds, nanos) = instant.to_parts();
    Timestamp { seconds, nanos }
}

/// One value of a fact.
pub fn value(value: &v1::FactValue, field: &str, problems: &mut Problems) -> Option<Value> {
    use v1::fact_value::Kind;
    match value.kind.as_ref()? {
        Kind::StringValue(text) => Some(Value::text(text)),
        Kind::BoolValue(flag) => Some(Value::Bool(*flag)),
        Kind::DecimalValue(text) => {
            let amount = decimal(Some(text), &format!("{field}.decimal_value"), problems)?;
            Some(Value::Decimal(amount))
        }
        Kind::TimeValue(timestamp) => {
            instant(Some(timestamp), &format!("{field}.time_value"), problems).map(Value::Time)
        }
        Kind::ListValue(list) => {
            let mut values: Vec<Arc<str>> =
                list.values.iter().map(|v| Arc::from(v.as_str())).collect();
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
) -> BTreeMap<Arc<str>, Value> {
    let mut values = BTreeMap::new();
    for (key, sent) in facts {
        let path = format!("{field}[{key:?}]");
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
        } else if let Some(value) = value(sent, &path, problems) {
            values.insert(Arc::from(key.as_str()), value);
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
    let values = values(facts, field, problems).into_iter();
    values.map(|(key, value)| (key, Fact { value, asserted_by: roles })).collect()
}

/// Registered facts on the wire.
pub fn to_facts(facts: &Facts) -> BTreeMap<String, v1::FactValue> {
    facts.iter().map(|(key, fact)| (key.to_string(), to_value(&fact.value))).collect()
}

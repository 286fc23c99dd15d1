//! Messages of the contract as JSON for programs that read files: names as in the
//! contract, money as a decimal with its currency, instants by RFC 3339.

use prost::Message;
use prost_reflect::{DynamicMessage, Kind, MapKey, ReflectMessage, Value as Field};
use serde_json::{Map, Value};

use crate::{
    domain::{amount::Currency, instant::Instant},
    yaml,
};

/// Most decimals of an amount.
const MOST_DECIMALS: usize = 9;

/// A message by its full name. Fields that are not set are left out, and so are
/// those with the default of the contract.
///
/// # Errors
/// The contract has no such message.
pub(super) fn plain<M: Message>(message: &M, full_name: &str) -> Result<Value, String> {
    let descriptor = yaml::descriptor(full_name);
    let descriptor = descriptor.ok_or_else(|| format!("the contract has no {full_name}"))?;
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice());
    message.map(|message| object(&message)).map_err(|error| format!("{full_name}: {error}"))
}

fn object(message: &DynamicMessage) -> Value {
    match message.descriptor().full_name() {
        "google.type.Money" => money(message),
        "google.protobuf.Timestamp" => {
            let (seconds, nanos) = parts(message, "seconds");
            let nanos = i32::try_from(nanos).unwrap_or_default();
            Instant::from_parts(seconds, nanos).map_or(Value::Null, |at| at.to_string().into())
        }
        "google.protobuf.Duration" => {
            let (seconds, nanos) = parts(message, "seconds");
            format!("{}s", decimal(seconds, nanos, 0)).into()
        }
        _ => {
            let fields = message
                .fields()
                .map(|(field, value)| (field.name().to_owned(), json(value, &field.kind())));
            Value::Object(fields.collect())
        }
    }
}

fn json(value: &Field, kind: &Kind) -> Value {
    match value {
        Field::Bool(flag) => (*flag).into(),
        Field::I32(number) => (*number).into(),
        Field::U32(number) => (*number).into(),
        // As text, because many readers take numbers for floats.
        Field::I64(number) => number.to_string().into(),
        Field::U64(number) => number.to_string().into(),
        // The contract has none.
        Field::F32(number) => number.to_string().into(),
        Field::F64(number) => number.to_string().into(),
        Field::String(text) => text.clone().into(),
        Field::Bytes(bytes) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
        Field::EnumNumber(number) => {
            let name = kind.as_enum().and_then(|kind| kind.get_value(*number));
            name.map_or_else(|| (*number).into(), |value| value.name().into())
        }
        Field::Message(message) => object(message),
        Field::List(values) => values.iter().map(|value| json(value, kind)).collect(),
        Field::Map(entries) => {
            let kind = kind.as_message().and_then(|entry| entry.get_field_by_name("value"));
            let mut entries: Vec<(String, Value)> = entries
                .iter()
                .filter_map(|(key, value)| {
                    Some((key_text(key), json(value, &kind.as_ref()?.kind())))
                })
                .collect();
            entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(Map::from_iter(entries))
        }
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

/// Whole units and billionths of the same sign.
fn parts(message: &DynamicMessage, whole: &str) -> (i64, i64) {
    let number = |name: &str| match message.get_field_by_name(name).as_deref() {
        Some(Field::I64(number)) => *number,
        Some(Field::I32(number)) => i64::from(*number),
        _ => 0,
    };
    (number(whole), number("nanos"))
}

fn money(message: &DynamicMessage) -> Value {
    let (units, nanos) = parts(message, "units");
    let code = message.get_field_by_name("currency_code");
    let code = code.as_deref().and_then(Field::as_str).unwrap_or_default().to_owned();
    let decimals = Currency::parse(&code).map_or(0, Currency::decimals);
    let decimals = usize::try_from(decimals).unwrap_or(MOST_DECIMALS);
    Value::Object(Map::from_iter([
        ("amount".to_owned(), Value::String(decimal(units, nanos, decimals))),
        ("currency_code".to_owned(), Value::String(code)),
    ]))
}

/// With so many decimals, or more if it needs them.
fn decimal(units: i64, nanos: i64, decimals: usize) -> String {
    let sign = if units < 0 || nanos < 0 { "-" } else { "" };
    let mut fraction = format!("{:09}", nanos.unsigned_abs());
    while fraction.len() > decimals && fraction.ends_with('0') {
        fraction.pop();
    }
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", units.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{google::r#type::Money, v1};

    fn of(code: &str, units: i64, nanos: i32) -> Value {
        let money = Money { currency_code: code.to_owned(), units, nanos };
        plain(&money, "google.type.Money").expect("a message")
    }

    #[test]
    fn money_is_a_decimal_with_its_currency_and_is_never_left_out() {
        for (code, units, nanos, amount) in [
            ("CNY", 480, 0, "480.00"),
            ("CNY", 0, 0, "0.00"),
            ("CNY", 0, 10_000_000, "0.01"),
            ("CNY", -3, -500_000_000, "-3.50"),
            ("CNY", 0, -500_000_000, "-0.50"),
            ("JPY", 7, 0, "7"),
            ("KWD", 7, 123_000_000, "7.123"),
            ("CNY", i64::MIN, -999_999_999, "-9223372036854775808.999999999"),
        ] {
            let money = serde_json::json!({"amount": amount, "currency_code": code});
            assert_eq!(of(code, units, nanos), money);
        }
    }

    #[test]
    fn names_enums_and_instants_are_those_of_the_contract() {
        let event = v1::Event {
            kind: v1::event::Kind::PayoutChanged.into(),
            effect_time: Some(prost_types::Timestamp { seconds: 1_767_225_600, nanos: 5_000_000 }),
            to_state: v1::PayoutState::Authorized.into(),
            ..v1::Event::default()
        };
        let expected = serde_json::json!({
            "kind": "KIND_PAYOUT_CHANGED",
            "effect_time": "2026-01-01T00:00:00.005Z",
            "to_state": "PAYOUT_STATE_AUTHORIZED",
        });
        assert_eq!(plain(&event, "bursar.v1.Event").expect("a message"), expected);
    }

    #[test]
    fn maps_and_lists_keep_their_values() {
        let value = |text: &str| v1::FactValue {
            kind: Some(v1::fact_value::Kind::StringValue(text.to_owned())),
        };
        let shop = v1::Shop {
            name: "platforms/p/shops/s".to_owned(),
            facts: [("b".to_owned(), value("2")), ("a".to_owned(), value("1"))].into(),
            ..v1::Shop::default()
        };
        let text = plain(&shop, "bursar.v1.Shop").expect("a message").to_string();
        let facts = r#""facts":{"a":{"string_value":"1"},"b":{"string_value":"2"}}"#;
        assert!(text.contains(facts), "{text}");
    }
}

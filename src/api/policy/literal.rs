//! Literals: texts of a policy as values of a type.

use jiff::Timestamp;

use crate::domain::{
    amount::Amount,
    instant::Instant,
    value::{Value, ValueType},
};

/// A literal of a type. `None` if it is not one; a list has no literal.
pub fn parse(kind: ValueType, text: &str) -> Option<Value> {
    match kind {
        ValueType::Text => {
            let plain = !text.is_empty()
                && text.chars().count() <= 256
                && !text.chars().any(|c| c.is_ascii_control());
            plain.then(|| Value::text(text))
        }
        ValueType::Bool => text.parse().ok().map(Value::Bool),
        ValueType::Decimal => Amount::parse(text).map(Value::Decimal),
        ValueType::Time => text.parse::<Timestamp>().ok().map(|t| Value::Time(Instant(t))),
        ValueType::List => None,
    }
}

/// What a type is called, and how its literals are written.
pub fn form(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Text => "a text of 1 to 256 characters",
        ValueType::Bool => "`true` or `false`",
        ValueType::Decimal => "a decimal such as `12.50`",
        ValueType::Time => "an instant such as `2026-03-02T10:00:00+08:00`",
        ValueType::List => "a list",
    }
}

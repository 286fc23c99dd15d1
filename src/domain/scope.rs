//! Values that something is counted over, as texts in the keys of meters.

use smol_str::{SmolStrBuilder, format_smolstr};

use super::{
    policy::{FactDeclaration, Field, Origin},
    text::Text,
    value::Value,
};

/// A scope value that is unambiguous across shops: ids of orders and operators
/// are unique only within theirs. Absent and empty must differ.
pub fn scope_text(fact: Option<&FactDeclaration>, value: Option<&Value>, shop: &str) -> Text {
    let Some(value) = value else { return "".into() };
    match (fact.map(|f| &f.origin), value) {
        (Some(Origin::Field(Field::OrderId | Field::OperatorId)), Value::Text(text)) => {
            within_shop(shop, text)
        }
        (_, value) => plain_text(Some(value)),
    }
}

/// The same of an id that is unique only within its shop.
pub fn within_shop(shop: &str, id: &str) -> Text {
    joined([shop, "/", id])
}

/// The same of a value that is no such id.
pub fn plain_text(value: Option<&Value>) -> Text {
    match value {
        None => "".into(),
        Some(Value::Text(text)) => joined(["=", text]),
        Some(value) => format_smolstr!("={value}"),
    }
}

fn joined<const N: usize>(parts: [&str; N]) -> Text {
    let mut text = SmolStrBuilder::new();
    parts.iter().for_each(|part| text.push_str(part));
    text.finish()
}

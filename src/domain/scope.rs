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
    if is_id_of_shop(fact) { id_text(value, shop) } else { plain_text(value) }
}

/// Whether a fact is such an id.
pub fn is_id_of_shop(fact: Option<&FactDeclaration>) -> bool {
    let origin = fact.map(|fact| &fact.origin);
    matches!(origin, Some(Origin::Field(Field::OrderId | Field::OperatorId)))
}

/// The scope value of such an id.
pub fn id_text(value: Option<&Value>, shop: &str) -> Text {
    match value {
        Some(Value::Text(id)) => within_shop(shop, id),
        other => plain_text(other),
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

//! Rows as the resources that callers know. What only serves Bursar itself (what
//! is added up, what is listed by) has no resource: it follows from the others.

use serde_json::{Map, Value};

use super::{books::Books, plain::plain};
use crate::{
    api::{
        convert_account::{to_account, to_movement},
        convert_freeze::to_freeze,
        convert_operator::{to_grant, to_operator},
        convert_order::to_order,
        convert_payout::to_payout,
        convert_shop::{to_platform, to_shop},
        revision_reads::{to_programme, to_revision},
        service::Language,
    },
    domain::{account::Position, change::Record, key::Key, operator::Grant, row::Row},
    proto::v1,
};

/// A resource as a record left it, under the name of its kind.
///
/// # Errors
/// Something that it needs is not in the journal.
pub(super) fn resource(
    row: &Row,
    record: &Record,
    books: &Books,
    language: Language,
) -> Result<Option<Value>, String> {
    let (kind, value) = match row {
        Row::Platform(row) => ("platform", plain(&to_platform(row), "bursar.v1.Platform")?),
        Row::Shop(row) => ("shop", plain(&to_shop(row), "bursar.v1.Shop")?),
        Row::Operator(row) => ("operator", plain(&to_operator(row), "bursar.v1.Operator")?),
        Row::Grant(row) => ("grant", grant(row, books)?),
        Row::Account(row) => {
            // As configured: what is on it is the sum of what moved.
            let account = v1::Account {
                balance: String::new(),
                held: String::new(),
                frozen: String::new(),
                available: String::new(),
                ..to_account(row, &Position::default())
            };
            ("account", plain(&account, "bursar.v1.Account")?)
        }
        Row::Movement(row) => {
            let movement = to_movement(row, books.of_account(&row.account)?);
            let value = plain(&movement, "bursar.v1.Movement")?;
            ("movement", with("account", row.account.to_string(), value))
        }
        Row::Order(row) => ("order", plain(&to_order(row), "bursar.v1.Order")?),
        Row::Payout(row) => {
            let policy = books.decided_by(&row.revision)?;
            let payout = to_payout(row, &policy, language, record.at);
            ("payout", plain(&payout, "bursar.v1.Payout")?)
        }
        Row::Programme(row) => {
            ("programme", plain(&to_programme(row, record.at), "bursar.v1.Programme")?)
        }
        Row::Revision(row) => ("revision", plain(&to_revision(row, true), "bursar.v1.Revision")?),
        Row::Freeze(row) => ("freeze", plain(&to_freeze(row), "bursar.v1.Freeze")?),
        // Its receipt is in the event.
        Row::Decision(_)
        // Its id is in the record.
        | Row::Request(_)
        | Row::Balance(_)
        | Row::MovementNumber(..)
        | Row::PayoutOfOrder(..)
        | Row::Freezes(_)
        | Row::Cell(..)
        | Row::Due(..) => return Ok(None),
    };
    Ok(Some(Value::Object(Map::from_iter([(kind.to_owned(), value)]))))
}

/// Name of the resource that a row is.
pub(super) fn name_of(key: &Key) -> Option<String> {
    match key {
        Key::Platform(name) => Some(name.to_string()),
        Key::Shop(name) => Some(name.to_string()),
        Key::Operator(name) => Some(name.to_string()),
        Key::Grant(name) => Some(name.to_string()),
        Key::Account(name) => Some(name.to_string()),
        Key::Order(name) => Some(name.to_string()),
        Key::Payout(name) => Some(name.to_string()),
        Key::Decision(name) => Some(name.to_string()),
        Key::Programme(name) => Some(name.to_string()),
        Key::Revision(name) => Some(name.to_string()),
        Key::Freeze(name) => Some(name.to_string()),
        Key::Balance(_)
        | Key::Movement(..)
        | Key::MovementNumber(..)
        | Key::PayoutOfOrder(..)
        | Key::Request(_)
        | Key::Freezes(_)
        | Key::Cell(_)
        | Key::Due(..) => None,
    }
}

/// A grant, with the currency of its bounds once its programme has one.
fn grant(row: &Grant, books: &Books) -> Result<Value, String> {
    let currency = books.of_programme(&row.name.programme());
    let grant = to_grant(row, currency.map_or(0, |currency| currency.decimals()));
    let value = plain(&grant, "bursar.v1.Grant")?;
    Ok(match currency {
        Some(currency) => with("currency_code", currency.code().to_owned(), value),
        None => value,
    })
}

/// With a field more.
fn with(name: &str, text: String, mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.insert(name.to_owned(), Value::String(text));
    }
    value
}

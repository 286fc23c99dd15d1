//! Orders, from and to the wire.

use std::fmt;

use prost_types::Timestamp;

use super::{
    convert::{self, to_facts, to_money, to_time},
    problems::Problems,
};
use crate::{
    domain::{
        instant::Instant,
        name::OrderName,
        order::Order,
        refusal::{Reason, Refusal},
        who::{Caller, RoleSet},
    },
    proto::v1,
};

/// An order from the wire, under a name that was found elsewhere or in it.
pub fn order(
    order: &v1::Order,
    name: Option<&OrderName>,
    field: impl fmt::Display,
    roles: RoleSet,
    caller: &str,
    problems: &mut Problems,
) -> Option<Order> {
    let paid = order
        .paid_amount
        .as_ref()
        .and_then(|money| convert::money(money, format_args!("{field}.paid_amount"), problems));
    if paid.is_some_and(|(amount, _)| amount.is_negative()) {
        let field = format!("{field}.paid_amount");
        problems.add(Reason::AmountInvalid, field, "Must not be negative.");
    }
    if let Some((amount, currency)) = paid
        && amount.decimals() > currency.decimals()
    {
        let most = format!(
            "{} has {} decimals; amounts are never rounded.",
            currency.code(),
            currency.decimals()
        );
        problems.add(Reason::AmountInvalid, format!("{field}.paid_amount"), most);
    }
    let facts = convert::facts(&order.facts, format_args!("{field}.facts"), roles, problems).into();
    let mut instant = |timestamp: Option<&Timestamp>, part: &str| {
        convert::optional_instant(timestamp, format_args!("{field}.{part}"), problems)
    };
    let place_time = instant(order.place_time.as_ref(), "place_time");
    let source_time = instant(order.source_time.as_ref(), "source_time");
    Some(Order {
        name: name?.clone(),
        paid,
        place_time: place_time?,
        facts,
        asserted_by: roles,
        // That it is there the contract's check has seen.
        source_time: source_time.flatten()?,
        update_time: Instant::MIN,
        caller: caller.into(),
    })
}

/// An order to record.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn upserted(request: &v1::UpsertOrderRequest, caller: &Caller) -> Result<Order, Refusal> {
    let mut problems = Problems::of(request);
    let Some(sent) = &request.order else { return problems.finish(None) };
    let name = order_name(&sent.name, "order.name", &mut problems);
    let order = order(sent, name.as_ref(), "order", caller.roles, &caller.name, &mut problems);
    problems.finish(order)
}

/// An order's name.
pub fn order_name(text: &str, field: &str, problems: &mut Problems) -> Option<OrderName> {
    convert::name(text, field, OrderName::PATTERN, OrderName::parse, problems)
}

/// An order on the wire.
pub fn to_order(order: &Order) -> v1::Order {
    v1::Order {
        name: order.name.to_string(),
        paid_amount: order.paid.map(|(amount, currency)| to_money(amount, currency)),
        place_time: order.place_time.map(to_time),
        facts: to_facts(&order.facts),
        source_time: Some(to_time(order.source_time)),
        update_time: Some(to_time(order.update_time)),
    }
}

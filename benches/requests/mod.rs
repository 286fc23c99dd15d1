//! Payouts as the benchmarks ask for them, on the wire: about new orders that
//! come along, with every fact that a row of the policy looks at. One in twenty
//! is too large for its order.

use std::collections::BTreeMap;

use bursar::proto::{
    google::r#type::Money,
    v1::{self, fact_value::Kind},
};

/// The programme that they are asked for under.
pub const PROGRAMME: &str = "platforms/p/programmes/small-payout";
/// Its policy.
pub const POLICY: &str = include_str!("../../policies/douyin-small-payout.yaml");
/// Operators of each shop, with a main account.
pub const OPERATORS: usize = 20;

/// An amount.
pub fn money(units: i64, nanos: i32) -> Option<Money> {
    Some(Money { currency_code: "CNY".to_owned(), units, nanos })
}

fn facts(facts: &[(&str, Kind)]) -> BTreeMap<String, v1::FactValue> {
    let fact = |(name, kind): &(&str, Kind)| {
        ((*name).to_owned(), v1::FactValue { kind: Some(kind.clone()) })
    };
    facts.iter().map(fact).collect()
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

/// What is registered of each shop.
pub fn shop_facts() -> BTreeMap<String, v1::FactValue> {
    facts(&[("operating_state", text("normal")), ("qualification", text("enterprise"))])
}

/// Name of a shop.
pub fn shop(number: usize) -> String {
    format!("platforms/p/shops/s{number}")
}

/// Whether the request of a number is too large for its order.
pub fn is_too_large(number: usize) -> bool {
    number % 20 == 19
}

/// The request of a number, at one of so many shops in turn.
pub fn request(
    number: usize,
    shops: usize,
    now: prost_types::Timestamp,
) -> v1::AuthorizePayoutRequest {
    let shop = shop(number % shops);
    let items = v1::StringList { values: ["item-1", "item-2"].map(str::to_owned).to_vec() };
    v1::AuthorizePayoutRequest {
        parent: shop.clone(),
        request_id: format!("request-{number}"),
        payout: Some(v1::PayoutSpec {
            programme: PROGRAMME.to_owned(),
            operator: format!("{shop}/operators/op{}", number / shops % (OPERATORS - 1) + 1),
            order: format!("{shop}/orders/order-{number}"),
            payee: "buyer".to_owned(),
            amount: if is_too_large(number) { money(600, 0) } else { money(0, 10_000_000) },
            facts: facts(&[
                ("entry_channel", text("shop_pc_order_detail")),
                ("type", text("freight")),
                ("item", text("item-1")),
            ]),
            inline_order: Some(v1::Order {
                paid_amount: money(1000, 0),
                place_time: Some(now),
                source_time: Some(now),
                facts: facts(&[
                    ("app", text("douyin")),
                    ("payment_method", text("online")),
                    ("status", text("shipped")),
                    ("deposit_presale", Kind::BoolValue(false)),
                    ("local_life", Kind::BoolValue(false)),
                    ("cross_border", Kind::BoolValue(false)),
                    ("items", Kind::ListValue(items)),
                ]),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

//! What may happen, and how a random sequence of it is made.

use std::collections::BTreeMap;

use bursar::proto::v1::{self, FactSource, Role};
use rust_decimal::Decimal;

use crate::{
    catalogue,
    choices::Choices,
    naive::books::{Ask, Books, Grant, Order, Said, Scope, Target},
    setup::number,
};

/// How much of what was authorized a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    All,
    Half,
    More,
    /// The channel failed.
    None,
}

#[derive(Clone, Copy, Debug)]
pub enum Wait {
    Seconds(i64),
    Nanosecond,
    /// To the next midnight in Shanghai.
    Midnight,
    /// To the expiry of the last payout, or a nanosecond before it.
    Expiry,
    BeforeExpiry,
}

/// One thing that happens. Payouts, freezes and requests are named by number,
/// modulo how many there are.
#[derive(Clone, Debug)]
pub enum Step {
    Authorize(Box<Ask>),
    /// The same request again; `Some`: with this field changed.
    Again(usize, Option<u32>),
    Execute(usize, &'static str),
    Settle(usize, Part, &'static str),
    Cancel(usize),
    Return(usize, Part, &'static str),
    Wait(Wait),
    Grant(&'static str, Option<Grant>),
    Freeze(Target, Scope, Option<i64>),
    Lift(usize),
    Move(Decimal),
    ShopFact(String, Said),
    Order(String, Order),
    Due(usize),
}

const AMOUNTS: &[&str] = &[
    "1", "2", "2.5", "5", "3.33", "7.77", "0.01", "10", "12.5", "0.5", "8", "15", "1.5", "20", "4",
];

fn roles(choices: &mut Choices) -> Vec<Role> {
    if choices.chance(85) {
        return vec![Role::Platform, Role::Merchant];
    }
    vec![Role::Merchant]
}

/// A request that fits a policy, mostly.
pub fn ask(choices: &mut Choices, policy: &v1::Policy, books: &Books) -> Ask {
    let orders = ["o1", "o1", "o2", "o3", "", "sub1", "new", "new"];
    let mut order = choices.one(&orders).to_owned();
    if order == "new" {
        order = format!("new{}", choices.pick(60));
    }
    let operators = ["main", "sub1", "sub1", "sub2", ""];
    let operator = choices.one(&operators);
    let mut ask = Ask {
        amount: number(choices.one(AMOUNTS)),
        order: (!order.is_empty()).then_some(order),
        inline: None,
        operator: (!operator.is_empty()).then(|| operator.to_owned()),
        payee: choices.one(&["ann", "bob", "", "eve"]).to_owned(),
        purpose: choices.one(&["gift", "", "fee"]).to_owned(),
        facts: BTreeMap::new(),
        roles: roles(choices),
    };
    if let Some(order) = &ask.order
        && (order == "sub1" || order.starts_with("new") || choices.chance(10))
    {
        ask.inline = Some(new_order(choices, books, order));
    }
    for fact in &policy.facts {
        if fact.source() == FactSource::Request && !fact.key.is_empty() && choices.chance(85) {
            let values = catalogue::values(&fact.key);
            // The last one is of another type or not listed.
            let most = if choices.chance(6) { values.len() } else { values.len() - 1 };
            ask.facts.insert(fact.key.clone(), values[choices.pick(most)].clone());
        }
    }
    if choices.chance(2) {
        ask.facts.insert("stray".to_owned(), crate::setup::text("x"));
    }
    ask
}

fn new_order(choices: &mut Choices, books: &Books, name: &str) -> Order {
    let old = books.orders.get(name).or_else(|| books.orders.get("o1")).cloned();
    let mut order = old.expect("there is o1");
    // Sometimes an older version, which changes nothing.
    order.version += if choices.chance(85) { 1 } else { -1 };
    order.by = roles(choices);
    let by = order.by.clone();
    let key = choices.one(&["status", "level", "items", "shipped"]);
    let value = fact_value(choices, key);
    order.facts.insert(key.to_owned(), Said { value, by });
    if choices.chance(30) {
        order.paid = choices.chance(70).then(|| number("6.5"));
    }
    order
}

fn fact_value(choices: &mut Choices, key: &str) -> crate::naive::books::Plain {
    let values = catalogue::values(key);
    let most = if choices.chance(5) { values.len() } else { values.len() - 1 };
    values[choices.pick(most)].clone()
}

/// The next thing to happen.
pub fn step(choices: &mut Choices, policy: &v1::Policy, books: &Books) -> Step {
    let n = choices.pick(8);
    let reference = choices.one(&["r1", "r1", "r2"]);
    match choices.pick(100) {
        0..40 => Step::Authorize(Box::new(ask(choices, policy, books))),
        40..44 => Step::Again(n, choices.chance(40).then(|| 1 + choices.pick(4) as u32)),
        44..52 => Step::Execute(n, if choices.chance(85) { "e1" } else { "e2" }),
        52..62 => {
            let part = choices.one(&[Part::All, Part::None, Part::Half, Part::More, Part::All]);
            Step::Settle(n, part, reference)
        }
        62..65 => Step::Cancel(n),
        65..69 => Step::Return(n, choices.one(&[Part::Half, Part::All]), reference),
        69..83 => Step::Wait(choices.one(&[
            Wait::Seconds(30),
            Wait::Seconds(60),
            Wait::Nanosecond,
            Wait::Expiry,
            Wait::BeforeExpiry,
            Wait::Midnight,
            Wait::Seconds(1800),
            Wait::Seconds(86_400),
            Wait::Seconds(31 * 86_400),
        ])),
        83..86 => {
            let who = choices.one(&["sub1", "sub2"]);
            Step::Grant(who, choices.chance(85).then(|| grant(choices)))
        }
        86..90 => freeze(choices),
        90..92 => Step::Lift(n),
        92..95 => Step::Move(number(choices.one(&["10", "25", "-4", "-30", "0.01"]))),
        95..96 => {
            let key = choices.one(&["rank", "score"]);
            let said = Said { value: fact_value(choices, key), by: roles(choices) };
            Step::ShopFact(key.to_owned(), said)
        }
        96..97 => {
            let name = choices.one(&["o1", "o2"]);
            Step::Order(name.to_owned(), new_order(choices, books, name))
        }
        _ => Step::Due(n),
    }
}

fn grant(choices: &mut Choices) -> Grant {
    let mut amount = |of: &[&str]| choices.chance(80).then(|| number(choices.one(of)));
    Grant {
        per_payout: amount(&["8", "3", "20"]),
        daily: amount(&["15", "6", "0"]),
        monthly: amount(&["40", "22.5"]),
        enabled: choices.chance(75),
        daily_count: choices.chance(80).then(|| 1 + choices.pick(4) as u32),
        tier: choices.one(&["clerk", "manager", "", "boss"]).to_owned(),
    }
}

fn freeze(choices: &mut Choices) -> Step {
    let (target, scope) = match choices.pick(5) {
        0 => (Target::Account, Scope::Part(number(choices.one(&["3", "12.34", "100"])))),
        1 => (Target::Account, Scope::All),
        2 => (Target::Operator("sub1".to_owned()), Scope::All),
        3 => (Target::Shop, Scope::Proceeds),
        _ => (Target::Shop, Scope::All),
    };
    let ends = choices.chance(75).then(|| choices.one(&[45, 600, 1801, 90_000]));
    Step::Freeze(target, scope, ends)
}

//! The shop that every test plays in, on the books and in rows: one platform,
//! shop and account, a main account and two sub-accounts, three orders.

use std::collections::BTreeMap;

use bursar::{
    decision::configure::{GrantField, NewAccount, NewMovement, NewOperator, SetGrant, What},
    domain::{
        account::{AccountKind, Direction, MovementKind},
        amount::{Amount, Currency},
        instant::Instant,
        name::{AccountName, OperatorName, OrderName, PlatformName, ProgrammeName, ShopName},
        operator::OperatorKind,
        order::Order as OrderRow,
        shop::{Platform, Shop, Stamp},
        value::{Fact, Facts as FactRows, Value},
        who::{Role as CallerRole, RoleSet},
    },
    proto::v1::Role,
};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::{
    naive::books::{Ask, Books, Facts, Grant, Operator, Order, Plain, Said},
    world::{World, id},
};

pub fn platform() -> PlatformName {
    PlatformName { platform: id("p1") }
}

pub fn shop() -> ShopName {
    ShopName { platform: id("p1"), shop: id("s1") }
}

pub fn account() -> AccountName {
    shop().account(id("settlement"))
}

pub fn programme() -> ProgrammeName {
    ProgrammeName { platform: id("p1"), programme: id("small") }
}

pub fn order_name(order: &str) -> OrderName {
    shop().order(id(order))
}

pub fn operator_name(operator: &str) -> OperatorName {
    shop().operator(id(operator))
}

pub fn cny() -> Currency {
    Currency::parse("CNY").expect("a currency")
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

pub fn money(decimal: Decimal) -> Amount {
    Amount::parse(&decimal.to_string()).expect("an amount")
}

pub fn decimal(amount: Amount) -> Decimal {
    amount.to_string().parse().expect("a decimal")
}

pub fn number(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

pub fn text(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

pub fn list(texts: &[&str]) -> Plain {
    Plain::List(texts.iter().map(|t| (*t).to_owned()).collect())
}

pub fn value(plain: &Plain) -> Value {
    match plain {
        Plain::Text(text) => Value::text(text),
        Plain::Bool(flag) => Value::Bool(*flag),
        Plain::Number(number) => Value::Decimal(money(*number)),
        Plain::Time(at) => Value::Time(Instant(*at)),
        Plain::List(all) => Value::List(all.iter().map(|t| (**t).into()).collect()),
    }
}

pub fn roles(roles: &[Role]) -> RoleSet {
    let role = |role: &Role| match role {
        Role::Platform => CallerRole::Platform,
        Role::Admin => CallerRole::Admin,
        Role::Merchant => CallerRole::Merchant,
        Role::Payer => CallerRole::Payer,
        Role::Reviewer => CallerRole::Reviewer,
        Role::Auditor => CallerRole::Auditor,
        Role::Unspecified => panic!("no role"),
    };
    roles.iter().map(role).collect()
}

pub fn fact_rows(facts: &Facts) -> FactRows {
    let fact = |said: &Said| Fact { value: value(&said.value), asserted_by: roles(&said.by) };
    facts.iter().map(|(name, said)| ((**name).into(), fact(said))).collect()
}

pub fn order_row(name: &str, order: &Order) -> OrderRow {
    let source = Timestamp::from_second(order.version).expect("an instant");
    OrderRow {
        name: order_name(name),
        paid: order.paid.map(|paid| (money(paid), cny())),
        place_time: order.placed.map(Instant),
        facts: fact_rows(&order.facts).into(),
        asserted_by: roles(&order.by),
        source_time: Instant(source),
        update_time: Instant(source),
        caller: "test".into(),
    }
}

pub fn set_grant(operator: &str, grant: &Grant) -> SetGrant {
    SetGrant {
        name: operator_name(operator).grant(&programme().programme),
        etag: String::new(),
        fields: vec![
            GrantField::Enabled(grant.enabled),
            GrantField::PerPayoutAmount(grant.per_payout.map(money)),
            GrantField::DailyAmount(grant.daily.map(money)),
            GrantField::MonthlyAmount(grant.monthly.map(money)),
            GrantField::DailyCount(grant.daily_count),
            GrantField::Tier((&*grant.tier).into()),
        ],
    }
}

pub fn movement(reference: usize, amount: Decimal) -> NewMovement {
    let credit = amount > Decimal::ZERO;
    NewMovement {
        account: account(),
        reference: format!("m{reference}").into(),
        direction: if credit { Direction::Credit } else { Direction::Debit },
        kind: if credit { MovementKind::Proceeds } else { MovementKind::Refund },
        amount: (money(amount.abs()), cny()),
        order: None,
        occur_time: None,
    }
}

/// A request of the main account about no order.
pub fn plain_ask() -> Ask {
    Ask {
        amount: number("1"),
        order: None,
        inline: None,
        operator: Some("main".to_owned()),
        payee: String::new(),
        purpose: String::new(),
        facts: BTreeMap::new(),
        roles: vec![Role::Platform],
    }
}

/// What everybody would say about themselves; enough for every policy here.
pub fn usual(now: Timestamp) -> Books {
    let said = |pairs: &[(&str, Plain)]| -> Facts {
        let said = |value: &Plain| Said { value: value.clone(), by: vec![Role::Platform] };
        pairs.iter().map(|(name, value)| ((*name).to_owned(), said(value))).collect()
    };
    let order = |status: &str, level: &str, paid: Option<&str>, days: i64| Order {
        facts: said(&[
            ("app", text("douyin")),
            ("payment_method", text("online")),
            ("status", text(status)),
            ("deposit_presale", Plain::Bool(false)),
            ("local_life", Plain::Bool(false)),
            ("cross_border", Plain::Bool(false)),
            ("items", list(&["i1", "i2"])),
            ("level", Plain::Number(number(level))),
            ("shipped", Plain::Time(now - jiff::SignedDuration::from_hours(days * 24))),
        ]),
        by: vec![Role::Platform],
        paid: paid.map(number),
        placed: Some(now - jiff::SignedDuration::from_hours(days * 24 + 5)),
        version: 1,
    };
    let operator = |main: bool, points: &str, grant: Option<Grant>| Operator {
        main,
        facts: said(&[("points", Plain::Number(number(points)))]),
        grant,
    };
    let grant = Grant {
        enabled: true,
        per_payout: Some(number("8")),
        daily: Some(number("15")),
        monthly: Some(number("40")),
        daily_count: Some(3),
        tier: "clerk".into(),
    };
    Books {
        shop: said(&[
            ("operating_state", text("normal")),
            ("qualification", text("enterprise")),
            ("rank", text("b")),
            ("score", Plain::Number(number("4.5"))),
        ]),
        platform: said(&[("ratio", Plain::Number(number("0.7")))]),
        account_facts: said(&[("bank", text("x"))]),
        has_account: true,
        orders: BTreeMap::from([
            ("o1".to_owned(), order("shipped", "12.5", Some("20"), 3)),
            ("o2".to_owned(), order("completed", "3", Some("7.77"), 27)),
            ("o3".to_owned(), order("shipped", "30", None, 370)),
        ]),
        operators: BTreeMap::from([
            ("main".to_owned(), operator(true, "10", None)),
            ("sub1".to_owned(), operator(false, "2", Some(grant))),
            ("sub2".to_owned(), operator(false, "5.55", None)),
        ]),
        movements: Vec::new(),
        ..Books::default()
    }
}

/// Rows that say what the books say. Books are fresh: no payouts, no freezes.
pub fn world(books: &Books, now: Timestamp) -> World {
    let now = Instant(now);
    let mut world = World::new(now);
    let mut make = |what: What| {
        world.configure(what).answer.expect("set up");
    };
    make(What::CreatePlatform(Platform {
        name: platform(),
        display_name: "".into(),
        facts: fact_rows(&books.platform),
        stamp: Stamp::new(now),
    }));
    make(What::CreateShop(Shop {
        name: shop(),
        display_name: "".into(),
        facts: fact_rows(&books.shop),
        stamp: Stamp::new(now),
    }));
    if books.has_account {
        make(What::CreateAccount(NewAccount {
            name: account(),
            kind: AccountKind::Settlement,
            currency: cny(),
            facts: fact_rows(&books.account_facts),
        }));
    }
    for (name, operator) in &books.operators {
        make(What::CreateOperator(NewOperator {
            name: operator_name(name),
            display_name: "".into(),
            kind: if operator.main { OperatorKind::Main } else { OperatorKind::Sub },
            facts: fact_rows(&operator.facts),
        }));
    }
    for (name, order) in &books.orders {
        make(What::UpsertOrder(order_row(name, order)));
    }
    for (reference, amount) in books.movements.iter().enumerate() {
        make(What::RecordMovement(movement(reference, *amount)));
    }
    world
}

/// With a policy in force, and the grants that need one.
pub fn with_policy(
    books: &Books,
    policy: &bursar::proto::v1::Policy,
    now: Timestamp,
) -> Result<World, String> {
    let mut world = world(books, now);
    world.install(&programme(), policy)?;
    for (name, operator) in &books.operators {
        if let Some(grant) = &operator.grant {
            world.configure(What::SetGrant(set_grant(name, grant))).answer.expect("a grant");
        }
    }
    Ok(world)
}

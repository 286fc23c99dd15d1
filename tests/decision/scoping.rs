//! What meters are counted over: every value of a scope names the same meter
//! when rows are loaded and when they are judged.

use bursar::{
    api::policy::compile,
    decision::{Command, spec::Spec},
    domain::{limit::Stage, who::RoleSet},
    proto::v1,
};

use crate::{
    catalogue::fact,
    naive::books::{Ask, Books, Plain, Said},
    play::Play,
    policies::texts,
    promises::BEGIN,
    setup::{at, number, plain_ask, text, usual},
};

/// A policy with one limit over these facts of the catalogue.
fn over(scope: &[&str]) -> v1::Policy {
    let mut window = v1::Window::default();
    window.set_kind(v1::window::Kind::Day);
    let limit = v1::Limit {
        id: "day".to_owned(),
        quantity: v1::Quantity::Amount as i32,
        scope: scope.iter().map(|s| (*s).to_owned()).collect(),
        window: Some(window),
        bound: Some(v1::Operand { value: "5".to_owned(), ..v1::Operand::default() }),
        text: texts(),
        remedy: texts(),
        ..v1::Limit::default()
    };
    v1::Policy {
        title: texts(),
        currency: "CNY".to_owned(),
        time_zone: "Asia/Shanghai".to_owned(),
        facts: scope.iter().map(|s| fact(s).declaration()).collect(),
        limits: vec![limit],
        draws: vec![v1::Draw {
            id: "money".to_owned(),
            account: "settlement".to_owned(),
            text: texts(),
            remedy: texts(),
            ..v1::Draw::default()
        }],
        ..v1::Policy::default()
    }
}

fn asking() -> Ask {
    Ask {
        amount: number("3"),
        order: Some("o1".to_owned()),
        operator: Some("sub1".to_owned()),
        ..plain_ask()
    }
}

fn play(policy: &v1::Policy, change: impl FnOnce(&mut Books)) -> Play {
    let mut books = usual(at(BEGIN));
    books.movements.push(number("60"));
    change(&mut books);
    Play::new(policy, books, at(BEGIN)).expect("a policy that compiles")
}

/// Two of 3 each do not fit into 5, if they count in the same meter.
fn second_is_denied(play: &mut Play) -> bool {
    for _ in 0..2 {
        let step = crate::steps::Step::Authorize(Box::new(asking()));
        play.step(&step).unwrap_or_else(|problem| panic!("{problem}"));
    }
    play.asked[1].decision.payout.is_none()
}

/// Facts of every kind that something may be counted over.
const COUNTABLE: &[&str] = &[
    "paid",
    "grant-day",
    "grant-enabled",
    "shop-frozen",
    "operator-frozen",
    "order-known",
    "placed",
    "points",
    "score",
    "ratio",
    "level",
    "grant-tier",
    "operator-kind",
    "rank",
];

#[test]
fn every_kind_of_fact_can_be_counted_over() {
    for name in COUNTABLE {
        assert!(second_is_denied(&mut play(&over(&[name]), |_| {})), "{name}");
    }
}

#[test]
fn beside_a_new_order_every_kind_of_fact_is_counted_over_in_short_as_at_length() {
    let about_a_new_order = |operator: Option<&str>| Ask {
        order: Some("new".to_owned()),
        inline: Some(usual(at(BEGIN)).orders["o1"].clone()),
        operator: operator.map(str::to_owned),
        ..asking()
    };
    // The first is told in short, the second is about an order that is known by then:
    // it is denied only if both count in the same meter.
    let count_together = |scope: &[&str], operator: Option<&str>| {
        let mut play = play(&over(scope), |_| {});
        for _ in 0..2 {
            let step = crate::steps::Step::Authorize(Box::new(about_a_new_order(operator)));
            play.step(&step).unwrap_or_else(|problem| panic!("{scope:?}: {problem}"));
        }
        assert_eq!(play.world.in_short.get(), 1, "{scope:?} {operator:?}");
        assert!(play.asked[1].decision.payout.is_none(), "{scope:?} {operator:?}");
    };
    for name in COUNTABLE.iter().chain(&["operator", "shop", "payee", "purpose"]) {
        count_together(&[name, "order"], Some("sub1"));
        count_together(&["order", name], None);
    }
}

#[test]
fn a_fact_that_was_said_by_somebody_whose_word_does_not_count_is_counted_over_as_absent() {
    let mut policy = over(&["rank", "level", "paid"]);
    for fact in &mut policy.facts {
        fact.asserted_by = vec![v1::Role::Platform as i32];
    }
    let mut play = play(&policy, |books| {
        let by = vec![v1::Role::Merchant];
        books.shop.insert("rank".to_owned(), Said { value: text("a"), by: by.clone() });
        let order = books.orders.get_mut("o1").expect("an order");
        order.by = by.clone();
        order.facts.insert("level".to_owned(), Said { value: Plain::Number(number("1")), by });
    });
    assert!(second_is_denied(&mut play));
}

#[test]
fn a_check_of_another_stage_does_not_trip_over_a_scope_that_cannot_be_used() {
    let play = play(&over(&["rank"]), |books| {
        let said = Said { value: Plain::Bool(true), by: vec![v1::Role::Platform] };
        books.shop.insert("rank".to_owned(), said);
    });
    let spec = Spec { stage: Stage::Initiate, amount: None, ..play.spec(&asking()) };
    let judgement = play.world.ask(&Command::Validate(Box::new(spec)), RoleSet::ALL);
    assert!(judgement.answer.is_ok(), "{judgement:?}");
}

#[test]
fn facts_of_accounts_are_known_too_late_to_count_over_them() {
    for name in ["bank", "account", "account-frozen", "balance"] {
        let problems = compile(&over(&[name])).expect_err("it cannot be loaded");
        let found: Vec<_> = problems.iter().map(|p| (&*p.field, p.reason.as_str())).collect();
        assert_eq!(found, [("limits[0].scope[0]", "UNSUPPORTED_CONSTRUCT")], "{name}");
    }
}

#[test]
fn an_operator_and_a_new_order_of_one_name_count_apart() {
    let mut policy = over(&["operator", "order"]);
    let [mut by_order, mut by_operator] = [policy.limits[0].clone(), policy.limits[0].clone()];
    by_order.id = "order".to_owned();
    by_order.scope = vec!["order".to_owned()];
    by_operator.id = "operator".to_owned();
    by_operator.scope = vec!["operator".to_owned()];
    let mut lifetime = v1::Window::default();
    lifetime.set_kind(v1::window::Kind::Lifetime);
    by_order.window = Some(lifetime.clone());
    by_operator.window = Some(lifetime);
    for limits in [[&by_order, &by_operator], [&by_operator, &by_order]] {
        policy.limits = limits.map(Clone::clone).to_vec();
        let mut play = play(&policy, |_| {});
        let of_its_own = Ask { order: None, ..asking() };
        let mut order = play.books.orders["o1"].clone();
        order.version += 1;
        let of_the_name = Ask { order: asking().operator, inline: Some(order), ..asking() };
        for ask in [of_its_own, of_the_name] {
            let step = crate::steps::Step::Authorize(Box::new(ask));
            play.step(&step).unwrap_or_else(|problem| panic!("{problem}"));
        }
        let held = play.asked.iter().map(|asked| asked.decision.payout.is_some());
        assert_eq!(held.collect::<Vec<_>>(), [true, false], "the operator has 2 left of 5");
    }
}

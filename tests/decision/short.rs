//! What is told in short, and what is not. That both say the same is checked with
//! every step of every play (`world`).

use std::cell::Cell;

use bursar::proto::v1::{self, PayoutState, Role};

use crate::{
    catalogue::fact,
    choices::{Choices, check},
    naive::books::{Ask, Order, Said},
    play::Play,
    policies::{For, make, print, texts},
    promises::{BEGIN, begin, play, published, tight},
    setup::{at, number, plain_ask, text, usual},
    steps::{self, Step, Wait},
};

/// About an order that nobody saw before.
fn about_a_new_order() -> Ask {
    Ask {
        order: Some("new".to_owned()),
        inline: Some(usual(at(BEGIN)).orders["o1"].clone()),
        operator: Some("sub1".to_owned()),
        facts: [("entry_channel", "shop_pc_order_detail"), ("type", "freight"), ("item", "i1")]
            .map(|(key, value)| (key.to_owned(), text(value)))
            .into(),
        ..plain_ask()
    }
}

fn step(play: &mut Play, ask: Ask) {
    play.step(&Step::Authorize(Box::new(ask))).unwrap_or_else(|problem| panic!("{problem}"));
}

/// How often the last of these was told in short, with and without a profile.
fn in_short(policy: &v1::Policy, asks: &[Ask]) -> usize {
    let mut books = usual(at(BEGIN));
    books.movements.push(number("60"));
    let mut play =
        Play::new(policy, books, at(BEGIN)).unwrap_or_else(|problem| panic!("{problem}"));
    let (last, before) = asks.split_last().expect("somebody asks");
    before.iter().for_each(|ask| step(&mut play, ask.clone()));
    let told = play.world.in_short.get();
    step(&mut play, last.clone());
    play.world.in_short.get() - told
}

#[test]
fn what_every_rule_allows_about_a_new_order_is_told_in_short() {
    let asks =
        ["new1", "new2"].map(|order| Ask { order: Some(order.into()), ..about_a_new_order() });
    assert_eq!(in_short(&published(), &asks[..1]), 1);
    assert_eq!(in_short(&published(), &asks), 2, "by a profile as well");
}

#[test]
fn the_next_day_is_told_in_short_as_well() {
    let mut policy = published();
    // No other window ends with the day.
    policy.limits.retain(|limit| !["shop-daily", "operator-daily"].contains(&&*limit.id));
    let item = v1::Limit { id: "item-daily".into(), ..published().limits[4].clone() };
    policy
        .limits
        .push(v1::Limit { scope: vec!["order-id".to_owned(), "payout-item".to_owned()], ..item });
    policy.facts.retain(|fact| !["grant-daily", "operator-id", "shop-id"].contains(&&*fact.name));
    for limit in &mut policy.limits {
        limit.scope.retain(|fact| fact != "shop-id");
    }
    let mut books = usual(at(BEGIN));
    books.movements.push(number("60"));
    let mut play =
        Play::new(&policy, books, at(BEGIN)).unwrap_or_else(|problem| panic!("{problem}"));
    step(&mut play, about_a_new_order());
    play.step(&Step::Wait(Wait::Midnight)).unwrap_or_else(|problem| panic!("{problem}"));
    // Without a profile, and with the one of the day before: it says that it is over.
    let before = play.world.in_short.get();
    step(&mut play, Ask { order: Some("new2".into()), ..about_a_new_order() });
    assert_eq!(play.world.in_short.get() - before, 2);
}

#[test]
fn whatever_else_it_is_it_is_told_at_length() {
    let ask = about_a_new_order;
    let denied = Ask { amount: number("600"), ..ask() };
    let known = Ask { order: Some("o1".into()), inline: None, ..ask() };
    let mut newer = Ask { order: Some("o1".into()), ..ask() };
    newer.inline.as_mut().expect("it comes along").version += 1;
    let mut said_by_the_shop = ask();
    let order: &mut Order = said_by_the_shop.inline.as_mut().expect("it comes along");
    let items = crate::setup::list(&["i1"]);
    order.facts.insert("items".to_owned(), Said { value: items, by: vec![Role::Merchant] });
    let again = [ask(), ask()];
    for (what, asks) in [
        ("denied", vec![denied]),
        ("a known order", vec![known]),
        ("a newer version of an order", vec![newer]),
        ("another payout of the order", again.to_vec()),
    ] {
        assert_eq!(in_short(&published(), &asks), 0, "{what}");
    }
    let mut only_the_platform = published();
    let items = only_the_platform.facts.iter_mut().find(|fact| fact.name == "order-items");
    items.expect("a fact").asserted_by = vec![Role::Platform as i32];
    said_by_the_shop.facts.remove("item");
    assert_eq!(in_short(&published(), &[said_by_the_shop.clone()]), 1);
    assert_eq!(in_short(&only_the_platform, &[said_by_the_shop]), 0, "a word that does not count");
}

#[test]
fn policies_of_which_less_can_be_told_beforehand_are_told_at_length() {
    let change = |change: fn(&mut v1::Policy)| {
        let mut policy = published();
        change(&mut policy);
        in_short(&policy, &[about_a_new_order()])
    };
    assert_eq!(change(|_| {}), 1);
    let alerts = |policy: &mut v1::Policy| {
        policy.alerts[0].on_states.push(PayoutState::Authorized as i32);
    };
    assert_eq!(change(alerts), 0, "an alert when it is authorized");
    let timers = |policy: &mut v1::Policy| {
        policy.timers[0].set_state(PayoutState::Authorized);
        policy.timers[0].after.as_mut().expect("a time").seconds = 60;
    };
    assert_eq!(change(timers), 0, "a timer");
    let over_payees = |policy: &mut v1::Policy| {
        policy.facts.push(fact("payee").declaration());
        let daily = policy.limits.iter_mut().find(|limit| limit.id == "shop-daily");
        daily.expect("a limit").scope.push("payee".to_owned());
    };
    assert_eq!(change(over_payees), 0, "a meter of others that differs by payout");
    let what_is_held = |policy: &mut v1::Policy| {
        let balance = fact("balance").declaration();
        policy.facts.push(v1::FactDeclaration { label: true, ..balance });
    };
    assert_eq!(change(what_is_held), 0, "a fact that payouts change");
    let warns = |policy: &mut v1::Policy| {
        let limit = v1::Limit {
            id: "warns".to_owned(),
            bound: Some(v1::Operand { value: "0.5".to_owned(), ..v1::Operand::default() }),
            on_failure: v1::OnFailure::Warn as i32,
            text: texts(),
            remedy: texts(),
            ..policy.limits[5].clone()
        };
        policy.limits.push(v1::Limit { when: None, ..limit });
    };
    assert_eq!(change(warns), 0, "a warning");
}

#[test]
fn steps_by_chance_come_to_what_is_told_in_short() {
    for policy in [published(), tight()] {
        let numbers = (1..20_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u16);
        let mut choices = Choices::new(numbers.collect());
        let mut play = play(&policy, at(BEGIN)).expect("a policy that compiles");
        for _ in 0..200 {
            let next = steps::step(&mut choices, &play.policy, &play.books);
            play.step(&next).unwrap_or_else(|problem| panic!("{problem}"));
        }
        assert!(play.world.in_short.get() > 0 && play.world.with_profile.get() > 0);
    }
}

#[test]
fn under_made_up_policies_it_says_the_same_in_short_as_at_length() {
    let names = [
        "required",
        "values",
        "asserted by",
        "dimensions",
        "effective",
        "rolling",
        "measure",
        "warning",
    ];
    let told = names.map(|_| Cell::new(0_usize));
    let (allowed, all) = (Cell::new(0), Cell::new(0));
    check(1500, 200, |choices, story| {
        let begin = begin(choices);
        let policy = make(choices, For::Short, begin);
        story.tell(|| print(&policy));
        let Some(mut play) = play(&policy, begin) else { return Ok(()) };
        for _ in 0..choices.pick(30) {
            let next = steps::step(choices, &policy, &play.books);
            story.tell(|| format!("{} {next:?}", play.now()));
            play.step(&next)?;
        }
        let in_short = play.world.in_short.get();
        all.set(all.get() + in_short);
        let held = play.asked.iter().filter(|a| a.decision.payout.is_some()).count();
        allowed.set(allowed.get() + held);
        let rolls = |limit: &v1::Limit| {
            limit.window.as_ref().is_some_and(|it| it.kind() == v1::window::Kind::Rolling)
        };
        let has = [
            policy.facts.iter().any(|fact| fact.required),
            policy.facts.iter().any(|fact| !fact.values.is_empty()),
            policy.facts.iter().any(|fact| !fact.asserted_by.is_empty()),
            policy.facts.iter().any(|fact| fact.dimension),
            policy.conditions.iter().any(|it| it.effective.is_some()),
            policy.limits.iter().any(rolls),
            !policy.measures.is_empty(),
            policy.conditions.iter().any(|it| it.on_failure() == v1::OnFailure::Warn),
        ];
        for (told, _) in told.iter().zip(has).filter(|(_, has)| *has) {
            told.set(told.get() + in_short);
        }
        Ok(())
    });
    println!("{} held, {} times told in short", allowed.get(), all.get());
    for (name, told) in names.iter().zip(&told) {
        println!("{name}: {}", told.get());
        assert!(told.get() > 20, "under policies with {name} hardly any is told in short");
    }
}

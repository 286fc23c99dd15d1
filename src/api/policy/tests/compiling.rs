//! What a policy becomes.

use std::time::Duration;

use serde_json::json;

use super::{compiled, read, reasons, whole, wire, with};
use crate::{
    api::policy::compile,
    domain::{
        amount::{Amount, Factor},
        condition::{Check, Comparison, Left, Number, Operand, Predicate, Right, Source, Test},
        finding::{Category, Severity},
        limit::{Counts, OnFailure, OnReturn, Quantity, Stage},
        name::Id,
        payout::State,
        policy::{Field, Origin},
        value::Value,
        who::Role,
        window::Window,
    },
    proto::v1,
};

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("a decimal")
}

#[test]
fn every_construct_that_is_carried_out_compiles() {
    let policy = compiled(&whole());
    assert_eq!((policy.currency.code(), &*policy.zone_name), ("CNY", "Asia/Shanghai"));
    assert_eq!(policy.title.get("zh-CN"), "打款");
    assert_eq!(policy.execute_within, Some(Duration::from_secs(1800)));
    let ids: Vec<&str> = policy.limits.iter().map(|l| &*l.rule.id).collect();
    assert_eq!(
        ids,
        [
            "order-total",
            "order-paid",
            "minute",
            "rolling-total",
            "each-payout",
            "times-a-day",
            "week",
            "year"
        ]
    );
    assert_eq!(policy.timers[0].alert, 0);
    assert_eq!(policy.alerts[1].on_states, [State::Failed, State::Expired]);
    assert_eq!(policy.state_text(State::Expired).expect("a text").reason.get("en"), "Timed out");
    assert_eq!(policy.draws[0].account, Id::parse("settlement").expect("an id"));
}

#[test]
fn facts_come_from_where_they_are_declared() {
    let policy = compiled(&whole());
    let origin = |name: &str| &policy.facts[policy.fact(name).expect("declared")].origin;
    let settlement = Id::parse("settlement").expect("an id");
    assert_eq!(*origin("amount"), Origin::Field(Field::Amount));
    assert_eq!(*origin("paid"), Origin::Field(Field::OrderPaid));
    assert_eq!(*origin("balance"), Origin::Field(Field::AccountBalance(settlement.clone())));
    assert_eq!(*origin("bank"), Origin::Account(settlement, "bank".into()));
    assert_eq!(*origin("ratio"), Origin::Platform("ratio".into()));
    let entry = &policy.facts[policy.fact("entry").expect("declared")];
    assert_eq!(entry.values, [Value::text("desk"), Value::text("office"), Value::text("phone")]);
    assert!(entry.asserted_by.has(Role::Merchant) && !entry.asserted_by.has(Role::Payer));
    assert!(entry.required && !entry.label && !entry.dimension);
}

#[test]
fn what_is_not_stated_has_its_usual_value() {
    let policy = compiled(&whole());
    let limit = &policy.limits[0];
    assert_eq!(
        (limit.rule.category, limit.rule.severity),
        (Category::Limit, Severity::Unspecified)
    );
    assert_eq!(limit.rule.on_failure, OnFailure::Deny);
    assert_eq!((limit.rule.when.clone(), limit.rule.effective), (Predicate::TRUE, (None, None)));
    assert_eq!((&limit.counting.counts, limit.counting.on_return), (&Counts::Live, OnReturn::Keep));
    assert_eq!(policy.limits[1].rule.category, Category::Risk);
    assert_eq!(policy.draws[0].rule.category, Category::Funds);
    let condition = &policy.conditions[1].rule;
    assert_eq!(condition.category, Category::Unspecified);
    assert!(condition.stages.has(Stage::Confirm) && !condition.stages.has(Stage::Initiate));
    assert_eq!(limit.rule.variants[0].category, None);
}

#[test]
fn windows_and_scopes_are_as_written() {
    let policy = compiled(&whole());
    let windows: Vec<&Window> = policy.limits.iter().map(|l| &l.counting.window).collect();
    assert_eq!(windows[2], &Window::Rolling(Duration::from_secs(60)));
    assert_eq!(windows[4], &Window::Payout);
    assert_eq!(windows[6], &Window::Week(jiff::civil::Weekday::Monday));
    assert_eq!(policy.measures[1].counting.window, Window::Months(3));
    let same = &policy.measures[0].counting;
    let named: Vec<&str> = same.scope.iter().map(|f| &*policy.facts[*f].name).collect();
    assert_eq!((named, same.by_amount), (vec!["order", "purpose", "item"], true));
    assert_eq!(same.counts, Counts::InStates(vec![State::Processing]));
    assert_eq!(policy.limits[5].counting.quantity, Quantity::Count);
}

#[test]
fn rolling_windows_keep_no_more_than_they_need() {
    let policy = with(&[("/limits/5/window", json!({"kind": "KIND_ROLLING", "length": "1s"}))]);
    let entries: Vec<usize> = compiled(&policy).limits.iter().map(|l| l.max_entries).collect();
    // One more than the bound; as stated; not rolling; a bound that is a fact.
    assert_eq!((entries[2], entries[3], entries[4], entries[5]), (2, 500, 0, 10_000));
    let policy = with(&[("/limits/3/max_entries", json!(0))]);
    assert_eq!(compiled(&policy).limits[3].max_entries, 10_000);
}

#[test]
fn comparisons_are_typed() {
    let policy = compiled(&whole());
    let fact = |name: &str| policy.fact(name).expect("declared");
    let Predicate::All(cover) = &policy.conditions[3].require else { panic!("all") };
    let factor = Factor::parse("1.5").expect("a factor");
    let operand = Right::Operand(Operand { of: Source::Fact(fact("amount")), factor });
    let expected = Test {
        left: Left::Fact(fact("balance")),
        factor: Factor::ONE,
        check: Check::Compare(Comparison::AtLeast, operand),
    };
    assert_eq!(cover[0], Predicate::Test(expected));
    let Predicate::Test(ratio) = &cover[2] else { panic!("a test") };
    let zero = Right::Literal(Value::Decimal(Amount::ZERO));
    assert_eq!(ratio.check, Check::Compare(Comparison::NotEqual, zero));
    let Predicate::Test(listed) = &cover[3] else { panic!("a test") };
    let values = ["111.11", "222.22"].map(|v| Value::Decimal(amount(v))).to_vec();
    assert_eq!(listed.check, Check::OneOf(false, values));
    let Predicate::Test(short) = &policy.draws[0].rule.variants[0].when else { panic!("a test") };
    assert_eq!(short.left, Left::Number(Number::Balance));
}

#[test]
fn an_empty_policy_is_told_all_that_it_lacks() {
    let problems = compile(&v1::Policy::default()).expect_err("it lacks something");
    let missing = ["title", "currency", "time_zone"].map(|f| (f.to_owned(), "MISSING"));
    assert_eq!(reasons(&problems), missing);
}

#[test]
fn a_policy_without_rules_is_complete() {
    let policy =
        json!({"title": {"zh-CN": "空", "en": "Empty"}, "currency": "JPY", "time_zone": "UTC"});
    assert_eq!(compiled(&policy).execute_within, None);
}

#[test]
fn a_zone_is_spelt_as_iana_spells_it() {
    assert_eq!(
        &*compiled(&with(&[("/time_zone", json!("asia/shanghai"))])).zone_name,
        "Asia/Shanghai"
    );
}

#[test]
fn numbers_that_an_enum_does_not_have_are_refused() {
    let mut policy = wire(&whole());
    policy.limits[0].quantity = 77;
    policy.draws[0].severity = -1;
    let problems = compile(&policy).expect_err("two faults");
    assert_eq!(
        reasons(&problems),
        [
            ("limits[0].quantity".to_owned(), "INVALID_VALUE"),
            ("draws[0].severity".to_owned(), "INVALID_VALUE")
        ]
    );
}

#[test]
fn nesting_ends_somewhere() {
    let mut policy = wire(&whole());
    let mut deep = policy.conditions[2].require.clone().expect("a condition");
    for _ in 0..200 {
        deep = v1::Predicate { none: vec![deep], ..Default::default() };
    }
    policy.conditions[2].require = Some(deep);
    let problems = compile(&policy).expect_err("too deep");
    assert!(problems.iter().any(|p| p.description.contains("deeper")), "{problems:#?}");
}

#[test]
fn slips_are_understood() {
    let policy = with(&[
        ("/limits/0/scope/0", json!("oder")),
        ("/limits/1/bound", json!({"fact": "payd"})),
        ("/timers/0/alert", json!("stuck-payot")),
        ("/draws/0/variants/0/when/number", json!("balanse")),
    ]);
    let problems = compile(&wire(&policy)).expect_err("four slips");
    for meant in ["order", "paid", "stuck-payout", "balance"] {
        let hint = format!("did you mean `{meant}`?");
        assert!(problems.iter().any(|p| p.description.ends_with(&hint)), "{meant}: {problems:#?}");
    }
}

/// Every place of a policy, innermost last.
fn places(at: &serde_json::Value, pointer: &str, all: &mut Vec<String>) {
    let children: Vec<(String, &serde_json::Value)> = match at {
        serde_json::Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
        serde_json::Value::Array(list) => {
            list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect()
        }
        _ => Vec::new(),
    };
    for (key, child) in children {
        let pointer = format!("{pointer}/{key}");
        all.push(pointer.clone());
        places(child, &pointer, all);
    }
}

#[test]
fn whatever_is_missing_or_garbled_a_refusal_says_what() {
    let (good, mut all) = (whole(), Vec::new());
    places(&good, "", &mut all);
    assert!(all.len() > 500);
    for pointer in &all {
        for garbled in [json!({}), json!(""), json!("~"), json!(9)] {
            let mut policy = good.clone();
            *policy.pointer_mut(pointer).expect("it is there") = garbled.clone();
            // What the schema itself refuses never gets as far as this.
            let Some(wire) = read(&policy) else { continue };
            if let Err(problems) = compile(&wire) {
                assert!(!problems.is_empty(), "{pointer} = {garbled} is refused without a word");
            }
        }
    }
}

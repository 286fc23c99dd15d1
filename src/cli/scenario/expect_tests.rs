//! What matches an expectation, and how a difference is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::{came::Came, expect::compare};
use crate::yaml::{self, located};

fn receipt(text: &str) -> Came {
    message("bursar.v1.Receipt", text)
}

fn message(name: &str, text: &str) -> Came {
    Came::from(&yaml::parse(text, &yaml::descriptor(name).unwrap()).unwrap().message)
}

fn differences(expected: &str, came: &Came) -> Vec<(String, String, String)> {
    let found = compare(&located::parse(expected).unwrap(), came);
    found.into_iter().map(|m| (m.path, m.expected, m.came)).collect()
}

fn holds(expected: &str, came: &Came) -> bool {
    differences(expected, came).is_empty()
}

#[test]
fn only_the_fields_given_are_compared_in_any_spelling() {
    let came =
        receipt("{decision: DENY, max_amount: '50.00', findings: [{rule: a, outcome: DENY}]}");
    for good in [
        "decision: DENY",
        "decision: DECISION_DENY",
        "maxAmount: 50.00",
        "max_amount: \"50.00\"",
        "findings: [{rule: a}]",
        "{}",
    ] {
        assert!(holds(good, &came), "{good}");
    }
    for bad in ["decision: ALLOW", "max_amount: 50.0", "findings: [{rule: b}]", "decision: 3"] {
        assert!(!holds(bad, &came), "{bad}");
    }
}

#[test]
fn defaults_and_nothing_are_what_a_field_that_is_not_set_holds() {
    let came = receipt("{}");
    for good in [
        "{payout: ''}",
        "{payout: ~}",
        "{replayed: false}",
        "{decision_version: 0}",
        "{findings: []}",
        "{findings: ~}",
        "{expire_time: ~}",
        "{amount: null}",
        "{state: ~}",
        "{state: PAYOUT_STATE_UNSPECIFIED}",
    ] {
        assert!(holds(good, &came), "{good}");
    }
    assert!(!holds("{amount: {}}", &came), "a message that is not set is not an empty one");
    assert!(!holds("{decision: ~}", &receipt("{decision: ALLOW}")));
}

#[test]
fn numbers_instants_and_durations_are_compared_by_value() {
    let money = message("google.type.Money", "units: 500");
    assert!(holds("units: '500'", &money) && holds("units: 500", &money));
    let came = receipt(
        "{decide_time: 2026-03-02T02:00:00Z, findings: [{observed: {t: 2026-03-02T02:00:00Z}, expected_resolution: 1.5s}]}",
    );
    assert!(holds("decide_time: 2026-03-02T10:00:00.000+08:00", &came));
    assert!(!holds("decide_time: 2026-03-02T10:00:00.001+08:00", &came));
    assert!(holds("findings: [{observed: {t: 2026-03-02T10:00:00+08:00}}]", &came));
    assert!(holds("findings: [{expected_resolution: 1.500s}]", &came));
    assert!(!holds("findings: [{expected_resolution: 2s}]", &came));
}

#[test]
fn maps_are_compared_by_the_keys_given() {
    let came = receipt("findings: [{scope: {order: '1', shop: s}}]");
    assert!(holds("findings: [{scope: {order: 1}}]", &came));
    assert!(holds("findings: [{scope: {operator: ~}}]", &came));
    let found = differences("findings: [{scope: {operator: a}}]", &came);
    assert_eq!(found[0].0, "findings[0].scope[\"operator\"]");
    assert_eq!((found[0].1.as_str(), found[0].2.as_str()), ("a", "nothing"));
}

#[test]
fn lists_have_the_same_length_and_order_unless_said_otherwise() {
    let came = receipt("findings: [{rule: a, unit: x}, {rule: b, unit: x}]");
    assert!(holds("findings: [{rule: a}, {rule: b}]", &came));
    assert!(!holds("findings: [{rule: b}, {rule: a}]", &came));
    assert!(!holds("findings: [{rule: a}]", &came));
    assert!(holds("findings: {any_order: [{rule: b}, {rule: a}]}", &came));
    assert!(!holds("findings: {any_order: [{rule: b}]}", &came));
    assert!(holds("findings: {contains: [{rule: b}]}", &came));
    assert!(!holds("findings: {contains: [{rule: c}]}", &came));
    assert!(holds("findings: {contains: [{rule: a}], excludes: [{rule: c}]}", &came));
    assert!(!holds("findings: {excludes: [{rule: b}]}", &came));
    assert!(!holds("findings: {rule: a}", &came));
}

#[test]
fn each_element_serves_one_expectation_and_the_best_assignment_is_found() {
    let came = receipt("findings: [{rule: a, unit: x}, {rule: b, unit: x}]");
    assert!(holds("findings: {any_order: [{unit: x}, {rule: a}]}", &came));
    assert!(holds("findings: {contains: [{unit: x}, {unit: x}]}", &came));
    assert!(!holds("findings: {contains: [{rule: a}, {rule: a}]}", &came));
}

#[test]
fn all_differences_are_told_each_with_path_and_line() {
    let came = receipt("{decision: DENY, findings: [{rule: a, remaining: '50.00'}]}");
    let expected = located::parse("decision: ALLOW\nfindings:\n- rule: a\n  remaining: 60.00\n");
    let found = compare(&expected.unwrap(), &came);
    let found: Vec<_> = found.iter().map(|m| (m.path.as_str(), m.line, m.came.as_str())).collect();
    assert_eq!(found, [("decision", 1, "DENY"), ("findings[0].remaining", 4, "\"50.00\"")]);
}

#[test]
fn a_field_that_does_not_exist_never_matches() {
    let found = differences("{replayd: false}", &receipt("{}"));
    assert_eq!(found[0].2, "no such field in the contract; did you mean `replayed`?");
}

#[test]
fn a_missing_element_is_told_by_way_of_the_nearest_one() {
    let came = receipt("findings: [{rule: z}, {rule: a, remaining: '50.00'}]");
    let found = differences("findings: {contains: [{rule: a, remaining: 60.00}]}", &came);
    assert_eq!(found[0].1, "{rule: a, remaining: 60.00}");
    assert_eq!(found[0].2, "none such; [1] is nearest, but remaining came as: \"50.00\"");
}

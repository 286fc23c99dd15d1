//! Faults of policies: each row is one fault in a policy that has no other.

mod facts;
mod meters;
mod predicates;
mod rules;
mod top;

use serde_json::{Value, json};

use super::{put, reasons, whole, wire, with};
use crate::api::policy::{PolicyReason, compile};

/// Where in the policy, what is put there, and what that is refused as.
type Fault = (&'static str, Value, &'static str, &'static str);

pub(super) fn test(fact: &str, op: &str, value: &str) -> Value {
    json!({"fact": fact, "op": format!("COMPARISON_{op}"), "value": value})
}

pub(super) fn listed(fact: &str, op: &str, values: &[&str]) -> Value {
    json!({"fact": fact, "op": format!("COMPARISON_{op}"), "values": values})
}

/// Every row.
fn rows() -> Vec<Fault> {
    let tables =
        [facts::facts(), top::top(), rules::rules(), predicates::predicates(), meters::meters()];
    tables.concat()
}

#[test]
fn every_fault_is_refused_at_its_place_and_alone() {
    let mut wrong = Vec::new();
    for (pointer, value, field, reason) in rows() {
        let found = match compile(&wire(&with(&[(pointer, value.clone())]))) {
            Ok(_) => Vec::new(),
            Err(problems) => reasons(&problems),
        };
        if found != [(field.to_owned(), reason)] {
            wrong.push(format!("{pointer} = {value}\n  {field} {reason}\n  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_reason_has_a_fault_of_its_own() {
    let rows = rows();
    for reason in PolicyReason::ALL {
        // The last one needs two policies; see `meters`.
        let met = rows.iter().any(|(.., met)| *met == reason.as_str());
        assert!(met || *reason == PolicyReason::LimitChangedUnderOldId, "{reason:?}");
    }
}

/// All at once; each step mends one and meets the rest.
#[test]
fn all_faults_are_told_at_once_and_can_be_mended_one_by_one() {
    let faults: Vec<Fault> = vec![
        ("/title/en", json!(null), "title[\"en\"]", "MISSING"),
        ("/currency", json!("CNX"), "currency", "INVALID_VALUE"),
        ("/facts/3/personal", json!(true), "facts[3].personal", "UNSUPPORTED_CONSTRUCT"),
        ("/measures/1/quantity", json!(null), "measures[1].quantity", "MISSING"),
        (
            "/conditions/0/require/all/0/values/1",
            json!("letter"),
            "conditions[0].require.all[0].values[1]",
            "UNREACHABLE",
        ),
        (
            "/conditions/0/require/all/2/none/0/op",
            json!("COMPARISON_MORE"),
            "conditions[0].require.all[2].none[0].op",
            "WRONG_TYPE",
        ),
        ("/conditions/0/id", json!("A"), "conditions[0].id", "INVALID_VALUE"),
        (
            "/conditions/0/effective/end_time",
            json!("2025-01-01T00:00:00Z"),
            "conditions[0].effective.end_time",
            "UNREACHABLE",
        ),
        ("/conditions/0/remedy", json!(null), "conditions[0].remedy", "MISSING"),
        ("/limits/2/window/length", json!("0s"), "limits[2].window.length", "INVALID_VALUE"),
        ("/limits/3/scope", json!([]), "limits[3].window", "UNBOUNDED"),
        ("/limits/5/id", json!("minute"), "limits[5].id", "DUPLICATE_ID"),
        ("/draws/0/account", json!(""), "draws[0].account", "MISSING"),
        ("/timers/0/after", json!("0s"), "timers[0].after", "INVALID_VALUE"),
        ("/alerts/0/text", json!(null), "alerts[0].text", "MISSING"),
    ];
    for mended in 0..=faults.len() {
        let left = faults.get(mended..).unwrap_or_default();
        let mut broken = whole();
        for (pointer, value, ..) in left {
            put(&mut broken, pointer, value.clone());
        }
        let expected: Vec<_> = left.iter().map(|(.., f, r)| ((*f).to_owned(), *r)).collect();
        match compile(&wire(&broken)) {
            Ok(_) => assert!(left.is_empty(), "{left:?} passed"),
            Err(problems) => assert_eq!(reasons(&problems), expected, "{mended} mended"),
        }
    }
}

//! Faults of policies: each row is one fault in a policy that has no other.

use serde_json::{Value, json};

use super::{put, reasons, whole, wire, with};
use crate::api::policy::{PolicyReason, compile};

/// Where in the policy, what is put there, and what that is refused as.
type Fault = (&'static str, Value, &'static str, &'static str);

fn test(fact: &str, op: &str, value: &str) -> Value {
    json!({"fact": fact, "op": format!("COMPARISON_{op}"), "value": value})
}

fn listed(fact: &str, op: &str, values: &[&str]) -> Value {
    json!({"fact": fact, "op": format!("COMPARISON_{op}"), "values": values})
}

fn facts() -> Vec<Fault> {
    vec![
        ("/facts/3/name", json!(null), "facts[3].name", "MISSING"),
        ("/facts/3/name", json!("Note"), "facts[3].name", "INVALID_VALUE"),
        ("/facts/3/name", json!("-"), "facts[3].name", "INVALID_VALUE"),
        ("/facts/3/name", json!("amount"), "facts[3].name", "DUPLICATE_ID"),
        ("/facts/3/type", json!(null), "facts[3].type", "MISSING"),
        ("/facts/3/source", json!(null), "facts[3].source", "MISSING"),
        ("/facts/3/source", json!("FACT_SOURCE_PAYEE"), "facts[3].source", "UNSUPPORTED_CONSTRUCT"),
        ("/facts/3/source", json!("FACT_SOURCE_GROUP"), "facts[3].source", "UNSUPPORTED_CONSTRUCT"),
        ("/facts/3/source", json!("FACT_SOURCE_GRANT"), "facts[3].key", "INVALID_VALUE"),
        ("/facts/3/key", json!(null), "facts[3]", "MISSING"),
        ("/facts/3/key", json!("a\nb"), "facts[3].key", "INVALID_VALUE"),
        ("/facts/3/key", json!("item"), "facts[3].key", "DUPLICATE_ID"),
        ("/facts/3/field", json!("payee"), "facts[3].field", "INVALID_VALUE"),
        ("/facts/3/account", json!("settlement"), "facts[3].account", "INVALID_VALUE"),
        ("/facts/3/required", json!(true), "facts[3].required", "UNREACHABLE"),
        ("/facts/3/personal", json!(true), "facts[3].personal", "UNSUPPORTED_CONSTRUCT"),
        ("/facts/3/label", json!(false), "facts[3]", "UNREACHABLE"),
        ("/facts/7/field", json!("paid"), "facts[7].field", "INVALID_VALUE"),
        (
            "/facts/9/asserted_by",
            json!(["ROLE_UNSPECIFIED"]),
            "facts[9].asserted_by[0]",
            "INVALID_VALUE",
        ),
        (
            "/facts/9/asserted_by",
            json!(["ROLE_ADMIN", "ROLE_ADMIN"]),
            "facts[9].asserted_by[1]",
            "UNREACHABLE",
        ),
        (
            "/facts/7/asserted_by",
            json!(["ROLE_PLATFORM"]),
            "facts[7].asserted_by",
            "UNSUPPORTED_CONSTRUCT",
        ),
        ("/facts/7/values", json!(["1"]), "facts[7].values", "UNSUPPORTED_CONSTRUCT"),
        ("/facts/7/type", json!("FACT_TYPE_STRING"), "facts[7].type", "WRONG_TYPE"),
        ("/facts/4/values/3", json!("desk"), "facts[4].values[3]", "UNREACHABLE"),
        ("/facts/19/values", json!(["x"]), "facts[19].values[0]", "WRONG_TYPE"),
        ("/facts/17/account", json!(null), "facts[17].account", "MISSING"),
        ("/facts/17/account", json!("a b"), "facts[17].account", "INVALID_VALUE"),
    ]
}

fn policy() -> Vec<Fault> {
    let mut faults: Vec<Fault> = vec![
        ("/title", json!(null), "title", "MISSING"),
        ("/title/en", json!(" "), "title[\"en\"]", "MISSING"),
        ("/title/x y", json!("?"), "title[\"x y\"]", "INVALID_VALUE"),
        ("/title/en", json!("{limit}"), "title[\"en\"]", "INVALID_VALUE"),
        ("/currency", json!(null), "currency", "MISSING"),
        ("/currency", json!("CNX"), "currency", "INVALID_VALUE"),
        ("/time_zone", json!(null), "time_zone", "MISSING"),
        ("/time_zone", json!("Asia/Nowhere"), "time_zone", "INVALID_VALUE"),
        ("/governs", json!("GOVERNS_PLATFORM"), "governs", "UNSUPPORTED_CONSTRUCT"),
        ("/life/execute_within", json!("0s"), "life.execute_within", "INVALID_VALUE"),
        ("/life/execute_within", json!("-1s"), "life.execute_within", "INVALID_VALUE"),
        ("/life/review_within", json!("60s"), "life.review_within", "UNSUPPORTED_CONSTRUCT"),
        ("/timers/0/id", json!("minute"), "timers[0].id", "DUPLICATE_ID"),
        ("/timers/0/state", json!(null), "timers[0].state", "MISSING"),
        ("/timers/0/after", json!(null), "timers[0].after", "MISSING"),
        ("/timers/0/after", json!("0s"), "timers[0].after", "INVALID_VALUE"),
        ("/timers/0/state", json!("PAYOUT_STATE_AUTHORIZED"), "timers[0].after", "UNREACHABLE"),
        ("/alerts/1/on_states", json!([]), "alerts[1]", "UNREACHABLE"),
        (
            "/alerts/1/on_states/1",
            json!("PAYOUT_STATE_FAILED"),
            "alerts[1].on_states[1]",
            "UNREACHABLE",
        ),
        ("/alerts/1/audience", json!(null), "alerts[1].audience", "MISSING"),
        ("/alerts/1/measure", json!("month-total"), "alerts[1].measure", "UNSUPPORTED_CONSTRUCT"),
        (
            "/alerts/1/threshold",
            json!({"value": "1"}),
            "alerts[1].threshold",
            "UNSUPPORTED_CONSTRUCT",
        ),
        (
            "/alerts/1/once_per",
            json!({"kind": "KIND_DAY"}),
            "alerts[1].once_per",
            "UNSUPPORTED_CONSTRUCT",
        ),
        ("/alerts/1/text/en", json!("{remaining}"), "alerts[1].text[\"en\"]", "INVALID_VALUE"),
        ("/states/0/state", json!(null), "states[0].state", "MISSING"),
        ("/states/0/state", json!("PAYOUT_STATE_EXPIRED"), "states[1].state", "DUPLICATE_ID"),
        ("/states/0/text", json!(null), "states[0].text", "MISSING"),
        ("/states/1/reason/en", json!(null), "states[1].reason[\"en\"]", "MISSING"),
    ];
    for construct in [
        "calendars",
        "fees",
        "obligations",
        "tallies",
        "promises",
        "approvals",
        "case_kinds",
        "scores",
    ] {
        let pointer = match construct {
            "calendars" => "/calendars",
            "fees" => "/fees",
            "obligations" => "/obligations",
            "tallies" => "/tallies",
            "promises" => "/promises",
            "approvals" => "/approvals",
            "case_kinds" => "/case_kinds",
            _ => "/scores",
        };
        faults.push((pointer, json!([{"id": "x"}]), construct, "UNSUPPORTED_CONSTRUCT"));
    }
    faults
}

fn rules() -> Vec<Fault> {
    vec![
        ("/conditions/1/id", json!(null), "conditions[1].id", "MISSING"),
        ("/conditions/1/id", json!("a.b"), "conditions[1].id", "INVALID_VALUE"),
        ("/conditions/1/id", json!("no-repeat"), "conditions[2].id", "DUPLICATE_ID"),
        ("/limits/0/variants/0/id", json!("minute"), "limits[2].id", "DUPLICATE_ID"),
        ("/conditions/0/sources/0", json!(" "), "conditions[0].sources[0]", "MISSING"),
        ("/conditions/0/stages", json!(["STAGE_INITIATE"]), "conditions[0].stages", "UNREACHABLE"),
        (
            "/conditions/0/stages/1",
            json!("STAGE_INITIATE"),
            "conditions[0].stages[1]",
            "UNREACHABLE",
        ),
        (
            "/conditions/0/judges",
            json!("JUDGES_EXECUTE"),
            "conditions[0].judges",
            "UNSUPPORTED_CONSTRUCT",
        ),
        (
            "/conditions/0/on_failure",
            json!("ON_FAILURE_REVIEW"),
            "conditions[0].on_failure",
            "UNSUPPORTED_CONSTRUCT",
        ),
        (
            "/conditions/0/effective/end_time",
            json!("2026-01-01T00:00:00Z"),
            "conditions[0].effective.end_time",
            "UNREACHABLE",
        ),
        (
            "/conditions/0/expected_resolution",
            json!("0s"),
            "conditions[0].expected_resolution",
            "INVALID_VALUE",
        ),
        ("/conditions/2/text", json!(null), "conditions[2].text", "MISSING"),
        ("/conditions/2/text/zh-CN", json!(null), "conditions[2].text[\"zh-CN\"]", "MISSING"),
        ("/conditions/2/remedy", json!(null), "conditions[2].remedy", "MISSING"),
        (
            "/conditions/0/variants/0/remedy/en",
            json!(null),
            "conditions[0].variants[0].remedy[\"en\"]",
            "MISSING",
        ),
        ("/conditions/2/text/en", json!("{used}"), "conditions[2].text[\"en\"]", "INVALID_VALUE"),
        (
            "/conditions/2/text/en",
            json!("{fact:entry}"),
            "conditions[2].text[\"en\"]",
            "INVALID_VALUE",
        ),
        (
            "/conditions/2/text/en",
            json!("{fact:entri}"),
            "conditions[2].text[\"en\"]",
            "UNKNOWN_REFERENCE",
        ),
        (
            "/conditions/2/text/en",
            json!("{max_amount"),
            "conditions[2].text[\"en\"]",
            "INVALID_VALUE",
        ),
        (
            "/conditions/2/text/en",
            json!("max_amount}"),
            "conditions[2].text[\"en\"]",
            "INVALID_VALUE",
        ),
        ("/draws/0/text/en", json!("{used}"), "draws[0].text[\"en\"]", "INVALID_VALUE"),
        ("/limits/0/variants/0/when", json!(null), "limits[0].variants[1]", "UNREACHABLE"),
        (
            "/draws/0/variants/1/when/number",
            json!("balance"),
            "draws[0].variants[1]",
            "UNREACHABLE",
        ),
        (
            "/draws/0/variants/1/when/number",
            json!("used"),
            "draws[0].variants[1].when.number",
            "UNKNOWN_REFERENCE",
        ),
        (
            "/draws/0/variants/1/when/number",
            json!("requested"),
            "draws[0].variants[1].when",
            "UNREACHABLE",
        ),
        ("/draws/0/account", json!(null), "draws[0].account", "MISSING"),
        ("/draws/0/account", json!("a b"), "draws[0].account", "INVALID_VALUE"),
        (
            "/draws/0/when",
            test("purpose", "EQUAL", "goods"),
            "draws[0].when",
            "UNSUPPORTED_CONSTRUCT",
        ),
        ("/draws/0/cap", json!({"value": "1"}), "draws[0].cap", "UNSUPPORTED_CONSTRUCT"),
        (
            "/draws/0/overdraft",
            json!({"value": "1"}),
            "draws[0].overdraft",
            "UNSUPPORTED_CONSTRUCT",
        ),
        ("/draws/0/alternative", json!("a"), "draws[0].alternative", "UNSUPPORTED_CONSTRUCT"),
        ("/draws/0/channel", json!("a"), "draws[0].channel", "UNSUPPORTED_CONSTRUCT"),
        ("/draws/0/mode", json!("DRAW_MODE_OCCUPY"), "draws[0].mode", "UNSUPPORTED_CONSTRUCT"),
        (
            "/draws/1",
            json!({"id": "second", "account": "other", "text": {"zh-CN": "a", "en": "a"}, "remedy": {"zh-CN": "a", "en": "a"}}),
            "draws[1]",
            "UNSUPPORTED_CONSTRUCT",
        ),
    ]
}

fn predicates() -> Vec<Fault> {
    let require = "/conditions/2/when";
    let fault = |predicate: Value, field: &'static str, reason| (require, predicate, field, reason);
    vec![
        (
            "/conditions/4",
            json!({"id": "idle", "text": {"zh-CN": "a", "en": "a"}, "remedy": {"zh-CN": "a", "en": "a"}}),
            "conditions[4].require",
            "MISSING",
        ),
        ("/limits/0/when", json!({}), "limits[0].when", "MISSING"),
        fault(json!({"fact": "entry"}), "conditions[2].when.op", "MISSING"),
        fault(
            json!({"fact": "entry", "measure": "month-total", "op": "COMPARISON_PRESENT"}),
            "conditions[2].when.measure",
            "INVALID_VALUE",
        ),
        fault(
            json!({"all": [test("entry", "EQUAL", "desk")], "op": "COMPARISON_EQUAL"}),
            "conditions[2].when",
            "INVALID_VALUE",
        ),
        fault(test("entri", "EQUAL", "desk"), "conditions[2].when.fact", "UNKNOWN_REFERENCE"),
        fault(
            json!({"measure": "week-total", "op": "COMPARISON_EQUAL", "value": "1"}),
            "conditions[2].when.measure",
            "UNKNOWN_REFERENCE",
        ),
        fault(
            json!({"number": "used", "op": "COMPARISON_EQUAL", "value": "1"}),
            "conditions[2].when.number",
            "UNKNOWN_REFERENCE",
        ),
        fault(test("note", "EQUAL", "x"), "conditions[2].when.fact", "WRONG_TYPE"),
        fault(
            test("entry", "IN_WORKING_HOURS", ""),
            "conditions[2].when.op",
            "UNSUPPORTED_CONSTRUCT",
        ),
        // Operators and types.
        fault(test("entry", "LESS", "desk"), "conditions[2].when.op", "WRONG_TYPE"),
        fault(test("granted", "AT_LEAST", "true"), "conditions[2].when.op", "WRONG_TYPE"),
        fault(test("items", "EQUAL", "a"), "conditions[2].when.op", "WRONG_TYPE"),
        fault(listed("granted", "IN", &["true"]), "conditions[2].when.op", "WRONG_TYPE"),
        fault(test("entry", "CONTAINS", "a"), "conditions[2].when.op", "WRONG_TYPE"),
        fault(test("entry", "WITHIN_DAYS", "3"), "conditions[2].when.op", "WRONG_TYPE"),
        fault(test("placed", "WITHIN_DAYS", "1.5"), "conditions[2].when.value", "WRONG_TYPE"),
        fault(test("placed", "WITHIN_MONTHS", "-1"), "conditions[2].when.value", "WRONG_TYPE"),
        fault(test("placed", "EQUAL", "2026-03-02"), "conditions[2].when.value", "WRONG_TYPE"),
        fault(test("paid", "EQUAL", "1e3"), "conditions[2].when.value", "WRONG_TYPE"),
        fault(test("granted", "EQUAL", "yes"), "conditions[2].when.value", "WRONG_TYPE"),
        fault(listed("paid", "IN", &["1", "x"]), "conditions[2].when.values[1]", "WRONG_TYPE"),
        fault(
            json!({"fact": "entry", "factor": "2", "op": "COMPARISON_EQUAL", "value": "desk"}),
            "conditions[2].when.factor",
            "WRONG_TYPE",
        ),
        fault(
            json!({"fact": "paid", "factor": "0", "op": "COMPARISON_LESS", "value": "1"}),
            "conditions[2].when.factor",
            "INVALID_VALUE",
        ),
        fault(
            json!({"fact": "paid", "op": "COMPARISON_IN", "other": {"fact": "items"}}),
            "conditions[2].when.other",
            "WRONG_TYPE",
        ),
        fault(
            json!({"fact": "item", "op": "COMPARISON_IN", "other": {"fact": "bank"}}),
            "conditions[2].when.other.fact",
            "WRONG_TYPE",
        ),
        fault(
            json!({"fact": "item", "op": "COMPARISON_EQUAL", "other": {"value": "1"}}),
            "conditions[2].when.other",
            "WRONG_TYPE",
        ),
        fault(
            json!({"fact": "paid", "op": "COMPARISON_EQUAL", "other": {"fact": "bank"}}),
            "conditions[2].when.other.fact",
            "WRONG_TYPE",
        ),
        // Right sides.
        fault(test("entry", "EQUAL", ""), "conditions[2].when.value", "MISSING"),
        fault(test("bank", "PRESENT", "a"), "conditions[2].when.value", "INVALID_VALUE"),
        fault(listed("entry", "EQUAL", &["desk"]), "conditions[2].when.values", "INVALID_VALUE"),
        fault(
            json!({"fact": "paid", "op": "COMPARISON_EQUAL", "value": "1", "other": {"fact": "balance"}}),
            "conditions[2].when.other",
            "INVALID_VALUE",
        ),
        fault(
            json!({"fact": "paid", "op": "COMPARISON_LESS", "other": {}}),
            "conditions[2].when.other",
            "MISSING",
        ),
        fault(
            json!({"fact": "paid", "op": "COMPARISON_LESS", "other": {"value": "1", "fact": "balance"}}),
            "conditions[2].when.other.fact",
            "INVALID_VALUE",
        ),
        fault(
            json!({"fact": "paid", "op": "COMPARISON_LESS", "other": {"value": "1", "factor": "2"}}),
            "conditions[2].when.other.factor",
            "INVALID_VALUE",
        ),
        // What never changes.
        fault(listed("entry", "IN", &[]), "conditions[2].when.values", "UNREACHABLE"),
        fault(
            listed("entry", "IN", &["desk", "desk"]),
            "conditions[2].when.values[1]",
            "UNREACHABLE",
        ),
        fault(
            listed("entry", "NOT_IN", &["desk", "letter"]),
            "conditions[2].when.values[1]",
            "UNREACHABLE",
        ),
        fault(test("entry", "NOT_EQUAL", "letter"), "conditions[2].when.value", "UNREACHABLE"),
        fault(test("operator-kind", "EQUAL", "BOSS"), "conditions[2].when.value", "UNREACHABLE"),
        fault(test("amount", "MORE", "0"), "conditions[2].when.value", "UNREACHABLE"),
        fault(test("amount", "AT_LEAST", "0.01"), "conditions[2].when.value", "UNREACHABLE"),
        fault(test("amount", "EQUAL", "0.001"), "conditions[2].when.value", "UNREACHABLE"),
        fault(listed("amount", "IN", &["5", "-5"]), "conditions[2].when.values[1]", "UNREACHABLE"),
        fault(
            json!({"measure": "same-under-way", "op": "COMPARISON_LESS", "value": "0"}),
            "conditions[2].when.value",
            "UNREACHABLE",
        ),
        fault(
            json!({"measure": "same-under-way", "op": "COMPARISON_EQUAL", "value": "0.5"}),
            "conditions[2].when.value",
            "UNREACHABLE",
        ),
        fault(
            json!({"fact": "shop", "op": "COMPARISON_PRESENT"}),
            "conditions[2].when",
            "UNREACHABLE",
        ),
        fault(
            json!({"fact": "paid", "op": "COMPARISON_LESS", "other": {"fact": "paid"}}),
            "conditions[2].when",
            "UNREACHABLE",
        ),
        fault(
            json!({"all": [test("entry", "EQUAL", "desk"), {"none": [test("entry", "EQUAL", "desk")]}]}),
            "conditions[2].when",
            "UNREACHABLE",
        ),
        fault(
            json!({"all": [test("entry", "EQUAL", "desk"), test("entry", "EQUAL", "office")]}),
            "conditions[2].when",
            "UNREACHABLE",
        ),
        fault(
            json!({"any": [test("entry", "EQUAL", "desk"), test("entry", "EQUAL", "desk")]}),
            "conditions[2].when.any[1]",
            "UNREACHABLE",
        ),
        fault(
            json!({"measure": "same-under-way", "op": "COMPARISON_EQUAL", "value": "0"}),
            "conditions[2].require",
            "UNREACHABLE",
        ),
        // The amount.
        fault(
            json!({"fact": "amount", "op": "COMPARISON_LESS", "other": {"fact": "amount", "factor": "2"}}),
            "conditions[2].when.other",
            "AMOUNT_COMPARISON",
        ),
        fault(
            json!({"fact": "amount", "op": "COMPARISON_LESS", "other": {"measure": "same-under-way"}}),
            "conditions[2].when.other",
            "AMOUNT_COMPARISON",
        ),
        fault(
            json!({"measure": "same-under-way", "op": "COMPARISON_LESS", "other": {"fact": "amount"}}),
            "conditions[2].when.other",
            "AMOUNT_COMPARISON",
        ),
        ("/limits/0/bound", json!({"fact": "amount"}), "limits[0].bound", "AMOUNT_COMPARISON"),
        (
            "/limits/7/bound",
            json!({"measure": "same-under-way"}),
            "limits[7].bound",
            "AMOUNT_COMPARISON",
        ),
    ]
}

fn meters() -> Vec<Fault> {
    vec![
        (
            "/measures/2",
            json!({"id": "month-total", "quantity": "QUANTITY_COUNT", "window": {"kind": "KIND_DAY"}}),
            "measures[2].id",
            "DUPLICATE_ID",
        ),
        (
            "/measures/1/fed_by",
            json!("FED_BY_ORDERS"),
            "measures[1].fed_by",
            "UNSUPPORTED_CONSTRUCT",
        ),
        (
            "/measures/1/observation",
            json!("login"),
            "measures[1].observation",
            "UNSUPPORTED_CONSTRUCT",
        ),
        ("/measures/1/window", json!({"kind": "KIND_PAYOUT"}), "measures[1].window", "UNREACHABLE"),
        (
            "/measures/1/when",
            json!({"measure": "same-under-way", "op": "COMPARISON_MORE", "value": "1"}),
            "measures[1].when.measure",
            "UNSUPPORTED_CONSTRUCT",
        ),
        (
            "/measures/2",
            json!({"id": "idle", "quantity": "QUANTITY_COUNT", "window": {"kind": "KIND_DAY"}}),
            "measures[2]",
            "UNREACHABLE",
        ),
        ("/limits/0/weight", json!({"value": "1"}), "limits[0].weight", "UNSUPPORTED_CONSTRUCT"),
        ("/limits/3/quantity", json!(null), "limits[3].quantity", "MISSING"),
        ("/limits/0/scope/1", json!("nothing"), "limits[0].scope[1]", "UNKNOWN_REFERENCE"),
        ("/limits/0/scope/1", json!("note"), "limits[0].scope[1]", "WRONG_TYPE"),
        ("/limits/0/scope/1", json!("items"), "limits[0].scope[1]", "WRONG_TYPE"),
        ("/limits/0/scope/1", json!("order"), "limits[0].scope[1]", "UNREACHABLE"),
        ("/limits/3/scope/1", json!("amount"), "limits[3].scope", "UNSUPPORTED_CONSTRUCT"),
        ("/limits/3/scope", json!([]), "limits[3].window", "UNBOUNDED"),
        ("/limits/7/window", json!(null), "limits[7].window", "MISSING"),
        ("/limits/7/window", json!({}), "limits[7].window.kind", "MISSING"),
        ("/limits/7/window", json!({"kind": "KIND_ROLLING"}), "limits[7].window.length", "MISSING"),
        ("/limits/3/window/length", json!("0s"), "limits[3].window.length", "INVALID_VALUE"),
        ("/limits/7/window/length", json!("1s"), "limits[7].window.length", "INVALID_VALUE"),
        ("/limits/7/window/count", json!(2), "limits[7].window.count", "INVALID_VALUE"),
        (
            "/limits/7/window/slots",
            json!(["06:00-12:00"]),
            "limits[7].window.slots",
            "INVALID_VALUE",
        ),
        (
            "/limits/7/window/week_starts_on",
            json!("MONDAY"),
            "limits[7].window.week_starts_on",
            "INVALID_VALUE",
        ),
        (
            "/limits/6/window/week_starts_on",
            json!(null),
            "limits[6].window.week_starts_on",
            "MISSING",
        ),
        (
            "/limits/7/window",
            json!({"kind": "KIND_ROLLING_MONTHS", "count": 3}),
            "limits[7].window.kind",
            "UNSUPPORTED_CONSTRUCT",
        ),
        (
            "/limits/7/window",
            json!({"kind": "KIND_SLOT", "slots": ["06:00-12:00"]}),
            "limits[7].window.kind",
            "UNSUPPORTED_CONSTRUCT",
        ),
        (
            "/limits/7/window",
            json!({"kind": "KIND_MONTH", "count": 13}),
            "limits[7].window.count",
            "INVALID_VALUE",
        ),
        (
            "/limits/7/window",
            json!({"kind": "KIND_MONTH", "count": -1}),
            "limits[7].window.count",
            "INVALID_VALUE",
        ),
        ("/limits/0/bound", json!(null), "limits[0].bound", "MISSING"),
        ("/limits/0/bound", json!({}), "limits[0].bound", "MISSING"),
        ("/limits/0/bound/value", json!("five"), "limits[0].bound.value", "INVALID_VALUE"),
        ("/limits/0/bound/value", json!("-5"), "limits[0].bound.value", "INVALID_VALUE"),
        ("/limits/0/bound/value", json!("0.001"), "limits[0].bound.value", "INVALID_VALUE"),
        ("/limits/0/bound/factor", json!("2"), "limits[0].bound.factor", "INVALID_VALUE"),
        (
            "/limits/0/bound",
            json!({"number": "used"}),
            "limits[0].bound.number",
            "UNKNOWN_REFERENCE",
        ),
        ("/limits/0/bound", json!({"fact": "shop"}), "limits[0].bound.fact", "WRONG_TYPE"),
        ("/limits/0/bound", json!({"fact": "times"}), "limits[0].bound", "WRONG_TYPE"),
        ("/limits/7/bound", json!({"measure": "month-total"}), "limits[7].bound", "WRONG_TYPE"),
        ("/limits/7/bound/value", json!("1.5"), "limits[7].bound.value", "INVALID_VALUE"),
        ("/limits/2/bound/value", json!("100000"), "limits[2].bound.value", "UNBOUNDED"),
        ("/limits/3/max_entries", json!(100_001), "limits[3].max_entries", "INVALID_VALUE"),
        ("/limits/3/max_entries", json!(-1), "limits[3].max_entries", "INVALID_VALUE"),
        ("/limits/0/max_entries", json!(5), "limits[0].max_entries", "UNREACHABLE"),
        ("/limits/2/max_entries", json!(5), "limits[2].max_entries", "UNREACHABLE"),
        ("/limits/0/counts", json!("COUNTS_IN_STATES"), "limits[0].states", "MISSING"),
        ("/limits/0/states", json!(["PAYOUT_STATE_FAILED"]), "limits[0].states", "INVALID_VALUE"),
        (
            "/measures/0/states/1",
            json!("PAYOUT_STATE_PROCESSING"),
            "measures[0].states[1]",
            "UNREACHABLE",
        ),
        (
            "/measures/0/states/1",
            json!("PAYOUT_STATE_UNSPECIFIED"),
            "measures[0].states[1]",
            "MISSING",
        ),
        ("/limits/4/scope", json!(["shop"]), "limits[4].scope", "UNREACHABLE"),
        ("/limits/4/counts", json!("COUNTS_LIVE"), "limits[4].counts", "UNREACHABLE"),
        ("/limits/4/on_return", json!("ON_RETURN_KEEP"), "limits[4].on_return", "UNREACHABLE"),
    ]
}

#[test]
fn every_fault_is_refused_at_its_place_and_alone() {
    let mut wrong = Vec::new();
    for (pointer, value, field, reason) in
        [facts(), policy(), rules(), predicates(), meters()].into_iter().flatten()
    {
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
    let rows = [facts(), policy(), rules(), predicates(), meters()].concat();
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

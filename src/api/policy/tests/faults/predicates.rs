//! Faults of conditions.

use serde_json::{Value, json};

use super::{Fault, listed, test};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn predicates() -> Vec<Fault> {
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

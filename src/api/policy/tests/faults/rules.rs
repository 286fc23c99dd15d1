//! Faults of rules in general, and of draws.

use serde_json::json;

use super::{Fault, test};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn rules() -> Vec<Fault> {
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

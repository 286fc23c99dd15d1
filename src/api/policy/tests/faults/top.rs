//! Faults of what a policy has once, and of what happens by itself.

use serde_json::json;

use super::Fault;

pub(super) fn top() -> Vec<Fault> {
    let mut faults: Vec<Fault> = vec![
        ("/title", json!(null), "title", "MISSING"),
        ("/title/en", json!(" "), "title[\"en\"]", "MISSING"),
        ("/title/x y", json!("?"), "title[\"x y\"]", "INVALID_VALUE"),
        ("/title/en", json!("\u{1b}[2J"), "title[\"en\"]", "INVALID_VALUE"),
        ("/title/en", json!("t".repeat(4097)), "title[\"en\"]", "TOO_LARGE"),
        ("/alerts/1/audience", json!("a\nb"), "alerts[1].audience", "INVALID_VALUE"),
        ("/conditions/0/sources/0", json!("a\tb"), "conditions[0].sources[0]", "INVALID_VALUE"),
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
        (
            "/timers/0/state",
            json!("PAYOUT_STATE_FAILED"),
            "timers[0].state",
            "UNSUPPORTED_CONSTRUCT",
        ),
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
    // The pointer is the field's name after a slash.
    for pointer in [
        "/calendars",
        "/fees",
        "/obligations",
        "/tallies",
        "/promises",
        "/approvals",
        "/case_kinds",
        "/scores",
    ] {
        let field = pointer.trim_start_matches('/');
        faults.push((pointer, json!([{"id": "x"}]), field, "UNSUPPORTED_CONSTRUCT"));
    }
    faults
}

//! What differs between two policies.

use serde_json::{Value, json};

use super::{whole, wire, with};
use crate::{api::policy::diff, proto::v1};

fn differences(old: &Value, new: &Value) -> Vec<(String, String, String)> {
    let found = diff(&wire(old), &wire(new)).expect("both have a JSON form");
    found.into_iter().map(|d| (d.field, d.before, d.after)).collect()
}

fn row(field: &str, before: &str, after: &str) -> (String, String, String) {
    (field.to_owned(), before.to_owned(), after.to_owned())
}

#[test]
fn a_policy_does_not_differ_from_itself() {
    assert_eq!(differences(&whole(), &whole()), []);
}

#[test]
fn fields_are_named_by_the_ids_of_what_they_are_in() {
    let new = with(&[
        ("/title/en", json!("Small payouts")),
        ("/facts/4/required", json!(false)),
        ("/facts/4/values/2", json!("fax")),
        ("/conditions/0/require/all/1/any/1/op", json!("COMPARISON_PRESENT")),
        ("/limits/0/bound/value", json!("600.00")),
        ("/limits/2/window/length", json!("90s")),
        ("/limits/3/max_entries", json!(null)),
        ("/draws/0/variants/1/text/en", json!("Ice")),
        ("/states/1/reason", json!(null)),
        ("/fees", json!([{"id": "a", "rate": "0.01"}])),
    ]);
    assert_eq!(
        differences(&whole(), &new),
        [
            row("title[\"en\"]", "\"Payouts\"", "\"Small payouts\""),
            row("facts[entry].required", "true", ""),
            row("facts[entry].values[2]", "\"phone\"", "\"fax\""),
            row(
                "conditions[entry-channel].require.all[1].any[1].op",
                "\"COMPARISON_ABSENT\"",
                "\"COMPARISON_PRESENT\""
            ),
            row("limits[order-total].bound.value", "\"500.00\"", "\"600.00\""),
            row("limits[minute].window.length", "\"60s\"", "\"90s\""),
            row("limits[rolling-total].max_entries", "500", ""),
            row(
                "draws[settlement].variants[settlement-frozen].text[\"en\"]",
                "\"Frozen\"",
                "\"Ice\""
            ),
            row(
                "states[PAYOUT_STATE_EXPIRED].reason",
                "{\"en\":\"Timed out\",\"zh-CN\":\"超时\"}",
                ""
            ),
            row("fees", "", "[{\"id\":\"a\",\"rate\":\"0.01\"}]"),
        ]
    );
}

#[test]
fn rules_that_come_go_or_move_are_told_apart() {
    let mut new = whole();
    let timer = json!({"id": "slow", "after": "1s"});
    new["timers"].as_array_mut().expect("a list").insert(0, timer);
    let alerts = new["alerts"].as_array_mut().expect("a list");
    alerts.swap(0, 1);
    let states = new["states"].as_array_mut().expect("a list");
    states.truncate(1);
    assert_eq!(
        differences(&whole(), &new),
        [
            row("timers[slow]", "", "{\"after\":\"1s\",\"id\":\"slow\"}"),
            row("alerts", "[\"stuck-payout\",\"failed\"]", "[\"failed\",\"stuck-payout\"]"),
            row(
                "states[PAYOUT_STATE_EXPIRED]",
                "{\"reason\":{\"en\":\"Timed out\",\"zh-CN\":\"超时\"},\"state\":\"PAYOUT_STATE_EXPIRED\",\
                 \"text\":{\"en\":\"Failed\",\"zh-CN\":\"失败\"}}",
                ""
            ),
        ]
    );
}

#[test]
fn elements_without_a_name_of_their_own_go_by_position() {
    let old = json!({"timers": [{"id": "a", "after": "1s"}, {"id": "a", "after": "2s"}]});
    let new =
        json!({"timers": [{"id": "a", "after": "1s"}, {"id": "a", "after": "3s"}, {"id": "b"}]});
    assert_eq!(
        differences(&old, &new),
        [row("timers[1].after", "\"2s\"", "\"3s\""), row("timers[2]", "", "{\"id\":\"b\"}")]
    );
}

#[test]
fn what_has_no_json_form_is_said_to_have_none() {
    let mut old = v1::Policy::default();
    let after = prost_types::Duration { seconds: i64::MAX, nanos: 0 };
    old.timers.push(v1::Timer { after: Some(after), ..Default::default() });
    assert!(diff(&old, &v1::Policy::default()).is_err());
}

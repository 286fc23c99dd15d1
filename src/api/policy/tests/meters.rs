//! Meters that go on under their ids.

use serde_json::{Value, json};

use super::{compiled, reasons, whole, with};
use crate::api::policy::compatible;

fn changed(changes: &[(&str, Value)]) -> Vec<String> {
    let problems = compatible(&compiled(&whole()), &compiled(&with(changes)));
    assert!(reasons(&problems).iter().all(|(_, reason)| *reason == "LIMIT_CHANGED_UNDER_OLD_ID"));
    problems.into_iter().map(|p| p.field).collect()
}

#[test]
fn what_is_counted_stays_under_its_id() {
    for (pointer, value, field) in [
        ("/limits/0/scope/0", json!("shop"), "limits[0].scope"),
        ("/limits/5/scope", json!(["operator", "shop"]), "limits[5].scope"),
        ("/limits/6/quantity", json!("QUANTITY_COUNT"), "limits[6].quantity"),
        ("/limits/2/window/length", json!("61s"), "limits[2].window"),
        ("/limits/0/counts", json!("COUNTS_ATTEMPTS"), "limits[0].counts"),
        ("/measures/0/states/1", json!("PAYOUT_STATE_AUTHORIZED"), "measures[0].counts"),
        ("/measures/1/when/value", json!("freight"), "measures[1].when"),
        ("/measures/1/when", json!(null), "measures[1].when"),
        ("/facts/2/asserted_by", json!(["ROLE_ADMIN"]), "measures[0].scope"),
    ] {
        // What depends on the quantity changes with it.
        let bound = ("/limits/6/bound", json!({"value": "3"}));
        let mut changes = vec![(pointer, value)];
        if pointer == "/limits/6/quantity" {
            changes.push(bound);
        }
        if pointer == "/limits/0/scope/0" {
            changes.push(("/limits/0/text", json!({"zh-CN": "超", "en": "Too much"})));
        }
        assert_eq!(changed(&changes), [field], "{pointer}");
    }
}

#[test]
fn a_new_id_may_count_anything() {
    let changes = [("/limits/2/id", json!("minutes")), ("/limits/2/window/length", json!("120s"))];
    assert_eq!(changed(&changes), [""; 0]);
}

#[test]
fn bounds_texts_and_stages_change_freely() {
    let changes = [
        ("/limits/0/bound/value", json!("600")),
        ("/limits/0/text/en", json!("No")),
        ("/limits/0/stages", json!(["STAGE_CONFIRM"])),
        ("/limits/0/on_return", json!("ON_RETURN_RESTORE")),
        ("/limits/3/max_entries", json!(600)),
        // Without a meter there is nothing to go on.
        ("/limits/4/when/value", json!("MAIN")),
    ];
    assert_eq!(changed(&changes), [""; 0]);
}

#[test]
fn a_fact_by_another_name_is_the_same_fact() {
    let mut text = serde_json::to_string(&whole()).expect("JSON");
    text = text.replace("\"order\"", "\"the-order\"").replace("{fact:order}", "{fact:the-order}");
    text = text.replace("\"purpose\",\"type\"", "\"why\",\"type\"");
    text = text.replace("\"fact\":\"purpose\"", "\"fact\":\"why\"");
    text = text.replace("\"order\",\"purpose\"", "\"order\",\"why\"");
    text = text.replace("\"the-order\",\"purpose\"", "\"the-order\",\"why\"");
    let mut renamed: Value = serde_json::from_str(&text).expect("JSON");
    // Nor does it matter where it is declared.
    renamed["facts"].as_array_mut().expect("a list").reverse();
    assert_eq!(compatible(&compiled(&whole()), &compiled(&renamed)), []);
    // The same name for another thing is another fact.
    let other = with(&[("/facts/5/field", json!(null)), ("/facts/5/key", json!("id"))]);
    let problems = compatible(&compiled(&whole()), &compiled(&other));
    let fields: Vec<&str> = problems.iter().map(|p| &*p.field).collect();
    assert_eq!(
        fields,
        ["measures[0].scope", "limits[0].scope", "limits[1].scope", "limits[2].scope"]
    );
}

#[test]
fn a_condition_may_be_written_in_another_order() {
    let when = |values: [&str; 2], flip: bool| {
        let entry = json!({"fact": "entry", "op": "COMPARISON_IN", "values": values});
        let known = json!({"fact": "order-known", "op": "COMPARISON_EQUAL", "value": "true"});
        json!({"all": if flip { [known, entry] } else { [entry, known] }})
    };
    let old = compiled(&with(&[("/limits/0/when", when(["desk", "office"], false))]));
    let new = compiled(&with(&[("/limits/0/when", when(["office", "desk"], true))]));
    assert_eq!(compatible(&old, &new), []);
    let other = compiled(&with(&[("/limits/0/when", when(["office", "phone"], true))]));
    assert_eq!(compatible(&old, &other).len(), 1);
}

#[test]
fn another_zone_moves_the_days_of_calendar_windows() {
    let fields = changed(&[("/time_zone", json!("UTC"))]);
    // month-total, times-a-day, week, year.
    assert_eq!(fields, ["time_zone"; 4]);
}

#[test]
fn another_currency_is_another_amount() {
    let fields = changed(&[("/currency", json!("EUR"))]);
    // month-total, order-total, order-paid, rolling-total, week.
    assert_eq!(fields, ["currency"; 5]);
}

#[test]
fn a_limit_does_not_take_over_a_measure() {
    let mut new = whole();
    new["limits"][6]["bound"] = json!({"value": "1"});
    new["limits"][7]["id"] = json!("month-total");
    new["measures"][1]["id"] = json!("other-total");
    new["conditions"][3]["require"]["all"][1]["other"]["measure"] = json!("other-total");
    let problems = compatible(&compiled(&whole()), &compiled(&new));
    let fields: Vec<&str> = problems.iter().map(|p| &*p.field).collect();
    assert_eq!(
        fields,
        ["limits[7].scope", "limits[7].quantity", "limits[7].window", "limits[7].when"]
    );
}

//! A policy at each bound compiles; with one more it is refused, and told where.

use serde_json::{Value, json};

use super::{super::bounds, faults::listed, faults::test, reasons, whole, wire};
use crate::api::policy::compile;

/// A policy that has so many of something.
type Make = Box<dyn Fn(usize) -> Value>;

fn texts(text: &str) -> Value {
    json!({"zh-CN": text, "en": text})
}

/// The smallest policy, with some lists as given.
fn with(lists: &[(&str, Vec<Value>)]) -> Value {
    let mut policy = json!({
        "title": texts("t"), "currency": "CNY", "time_zone": "UTC",
        "facts": [{
            "name": "item", "type": "FACT_TYPE_STRING", "source": "FACT_SOURCE_REQUEST",
            "key": "item", "label": false, "dimension": true,
        }],
    });
    for (name, list) in lists {
        let all = policy.as_object_mut().expect("an object").entry(*name).or_insert(json!([]));
        all.as_array_mut().expect("a list").extend(list.iter().cloned());
    }
    policy
}

fn rule(id: impl Into<String>, require: Value) -> Value {
    json!({"id": id.into(), "require": require, "text": texts("t"), "remedy": texts("r")})
}

fn many(count: usize, each: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(each).collect()
}

fn fact(n: usize) -> Value {
    json!({
        "name": format!("f-{n}"), "type": "FACT_TYPE_STRING", "source": "FACT_SOURCE_REQUEST",
        "key": format!("f{n}"), "dimension": true,
    })
}

fn is(n: usize) -> Value {
    test("item", "EQUAL", &format!("v{n}"))
}

fn limit(n: usize) -> Value {
    json!({
        "id": format!("l-{n}"), "quantity": "QUANTITY_COUNT", "window": {"kind": "KIND_DAY"},
        "bound": {"value": "5"}, "text": texts("t"), "remedy": texts("r"),
    })
}

fn measures(n: usize) -> Value {
    let measure = |n| {
        json!({
            "id": format!("m-{n}"), "quantity": "QUANTITY_COUNT", "window": {"kind": "KIND_DAY"},
        })
    };
    let read = |n| json!({"measure": format!("m-{n}"), "op": "COMPARISON_LESS", "value": "5"});
    let rules = many(n, |n| rule(format!("c-{n}"), read(n)));
    with(&[("measures", many(n, measure)), ("conditions", rules)])
}

fn timers(n: usize) -> Value {
    let timer = |n: usize| {
        json!({
            "id": format!("t-{n}"), "state": "PAYOUT_STATE_PROCESSING", "alert": "a",
            "after": format!("{}s", n + 1),
        })
    };
    let alert = json!({"id": "a", "audience": "o", "text": texts("t")});
    with(&[("timers", many(n, timer)), ("alerts", vec![alert])])
}

fn alerts(n: usize) -> Value {
    let alert = |n| {
        json!({
            "id": format!("a-{n}"), "audience": "o", "on_states": ["PAYOUT_STATE_FAILED"],
            "text": texts("t"),
        })
    };
    with(&[("alerts", many(n, alert))])
}

fn variants(n: usize) -> Value {
    let mut limit = limit(0);
    limit["variants"] = many(n, |n| {
        json!({
            "id": format!("v-{n}"), "text": texts("t"), "remedy": texts("r"),
            "when": {"number": "remaining", "op": "COMPARISON_LESS", "value": n.to_string()},
        })
    })
    .into();
    with(&[("limits", vec![limit])])
}

fn scope(n: usize) -> Value {
    let mut limit = limit(0);
    limit["scope"] = many(n, |n| json!(format!("f-{n}"))).into();
    with(&[("facts", many(n, fact)), ("limits", vec![limit])])
}

fn conditions(requires: Vec<Value>) -> Value {
    let rules = requires.into_iter().enumerate().map(|(n, r)| rule(format!("c-{n}"), r));
    with(&[("conditions", rules.collect())])
}

/// A tree of so many nodes: three branches, comparisons below them.
fn tree(nodes: usize) -> Value {
    let leaves = nodes - 4;
    let part = |n: usize| many(leaves, is).into_iter().skip(n).step_by(3).collect::<Vec<_>>();
    json!({"any": [{"any": part(0)}, {"any": part(1)}, {"any": part(2)}]})
}

/// Rows: what there is most of, where it is refused, how it is made.
fn rows() -> Vec<(usize, &'static str, Make)> {
    let branches = |of: &'static str| -> Make {
        Box::new(move |n| conditions(vec![json!({ of: many(n, is) })]))
    };
    let declared = |n| {
        with(&[(
            "facts",
            vec![{
                let mut fact = fact(0);
                fact["values"] = many(n, |n| json!(format!("v{n}"))).into();
                fact
            }],
        )])
    };
    let compared = |n: usize| {
        let values: Vec<String> = (0..n).map(|n| format!("v{n}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        conditions(vec![listed("item", "IN", &values)])
    };
    let sources = |n| {
        let mut limit = limit(0);
        limit["sources"] = many(n, |n| json!(n.to_string())).into();
        with(&[("limits", vec![limit])])
    };
    let languages = |n| {
        let mut policy = with(&[]);
        for n in 2..n {
            policy["title"][format!("l{n}")] = json!("t");
        }
        policy
    };
    let text = |n| {
        let mut policy = with(&[]);
        policy["title"]["en"] = json!("t".repeat(n));
        policy
    };
    let word = |n: usize| {
        let mut limit = limit(0);
        limit["sources"] = json!(["s".repeat(n)]);
        with(&[("limits", vec![limit])])
    };
    let in_all = |n: usize| {
        let trees = n / bounds::MOST_NODES;
        let mut requires = many(trees, |_| tree(bounds::MOST_NODES));
        requires.extend(many(n % bounds::MOST_NODES, is));
        conditions(requires)
    };
    vec![
        (200, "facts", Box::new(|n| with(&[("facts", many(n - 1, fact))]))),
        (50, "measures", Box::new(measures)),
        (200, "conditions", Box::new(|n| conditions(many(n, is)))),
        (100, "limits", Box::new(|n| with(&[("limits", many(n, limit))]))),
        (50, "timers", Box::new(timers)),
        (50, "alerts", Box::new(alerts)),
        (32, "limits[0].variants", Box::new(variants)),
        (32, "limits[0].sources", Box::new(sources)),
        (
            100,
            "conditions[0].require.all",
            Box::new(|n| {
                let differ = many(n, |n| test("item", "NOT_EQUAL", &format!("v{n}")));
                conditions(vec![json!({"all": differ})])
            }),
        ),
        (100, "conditions[0].require.any", branches("any")),
        (100, "conditions[0].require.none", branches("none")),
        (1000, "facts[1].values", Box::new(declared)),
        (1000, "conditions[0].require.values", Box::new(compared)),
        (16, "limits[0].scope", Box::new(scope)),
        (16, "title", Box::new(languages)),
        (bounds::MOST_NODES, "conditions[0].require", Box::new(|n| conditions(vec![tree(n)]))),
        (bounds::MOST_NODES_IN_ALL, "policy", Box::new(in_all)),
        (bounds::LONGEST_TEXT, "title[\"en\"]", Box::new(text)),
        (bounds::LONGEST_WORD, "limits[0].sources[0]", Box::new(word)),
    ]
}

#[test]
fn a_policy_at_each_bound_compiles_and_one_over_is_refused_by_its_path() {
    for (most, field, make) in rows() {
        let problems = compile(&wire(&make(most))).err().unwrap_or_default();
        assert_eq!(reasons(&problems), [], "{field}: {most}");
        let problems = compile(&wire(&make(most + 1))).err().unwrap_or_default();
        assert_eq!(reasons(&problems), [(field.to_owned(), "TOO_LARGE")], "{field}: {most}");
    }
}

#[test]
fn every_bound_of_a_list_has_a_row() {
    // These are not carried out at all, or not more than one of them.
    let without = ["draws", "tiers"];
    let rows = rows();
    for (name, most) in bounds::MOST_ENTRIES.iter().filter(|(name, _)| !without.contains(name)) {
        let met = |field: &str| field.rsplit('.').next() == Some(name);
        assert!(rows.iter().any(|(n, field, _)| n == most && met(field)), "{name}");
    }
    let mut policy = whole();
    policy["draws"] = vec![policy["draws"][0].clone(); 17].into();
    let problems = compile(&wire(&policy)).expect_err("too many");
    assert_eq!(reasons(&problems), [("draws".to_owned(), "TOO_LARGE")]);
}

/// A policy of exactly so many bytes.
fn of_bytes(bytes: usize) -> crate::proto::v1::Policy {
    use prost::Message;
    let text = |n: usize| json!({"zh-CN": "t".repeat(n), "en": "t".repeat(4096)});
    let make = |last: usize| {
        let mut rules = many(60, |n| rule(format!("c-{n}"), is(n)));
        rules[0]["text"] = text(last);
        for rule in rules.iter_mut().skip(1) {
            rule["text"] = text(150);
        }
        wire(&with(&[("conditions", rules)]))
    };
    let spare = make(1000).encoded_len();
    let policy = make(1000 + bytes - spare);
    assert_eq!(policy.encoded_len(), bytes);
    policy
}

#[test]
fn a_policy_as_large_as_may_be_compiles_and_a_byte_more_is_refused() {
    compile(&of_bytes(bounds::MOST_BYTES)).expect("it is not too large");
    let problems = compile(&of_bytes(bounds::MOST_BYTES + 1)).expect_err("too large");
    assert_eq!(reasons(&problems), [("policy".to_owned(), "TOO_LARGE")]);
}

#[test]
fn what_is_wrong_is_told_in_short_however_long_it_is() {
    let long = "x".repeat(50_000);
    for (pointer, value) in [
        ("/currency", json!(long)),
        ("/time_zone", json!(long)),
        ("/facts/0/name", json!(long)),
        ("/title", json!({ &long: "t" })),
    ] {
        let mut policy = whole();
        super::put(&mut policy, pointer, value);
        let problems = compile(&wire(&policy)).expect_err("too long");
        let told: usize = problems.iter().map(|p| p.field.len() + p.description.len()).sum();
        assert!(told < 1000, "{pointer}: {told}");
        assert!(problems.iter().all(|p| p.reason.as_str() == "TOO_LARGE"), "{problems:?}");
    }
}

#[test]
fn of_many_problems_the_number_is_told() {
    let policy = conditions(many(150, |n| test("nothing", "EQUAL", &n.to_string())));
    let problems = compile(&wire(&policy)).expect_err("no such fact");
    assert_eq!(problems.len(), 100);
    let last = problems.last().expect("the last one");
    assert!(last.description.ends_with("(and 50 more problems)"), "{}", last.description);
}

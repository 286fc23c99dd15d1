//! What a document may say, and what is said about it when it is wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::proto::v1;

fn policy(text: &str) -> v1::Policy {
    read::<v1::Policy>(text, "bursar.v1.Policy").expect("a good policy").0
}

fn problems(text: &str) -> Vec<Problem> {
    read::<v1::Policy>(text, "bursar.v1.Policy").expect_err("problems")
}

fn brief(text: &str) -> Vec<(String, u32, &'static str)> {
    problems(text).into_iter().map(|p| (p.path, p.line, p.reason)).collect()
}

#[test]
fn the_compiled_descriptors_decode() {
    assert!(descriptor("bursar.v1.Policy").is_some());
}

#[test]
fn plain_scalars_keep_their_text_where_a_text_is_wanted() {
    let policy = policy(
        "currency: CNY\nlimits:\n- id: 1e3\n  bound: {value: 500.00}\n  text: {en: true, zh-CN: 0x10}\n",
    );
    let limit = &policy.limits[0];
    assert_eq!(limit.id, "1e3");
    assert_eq!(limit.bound.as_ref().unwrap().value, "500.00");
    assert_eq!(limit.text["en"], "true");
    assert_eq!(limit.text["zh-CN"], "0x10");
}

#[test]
fn enums_are_written_in_full_or_without_their_prefix() {
    let policy = policy(
        "governs: PROGRAMME\nlimits:\n- window: {kind: ROLLING}\n- window: {kind: KIND_DAY}\n- {on_failure: ON_FAILURE_WARN, counts: ATTEMPTS}\n",
    );
    assert_eq!(policy.governs(), v1::Governs::Programme);
    assert_eq!(policy.limits[0].window.as_ref().unwrap().kind(), v1::window::Kind::Rolling);
    assert_eq!(policy.limits[1].window.as_ref().unwrap().kind(), v1::window::Kind::Day);
    assert_eq!(policy.limits[2].counts(), v1::Counts::Attempts);
}

#[test]
fn names_are_written_in_snake_or_camel_case() {
    let policy = policy("timeZone: Asia/Shanghai\nlife: {execute_within: 1800s}\n");
    assert_eq!(policy.time_zone, "Asia/Shanghai");
    assert_eq!(policy.life.unwrap().execute_within.unwrap().seconds, 1800);
}

#[test]
fn durations_and_instants_are_exact() {
    let exact = |text| parse_duration(text).map(|d| (d.seconds, d.nanos));
    assert_eq!(exact("0.000000001s"), Some((0, 1)));
    assert_eq!(exact("-1.5s"), Some((-1, -500_000_000)));
    assert_eq!(exact("315576000000s"), Some((315_576_000_000, 0)));
    for bad in ["1800", "1.s", ".5s", "1.0000000001s", "315576000001s", "+1s", "1 s", "30m", "s"] {
        assert_eq!(exact(bad), None, "{bad}");
    }
    let shanghai = parse_timestamp("2026-03-02T10:00:00.000000001+08:00").unwrap();
    let utc = parse_timestamp("2026-03-02T02:00:00.000000001Z").unwrap();
    assert_eq!(shanghai, utc);
    for bad in [
        "2026-03-02",
        "2026-03-02T10:00:00",
        "2026-03-02T10:00:00+08",
        "2026-03-02T10:00:00+08:00[Asia/Shanghai]",
        "2026-02-30T10:00:00Z",
        "2026-03-02T10:00Z",
        "2026-03-02T10:00:00.0000000001Z",
        "２０２６-03-02T10:00:00Z",
    ] {
        assert_eq!(parse_timestamp(bad), None, "{bad}");
    }
}

#[test]
fn instants_before_1970_have_fractions_that_are_not_negative() {
    let text = "conditions:\n- effective: {start_time: 1969-12-31T23:59:59.25Z}\n";
    let start = policy(text).conditions[0].effective.unwrap().start_time.unwrap();
    assert_eq!((start.seconds, start.nanos), (-1, 250_000_000));
}

#[test]
fn all_problems_come_at_once_each_with_its_path_and_line() {
    let text = "\
title: {en: Small payouts}
currencies: CNY
limits:
- id: a
  window:
    kind: FORTNIGHT
    length: 1800
- id: b
  bound: 500
  stages: CONFIRM
life:
  execute_within: 1800s
  executeWithin: 1s
";
    assert_eq!(
        brief(text),
        vec![
            ("currencies".to_owned(), 2, UNKNOWN_FIELD),
            ("limits[0].window.kind".to_owned(), 6, UNKNOWN_ENUM_VALUE),
            ("limits[0].window.length".to_owned(), 7, WRONG_TYPE),
            ("limits[1].bound".to_owned(), 9, WRONG_TYPE),
            ("limits[1].stages".to_owned(), 10, WRONG_TYPE),
            ("life.execute_within".to_owned(), 13, DUPLICATE_FIELD),
        ]
    );
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_known_one() {
    let all = problems("limts: []\nlimits:\n- {on_failure: DENI}\n");
    assert_eq!(all[0].description, "Policy has no field `limts`; did you mean `limits`?");
    assert_eq!(
        all[1].description,
        "OnFailure has no value `DENI`; did you mean `DENY`? (it has DENY, REVIEW, WARN)"
    );
}

#[test]
fn what_is_long_is_told_by_its_beginning_and_what_is_much_by_some_of_it() {
    let long = "x".repeat(5000);
    let key = "x".repeat(500);
    let all = problems(&format!("governs: {long}\n{key}: 1\nlimits: {long}\n"));
    let told: Vec<&str> = all.iter().map(|p| p.description.as_str()).collect();
    let begun = format!("{}…", "x".repeat(60));
    assert_eq!(
        told,
        [
            format!("Governs has no value `{begun}` (it has PROGRAMME, PLATFORM)"),
            format!("Policy has no field `{begun}`"),
            format!("expected a list, came `{begun}`"),
        ]
    );
    assert!(all.iter().all(|p| p.path.len() < 200));
    let many: String = (0..5000).map(|n| format!("nothing-{n}: 1\n")).collect();
    assert_eq!(problems(&many).len(), 100);
}

#[test]
fn two_members_of_a_choice_exclude_each_other() {
    let of = descriptor("bursar.v1.FactValue").unwrap();
    let found = parse("string_value: a\nbool_value: true\n", &of).unwrap_err();
    assert_eq!(
        found[0].description,
        "only one of `string_value` (line 1) and `bool_value` can be set"
    );
    assert_eq!((found[0].line, found[0].reason), (2, DUPLICATE_FIELD));
    assert!(parse("string_value: null\nbool_value: true\n", &of).is_ok());
}

#[test]
fn quotes_tell_texts_from_truth_and_nothing() {
    let of = descriptor("bursar.v1.FactValue").unwrap();
    assert!(parse("bool_value: true", &of).is_ok());
    assert!(parse("bool_value: \"true\"", &of).is_err());
    let text = parse("string_value: \"null\"", &of).unwrap().message;
    assert_eq!(text.get_field_by_name("string_value").unwrap().as_str(), Some("null"));
    assert!(parse("list_value: {values: [a, null]}", &of).is_err());
}

#[test]
fn whole_numbers_are_read_exactly_and_nothing_is_rounded() {
    let of = descriptor("google.type.Money").unwrap();
    let units = |text: &str| {
        let parsed = parse(&format!("units: {text}"), &of).ok()?;
        parsed.message.get_field_by_name("units")?.as_i64()
    };
    assert_eq!(units("9223372036854775807"), Some(i64::MAX));
    assert_eq!(units("\"-9223372036854775808\""), Some(i64::MIN));
    assert_eq!(units("5.0"), Some(5));
    assert_eq!(units("12e2"), Some(1200));
    assert_eq!(units("0"), Some(0));
    for bad in [
        "9223372036854775808",
        "5.5",
        "1e-1",
        "010",
        "0x10",
        "1_000",
        "+5",
        "five",
        "1e99999999999",
        "-",
    ] {
        assert_eq!(units(bad), None, "{bad}");
    }
}

#[test]
fn masks_and_maps_of_messages_are_read() {
    let of = descriptor("bursar.v1.UpdateShopRequest").unwrap();
    let text =
        "shop: {name: n, facts: {tier: {stringValue: gold}}}\nupdateMask: displayName,facts.tier\n";
    let request: v1::UpdateShopRequest = parse(text, &of).unwrap().message.transcode_to().unwrap();
    assert_eq!(request.update_mask.unwrap().paths, ["display_name", "facts.tier"]);
    let tier = v1::fact_value::Kind::StringValue("gold".to_owned());
    assert_eq!(request.shop.unwrap().facts["tier"].kind, Some(tier));
}

#[test]
fn a_path_that_was_not_written_has_the_line_of_what_is_around_it() {
    let text = "limits:\n- id: a\n- id: b\n  window:\n    kind: DAY\n  text:\n    zh-CN: 甲\n";
    let (_, lines) = read::<v1::Policy>(text, "bursar.v1.Policy").unwrap();
    assert_eq!(lines.line_of("limits[1].window.kind"), 5);
    assert_eq!(lines.line_of("limits[1].window.length"), 4);
    assert_eq!(lines.line_of("limits[1].text[\"zh-CN\"]"), 7);
    assert_eq!(lines.line_of("limits[1].text[\"e.n\"]"), 6);
    assert_eq!(lines.line_of("limits[0].bound.value"), 2);
    assert_eq!(lines.line_of("limits[7]"), 1);
    assert_eq!(lines.line_of("draws[0].account"), 1);
    assert_eq!(LineIndex::default().line_of("limits"), 0);
}

#[test]
fn paths_can_be_taken_apart_again() {
    use path::Step::{Field, Index, Key};
    let key = path::key("facts", "a\"].b\\");
    let parts = vec![Field("facts".to_owned()), Key("a\"].b\\".to_owned())];
    assert_eq!(path::steps(&key), Some(parts));
    let parts = vec![Field("a".to_owned()), Index(0), Index(1), Field("b".to_owned())];
    assert_eq!(path::steps("a[0][1].b"), Some(parts));
    for bad in ["a..b", "a[", "a[x]", "a[\"x]", "a.", ".a"] {
        assert_eq!(path::steps(bad), None, "{bad}");
    }
}

#[test]
fn errors_of_syntax_name_the_line() {
    for (text, line) in [
        ("a: [1\nb: 2\n", 2),
        ("a: b\n---\na: c\n", 2),
        ("title:\n  en: !!str x\n", 2),
        ("title: &t {en: x}\nlife:\n  <<: *t\n", 3),
    ] {
        let found = problems(text);
        assert_eq!((found[0].reason, found[0].line), (YAML_SYNTAX, line), "{text}: {found:?}");
    }
}

#[test]
fn aliases_repeat_what_was_written_before() {
    let policy = policy("limits:\n- text: &t {en: Too much}\n- text: *t\n");
    assert_eq!(policy.limits[1].text["en"], "Too much");
}

#[test]
fn neither_depth_nor_aliases_of_aliases_fill_the_memory() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(problems(&deep)[0].description.contains("deeper"));
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..20 {
        let repeated = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{repeated}]\n"));
    }
    assert!(problems(&laughs)[0].description.contains("more than"));
    assert!(problems(&" ".repeat(located::MAX_BYTES + 1))[0].description.contains("larger"));
    assert!(problems("a: &a [*a]")[0].description.contains("part of"));
}

#[test]
fn a_key_that_occurs_twice_is_found_in_any_tree() {
    let found = located::parse("a:\n- x: 1\n  x: 2\nb: 1\na: 2\n").unwrap_err();
    let found: Vec<_> = found.into_iter().map(|p| (p.path, p.line)).collect();
    assert_eq!(found, vec![("a[0].x".to_owned(), 3), ("a".to_owned(), 5)]);
}

#[test]
fn json_is_read_by_the_same_rules() {
    let of = descriptor("bursar.v1.FactValue").unwrap();
    let text = |json: &str| {
        let message = parse_json(json, &of).expect(json).message;
        message.get_field_by_name("string_value").unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(
        text(r#"{"stringValue":"\ud83d\ude00 \u4e2d \/ \n \\ud83d"}"#),
        "😀 中 / \n \\ud83d"
    );
    assert_eq!(text("{\n\t\"stringValue\":\t\"a\"\n}\n"), "a");
    assert_eq!(text("{\"string_value\":\"\u{7f}: # [\"}"), "\u{7f}: # [");
    assert!(parse_json("{\"stringValue\": \"a\", \"stringValue\": \"b\"}", &of).is_err());
    let money = descriptor("google.type.Money").unwrap();
    let json = r#"{"currencyCode":"CNY","units":"500","nanos":10000000}"#;
    assert!(parse_json(json, &money).is_ok());
    assert!(parse_json("", &money).is_ok(), "nothing is a message without fields");
}

#[test]
fn long_texts_are_read_in_either_form() {
    let of = descriptor("bursar.v1.CreateRevisionRequest").unwrap();
    let long = "currency: CNY # \"x\"\n".repeat(10_000);
    let json = serde_json::json!({"parent": "p", "yaml": long, "note": "n"}).to_string();
    let request: v1::CreateRevisionRequest =
        parse_json(&json, &of).unwrap().message.transcode_to().unwrap();
    assert_eq!((request.yaml, request.note.as_str()), (long, "n"));
    let words = "word ".repeat(2_000);
    let request = parse(&format!("note: {words}\nparent: p\n"), &of).unwrap().message;
    assert_eq!(request.get_field_by_name("note").unwrap().as_str(), Some(words.trim()));
}

#[test]
fn what_protobuf_writes_as_json_is_read_back_equal() {
    let text = "currency: CNY\nlimits:\n- {id: a, window: {kind: ROLLING, length: 60.5s}, bound: {value: 1.50}, text: {en: 'x: \"y\"', zh-CN: 上限}}\nconditions:\n- effective: {start_time: 1969-12-31T23:59:59.25+08:00}\n";
    let of = descriptor("bursar.v1.Policy").unwrap();
    let once = parse(text, &of).unwrap().message;
    let json = serde_json::to_string(&once).unwrap();
    assert_eq!(parse_json(&json, &of).unwrap().message, once);
}

#[test]
fn trees_become_json_with_literals_where_they_are_plain() {
    let tree = located::parse("a: 1\nb: \"1\"\nc: [true, ~, x]\nd: 1_0\n").unwrap();
    let json = serde_json::json!({"a": 1, "b": "1", "c": [true, null, "x"], "d": "1_0"});
    assert_eq!(tree.to_json(), json);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-c:{}\\[\\]&*!|>'\"#%@,?\\-\n \t\\\\u0-9~.]{0,60}") {
        let of = descriptor("bursar.v1.Policy").unwrap();
        let _ = parse(&text, &of);
        let _ = parse_json(&text, &of);
    }
}

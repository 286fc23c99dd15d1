//! Each rule at its edges, and the words it says.

use super::*;
use crate::contract::shape;

fn said(check: impl FnOnce(&FieldPath<'_>, &mut Violations)) -> Vec<(&'static str, String)> {
    let mut out = Violations::default();
    check(&FieldPath::ROOT.field("field"), &mut out);
    out.into_vec().into_iter().map(|v| (v.reason, v.description)).collect()
}

fn said_of(value: &str, rules: &Text) -> Vec<(&'static str, String)> {
    said(|path, out| text(value, rules, path, out))
}

const REQUEST_ID: Text =
    Text { min: 1, max: Some(128), max_bytes: None, shape: Some(&shape::PRINTABLE) };

#[test]
fn a_text_of_allowed_length_says_nothing() {
    assert_eq!(said_of("a", &REQUEST_ID), []);
    assert_eq!(said_of(&"a".repeat(128), &REQUEST_ID), []);
}

#[test]
fn characters_are_counted_and_not_bytes() {
    assert_eq!(said_of(&"单".repeat(128), &REQUEST_ID), []);
    let expected = "must be 1 to 128 characters; it has 129".to_owned();
    assert_eq!(said_of(&"单".repeat(129), &REQUEST_ID), [(reason::TOO_LONG, expected)]);
    let at_least_three = Text { min: 3, max: None, max_bytes: None, shape: None };
    let expected = "must be at least 3 characters; it has 2".to_owned();
    assert_eq!(said_of("单单", &at_least_three), [(reason::TOO_SHORT, expected)]);
}

#[test]
fn bytes_are_counted_where_bytes_are_bounded() {
    let yaml = Text { min: 0, max: None, max_bytes: Some(5), shape: None };
    assert_eq!(said_of("12345", &yaml), []);
    let expected = "must be at most 5 bytes; it has 6".to_owned();
    assert_eq!(said_of("单单", &yaml), [(reason::TOO_LONG, expected)]);
}

#[test]
fn an_empty_text_that_may_not_be_is_a_missing_one() {
    let expected = "must be 1 to 128 characters; it has 0".to_owned();
    assert_eq!(said_of("", &REQUEST_ID), [(reason::REQUIRED, expected)]);
    let id = Text { min: 0, max: None, max_bytes: None, shape: Some(&shape::ID) };
    let [(reason, description)] = said_of("", &id).try_into().expect("one");
    assert_eq!(reason, reason::REQUIRED);
    assert!(description.ends_with("; it is empty"), "{description}");
}

#[test]
fn every_broken_rule_of_a_text_is_said_and_the_text_is_not_repeated() {
    let found = said_of(&"x\u{7}".repeat(100), &REQUEST_ID);
    let reasons: Vec<_> = found.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(reasons, [reason::TOO_LONG, reason::MALFORMED]);
    assert!(found.iter().all(|(_, words)| !words.contains(char::is_control)), "{found:?}");
}

#[test]
fn a_number_is_held_to_its_bounds() {
    let page = |value| said(|path, out| number(value, 0, 1000, path, out));
    assert_eq!([page(0), page(1000)], [[], []]);
    assert_eq!(page(1001), [(reason::OUT_OF_RANGE, "must be 0 to 1000; it is 1001".into())]);
    let least = said(|path, out| number(-1, 0, i32::MAX, path, out));
    assert_eq!(least, [(reason::OUT_OF_RANGE, "must be at least 0; it is -1".into())]);
    let most = said(|path, out| number(9, i32::MIN, 5, path, out));
    assert_eq!(most, [(reason::OUT_OF_RANGE, "must be at most 5; it is 9".into())]);
}

#[test]
fn a_choice_names_what_may_be_sent() {
    let rules = Choice { allowed: &[1, 2], names: "KIND_MAIN, KIND_SUB" };
    let chosen = |value| said(|path, out| choice(value, &rules, path, out));
    assert_eq!(chosen(2), []);
    assert_eq!(chosen(0), [(reason::REQUIRED, "must be one of KIND_MAIN, KIND_SUB".into())]);
    let expected = "must be one of KIND_MAIN, KIND_SUB; it is 7".into();
    assert_eq!(chosen(7), [(reason::VALUE_NOT_ALLOWED, expected)]);
}

#[test]
fn a_list_has_neither_too_few_nor_too_many_entries() {
    let sized = |has| said(|path, out| size(has, 1, Some(1000), path, out));
    assert_eq!([sized(1), sized(1000)], [[], []]);
    assert_eq!(sized(0), [(reason::TOO_FEW, "must have 1 to 1000 entries; it has 0".into())]);
    assert_eq!(
        sized(1001),
        [(reason::TOO_MANY, "must have 1 to 1000 entries; it has 1001".into())]
    );
}

#[test]
fn spans_read_as_people_write_them() {
    let words = |min, max, unit| Span { min, max, unit }.to_string();
    assert_eq!(words(0, Some(1), "entry"), "at most 1 entry");
    assert_eq!(words(3, Some(3), "character"), "3 characters");
    assert_eq!(words(1, None, "byte"), "at least 1 byte");
}

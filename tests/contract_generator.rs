//! The generator of checks at build time: an annotation that it cannot carry
//! out stops the build and names the field and the rule.

#[path = "../build/contract.rs"]
mod contract;

use std::fs;

/// What the generator makes of a message with this body.
fn generate(body: &str) -> Result<String, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let source = format!(
        "syntax = \"proto3\"; package bursar.v1; import \"buf/validate/validate.proto\";\n\
         enum Colour {{ COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }}\n\
         message Subject {{ {body} }}\n"
    );
    fs::write(directory.path().join("subject.proto"), source).expect("a file");
    let includes = [directory.path(), concat!(env!("CARGO_MANIFEST_DIR"), "/proto").as_ref()];
    let mut compiler = protox::Compiler::new(includes).expect("a compiler");
    compiler.include_imports(true).open_file("subject.proto").expect("valid proto");
    contract::generate(&compiler.encode_file_descriptor_set(), "bursar.v1")
        .map_err(|error| error.to_string())
}

#[test]
fn a_rule_that_is_not_supported_fails_by_name() {
    let annotated =
        |field: &str, rules: &str| format!("{field} = 1 [(buf.validate.field){rules}];");
    let cases = [
        (annotated("string f", ".string.email = true"), "string.email"),
        (annotated("string f", ".string.len = 3"), "string.len"),
        (annotated("string f", ".required = true"), "required (on what is not a message)"),
        (
            annotated("repeated Subject f", ".required = true"),
            "required (on what is not a message)",
        ),
        (annotated("string f", ".ignore = IGNORE_IF_ZERO_VALUE"), "ignore"),
        (annotated("string f", ".cel = {id: \"x\", expression: \"true\"}"), "cel"),
        (annotated("int32 f", ".int32.gt = 3"), "int32.gt"),
        (annotated("int32 f", ".int32 = {gte: 3, lte: 2}"), "int32.gte above int32.lte"),
        (annotated("int64 f", ".int64.gte = 3"), "int64"),
        (annotated("Colour f", ".enum.in = 1"), "enum.in"),
        (annotated("Colour f", ".enum.not_in = 0"), "enum without enum.defined_only"),
        (annotated("repeated string f", ".repeated.unique = true"), "repeated.unique"),
        (annotated("repeated int32 f", ".repeated.items.int32.gte = 1"), "repeated.items.int32"),
        (annotated("map<string, string> f", ".map.min_pairs = 1"), "map.min_pairs"),
        (annotated("map<string, string> f", ".map.keys.string.min_len = 1"), "map.keys"),
        (annotated("int32 f", ".string.min_len = 1"), "string"),
    ];
    for (body, rule) in cases {
        let error = generate(&body).expect_err(rule);
        let expected = format!("bursar.v1.Subject.f: rule `{rule}` of buf.validate");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_rule_of_a_whole_message_fails_by_name() {
    let body = "option (buf.validate.message).cel = {id: \"x\", expression: \"true\"};";
    let error = generate(body).expect_err("message");
    assert!(error.starts_with("bursar.v1.Subject: rule `message`"), "{error}");
}

#[test]
fn a_pattern_that_is_not_one_fails_the_build() {
    let body = "string f = 1 [(buf.validate.field).string.pattern = \"(\"];";
    let error = generate(body).expect_err("a pattern");
    assert!(error.starts_with("bursar.v1.Subject.f: regex parse error"), "{error}");
}

#[test]
fn a_known_pattern_has_a_matcher_and_another_becomes_a_regular_expression() {
    let body = "string f = 1 [(buf.validate.field).string.pattern = \"^[A-Z]{3}$\"];";
    let source = generate(body).expect("source");
    assert!(source.contains("Some(&shape::CURRENCY)"), "{source}");
    assert!(!source.contains("regex"), "{source}");

    let body = "string f = 1 [(buf.validate.field).string.pattern = \"^x\\\\.y$\"];";
    let source = generate(body).expect("source");
    assert!(source.contains(r#"regex::Regex::new("^x\\.y$")"#), "{source}");
}

#[test]
fn what_has_no_rules_is_not_walked() {
    let source = generate("string name = 1; Subject of = 2; repeated Subject more = 3;");
    assert!(!source.expect("source").contains("value.check"));
}

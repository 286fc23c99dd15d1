//! Guards the house: directions of imports, size and shape of files, words
//! that may not be in the source, rows without a scenario, and the tables of
//! docs/ against the code. Reads everything as text; knows nothing of how the
//! service works. Standard library only.

use std::fs;

use text::{Names, assert_none, code, files, is_test, read, root, without_tests};

#[path = "tidy/architecture.rs"]
mod architecture;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/refusals.rs"]
mod refusals;
#[path = "tidy/text.rs"]
mod text;

/// Rows of the catalogue that need scenarios of their own.
const ROWS: std::ops::RangeInclusive<u32> = 1..=26;

/// Longest file, in lines.
const LONGEST: usize = 500;

/// Words that name a marketplace. Those of ASCII letters are whole words,
/// because some are parts of others.
const MARKETPLACES: &str = "
    douyin huoshan toutiao taobao tmall alipay alibaba jd jingdong pinduoduo kuaishou wechat
    xiaohongshu 抖音 抖店 飞鸽 头条 淘宝 天猫 支付宝 京东 拼多多 快手 微信 小红书";

#[test]
fn every_source_file_says_what_it_owns() {
    let silent: Vec<String> =
        files("src", ".rs").into_iter().filter(|path| !read(path).starts_with("//!")).collect();
    assert_none("files that do not open with `//!`", &silent);
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    let long: Vec<String> = files("src", ".rs")
        .into_iter()
        .chain(files("tests", ".rs"))
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none("files of more than 500 lines; split them by noun", &long);
}

#[test]
fn no_marketplace_is_named_in_the_source_or_the_contract() {
    let named = |text: &str, word: &str| {
        text.match_indices(word).any(|(at, _)| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
            let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
            !word.is_ascii() || !(letter(before) || letter(after))
        })
    };
    let mut found = Vec::new();
    for path in files("src", "").into_iter().chain(files("proto", ".proto")) {
        let text = read(&path).to_lowercase();
        let words = MARKETPLACES.split_whitespace().filter(|word| named(&text, word));
        found.extend(words.map(|word| format!("{path}: {word}")));
    }
    assert_none("marketplaces named", &found);
}

#[test]
fn nothing_is_left_to_do_or_ignored_and_production_code_does_not_unwrap() {
    // In two parts, or this file would find itself.
    let everywhere =
        [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("#[ig", "nore")];
    let unwrap = concat!(".unw", "rap()");
    let mut found = Vec::new();
    for path in files("src", ".rs").into_iter().chain(files("tests", ".rs")) {
        let code = code(&read(&path));
        let words = everywhere.iter().filter(|word| code.contains(**word));
        found.extend(words.map(|word| format!("{path}: {word}")));
        if path.starts_with("src/") && !is_test(&path) && without_tests(&code).contains(unwrap) {
            found.push(format!("{path}: {unwrap}"));
        }
    }
    assert_none("banned words", &found);
}

#[test]
fn the_core_is_not_async() {
    let mut found = Vec::new();
    for path in files("src/decision", ".rs").into_iter().chain(files("src/domain", ".rs")) {
        let code = code(&read(&path));
        let words = ["async fn", "async move", "async {", ".await", "tokio::"];
        found.extend(words.iter().filter(|w| code.contains(**w)).map(|w| format!("{path}: {w}")));
    }
    assert_none("async code in the core", &found);
}

fn row(number: u32) -> String {
    format!("DY-{number:02}")
}

#[test]
fn every_row_of_the_catalogue_has_a_scenario_that_names_it() {
    let mut named = Names::new();
    for path in files("tests/scenarios", ".yaml") {
        let text = read(&path);
        let name = text.lines().find_map(|line| line.strip_prefix("name:"));
        let name = name.unwrap_or("").trim().trim_start_matches(['"', '\'']);
        named.extend(name.split_whitespace().next().map(str::to_owned));
    }
    let without: Vec<String> = ROWS.map(row).filter(|id| !named.contains(id)).collect();
    assert_none("rows without a scenario of their own", &without);
}

#[test]
fn the_rows_are_those_of_the_catalogue_where_it_can_be_read() {
    let Ok(catalogue) = fs::read_to_string(root().join("../shared/catalogue.md")) else { return };
    let ids = catalogue.lines().filter_map(|line| line.strip_prefix("| DY-"));
    let published: Names = ids
        .filter_map(|rest| rest.split(' ').next())
        .map(|number| format!("DY-{number}"))
        .collect();
    assert_eq!(published, ROWS.map(row).collect::<Names>());
}

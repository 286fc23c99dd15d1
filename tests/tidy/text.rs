//! Files, source and tables as text: what the other parts of `tidy` read with.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Names, sorted.
pub type Names = BTreeSet<String>;

pub fn root() -> PathBuf {
    PathBuf::from(option_env!("CARGO_MANIFEST_DIR").unwrap_or("."))
}

pub fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files below a directory with that ending, by path from the root, sorted.
pub fn files(directory: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(from_root(&path));
            }
        }
    }
    found.sort();
    found
}

pub fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Names of the entries of a directory, directories with a slash behind.
pub fn entries(directory: &str) -> Vec<String> {
    let all = fs::read_dir(root().join(directory)).into_iter().flatten().flatten();
    let mut names: Vec<String> = all
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() { format!("{name}/") } else { name }
        })
        .collect();
    names.sort();
    names
}

/// Source without comments. What stands behind `//` in a text goes too.
pub fn code(source: &str) -> String {
    let before = |line: &str| line.split_once("//").map_or(line, |(code, _)| code).to_owned();
    source.lines().map(before).collect::<Vec<_>>().join("\n")
}

/// Whether a file holds nothing but tests.
pub fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Source without its test modules: `#[cfg(test)] mod … { … }` at the margin.
pub fn without_tests(source: &str) -> String {
    let mut kept = Vec::new();
    let (mut marked, mut inside) = (false, false);
    for line in source.lines() {
        if inside {
            inside = line != "}";
        } else if marked && line.starts_with("mod ") && line.ends_with('{') {
            inside = true;
        } else {
            kept.push(line);
        }
        marked = line == "#[cfg(test)]";
    }
    kept.join("\n")
}

pub fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

pub fn is_upper_snake(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// `DeadlineExceeded` as `DEADLINE_EXCEEDED`.
pub fn upper_snake(camel: &str) -> String {
    let mut text = String::new();
    for (i, c) in camel.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            text.push('_');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}

/// What stands between two marks, the first time; empty if it does not.
pub fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let Some((_, rest)) = text.split_once(from) else { return "" };
    rest.split_once(to).map_or(rest, |(inside, _)| inside)
}

/// Texts in double quotes.
pub fn quoted(source: &str) -> Vec<&str> {
    source.split('"').skip(1).step_by(2).collect()
}

/// The cells of the table behind `<!-- table: NAME -->`, without its head.
pub fn table(document: &str, name: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let mark = format!("<!-- table: {name} -->");
    let (_, rest) =
        text.split_once(&mark).unwrap_or_else(|| panic!("{document} has no table {name}"));
    let rows = rest.trim_start().lines().take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let row = row.trim().trim_start_matches('|').trim_end_matches('|');
        row.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    rows.skip(2).map(cells).collect()
}

/// What is in backticks.
pub fn ticked(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

pub fn cell(row: &[String], column: usize) -> &str {
    row.get(column).map_or("", String::as_str)
}

/// The words that a table lists in its first column, each once.
pub fn listed(document: &str, name: &str) -> Names {
    let mut words = Names::new();
    for row in table(document, name) {
        for word in ticked(cell(&row, 0)) {
            assert!(words.insert(word.clone()), "{document}: {word} is listed twice in {name}");
        }
    }
    words
}

pub fn assert_same(what: &str, documented: &Names, real: &Names) {
    let missing: Vec<_> = real.difference(documented).collect();
    let invented: Vec<_> = documented.difference(real).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "{what}: not documented: {missing:?}; documented, but not there: {invented:?}"
    );
}

pub fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

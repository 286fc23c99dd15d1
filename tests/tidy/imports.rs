//! Directions of imports inside the crate.

use std::collections::BTreeMap;

use crate::text::{Names, assert_none, cell, code, files, is_word, read, table, ticked};

/// What each module of the crate may use. docs/ARCHITECTURE.md has the same.
const EDGES: &[(&str, &str)] = &[
    ("main", "cli"),
    ("allocator", ""),
    ("lib", ""),
    ("proto", ""),
    ("domain", ""),
    ("telemetry", ""),
    ("contract", "proto"),
    ("yaml", "proto"),
    ("wire", "proto yaml"),
    ("decision", "domain"),
    ("store", "domain"),
    ("engine", "decision domain store"),
    ("api", "contract decision domain engine proto store yaml"),
    ("server", "api engine proto store"),
    ("cli", "api decision domain engine proto server store telemetry wire yaml"),
];

/// The module of the crate that a file is part of.
fn module(path: &str) -> String {
    let path = path.strip_prefix("src/").unwrap_or(path);
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs").to_owned()
}

/// How many `super`s lead from a file to the crate itself.
fn depth(path: &str) -> usize {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let parts = path.split('/').count();
    if path.ends_with("/mod.rs") { parts - 1 } else { parts }
}

/// The first names of a `{…}` group, or the one name.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut names = Vec::new();
    let (mut level, mut part) = (0, String::new());
    for c in group.chars() {
        match c {
            '}' if level == 0 => break,
            '{' => level += 1,
            '}' => level -= 1,
            ',' if level == 0 => names.push(name(std::mem::take(&mut part).trim())),
            _ => part.push(c),
        }
    }
    names.push(name(part.trim()));
    names.retain(|name| !name.is_empty());
    names
}

/// The modules of the crate that a file's code names, by `crate::` or by as
/// many `super::` as lead to the crate.
fn uses(path: &str, modules: &Names) -> Names {
    let code = code(&read(path));
    let up = "super::".repeat(depth(path));
    // `bursar::` is how the binary calls the library.
    let prefixes = ["crate::", "bursar::", up.as_str()];
    let mut found = Names::new();
    for prefix in prefixes {
        for (at, _) in code.match_indices(prefix) {
            let before = code.get(..at).and_then(|text| text.chars().next_back());
            if before.is_some_and(|c| is_word(c) || c == '$' || c == ':') {
                continue;
            }
            let rest = code.get(at + prefix.len()..).unwrap_or("");
            found.extend(first_names(rest).into_iter().filter(|name| modules.contains(name)));
        }
    }
    found
}

fn edges() -> BTreeMap<String, Names> {
    let names = |all: &str| all.split_whitespace().map(str::to_owned).collect();
    EDGES.iter().map(|(module, may)| ((*module).to_owned(), names(may))).collect()
}

#[test]
fn modules_use_only_what_their_direction_allows() {
    let edges = edges();
    let modules: Names = edges.keys().cloned().collect();
    let mut wrong = Vec::new();
    for path in files("src", ".rs") {
        let from = module(&path);
        let Some(allowed) = edges.get(&from) else {
            wrong.push(format!("{path}: the module {from} is not in the table"));
            continue;
        };
        let used = uses(&path, &modules);
        let bad = used.iter().filter(|to| **to != from && !allowed.contains(*to));
        wrong.extend(bad.map(|to| format!("{path}: {from} may not use {to}")));
    }
    assert_none("imports against the direction", &wrong);
}

#[test]
fn the_directions_in_the_document_are_those_of_the_test() {
    let documented: BTreeMap<String, Names> = table("docs/ARCHITECTURE.md", "edges")
        .iter()
        .map(|row| {
            (ticked(cell(row, 0)).concat(), ticked(cell(row, 1)).into_iter().collect::<Names>())
        })
        .collect();
    assert_eq!(documented, edges());
}

#[test]
fn a_grouped_import_and_a_chain_of_supers_are_both_seen() {
    assert_eq!(first_names("{a::{b, c}, d}; e"), ["a", "d"]);
    assert_eq!(first_names("engine::clock"), ["engine"]);
    assert_eq!((depth("src/api/mod.rs"), depth("src/api/x.rs"), depth("src/a.rs")), (1, 2, 1));
}

//! docs/ARCHITECTURE.md against the tree and the contract.

use crate::text::{Names, assert_same, cell, entries, files, is_word, listed, read, table, ticked};

#[test]
fn the_map_names_what_exists_and_nothing_else() {
    let mut real = Names::new();
    let skipped = ["target/", "data/", "node_modules/", "src/"];
    let directory = |name: &String| name.ends_with('/') && !name.starts_with(['.', '_']);
    let top = entries("").into_iter().filter(directory);
    real.extend(top.filter(|name| !skipped.contains(&name.as_str())));
    real.extend(entries("src").into_iter().map(|name| format!("src/{name}")));
    for parent in ["docs/", "tests/"] {
        let inside = entries(parent).into_iter().filter(directory);
        real.extend(inside.map(|name| format!("{parent}{name}")));
    }
    for path in files("src", ".rs") {
        let parts: Vec<&str> = path.split('/').collect();
        for length in 2..parts.len() {
            real.insert(format!("{}/", parts.get(..length).unwrap_or_default().join("/")));
        }
    }
    assert_same("docs/ARCHITECTURE.md, the map", &listed("docs/ARCHITECTURE.md", "map"), &real);
}

#[test]
fn every_method_of_the_contract_is_in_the_table_of_roles() {
    let mut real = Names::new();
    for path in files("proto/bursar/v1", "_service.proto") {
        let mut service = String::new();
        for line in read(&path).lines() {
            let name = |rest: &str| rest.chars().take_while(|c| is_word(*c)).collect::<String>();
            if let Some(rest) = line.strip_prefix("service ") {
                service = name(rest);
            } else if let Some(rest) = line.trim_start().strip_prefix("rpc ") {
                real.insert(format!("{service}/{}", name(rest)));
            }
        }
    }
    let mut documented = Names::new();
    for row in table("docs/ARCHITECTURE.md", "roles") {
        let service = cell(&row, 0).to_owned();
        let methods = ticked(cell(&row, 1)).into_iter();
        documented.extend(methods.map(|method| format!("{service}/{method}")));
    }
    assert_same("docs/ARCHITECTURE.md, roles", &documented, &real);
}

//! Reads an export: its header, its records, its end; and what has to be true of
//! any.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;

use crate::commands::{Said, export};

/// An export that is complete.
#[derive(Debug, PartialEq)]
pub struct Export {
    pub header: Value,
    pub records: Vec<Value>,
    pub end: Value,
}

impl Export {
    /// Of its text.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line is whole");
        let line = |line: &str| serde_json::from_str::<Value>(line).expect("a line of JSON");
        let mut lines: Vec<Value> = text.lines().map(line).collect();
        let end = lines.pop().expect("a line");
        let header = lines.remove(0);
        let kinds = (&header["type"], &header["format"], &end["type"]);
        assert_eq!(kinds, (&"header".into(), &"bursar-export-2".into(), &"end".into()));
        assert!(lines.iter().all(|line| line["type"] == "record"));
        let export = Self { header, records: lines, end };
        assert_eq!(export.end["records"], export.records.len());
        assert_eq!(export.end["events"], export.events().len());
        export
    }

    /// Of a data directory or a backup, with more arguments.
    #[track_caller]
    pub fn of(data: &Path, more: &[&str]) -> Self {
        let said = Said::of(export(data).args(more));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.err);
        Self::parse(&said.out)
    }

    /// All events, in order.
    pub fn events(&self) -> Vec<&Value> {
        let events = self.records.iter().filter_map(|record| record["events"].as_array());
        events.flatten().collect()
    }

    /// The resources of one kind by name, as they were left last.
    pub fn last(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.records.iter().filter_map(|record| record["resources"].as_array());
        let of_kind = resources.flatten().filter_map(|resource| resource.get(kind));
        of_kind.map(|one| (one["name"].as_str().expect("a name"), one)).collect()
    }

    /// The kinds of resources that there are.
    pub fn kinds(&self) -> BTreeSet<&str> {
        let resources = self.records.iter().filter_map(|record| record["resources"].as_array());
        let resources = resources.flatten().filter_map(Value::as_object);
        resources.flat_map(|resource| resource.keys().map(String::as_str)).collect()
    }
}

/// That every amount says of what: an object has a currency of its own, and a
/// decimal stands beside one.
#[track_caller]
pub fn assert_currencies(value: &Value, path: &str) {
    match value {
        Value::Object(fields) => {
            // A policy is in one currency, which it says at its top.
            if fields.contains_key("time_zone") && path.ends_with("policy") {
                assert!(fields.contains_key("currency"), "{path}");
                return;
            }
            let has = |name: &str| fields.get(name).is_some_and(Value::is_string);
            let is_said = has("currency_code") || has("unit");
            for (name, value) in fields {
                let is_amount = name.contains("amount") || name == "balance" || name == "held";
                let is_money = is_amount && value.is_string();
                assert!(!is_money || is_said, "{path}.{name} is of no currency");
                assert_currencies(value, &format!("{path}.{name}"));
            }
        }
        Value::Array(values) => {
            values.iter().for_each(|value| assert_currencies(value, &format!("{path}[]")));
        }
        _ => {}
    }
}

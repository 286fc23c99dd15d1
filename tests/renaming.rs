//! Rust knows no rule: with every rule id, fact, fact key and value of the
//! policy called otherwise, in the policy and in the scenarios alike, the
//! scenarios still pass.

mod scenario_suite;

use std::{collections::BTreeMap, path::Path};

use bursar::{
    cli::scenario::Options,
    wire::Directory,
    yaml::{self, located},
};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use scenario_suite::{all_pass, files, options, root, scenarios};
use serde_json::Value;

const POLICY: &str = "douyin-small-payout.yaml";
/// What has an id of the author's own.
const WITH_ID: [&str; 7] =
    ["measures", "conditions", "limits", "draws", "timers", "alerts", "variants"];

#[test]
fn scenarios_still_pass_with_every_rule_fact_and_value_renamed() {
    let policy = read(&root("policies").join(POLICY));
    let names = Names::of(&policy);
    let policy_message = yaml::descriptor("bursar.v1.Policy").expect("the contract has it");
    let mut renamed = policy.clone();
    names.in_message(&mut renamed, &policy_message);
    assert_ne!(renamed, policy);
    let text = renamed.to_string();
    for old in names.ids.keys().chain(names.facts.keys()).filter(|old| old.contains('-')) {
        assert!(!text.contains(&format!("\"{old}\"")), "{old} is still there");
    }

    let directory = tempfile::tempdir().expect("a directory");
    let from = root("tests/scenarios");
    for file in files(&from) {
        let mut scenario = read(&file);
        let before = scenario.clone();
        names.in_scenario(&mut scenario);
        let to = directory.path().join(file.strip_prefix(&from).expect("it is below"));
        std::fs::create_dir_all(to.parent().expect("it is in a directory")).expect("made");
        // What says nothing of the policy's stays as it is, with its lines.
        let text = if scenario == before {
            std::fs::read_to_string(&file).expect("it was read before")
        } else {
            scenario.to_string()
        };
        std::fs::write(to, text).expect("it is written");
    }
    let policy_override = BTreeMap::from([(POLICY.to_owned(), text)]);
    let options = Options { policy_override, ..options() };
    all_pass(&scenarios(directory.path()), "memory", &options);
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file");
    located::parse(&text).expect("it is YAML").to_json()
}

/// Old names to new ones.
#[derive(Default)]
struct Names {
    /// Of rules, measures, variants, timers and alerts.
    ids: BTreeMap<String, String>,
    /// Facts as the policy calls them.
    facts: BTreeMap<String, String>,
    /// Facts as sources call them.
    keys: BTreeMap<String, String>,
    /// Values that facts may have.
    values: BTreeMap<String, String>,
    /// Facts whose values are free: declared with a key, of type STRING.
    free: Vec<String>,
}

impl Names {
    fn of(policy: &Value) -> Self {
        let mut names = Self::default();
        for fact in policy["facts"].as_array().into_iter().flatten() {
            let name = plain(&fact["name"]);
            names.facts.insert(name.clone(), format!("fact-{}", names.facts.len()));
            if let Some(key) = fact.get("key") {
                names.keys.insert(plain(key), format!("key_{}", names.keys.len()));
                if fact["type"] == "STRING" {
                    names.free.push(name);
                }
            }
        }
        names.gather(policy);
        // In the order of the old ones: sums are listed by value.
        for (i, new) in names.values.values_mut().enumerate() {
            *new = format!("v{i:03}");
        }
        names
    }

    fn gather(&mut self, value: &Value) {
        let compared = value.get("fact").or(value.get("name")).map(plain);
        let free = compared.is_some_and(|fact| self.free.contains(&fact));
        for (key, below) in value.as_object().into_iter().flatten() {
            for item in below.as_array().into_iter().flatten() {
                if WITH_ID.contains(&key.as_str()) {
                    let next = format!("x{}", self.ids.len());
                    self.ids.insert(plain(&item["id"]), next);
                }
                if key == "values" && free {
                    self.value(item);
                }
                self.gather(item);
            }
            if key == "value" && free {
                self.value(below);
            }
            self.gather(below);
        }
    }

    fn value(&mut self, value: &Value) {
        self.values.insert(plain(value), String::new());
    }

    /// The whole text, if it is one of those names.
    fn whole(text: &mut String, of: &BTreeMap<String, String>) {
        if let Some(new) = of.get(text.as_str()) {
            new.clone_into(text);
        }
    }

    fn in_scenario(&self, file: &mut Value) {
        let steps = file.get_mut("steps").and_then(Value::as_array_mut);
        for step in steps.into_iter().flatten() {
            let Some(call) = step.get("call").map(plain) else { continue };
            let method = Directory.method(&call).expect("the scenario loads");
            if let Some(request) = step.get_mut("request") {
                self.in_message(request, &method.input());
            }
            if let Some(expected) = step.get_mut("expect") {
                self.in_message(expected, &method.output());
            }
            if let Some(expected) = step.get_mut("expect_error") {
                self.in_error(expected);
            }
        }
    }

    fn in_message(&self, value: &mut Value, message: &MessageDescriptor) {
        if message.full_name() == "bursar.v1.FactValue" {
            return self.in_value(value);
        }
        if message.full_name() == "google.protobuf.Any" {
            return self.in_error(value);
        }
        // What a stream sends or answers.
        if let Value::Array(messages) = value {
            return messages.iter_mut().for_each(|value| self.in_message(value, message));
        }
        let Some(entries) = value.as_object_mut() else { return };
        let renamed = std::mem::take(entries).into_iter().map(|(key, mut value)| {
            let Some(field) =
                message.get_field_by_name(&key).or_else(|| message.get_field_by_json_name(&key))
            else {
                panic!("{} has no {key}", message.full_name());
            };
            self.in_field(&mut value, &field);
            (key, value)
        });
        *entries = renamed.collect();
    }

    fn in_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => Self::whole(text, &self.values),
            Value::Array(items) => items.iter_mut().for_each(|item| self.in_value(item)),
            Value::Object(entries) => entries.values_mut().for_each(|value| self.in_value(value)),
            _ => {}
        }
    }

    fn in_field(&self, value: &mut Value, field: &FieldDescriptor) {
        if field.is_map() {
            return self.in_map(value, field);
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.in_field(item, field)),
            Value::Object(entries)
                if field.is_list()
                    && entries.keys().all(|key| key == "contains" || key == "any_order") =>
            {
                entries.values_mut().for_each(|items| self.in_field(items, field));
            }
            Value::String(text) if field.kind() == Kind::String => self.in_text(text, field.name()),
            value => {
                if let Kind::Message(message) = field.kind() {
                    self.in_message(value, &message);
                }
            }
        }
    }

    fn in_text(&self, text: &mut String, field: &str) {
        match field {
            // A policy of the scenario's own: word by word, so that its lines stay.
            "yaml" => {
                *text = Self::words(text, |word| {
                    self.facts.get(word).or(self.ids.get(word)).filter(|_| word.contains('-'))
                });
            }
            "value" | "values" => Self::whole(text, &self.values),
            "key" => Self::whole(text, &self.keys),
            // The contract's own words, and ids of resources.
            "field" | "number" | "account" | "currency" | "time_zone" | "kind" => {}
            "text" | "remedy" => *text = self.within(text),
            _ => {
                Self::whole(text, &self.ids);
                Self::whole(text, &self.facts);
            }
        }
    }

    fn in_map(&self, value: &mut Value, field: &FieldDescriptor) {
        let Some(entries) = value.as_object_mut() else { return };
        let renamed = std::mem::take(entries).into_iter().map(|(mut key, mut value)| {
            let Kind::Message(entry) = field.kind() else { unreachable!("a map is messages") };
            match entry.map_entry_value_field().kind() {
                Kind::Message(message) if message.name() == "FactValue" => {
                    Self::whole(&mut key, &self.keys);
                    self.in_value(&mut value);
                }
                _ if self.facts.contains_key(&key) => {
                    Self::whole(&mut key, &self.facts);
                    self.in_value(&mut value);
                }
                _ => {
                    if let Value::String(text) = &mut value {
                        *text = self.within(text);
                    }
                }
            }
            (key, value)
        });
        *entries = renamed.collect();
    }

    fn in_error(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.within(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.in_error(item)),
            Value::Object(entries) => {
                let of = std::mem::take(entries).into_iter().map(|(key, mut value)| {
                    self.in_error(&mut value);
                    (self.within(&key), value)
                });
                *entries = of.collect();
            }
            _ => {}
        }
    }

    /// Where a text quotes a name: `{fact:NAME}`, `facts["KEY"]`, or a value
    /// between spaces, backticks and the like.
    fn within(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (old, new) in &self.facts {
            text = text.replace(&format!("{{fact:{old}}}"), &format!("{{fact:{new}}}"));
            text = text.replace(&format!("`{old}`"), &format!("`{new}`"));
        }
        for (old, new) in &self.keys {
            text = text.replace(&format!("facts[\"{old}\"]"), &format!("facts[\"{new}\"]"));
        }
        // Words of a language are not values: only what no language writes.
        Self::words(&text, |word| self.values.get(word).filter(|_| word.contains('_')))
    }

    fn words<'a>(text: &str, new: impl Fn(&str) -> Option<&'a String>) -> String {
        let outside = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let pieces = text.split_inclusive(outside).map(|piece| {
            let word = piece.trim_end_matches(outside);
            new(word).map_or_else(|| piece.to_owned(), |new| piece.replacen(word, new, 1))
        });
        pieces.collect()
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

//! The mutants of a policy: for each number, list entry, choice, reference and
//! flag that it has, the policies in which just that one is another. Led by the
//! contract's descriptors; knows no rule. Texts and ids are left as they are.

mod alternatives;
mod repair;

use std::collections::BTreeSet;

use bursar::yaml;
use prost_reflect::{FieldDescriptor, MessageDescriptor};
use serde_json::Value;

use alternatives::Known;
pub use repair::repair;

/// Texts and what things are called: not mutated.
const NAMES: [&str; 6] = ["title", "text", "remedy", "reason", "id", "name"];

/// Fields without which their message never loads: not taken away.
const NEEDED: [&str; 23] = [
    "account",
    "alert",
    "alerts",
    "all",
    "any",
    "bound",
    "conditions",
    "fact",
    "facts",
    "field",
    "kind",
    "measure",
    "measures",
    "number",
    "op",
    "other",
    "quantity",
    "require",
    "source",
    "state",
    "type",
    "value",
    "window",
];

/// What is at a place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    Number,
    Operator,
    Entry,
    /// A choice, a reference, a flag, or a part that is a message of its own.
    Other,
}

/// One policy with one thing changed.
#[derive(Clone)]
pub struct Mutant {
    /// The element that holds the change, for example `limits[order-total]`.
    pub element: String,
    /// Where in it.
    pub place: String,
    pub what: What,
    /// What was changed into what.
    pub change: String,
    /// The rows of the catalogue that the element, or what looks at it, serves.
    pub sources: BTreeSet<String>,
    /// The policy, which may not load yet.
    pub policy: Value,
    /// Where the change is.
    pub path: Vec<Step>,
    /// What was there.
    pub before: Value,
    pub kind: Kind,
}

/// How it was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Another value in its stead.
    Set,
    /// Taken away.
    Removed,
    /// Otherwise.
    Else,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    Key(String),
    Index(usize),
}

enum Edit {
    Set(Value),
    /// Another field, with a value, in its stead.
    Instead(&'static str, Value),
    Remove,
    SwapWithNext,
}

/// All mutants of a policy.
pub fn mutants(policy: &Value) -> Vec<Mutant> {
    let message = yaml::descriptor("bursar.v1.Policy").expect("the contract has it");
    let mut walk = Walk { policy, known: Known::of(policy), edits: Vec::new() };
    walk.message(policy, &message, &[]);
    let edits = std::mem::take(&mut walk.edits);
    edits.into_iter().map(|(path, edit)| walk.mutant(&path, &edit)).collect()
}

struct Walk<'a> {
    policy: &'a Value,
    known: Known,
    edits: Vec<(Vec<Step>, Edit)>,
}

impl Walk<'_> {
    fn message(&mut self, value: &Value, message: &MessageDescriptor, path: &[Step]) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let field = message.get_field_by_name(key).expect("the policy loads");
            let path = [path, &[Step::Key(key.clone())]].concat();
            if field.is_map() || NAMES.contains(&key.as_str()) {
                continue;
            }
            if !NEEDED.contains(&key.as_str()) {
                self.edits.push((path.clone(), Edit::Remove));
            }
            if key == "field" {
                // Registered under a name, instead of known to Bursar itself.
                self.edits.push((path.clone(), Edit::Instead("key", "another".into())));
            }
            match value {
                Value::Array(items) => self.list(items, &field, &path),
                value => self.value(value, &field, &path),
            }
        }
    }

    fn list(&mut self, items: &[Value], field: &FieldDescriptor, path: &[Step]) {
        for (i, item) in items.iter().enumerate() {
            let path = [path, &[Step::Index(i)]].concat();
            self.edits.push((path.clone(), Edit::Remove));
            if field.name() == "variants" && i + 1 < items.len() {
                self.edits.push((path.clone(), Edit::SwapWithNext));
            }
            match field.kind() {
                prost_reflect::Kind::Message(_) => self.value(item, field, &path),
                _ => {
                    let others = self.known.alternatives(item, field, &path);
                    let others = others.into_iter().filter(|other| !items.contains(other));
                    let edits = others.map(|other| (path.clone(), Edit::Set(other)));
                    self.edits.extend(edits.collect::<Vec<_>>());
                }
            }
        }
    }

    fn value(&mut self, value: &Value, field: &FieldDescriptor, path: &[Step]) {
        match field.kind() {
            prost_reflect::Kind::Message(message)
                if message.full_name() != "google.protobuf.Duration" =>
            {
                self.message(value, &message, path);
            }
            _ => {
                for other in self.known.alternatives(value, field, path) {
                    self.edits.push((path.to_vec(), Edit::Set(other)));
                }
            }
        }
    }

    fn mutant(&self, path: &[Step], edit: &Edit) -> Mutant {
        let mut policy = self.policy.clone();
        let (last, above) = path.split_last().expect("a path");
        let mut holder = &mut policy;
        for step in above {
            holder = match step {
                Step::Key(key) => &mut holder[key.as_str()],
                Step::Index(i) => &mut holder[*i],
            };
        }
        let before_value = match last {
            Step::Key(key) => holder[key.as_str()].clone(),
            Step::Index(i) => holder[*i].clone(),
        };
        let before = match &before_value {
            Value::Object(of) => match of.get("id").or(of.get("name")).or(of.get("state")) {
                Some(id) => plain(id),
                None => serde_json::to_string(&before_value).expect("it was read"),
            },
            other => short(other),
        };
        let change = match edit {
            Edit::Set(value) => format!("{before} → {}", short(value)),
            Edit::Instead(key, value) => format!("{before} → {key} {}", short(value)),
            Edit::Remove => format!("{before} removed"),
            Edit::SwapWithNext => format!("{before} after the next"),
        };
        match (edit, last) {
            (Edit::Set(value), Step::Key(key)) => holder[key.as_str()] = value.clone(),
            (Edit::Set(value), Step::Index(i)) => holder[*i] = value.clone(),
            (Edit::Remove | Edit::Instead(..), Step::Key(key)) => {
                holder.as_object_mut().expect("a key's holder").shift_remove(key);
            }
            (Edit::Remove, Step::Index(i)) => {
                holder.as_array_mut().expect("an index's holder").remove(*i);
            }
            (Edit::SwapWithNext, Step::Index(i)) => {
                holder.as_array_mut().expect("an index's holder").swap(*i, i + 1);
            }
            (Edit::Instead(..), Step::Index(_)) | (Edit::SwapWithNext, Step::Key(_)) => {
                unreachable!("only entries are swapped, only fields replaced by others")
            }
        }
        if let Edit::Instead(key, value) = edit {
            holder[*key] = value.clone();
        }
        let (element, place) = self.names(path);
        let sources = self.sources(path);
        let kind = match edit {
            Edit::Set(_) => Kind::Set,
            Edit::Remove => Kind::Removed,
            Edit::Instead(..) | Edit::SwapWithNext => Kind::Else,
        };
        let (what, path) = (what(last, &before_value), path.to_vec());
        Mutant { element, place, what, change, sources, policy, path, before: before_value, kind }
    }

    /// The element and the place in it, entries by their ids.
    fn names(&self, path: &[Step]) -> (String, String) {
        let mut at = self.policy;
        let mut parts: Vec<String> = Vec::new();
        for step in path {
            match step {
                Step::Key(key) => {
                    at = &at[key.as_str()];
                    parts.push(key.clone());
                }
                Step::Index(i) => {
                    at = &at[*i];
                    let id = ["id", "name", "state"].into_iter().find_map(|key| at.get(key));
                    let id = id.or(at.as_str().map(|_| at));
                    let id = id.map_or_else(|| i.to_string(), plain);
                    if let Some(last) = parts.last_mut() {
                        *last = format!("{last}[{id}]");
                    }
                }
            }
        }
        let element = parts.first().cloned().unwrap_or_default();
        (element, parts.get(1..).unwrap_or_default().join("."))
    }

    /// Of the element, or of those that name it.
    fn sources(&self, path: &[Step]) -> BTreeSet<String> {
        let [Step::Key(kind), Step::Index(i), ..] = path else { return BTreeSet::new() };
        let element = &self.policy[kind.as_str()][*i];
        let own = list(element, "sources");
        if !own.is_empty() {
            return own.iter().map(plain).collect();
        }
        let name = element.get("id").or(element.get("name")).map(plain).unwrap_or_default();
        let quoted = Value::String(name).to_string();
        let rules = ["conditions", "limits", "draws"];
        let rules = rules.into_iter().flat_map(|kind| list(self.policy, kind));
        let rules = rules.filter(|rule| rule.to_string().contains(&quoted));
        rules.flat_map(|rule| list(rule, "sources")).map(plain).collect()
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn short(value: &Value) -> String {
    let text = plain(value);
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn what(last: &Step, before: &Value) -> What {
    let is_number = || plain(before).starts_with(|c: char| c.is_ascii_digit());
    match last {
        Step::Index(_) => What::Entry,
        Step::Key(key) if key == "op" => What::Operator,
        Step::Key(_) if !before.is_object() && !before.is_array() && is_number() => What::Number,
        Step::Key(_) => What::Other,
    }
}

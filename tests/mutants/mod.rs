//! The mutants of a policy: for each number, list entry, choice, reference and
//! flag that it has, the policies in which just that one is another. Led by the
//! contract's descriptors; knows no rule. Texts and ids are left as they are.

use std::collections::{BTreeMap, BTreeSet};

use bursar::yaml;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

/// Texts and what things are called: not mutated.
const NAMES: [&str; 6] = ["title", "text", "remedy", "reason", "id", "name"];
/// The numbers that a variant may look at.
const NUMBERS: [&str; 9] = [
    "limit",
    "used",
    "held",
    "requested",
    "remaining",
    "balance",
    "unfrozen",
    "available",
    "short_by",
];
/// The typed fields of fact sources.
const FIELDS: [&str; 17] = [
    "amount",
    "payee",
    "purpose",
    "time",
    "id",
    "paid_amount",
    "place_time",
    "exists",
    "frozen",
    "proceeds_withdrawal_frozen",
    "kind",
    "enabled",
    "per_payout_amount",
    "daily_amount",
    "monthly_amount",
    "balance",
    "available",
];

/// One policy with one thing changed.
pub struct Mutant {
    /// The element that holds the change, for example `limits[order-total]`.
    pub element: String,
    /// Where in it.
    pub place: String,
    /// What was changed into what.
    pub change: String,
    /// The rows of the catalogue that the element, or what looks at it, serves.
    pub sources: BTreeSet<String>,
    /// The policy as JSON, which is YAML too.
    pub text: String,
}

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

enum Edit {
    Set(Value),
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

/// What the policy has of which kind: plausible replacements.
#[derive(Default)]
struct Known {
    facts: BTreeMap<String, String>,
    keys: BTreeSet<String>,
    scope: BTreeSet<String>,
    alerts: BTreeSet<String>,
}

impl Known {
    fn of(policy: &Value) -> Self {
        let mut known = Self::default();
        for fact in list(policy, "facts") {
            known.facts.insert(text(fact, "name"), text(fact, "type"));
            if fact.get("key").is_some() {
                known.keys.insert(text(fact, "key"));
            }
        }
        for counted in ["limits", "measures"].into_iter().flat_map(|of| list(policy, of)) {
            known.scope.extend(list(counted, "scope").iter().map(plain));
        }
        known.alerts = list(policy, "alerts").iter().map(|alert| text(alert, "id")).collect();
        known
    }
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
            self.edits.push((path.clone(), Edit::Remove));
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
                Kind::Message(_) => self.value(item, field, &path),
                _ => {
                    let others = self.alternatives(item, field, &path);
                    let others = others.into_iter().filter(|other| !items.contains(other));
                    let edits = others.map(|other| (path.clone(), Edit::Set(other)));
                    self.edits.extend(edits.collect::<Vec<_>>());
                }
            }
        }
    }

    fn value(&mut self, value: &Value, field: &FieldDescriptor, path: &[Step]) {
        match field.kind() {
            Kind::Message(message) if message.full_name() != "google.protobuf.Duration" => {
                self.message(value, &message, path);
            }
            _ => {
                for other in self.alternatives(value, field, path) {
                    self.edits.push((path.to_vec(), Edit::Set(other)));
                }
            }
        }
    }

    fn alternatives(&self, value: &Value, field: &FieldDescriptor, path: &[Step]) -> Vec<Value> {
        if let Value::Bool(flag) = value {
            return vec![Value::Bool(!flag)];
        }
        let now = plain(value);
        let others = match field.kind() {
            Kind::Enum(choices) => {
                let prefix = format!("{}_", heck::AsShoutySnakeCase(choices.name()));
                choices
                    .values()
                    .filter(|choice| choice.number() != 0)
                    .map(|choice| {
                        choice.name().strip_prefix(&prefix).unwrap_or(choice.name()).to_owned()
                    })
                    .collect()
            }
            Kind::Message(_) => around_duration(&now),
            _ => self.texts(&now, field.name(), path),
        };
        others.into_iter().filter(|other| *other != now).map(Value::String).collect()
    }

    fn texts(&self, now: &str, field: &str, path: &[Step]) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match (field, now) {
            ("currency", _) => words(&["USD", "JPY"]),
            ("time_zone", _) => words(&["UTC", "Asia/Tokyo"]),
            ("audience", _) => words(&["merchant", "operations"]),
            ("account", _) => words(&["reserve"]),
            ("number", _) => words(&NUMBERS),
            ("field", _) => words(&FIELDS),
            ("sources", _) => words(&["DY-99"]),
            ("alert", _) => self.known.alerts.iter().cloned().collect(),
            ("scope", _) => self.known.scope.iter().cloned().collect(),
            ("key", _) => self.known.keys.iter().cloned().chain(["another".to_owned()]).collect(),
            // Of the same type: others are refused for that alone.
            ("fact", now) if !matches!(path.first(), Some(Step::Key(k)) if k == "facts") => {
                let kind = self.known.facts.get(now);
                let same = |(_, of): &(&String, &String)| Some(*of) == kind;
                self.known.facts.iter().filter(same).map(|(name, _)| name.clone()).collect()
            }
            (_, "true") => words(&["false"]),
            (_, "false") => words(&["true"]),
            (_, number) if number.starts_with(|c: char| c.is_ascii_digit()) => around(number),
            _ => words(&["another"]),
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
        let before = match last {
            Step::Key(key) => holder[key.as_str()].clone(),
            Step::Index(i) => holder[*i].clone(),
        };
        let before = match &before {
            Value::Object(of) => match of.get("id").or(of.get("name")).or(of.get("state")) {
                Some(id) => plain(id),
                None => serde_json::to_string(&before).expect("it was read"),
            },
            other => short(other),
        };
        let change = match edit {
            Edit::Set(value) => format!("{before} → {}", short(value)),
            Edit::Remove => format!("{before} removed"),
            Edit::SwapWithNext => format!("{before} after the next"),
        };
        match (edit, last) {
            (Edit::Set(value), Step::Key(key)) => holder[key.as_str()] = value.clone(),
            (Edit::Set(value), Step::Index(i)) => holder[*i] = value.clone(),
            (Edit::Remove, Step::Key(key)) => {
                holder.as_object_mut().expect("a key's holder").shift_remove(key);
            }
            (Edit::Remove, Step::Index(i)) => {
                holder.as_array_mut().expect("an index's holder").remove(*i);
            }
            (Edit::SwapWithNext, Step::Index(i)) => {
                holder.as_array_mut().expect("an index's holder").swap(*i, i + 1);
            }
            (Edit::SwapWithNext, Step::Key(_)) => unreachable!("only list entries are swapped"),
        }
        let (element, place) = self.names(path);
        let sources = self.sources(path);
        Mutant { element, place, change, sources, text: policy.to_string() }
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

/// A number less and more by one of its last place.
fn around(number: &str) -> Vec<String> {
    let number: rust_decimal::Decimal = number.parse().expect("a number");
    let unit = rust_decimal::Decimal::new(1, number.scale());
    vec![(number - unit).to_string(), (number + unit).to_string()]
}

/// A duration less and more by a nanosecond.
fn around_duration(text: &str) -> Vec<String> {
    let seconds: i128 = text.trim_end_matches('s').parse().expect("whole seconds");
    let nanos = seconds * 1_000_000_000;
    let write = |n: i128| format!("{}.{:09}s", n / 1_000_000_000, n % 1_000_000_000);
    vec![write(nanos - 1), write(nanos + 1)]
}

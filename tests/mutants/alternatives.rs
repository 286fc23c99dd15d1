//! What may stand instead of what a policy has at a place: other choices of
//! the contract, other things of the same kind that the policy knows, a number
//! less and more. What does not go there is refused when it is loaded.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{FieldDescriptor, Kind};
use serde_json::Value;

use super::{Step, list, plain, text};

/// The numbers that a variant may look at.
const NUMBERS: [&str; 8] =
    ["limit", "used", "held", "requested", "remaining", "balance", "unfrozen", "available"];

/// The typed fields of fact sources.
const FIELDS: [(&str, &[&str]); 6] = [
    ("REQUEST", &["amount", "payee", "purpose", "time"]),
    ("ORDER", &["id", "paid_amount", "place_time", "exists"]),
    ("SHOP", &["id", "frozen", "proceeds_withdrawal_frozen"]),
    ("OPERATOR", &["id", "kind", "frozen"]),
    (
        "GRANT",
        &[
            "exists",
            "enabled",
            "per_payout_amount",
            "daily_amount",
            "monthly_amount",
            "daily_count",
            "tier",
        ],
    ),
    ("ACCOUNT", &["exists", "kind", "balance", "held", "available", "frozen"]),
];

/// What the policy has of which kind: plausible replacements.
#[derive(Default)]
pub struct Known {
    /// Types by name.
    facts: BTreeMap<String, String>,
    /// Sources by position.
    sources: Vec<String>,
    scope: BTreeSet<String>,
    alerts: BTreeSet<String>,
}

impl Known {
    pub fn of(policy: &Value) -> Self {
        let mut known = Self::default();
        for fact in list(policy, "facts") {
            known.facts.insert(text(fact, "name"), text(fact, "type"));
            known.sources.push(text(fact, "source"));
        }
        for counted in ["limits", "measures"].into_iter().flat_map(|of| list(policy, of)) {
            known.scope.extend(list(counted, "scope").iter().map(plain));
        }
        known.alerts = list(policy, "alerts").iter().map(|alert| text(alert, "id")).collect();
        known
    }

    /// What may stand there instead.
    pub fn alternatives(
        &self,
        value: &Value,
        field: &FieldDescriptor,
        path: &[Step],
    ) -> Vec<Value> {
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
            ("field", _) => {
                let source = match path {
                    [_, Step::Index(i), ..] => self.sources.get(*i),
                    _ => None,
                };
                let fields = FIELDS.iter().find(|(of, _)| source.is_some_and(|s| s == of));
                words(fields.map_or(&[], |(_, fields)| *fields))
            }
            ("sources", _) => words(&["DY-99"]),
            ("alert", _) => self.alerts.iter().cloned().collect(),
            ("scope", _) => self.scope.iter().cloned().collect(),
            ("key", _) => words(&["another"]),
            // Of the same type: others are refused for that alone.
            ("fact", now) if !matches!(path.first(), Some(Step::Key(k)) if k == "facts") => {
                let kind = self.facts.get(now);
                let same = |(_, of): &(&String, &String)| Some(*of) == kind;
                self.facts.iter().filter(same).map(|(name, _)| name.clone()).collect()
            }
            ("value", "MAIN" | "SUB") => words(&["MAIN", "SUB"]),
            ("value", "SETTLEMENT" | "QUOTA") => words(&["SETTLEMENT", "QUOTA"]),
            (_, "true") => words(&["false"]),
            (_, "false") => words(&["true"]),
            (_, number) if number.starts_with(|c: char| c.is_ascii_digit()) => around(number),
            _ => words(&["another"]),
        }
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

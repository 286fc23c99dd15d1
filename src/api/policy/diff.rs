//! What differs between two policies, field by field. Generic over the
//! schema: a construct that is added to it is compared without a line here.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions,
};
use serde_json::{Map, Value};

use crate::proto::{self, v1};

use super::path::Path;

/// One field that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Its path, list elements by their id: `limits[order-total].bound.value`.
    pub field: String,
    /// Its JSON in the older one. Empty: not there.
    pub before: String,
    /// Its JSON in the newer one. Empty: not there.
    pub after: String,
}

/// A policy that protobuf's JSON cannot write, such as one with a duration out
/// of range. Never one that [`super::compile`] took.
#[derive(Debug, thiserror::Error)]
#[error("the policy has no JSON form: {0}")]
pub struct Unreadable(String);

/// Fields that name an element of a list, best first.
const NAMES: [&str; 3] = ["id", "name", "state"];

/// The schema of policies.
pub(super) static POLICY: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    DescriptorPool::decode(proto::DESCRIPTORS)
        .ok()
        .and_then(|pool| pool.get_message_by_name("bursar.v1.Policy"))
        .expect("the contract that was compiled in is readable and has policies")
});

/// What differs between two policies, in the order of the schema and, inside a
/// list, of the newer policy.
///
/// # Errors
///
/// If a policy has no JSON form.
pub fn diff(old: &v1::Policy, new: &v1::Policy) -> Result<Vec<Difference>, Unreadable> {
    let (old, new) = (json(old)?, json(new)?);
    let mut found = Vec::new();
    message(&mut found, &Path::default(), &POLICY, &old, &new);
    Ok(found)
}

fn json(policy: &v1::Policy) -> Result<Value, Unreadable> {
    let unreadable = |e: &dyn std::fmt::Display| Unreadable(e.to_string());
    let message = DynamicMessage::decode(POLICY.clone(), policy.encode_to_vec().as_slice())
        .map_err(|e| unreadable(&e))?;
    let options = SerializeOptions::new().use_proto_field_name(true);
    let mut json = message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|e| unreadable(&e))?;
    // Maps come in no order of their own.
    json.sort_all_objects();
    Ok(json)
}

fn message(
    found: &mut Vec<Difference>,
    at: &Path,
    descriptor: &MessageDescriptor,
    old: &Value,
    new: &Value,
) {
    for field in descriptor.fields() {
        let (old, new) = (old.get(field.name()), new.get(field.name()));
        if old == new {
            continue;
        }
        let at = at.field(field.name());
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) if field.is_map() => {
                map(found, &at, old, new);
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                list(found, &at, &field, old, new);
            }
            (Some(old), Some(new)) => value(found, &at, &field, old, new),
            (old, new) => report(found, &at, old, new),
        }
    }
}

/// One value of a field: looked into if it is a message with fields of its own.
fn value(
    found: &mut Vec<Difference>,
    at: &Path,
    field: &FieldDescriptor,
    old: &Value,
    new: &Value,
) {
    match (field.kind(), old, new) {
        // Durations and instants are messages too, but texts in JSON.
        (Kind::Message(descriptor), Value::Object(_), Value::Object(_)) => {
            message(found, at, &descriptor, old, new);
        }
        _ => report(found, at, Some(old), Some(new)),
    }
}

fn map(found: &mut Vec<Difference>, at: &Path, old: &Map<String, Value>, new: &Map<String, Value>) {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        report(found, &at.key(key), old.get(key), new.get(key));
    }
}

fn list(
    found: &mut Vec<Difference>,
    at: &Path,
    field: &FieldDescriptor,
    old: &[Value],
    new: &[Value],
) {
    let (Some(old_names), Some(new_names)) = (names(field, old), names(field, new)) else {
        for position in 0..old.len().max(new.len()) {
            either(found, &at.at(position), field, old.get(position), new.get(position));
        }
        return;
    };
    let before = |name: &str| old_names.iter().zip(old).find(|(n, _)| **n == name).map(|(_, v)| v);
    let kept = |names: &[&str], others: &[&str]| -> Vec<Value> {
        names.iter().filter(|n| others.contains(n)).map(|n| Value::from(*n)).collect()
    };
    // The order of rules and variants has a meaning of its own.
    let (old_order, new_order) = (kept(&old_names, &new_names), kept(&new_names, &old_names));
    if old_order != new_order {
        report(found, at, Some(&Value::from(old_order)), Some(&Value::from(new_order)));
    }
    for (name, new) in new_names.iter().zip(new) {
        either(found, &at.element(name), field, before(name), Some(new));
    }
    for (name, old) in old_names.iter().zip(old) {
        if !new_names.contains(name) {
            report(found, &at.element(name), Some(old), None);
        }
    }
}

fn either(
    found: &mut Vec<Difference>,
    at: &Path,
    field: &FieldDescriptor,
    old: Option<&Value>,
    new: Option<&Value>,
) {
    match (old, new) {
        (Some(old), Some(new)) if old != new => value(found, at, field, old, new),
        _ => report(found, at, old, new),
    }
}

/// Names of a list's elements, if the schema names them, all of them have one,
/// and no two the same.
fn names<'a>(field: &FieldDescriptor, elements: &'a [Value]) -> Option<Vec<&'a str>> {
    let Kind::Message(descriptor) = field.kind() else { return None };
    let by = NAMES.into_iter().find(|name| descriptor.get_field_by_name(name).is_some())?;
    let names: Vec<&str> =
        elements.iter().map(|e| e.get(by).and_then(Value::as_str)).collect::<Option<_>>()?;
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    (distinct.len() == names.len()).then_some(names)
}

fn report(found: &mut Vec<Difference>, at: &Path, old: Option<&Value>, new: Option<&Value>) {
    if old == new {
        return;
    }
    let text = |value: Option<&Value>| value.map(ToString::to_string).unwrap_or_default();
    found.push(Difference { field: at.to_string(), before: text(old), after: text(new) });
}

//! A policy with every construct that is carried out, and what becomes of it.

mod bounds;
mod compiling;
mod differences;
mod faults;
mod meters;

use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use super::{Problem, compile, diff::POLICY};
use crate::{domain::policy::Policy, proto::v1};

/// The whole policy, as protobuf JSON.
fn whole() -> Value {
    serde_json::from_str(include_str!("whole.json")).expect("JSON")
}

fn wire(json: &Value) -> v1::Policy {
    read(json).unwrap_or_else(|| panic!("no policy by its schema: {json}"))
}

/// A policy, if it is one by its schema.
fn read(json: &Value) -> Option<v1::Policy> {
    DynamicMessage::deserialize(POLICY.clone(), json).ok()?.transcode_to().ok()
}

fn compiled(json: &Value) -> Policy {
    compile(&wire(json)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Fields and reasons, which is what callers branch on.
fn reasons(problems: &[Problem]) -> Vec<(String, &'static str)> {
    problems.iter().map(|p| (p.field.clone(), p.reason.as_str())).collect()
}

/// Puts a value at a JSON pointer; objects on the way are made, lists grow by
/// one, null takes away.
fn put(at: &mut Value, pointer: &str, value: Value) {
    let (head, rest) = match pointer.trim_start_matches('/').split_once('/') {
        Some((head, rest)) => (head, rest),
        None => (pointer.trim_start_matches('/'), ""),
    };
    if head.is_empty() {
        *at = value;
        return;
    }
    if let Some(list) = at.as_array_mut() {
        let position: usize = head.parse().expect("a position");
        if position == list.len() {
            list.push(json!({}));
        }
        return put(&mut list[position], rest, value);
    }
    let object = at.as_object_mut().expect("an object");
    if rest.is_empty() && value.is_null() {
        object.remove(head);
        return;
    }
    put(object.entry(head).or_insert_with(|| json!({})), rest, value);
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut policy = whole();
    for (pointer, value) in changes {
        put(&mut policy, pointer, value.clone());
    }
    policy
}

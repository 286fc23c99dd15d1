//! Request ids that a scenario leaves out, and sending everything twice: the
//! second answer must be the first.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, ReflectMessage, Value,
};

use super::came::Came;
use crate::{wire, yaml::located::Node, yaml::path};

/// `google.api.FieldBehavior.REQUIRED`.
const REQUIRED: i32 = 2;

/// Methods whose second call is answered like the first without a request id,
/// because the payout itself or the channel's reference makes it one.
const SAME_AGAIN: [&str; 4] = ["ExecutePayout", "SettlePayout", "CancelPayout", "ReturnPayout"];

/// Sets request ids that the scenario did not write: where the contract
/// requires one, and, with `everywhere`, wherever there can be one. An id that
/// was written, even as `""`, stays.
pub(super) fn fill_ids(message: &mut DynamicMessage, node: &Node, id: &str, everywhere: bool) {
    // A read names the request of something that it reads; it has no id itself.
    if message.descriptor().name().starts_with("Get") {
        return;
    }
    let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
    for field in fields {
        let written = node.get(field.name()).or_else(|| node.get(field.json_name()));
        if field.name() == "request_id" && matches!(field.kind(), Kind::String) {
            if written.is_none() && (everywhere || is_required(&field)) {
                message.set_field(&field, Value::String(id.to_owned()));
            }
        } else if field.is_list()
            && let Some(nodes) = written.and_then(Node::as_list)
            && let Some(items) = message.get_field_mut(&field).as_list_mut()
        {
            for (i, (item, node)) in items.iter_mut().zip(nodes).enumerate() {
                if let Some(item) = item.as_message_mut() {
                    fill_ids(item, node, &format!("{id}-{}", i + 1), everywhere);
                }
            }
        }
    }
}

fn is_required(field: &FieldDescriptor) -> bool {
    let parent = field.parent_message();
    let behaviour = parent.parent_pool().get_extension_by_name("google.api.field_behavior");
    behaviour.is_some_and(|extension| {
        let options = field.options();
        let values = options.get_extension(&extension);
        values.as_list().unwrap_or_default().contains(&Value::EnumNumber(REQUIRED))
    })
}

/// True if the call may be sent again and must then be answered the same.
pub(super) fn may_repeat(method: &MethodDescriptor, requests: &[DynamicMessage]) -> bool {
    let ids: Vec<String> = requests.iter().flat_map(request_ids).collect();
    if ids.is_empty() {
        SAME_AGAIN.contains(&method.name())
    } else {
        !ids.iter().any(String::is_empty)
    }
}

/// The request's ids: its own, or one per item of a batch.
fn request_ids(request: &DynamicMessage) -> Vec<String> {
    if let Some(id) = request.get_field_by_name("request_id") {
        return vec![id.as_str().unwrap_or_default().to_owned()];
    }
    let lists = request.fields().filter_map(|(_, value)| value.as_list());
    lists.flatten().filter_map(Value::as_message).flat_map(request_ids).collect()
}

/// Where two answers differ, `replayed` aside: the path and both values.
pub(super) fn difference(
    first: &Result<wire::Answer, wire::Failure>,
    second: &Result<wire::Answer, wire::Failure>,
) -> Option<(String, String, String)> {
    match (first, second) {
        (Ok(first), Ok(second)) => differ(&Came::from(first), &Came::from(second), ""),
        (Err(first), Err(second)) => {
            let same = first.code == second.code
                && first.reason == second.reason
                && first.field_violations == second.field_violations;
            (!same).then(|| (String::new(), first.to_string(), second.to_string()))
        }
        (Ok(_), Err(second)) => Some((String::new(), "the same answer".into(), second.to_string())),
        (Err(first), Ok(_)) => Some((String::new(), first.to_string(), "an answer".into())),
    }
}

/// The innermost place where two answers differ.
fn differ(a: &Came, b: &Came, at: &str) -> Option<(String, String, String)> {
    match (a, b) {
        (Came::Object(a), Came::Object(b)) => a.iter().zip(b).find_map(|(a, b)| {
            // `replayed` is how the second answer says that it is one.
            if a.name == "replayed" {
                return None;
            }
            differ(&a.value, &b.value, &path::field(at, &a.name))
        }),
        (Came::List(a), Came::List(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(i, (a, b))| differ(a, b, &path::index(at, i)))
        }
        (Came::Map(a), Came::Map(b)) if a.keys().eq(b.keys()) => {
            let mut pairs = a.iter().zip(b.values());
            pairs.find_map(|((key, a), b)| differ(a, b, &path::key(at, key)))
        }
        _ if a == b => None,
        _ => Some((at.to_owned(), a.to_string(), b.to_string())),
    }
}

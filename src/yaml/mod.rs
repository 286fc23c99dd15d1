//! YAML and JSON text to protobuf messages, with every problem and its line.
//!
//! Owns the mapping of text to the messages of the contract. It knows the
//! descriptors only: what a message means, and whether it makes sense, is for
//! those who asked.

mod instant;
pub mod located;
mod message;
pub mod near;
pub mod path;
mod scalar;
mod wellknown;

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

pub use instant::{parse_duration, parse_timestamp};
pub use message::{Parsed, from_list, from_node};
pub use path::LineIndex;
pub(crate) use scalar::{integer, short_enum_name};
pub(crate) use wellknown::is_wrapper;

use crate::proto;
use located::Node;

/// The document is not YAML, or is larger or deeper than allowed.
pub const YAML_SYNTAX: &str = "YAML_SYNTAX";
/// The message has no such field.
pub const UNKNOWN_FIELD: &str = "UNKNOWN_FIELD";
/// The field cannot hold what was written.
pub const WRONG_TYPE: &str = "WRONG_TYPE";
/// The enum has no such value.
pub const UNKNOWN_ENUM_VALUE: &str = "UNKNOWN_ENUM_VALUE";
/// The field, or another one of the same choice, was given before.
pub const DUPLICATE_FIELD: &str = "DUPLICATE_FIELD";

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, for example `limits[3].window.length`. Empty for the
    /// document as a whole.
    pub path: String,
    /// Line in the document, from 1.
    pub line: u32,
    /// One of the reasons of this module, in UPPER_SNAKE.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub description: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.description)
    }
}

// The bytes are compiled in; a test sees to it that they decode, so an empty
// pool never comes up outside of it.
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).unwrap_or_default());

/// The descriptors of everything under `proto/`.
#[must_use]
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// The descriptor of a message of the contract, by its full name.
#[must_use]
pub fn descriptor(full_name: &str) -> Option<MessageDescriptor> {
    POOL.get_message_by_name(full_name)
}

/// Reads a YAML document as a message of that type.
///
/// # Errors
/// Everything that is wrong with the document, in its order.
pub fn parse(text: &str, descriptor: &MessageDescriptor) -> Result<Parsed, Vec<Problem>> {
    let root = located::parse_keeping_duplicates(text).map_err(|problem| vec![problem])?;
    from_node(&root, descriptor)
}

/// Reads a JSON text as a message of that type. JSON is YAML but for one
/// thing: characters outside of the basic plane written as two escapes.
///
/// # Errors
/// Everything that is wrong with the text, in its order.
pub fn parse_json(text: &str, descriptor: &MessageDescriptor) -> Result<Parsed, Vec<Problem>> {
    parse(&scalar::join_surrogates(text), descriptor)
}

/// Reads a JSON text as the messages of a stream. None if it is no list.
#[must_use]
pub fn parse_json_list(
    text: &str,
    descriptor: &MessageDescriptor,
) -> Option<Result<Vec<DynamicMessage>, Vec<Problem>>> {
    let root = located::parse_keeping_duplicates(&scalar::join_surrogates(text)).ok()?;
    root.as_list()?;
    Some(from_list(&root, descriptor))
}

/// Reads a YAML document as a generated message, by its full name, with the
/// lines of its fields.
///
/// # Errors
/// Everything that is wrong with the document, in its order.
pub fn read<T>(text: &str, full_name: &str) -> Result<(T, LineIndex), Vec<Problem>>
where
    T: prost::Message + Default,
{
    let whole = |description: String| {
        vec![Problem { path: String::new(), line: 1, reason: WRONG_TYPE, description }]
    };
    let descriptor = descriptor(full_name)
        .ok_or_else(|| whole(format!("the contract has no message {full_name}")))?;
    let Parsed { message, lines } = parse(text, &descriptor)?;
    let typed = message.transcode_to::<T>().map_err(|error| whole(error.to_string()))?;
    Ok((typed, lines))
}

/// What a node is, for descriptions.
pub(crate) fn kind_of(node: &Node) -> &'static str {
    match &node.value {
        located::Value::Map(_) => "a map",
        located::Value::List(_) => "a list",
        located::Value::Scalar(scalar) if scalar.is_null() => "nothing",
        located::Value::Scalar(_) => "a single value",
    }
}

#[cfg(test)]
mod tests;

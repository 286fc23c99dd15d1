//! Messages as protobuf JSON, for people and programs that read answers.

use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

use super::Answer;

/// An answer: its message, or a list of the messages of a stream.
///
/// # Errors
/// As for one message.
pub fn answer_to_json(answer: &Answer) -> Result<Value, String> {
    match answer {
        Answer::One(message) => to_json(message),
        Answer::Several(messages) => messages.iter().map(to_json).collect(),
    }
}

/// The message with lowerCamelCase names; fields that are not set are left out.
///
/// # Errors
/// It holds something that JSON cannot say, such as an `Any` of unknown type.
pub fn to_json(message: &DynamicMessage) -> Result<Value, String> {
    let options = SerializeOptions::new();
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| format!("the message cannot be written as JSON: {error}"))
}

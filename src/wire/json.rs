//! Messages as protobuf JSON, for people and programs that read answers.

use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

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

//! The messages of `google.protobuf` that JSON writes in a form of their own.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value as Field};

use super::{
    located::{Node, Value},
    message::Converter,
    parse_duration, parse_timestamp,
};

/// True for the wrappers of single values, `google.protobuf.StringValue`.
pub(crate) fn is_wrapper(full_name: &str) -> bool {
    matches!(
        full_name.strip_prefix("google.protobuf."),
        Some(
            "StringValue"
                | "BoolValue"
                | "Int32Value"
                | "Int64Value"
                | "UInt32Value"
                | "UInt64Value"
                | "DoubleValue"
                | "FloatValue"
                | "BytesValue"
        )
    )
}

impl Converter {
    /// The message, if it is one of those. The outer None: it is an ordinary
    /// one. The inner: there was a problem, and it is noted.
    pub(super) fn well_known(
        &mut self,
        descriptor: &MessageDescriptor,
        node: &Node,
        path: &str,
    ) -> Option<Option<DynamicMessage>> {
        let full_name = descriptor.full_name();
        match full_name {
            "google.protobuf.Duration" => {
                let hint = "a duration in seconds such as `1800s` or `0.5s`";
                Some(self.text_form(descriptor, node, path, hint, |message, text| {
                    let duration = parse_duration(text)?;
                    set_seconds(message, duration.seconds, duration.nanos)
                }))
            }
            "google.protobuf.Timestamp" => {
                let hint = "an instant such as `2026-03-02T10:00:00+08:00`";
                Some(self.text_form(descriptor, node, path, hint, |message, text| {
                    let instant = parse_timestamp(text)?;
                    let (mut seconds, mut nanos) =
                        (instant.as_second(), instant.subsec_nanosecond());
                    // Before 1970 jiff's fraction is negative; protobuf's never is.
                    if nanos < 0 {
                        seconds -= 1;
                        nanos += 1_000_000_000;
                    }
                    set_seconds(message, seconds, nanos)
                }))
            }
            "google.protobuf.FieldMask" => {
                let hint = "paths of fields with commas between them, such as `a,b.c`";
                Some(self.text_form(descriptor, node, path, hint, |message, text| {
                    let paths = text.split(',').map(str::trim).filter(|p| !p.is_empty());
                    let paths = paths.map(|p| Field::String(snake_case(p))).collect();
                    message.try_set_field_by_name("paths", Field::List(paths)).ok()
                }))
            }
            name if is_wrapper(name) => {
                let field = descriptor.get_field_by_name("value")?;
                let value = self.single(&field.kind(), node, path);
                Some(value.and_then(|value| {
                    let mut message = DynamicMessage::new(descriptor.clone());
                    message.try_set_field(&field, value).ok().map(|()| message)
                }))
            }
            "google.protobuf.Any"
            | "google.protobuf.Struct"
            | "google.protobuf.Value"
            | "google.protobuf.ListValue" => {
                self.wrong(path, node.line, format!("{full_name} cannot be written here"));
                Some(None)
            }
            _ => None,
        }
    }

    fn text_form(
        &mut self,
        descriptor: &MessageDescriptor,
        node: &Node,
        path: &str,
        hint: &str,
        set: impl FnOnce(&mut DynamicMessage, &str) -> Option<()>,
    ) -> Option<DynamicMessage> {
        let mut message = DynamicMessage::new(descriptor.clone());
        let done = match &node.value {
            Value::Scalar(scalar) => set(&mut message, &scalar.text),
            _ => None,
        };
        if done.is_none() {
            self.wrong(path, node.line, format!("expected {hint}, came {}", shown(node)));
        }
        done.map(|()| message)
    }
}

/// Characters of a text that are shown.
const SHOWN: usize = 60;

/// A text, or its beginning if it is long.
pub(super) fn beginning(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

/// The node for a description: its text or the beginning of it, or what it is.
pub(super) fn shown(node: &Node) -> String {
    match &node.value {
        Value::Scalar(s) if !s.is_null() => format!("`{}`", beginning(&s.text).escape_debug()),
        _ => super::kind_of(node).to_owned(),
    }
}

/// What a kind is called in descriptions.
pub(super) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "true or false",
        Kind::String => "a text",
        Kind::Double | Kind::Float => "a number",
        Kind::Bytes => "bytes",
        Kind::Message(_) => "a map",
        Kind::Enum(_) => "one of the enum's values",
        _ => "a whole number",
    }
}

fn set_seconds(message: &mut DynamicMessage, seconds: i64, nanos: i32) -> Option<()> {
    message.try_set_field_by_name("seconds", Field::I64(seconds)).ok()?;
    message.try_set_field_by_name("nanos", Field::I32(nanos)).ok()
}

/// `displayName.x` to `display_name.x`: JSON writes masks in camel case, the
/// wire in the proto's own.
fn snake_case(path: &str) -> String {
    let mut snake = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

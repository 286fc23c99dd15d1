//! Reads one `buf.validate` annotation into a typed rule. Knows exactly the
//! rules that `proto/bursar/v1` uses: any other one is an error that names the
//! field and the rule, so that no annotation can be written and not enforced.

use std::error::Error;

use prost_reflect::{
    DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, OneofDescriptor,
    Value,
};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a field's annotation asks for.
#[derive(Default)]
pub struct Rules {
    /// The message has to be there.
    pub required: bool,
    /// What its value, or its list or map, has to be like.
    pub shape: Option<Shape>,
}

/// Rules of one type of field.
pub enum Shape {
    Text(Text),
    Number {
        gte: i32,
        lte: i32,
    },
    /// The values that may be sent: number and name.
    Choice(Vec<(i32, String)>),
    List {
        min: u64,
        max: Option<u64>,
        items: Items,
    },
    Map {
        max: Option<u64>,
    },
}

/// Rules of the elements of a list.
pub enum Items {
    /// None stated: messages are checked by their own rules.
    Plain,
    /// Not looked at here, nor what is inside.
    Ignored,
    Each(Box<Shape>),
}

/// Rules of a string. `min` and `max` count characters.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Text {
    pub min: u64,
    pub max: Option<u64>,
    pub max_bytes: Option<u64>,
    pub pattern: Option<String>,
}

/// Reads `(buf.validate.field)` of a field.
pub fn of_field(field: &FieldDescriptor, extension: &ExtensionDescriptor) -> Result<Rules> {
    let options = field.options();
    if !options.has_extension(extension) {
        return Ok(Rules::default());
    }
    let mut rules = Rules::default();
    for (name, value) in stated(&options.get_extension(extension), field.full_name())? {
        match (name.as_str(), value) {
            ("required", Value::Bool(required)) => {
                // On other kinds of fields "required" has meanings of its own.
                if !matches!(field.kind(), Kind::Message(_)) || field.is_list() || field.is_map() {
                    return unsupported(field.full_name(), "required (on what is not a message)");
                }
                rules.required = required;
            }
            ("repeated", Value::Message(list)) if field.is_list() => {
                rules.shape = Some(of_list(field, &list)?);
            }
            ("map", Value::Message(map)) if field.is_map() => {
                rules.shape = Some(of_map(field.full_name(), &map)?);
            }
            (_, value) if !field.is_list() && !field.is_map() => {
                rules.shape = Some(of_value(field, &name, &value)?);
            }
            _ => return unsupported(field.full_name(), &name),
        }
    }
    Ok(rules)
}

/// Reads `(buf.validate.oneof)`: true if one member has to be set.
pub fn of_oneof(oneof: &OneofDescriptor, extension: &ExtensionDescriptor) -> Result<bool> {
    let options = oneof.options();
    if !options.has_extension(extension) {
        return Ok(false);
    }
    let mut required = false;
    for (name, value) in stated(&options.get_extension(extension), oneof.full_name())? {
        match (name.as_str(), value) {
            ("required", Value::Bool(value)) => required = value,
            _ => return unsupported(oneof.full_name(), &format!("oneof.{name}")),
        }
    }
    Ok(required)
}

/// The error for a rule that this generator does not know.
pub fn unsupported<T>(element: &str, rule: &str) -> Result<T> {
    Err(format!("{element}: rule `{rule}` of buf.validate is not supported; see build/rules.rs")
        .into())
}

/// Everything that is set in a message of rules, predefined rules included.
fn stated(rules: &Value, element: &str) -> Result<Vec<(String, Value)>> {
    let Value::Message(rules) = rules else {
        return unsupported(element, "(not a message)");
    };
    Ok(set(rules))
}

fn set(rules: &DynamicMessage) -> Vec<(String, Value)> {
    let fields = rules.fields().map(|(field, value)| (field.name().to_owned(), value.clone()));
    let extensions = rules
        .extensions()
        .map(|(field, value)| (format!("[{}]", field.full_name()), value.clone()));
    fields.chain(extensions).collect()
}

fn of_value(field: &FieldDescriptor, rule: &str, value: &Value) -> Result<Shape> {
    match (rule, value, field.kind()) {
        ("string", Value::Message(rules), Kind::String) => of_text(field.full_name(), rules),
        ("int32", Value::Message(rules), Kind::Int32) => of_number(field.full_name(), rules),
        ("enum", Value::Message(rules), Kind::Enum(kind)) => {
            of_enum(field.full_name(), rules, &kind)
        }
        _ => unsupported(field.full_name(), rule),
    }
}

fn of_text(element: &str, rules: &DynamicMessage) -> Result<Shape> {
    let mut text = Text::default();
    for (name, value) in set(rules) {
        match (name.as_str(), value) {
            ("min_len", Value::U64(least)) => text.min = least,
            ("max_len", Value::U64(most)) => text.max = Some(most),
            ("max_bytes", Value::U64(most)) => text.max_bytes = Some(most),
            ("pattern", Value::String(pattern)) => {
                regex::Regex::new(&pattern).map_err(|error| format!("{element}: {error}"))?;
                text.pattern = Some(pattern);
            }
            _ => return unsupported(element, &format!("string.{name}")),
        }
    }
    Ok(Shape::Text(text))
}

fn of_number(element: &str, rules: &DynamicMessage) -> Result<Shape> {
    let (mut least, mut most) = (i32::MIN, i32::MAX);
    for (name, value) in set(rules) {
        match (name.as_str(), value) {
            ("gte", Value::I32(value)) => least = value,
            ("lte", Value::I32(value)) => most = value,
            _ => return unsupported(element, &format!("int32.{name}")),
        }
    }
    // Then protovalidate takes the range as the values outside of it.
    if least > most {
        return unsupported(element, "int32.gte above int32.lte");
    }
    Ok(Shape::Number { gte: least, lte: most })
}

fn of_enum(element: &str, rules: &DynamicMessage, kind: &EnumDescriptor) -> Result<Shape> {
    let (mut defined_only, mut not_in) = (false, Vec::new());
    for (name, value) in set(rules) {
        match (name.as_str(), value) {
            ("defined_only", Value::Bool(value)) => defined_only = value,
            ("not_in", Value::List(values)) => {
                not_in.extend(values.iter().filter_map(Value::as_i32));
            }
            _ => return unsupported(element, &format!("enum.{name}")),
        }
    }
    if !defined_only {
        return unsupported(element, "enum without enum.defined_only");
    }
    let defined = kind.values().map(|value| (value.number(), value.name().to_owned()));
    Ok(Shape::Choice(defined.filter(|(number, _)| !not_in.contains(number)).collect()))
}

fn of_list(field: &FieldDescriptor, rules: &DynamicMessage) -> Result<Shape> {
    let (mut min, mut max, mut items) = (0, None, Items::Plain);
    for (name, value) in set(rules) {
        match (name.as_str(), value) {
            ("min_items", Value::U64(least)) => min = least,
            ("max_items", Value::U64(most)) => max = Some(most),
            ("items", Value::Message(rules)) => items = of_items(field, &rules)?,
            _ => return unsupported(field.full_name(), &format!("repeated.{name}")),
        }
    }
    Ok(Shape::List { min, max, items })
}

fn of_items(field: &FieldDescriptor, rules: &DynamicMessage) -> Result<Items> {
    /// `buf.validate.Ignore.IGNORE_ALWAYS`.
    const ALWAYS: i32 = 3;
    let mut items = Items::Plain;
    for (name, value) in set(rules) {
        let nested = format!("repeated.items.{name}");
        items = match (name.as_str(), &value, field.kind(), &items) {
            ("ignore", Value::EnumNumber(ALWAYS), _, Items::Plain) => Items::Ignored,
            ("string", Value::Message(_), Kind::String, Items::Plain)
            | ("enum", Value::Message(_), Kind::Enum(_), Items::Plain) => {
                Items::Each(Box::new(of_value(field, &name, &value)?))
            }
            _ => return unsupported(field.full_name(), &nested),
        };
    }
    Ok(items)
}

fn of_map(element: &str, rules: &DynamicMessage) -> Result<Shape> {
    let mut max = None;
    for (name, value) in set(rules) {
        match (name.as_str(), value) {
            ("max_pairs", Value::U64(most)) => max = Some(most),
            _ => return unsupported(element, &format!("map.{name}")),
        }
    }
    Ok(Shape::Map { max })
}

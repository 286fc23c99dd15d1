//! A document's tree to a message of the contract, as protobuf JSON means it.
//! Goes on after a problem, so that all are found at once.

use std::collections::HashMap;

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    Value as Field,
};

use super::{
    LineIndex, Problem, UNKNOWN_ENUM_VALUE, UNKNOWN_FIELD, WRONG_TYPE,
    located::{Entry, Node, Scalar, Value, duplicate},
    near, path, scalar,
    wellknown::{beginning, kind_name, shown},
};

/// A message and where its fields were written.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The message.
    pub message: DynamicMessage,
    /// The lines of its fields.
    pub lines: LineIndex,
}

/// Converts a tree.
///
/// # Errors
/// Everything that is wrong with it, in the document's order.
pub fn from_node(root: &Node, descriptor: &MessageDescriptor) -> Result<Parsed, Vec<Problem>> {
    let mut converter = Converter::default();
    converter.lines.note("", root.line);
    // Nothing at all is a message without any field set.
    let message = if root.is_null() {
        Some(DynamicMessage::new(descriptor.clone()))
    } else {
        converter.message(descriptor, root, "")
    };
    match message {
        Some(message) if converter.problems.is_empty() => {
            Ok(Parsed { message, lines: converter.lines })
        }
        _ => {
            converter.problems.sort_by_key(|problem| problem.line);
            Err(converter.problems)
        }
    }
}

/// Converts a list of trees: the messages of a stream.
///
/// # Errors
/// Everything that is wrong with them, in the document's order.
pub fn from_list(
    root: &Node,
    descriptor: &MessageDescriptor,
) -> Result<Vec<DynamicMessage>, Vec<Problem>> {
    let Value::List(items) = &root.value else {
        let description = format!("expected a list of {}, came {}", descriptor.name(), shown(root));
        let (path, line) = (String::new(), root.line);
        return Err(vec![Problem { path, line, reason: WRONG_TYPE, description }]);
    };
    let (mut messages, mut problems) = (Vec::new(), Vec::new());
    for (i, item) in items.iter().enumerate() {
        match from_node(item, descriptor) {
            Ok(parsed) => messages.push(parsed.message),
            Err(of_item) => problems.extend(of_item.into_iter().map(|problem| {
                let inside = problem.path.strip_prefix('[').map_or_else(
                    || path::field(&path::index("", i), &problem.path),
                    |_| format!("{}{}", path::index("", i), problem.path),
                );
                let path = if problem.path.is_empty() { path::index("", i) } else { inside };
                Problem { path, ..problem }
            })),
        }
    }
    if problems.is_empty() { Ok(messages) } else { Err(problems) }
}

/// Problems that are gathered; nobody mends more at a time.
const MOST_PROBLEMS: usize = 100;

/// Gathers problems and lines on the way down.
#[derive(Default)]
pub(super) struct Converter {
    problems: Vec<Problem>,
    lines: LineIndex,
}

impl Converter {
    pub(super) fn wrong(&mut self, path: &str, line: u32, description: String) {
        self.problem(path, line, WRONG_TYPE, description);
    }

    fn problem(&mut self, path: &str, line: u32, reason: &'static str, description: String) {
        self.push(Problem { path: path.to_owned(), line, reason, description });
    }

    fn push(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn expected(&mut self, what: &str, node: &Node, path: &str) {
        self.wrong(path, node.line, format!("expected {what}, came {}", shown(node)));
    }

    fn message(
        &mut self,
        descriptor: &MessageDescriptor,
        node: &Node,
        at: &str,
    ) -> Option<DynamicMessage> {
        if let Some(known) = self.well_known(descriptor, node, at) {
            return known;
        }
        let Value::Map(entries) = &node.value else {
            let what = format!("a map with the fields of {}", descriptor.name());
            self.expected(&what, node, at);
            return None;
        };
        let mut message = DynamicMessage::new(descriptor.clone());
        let mut seen = Seen::default();
        for entry in entries {
            if let Some(field) = self.field(descriptor, entry, at, &mut seen)
                && !entry.value.is_null()
                && let Some(value) = self.value(&field, entry, &path::field(at, field.name()))
            {
                // Its kind is the field's by now, so this cannot fail.
                let _ = message.try_set_field(&field, value);
            }
        }
        Some(message)
    }

    /// The field an entry is for, unless there is none or it was given before.
    fn field(
        &mut self,
        descriptor: &MessageDescriptor,
        entry: &Entry,
        at: &str,
        seen: &mut Seen,
    ) -> Option<FieldDescriptor> {
        let field = descriptor
            .get_field_by_name(&entry.key)
            .or_else(|| descriptor.get_field_by_json_name(&entry.key));
        let Some(field) = field else {
            let names: Vec<String> = descriptor.fields().map(|f| f.name().to_owned()).collect();
            let key = beginning(&entry.key);
            let hint = near::did_you_mean(&key, names.iter().map(String::as_str));
            let text = format!("{} has no field `{key}`{hint}", descriptor.name());
            self.problem(&path::field(at, &key), entry.line, UNKNOWN_FIELD, text);
            return None;
        };
        let here = path::field(at, field.name());
        if let Some(first) = seen.fields.get(&field.number()) {
            self.push(duplicate(here, entry.line, &entry.key, *first));
            return None;
        }
        seen.fields.insert(field.number(), entry.line);
        self.lines.note(&here, entry.line);
        let choice = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        if let Some(choice) = choice
            && !entry.value.is_null()
        {
            if let Some((other, line)) = seen.choices.get(choice.name()) {
                let mut problem = duplicate(here, entry.line, other, *line);
                problem.description = format!(
                    "only one of `{other}` (line {line}) and `{}` can be set",
                    field.name()
                );
                self.push(problem);
                return None;
            }
            let member = (field.name().to_owned(), entry.line);
            seen.choices.insert(choice.name().to_owned(), member);
        }
        Some(field)
    }

    fn value(&mut self, field: &FieldDescriptor, entry: &Entry, at: &str) -> Option<Field> {
        if field.is_map() {
            self.map(field, &entry.value, at)
        } else if field.is_list() {
            self.list(&field.kind(), &entry.value, at)
        } else {
            self.single(&field.kind(), &entry.value, at)
        }
    }

    fn list(&mut self, kind: &Kind, node: &Node, at: &str) -> Option<Field> {
        let Value::List(items) = &node.value else {
            self.expected("a list", node, at);
            return None;
        };
        let mut values = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let here = path::index(at, i);
            self.lines.note(&here, item.line);
            values.extend(self.single(kind, item, &here));
        }
        Some(Field::List(values))
    }

    fn map(&mut self, field: &FieldDescriptor, node: &Node, at: &str) -> Option<Field> {
        let Value::Map(entries) = &node.value else {
            self.expected("a map", node, at);
            return None;
        };
        let Kind::Message(pair) = field.kind() else { return None };
        let (key_kind, value_kind) = (pair.map_entry_key_field(), pair.map_entry_value_field());
        let mut values = HashMap::new();
        let mut seen = HashMap::new();
        for entry in entries {
            let here = path::key(at, &entry.key);
            let Some(key) = map_key(&key_kind.kind(), &entry.key) else {
                let what = kind_name(&key_kind.kind());
                self.wrong(&here, entry.line, format!("expected {what} as the key"));
                continue;
            };
            if let Some(first) = seen.insert(key.clone(), entry.line) {
                self.push(duplicate(here, entry.line, &beginning(&entry.key), first));
                continue;
            }
            self.lines.note(&here, entry.line);
            if let Some(value) = self.single(&value_kind.kind(), &entry.value, &here) {
                values.insert(key, value);
            }
        }
        Some(Field::Map(values))
    }

    /// A value that is neither a list nor a map of them.
    pub(super) fn single(&mut self, kind: &Kind, node: &Node, at: &str) -> Option<Field> {
        match kind {
            Kind::Message(descriptor) => self.message(descriptor, node, at).map(Field::Message),
            Kind::Enum(descriptor) => self.enum_value(descriptor, node, at),
            Kind::Bytes => {
                self.wrong(at, node.line, "bytes cannot be written here".to_owned());
                None
            }
            _ => {
                let text = node.as_scalar().filter(|scalar| !scalar.is_null());
                let value = text.and_then(|scalar| scalar_value(kind, scalar));
                if value.is_none() {
                    self.expected(&wanted(kind, node), node, at);
                }
                value
            }
        }
    }

    fn enum_value(&mut self, of: &EnumDescriptor, node: &Node, at: &str) -> Option<Field> {
        let Some(scalar) = node.as_scalar().filter(|scalar| !scalar.is_null()) else {
            self.expected(&format!("a value of {}", of.name()), node, at);
            return None;
        };
        if let Some(number) = scalar::enum_number(of, &scalar.text) {
            return Some(Field::EnumNumber(number));
        }
        let names: Vec<String> = of
            .values()
            .filter(|value| value.number() != 0)
            .map(|value| scalar::short_enum_name(of, value.name()).to_owned())
            .collect();
        let came = beginning(&scalar.text);
        let hint = near::did_you_mean(&came, names.iter().map(String::as_str));
        let came = came.escape_debug();
        let text = format!("{} has no value `{came}`{hint} (it has {})", of.name(), some(&names));
        self.problem(at, node.line, UNKNOWN_ENUM_VALUE, text);
        None
    }
}

/// What one message's fields have been given so far.
#[derive(Default)]
struct Seen {
    fields: HashMap<u32, u32>,
    choices: HashMap<String, (String, u32)>,
}

/// Names for a description: all of them if they are few.
fn some(names: &[String]) -> String {
    const FEW: usize = 16;
    let listed = names.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > FEW { format!("{listed}, …") } else { listed }
}

fn wanted(kind: &Kind, node: &Node) -> String {
    let quoted = node.as_scalar().is_some_and(|scalar| !scalar.plain);
    match kind {
        Kind::Bool if quoted => "true or false without quotes".to_owned(),
        Kind::String if node.is_null() => "a text (quote it if it is meant as one)".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a whole number of 32 bits".to_owned(),
        Kind::Uint32 | Kind::Fixed32 => "a whole number of 32 bits, not negative".to_owned(),
        Kind::Uint64 | Kind::Fixed64 => "a whole number of 64 bits, not negative".to_owned(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a whole number of 64 bits".to_owned(),
        other => kind_name(other).to_owned(),
    }
}

fn scalar_value(kind: &Kind, scalar: &Scalar) -> Option<Field> {
    let text = scalar.text.as_str();
    Some(match kind {
        Kind::String => Field::String(text.to_owned()),
        Kind::Bool if scalar.plain => Field::Bool(text.parse().ok()?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            Field::I32(i32::try_from(scalar::integer(text)?).ok()?)
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            Field::I64(i64::try_from(scalar::integer(text)?).ok()?)
        }
        Kind::Uint32 | Kind::Fixed32 => Field::U32(u32::try_from(scalar::integer(text)?).ok()?),
        Kind::Uint64 | Kind::Fixed64 => Field::U64(u64::try_from(scalar::integer(text)?).ok()?),
        Kind::Double => Field::F64(float(text)?),
        #[expect(clippy::cast_possible_truncation, reason = "a float is the nearest there is")]
        Kind::Float => Field::F32(float(text)? as f32),
        _ => return None,
    })
}

fn float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // `inf` and `nan` are Rust's, not JSON's.
        _ if text.contains(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')) => None,
        _ => text.parse::<f64>().ok().filter(|value| value.is_finite()),
    }
}

fn map_key(kind: &Kind, text: &str) -> Option<MapKey> {
    let plain = Scalar { text: text.to_owned(), plain: true };
    scalar_value(kind, &plain)?.into_map_key()
}

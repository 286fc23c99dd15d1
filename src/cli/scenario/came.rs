//! What came back, in the form that expectations are held against: enums with
//! both their names, instants as instants, defaults as values.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value as Field,
};

use crate::{wire, yaml};

/// Something that came back.
#[derive(Clone, Debug, PartialEq)]
pub enum Came {
    /// A field that is not set and has no default.
    Absent,
    /// True or false.
    Bool(bool),
    /// A number in digits.
    Number(String),
    /// A text.
    Text(String),
    /// A value of an enum: its full name, its short name, its number.
    Enum(String, String, i32),
    /// An instant.
    Instant(Timestamp),
    /// A duration: seconds and nanoseconds.
    Span(i64, i32),
    /// Several values.
    List(Vec<Came>),
    /// Values by key.
    Map(BTreeMap<String, Came>),
    /// A message: every field it could have.
    Object(Vec<Member>),
}

/// A field of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name in the contract.
    pub name: String,
    /// Its name in JSON.
    pub json_name: String,
    /// What it holds.
    pub value: Came,
}

impl Came {
    /// True if the field is not set, or holds its default.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match self {
            Came::Absent => true,
            Came::Bool(value) => !value,
            Came::Number(text) => yaml::integer(text) == Some(0),
            Came::Text(text) => text.is_empty(),
            Came::Enum(_, _, number) => *number == 0,
            Came::List(items) => items.is_empty(),
            Came::Map(values) => values.is_empty(),
            Came::Instant(_) | Came::Span(..) | Came::Object(_) => false,
        }
    }
}

impl From<&wire::Answer> for Came {
    fn from(answer: &wire::Answer) -> Self {
        match answer {
            wire::Answer::One(message) => Came::from(message),
            wire::Answer::Several(messages) => {
                Came::List(messages.iter().map(Came::from).collect())
            }
        }
    }
}

impl From<&DynamicMessage> for Came {
    fn from(message: &DynamicMessage) -> Self {
        special(message).unwrap_or_else(|| {
            let of = message.descriptor();
            Came::Object(of.fields().map(|field| member(message, &field)).collect())
        })
    }
}

fn member(message: &DynamicMessage, field: &FieldDescriptor) -> Member {
    let absent = field.supports_presence() && !message.has_field(field);
    let value = if absent { Came::Absent } else { value(&message.get_field(field), field) };
    Member { name: field.name().to_owned(), json_name: field.json_name().to_owned(), value }
}

/// The messages that JSON writes as something else than an object.
fn special(message: &DynamicMessage) -> Option<Came> {
    let of = message.descriptor();
    let seconds_and_nanos = || {
        let seconds = message.get_field_by_name("seconds")?.as_i64()?;
        Some((seconds, message.get_field_by_name("nanos")?.as_i32()?))
    };
    match of.full_name() {
        "google.protobuf.Timestamp" => {
            let (seconds, nanos) = seconds_and_nanos()?;
            Timestamp::new(seconds, nanos).ok().map(Came::Instant)
        }
        "google.protobuf.Duration" => {
            seconds_and_nanos().map(|(seconds, nanos)| Came::Span(seconds, nanos))
        }
        "google.protobuf.FieldMask" => {
            let paths = message.get_field_by_name("paths")?;
            let paths: Vec<&str> = paths.as_list()?.iter().filter_map(Field::as_str).collect();
            Some(Came::Text(paths.join(",")))
        }
        "google.protobuf.Any" => {
            let url = message.get_field_by_name("type_url")?.as_str()?.to_owned();
            let bytes = message.get_field_by_name("value")?.as_bytes()?.clone();
            let name = url.rsplit('/').next().unwrap_or(&url);
            let known = wire::Directory.pool().get_message_by_name(name);
            let inner = known.and_then(|of| DynamicMessage::decode(of, bytes).ok());
            Some(inner.map_or(Came::Text(url), |inner| Came::from(&inner)))
        }
        name if yaml::is_wrapper(name) => {
            let field = of.get_field_by_name("value")?;
            Some(value(&message.get_field(&field), &field))
        }
        _ => None,
    }
}

fn value(value: &Field, field: &FieldDescriptor) -> Came {
    match value {
        Field::List(items) => {
            Came::List(items.iter().map(|item| single(item, &field.kind())).collect())
        }
        Field::Map(entries) => {
            let Kind::Message(pair) = field.kind() else { return Came::Absent };
            let kind = pair.map_entry_value_field().kind();
            Came::Map(entries.iter().map(|(k, v)| (key_text(k), single(v, &kind))).collect())
        }
        one => single(one, &field.kind()),
    }
}

fn single(value: &Field, kind: &Kind) -> Came {
    match value {
        Field::Bool(value) => Came::Bool(*value),
        Field::I32(value) => Came::Number(value.to_string()),
        Field::I64(value) => Came::Number(value.to_string()),
        Field::U32(value) => Came::Number(value.to_string()),
        Field::U64(value) => Came::Number(value.to_string()),
        Field::F32(value) => Came::Number(value.to_string()),
        Field::F64(value) => Came::Number(value.to_string()),
        Field::String(text) => Came::Text(text.clone()),
        Field::Bytes(bytes) => Came::Text(format!("{bytes:?}")),
        Field::Message(message) => Came::from(message),
        Field::EnumNumber(number) => {
            let known = kind.as_enum().and_then(|of| Some((of, of.get_value(*number)?)));
            match known {
                Some((of, value)) => {
                    let short = yaml::short_enum_name(of, value.name()).to_owned();
                    Came::Enum(value.name().to_owned(), short, *number)
                }
                None => Came::Number(number.to_string()),
            }
        }
        Field::List(_) | Field::Map(_) => Came::Absent,
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(value) => value.to_string(),
        MapKey::I32(value) => value.to_string(),
        MapKey::I64(value) => value.to_string(),
        MapKey::U32(value) => value.to_string(),
        MapKey::U64(value) => value.to_string(),
        MapKey::String(text) => text.clone(),
    }
}

impl From<&wire::Failure> for Came {
    fn from(failure: &wire::Failure) -> Self {
        let text = |text: &str| Came::Text(text.to_owned());
        let fields = failure.field_violations.iter().map(|violation| {
            object([
                ("field", text(&violation.field)),
                ("reason", text(&violation.reason)),
                ("description", text(&violation.description)),
            ])
        });
        let preconditions = failure.precondition_violations.iter().map(|violation| {
            object([
                ("type", text(&violation.kind)),
                ("subject", text(&violation.subject)),
                ("description", text(&violation.description)),
            ])
        });
        let paths = failure.field_violations.iter().map(|v| text(&v.field));
        let subjects = failure.precondition_violations.iter().map(|v| text(&v.subject));
        let names: Vec<Came> = paths.chain(subjects).collect();
        let delay = failure.retry_delay.and_then(|delay| {
            let seconds = i64::try_from(delay.as_secs()).ok()?;
            Some(Came::Span(seconds, i32::try_from(delay.subsec_nanos()).ok()?))
        });
        let metadata = failure.metadata.iter().map(|(k, v)| (k.clone(), text(v)));
        object([
            ("code", text(failure.code_name())),
            ("reason", text(&failure.reason)),
            ("message", text(&failure.message)),
            ("metadata", Came::Map(metadata.collect())),
            ("fields", Came::List(names)),
            ("field_violations", Came::List(fields.collect())),
            ("precondition_violations", Came::List(preconditions.collect())),
            ("retry_delay", delay.unwrap_or(Came::Absent)),
        ])
    }
}

fn object<const N: usize>(members: [(&str, Came); N]) -> Came {
    let members = members.map(|(name, value)| Member {
        name: name.to_owned(),
        json_name: name.to_owned(),
        value,
    });
    Came::Object(members.into())
}

/// In YAML's flow style, without what is not set.
impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Came::Absent => f.write_str("nothing"),
            Came::Bool(value) => write!(f, "{value}"),
            Came::Number(text) => f.write_str(text),
            Came::Text(text) => write!(f, "\"{}\"", text.escape_debug()),
            Came::Enum(_, short, _) => f.write_str(short),
            Came::Instant(instant) => write!(f, "{instant}"),
            Came::Span(seconds, nanos) => f.write_str(&span_text(*seconds, *nanos)),
            Came::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Came::Map(values) => {
                let values: Vec<String> = values.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                write!(f, "{{{}}}", values.join(", "))
            }
            Came::Object(members) => {
                let set = members.iter().filter(|member| !member.value.is_nothing());
                let set: Vec<String> =
                    set.map(|member| format!("{}: {}", member.name, member.value)).collect();
                write!(f, "{{{}}}", set.join(", "))
            }
        }
    }
}

/// `61s`, `0.5s`: as protobuf JSON writes a duration.
fn span_text(seconds: i64, nanos: i32) -> String {
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    if nanos == 0 {
        return format!("{sign}{seconds}s");
    }
    let fraction = format!("{nanos:09}");
    format!("{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
}

/// The text that `save` keeps of a value.
///
/// # Errors
/// The path leads nowhere, or to something that is not a single value.
pub(super) fn pick(came: &Came, path: &str) -> Result<String, String> {
    let steps = yaml::path::steps(path).ok_or_else(|| format!("`{path}` is not a path"))?;
    let mut at = came;
    for step in &steps {
        at = follow(at, step).ok_or_else(|| format!("the answer has no `{path}`"))?;
    }
    match at {
        Came::Text(text) | Came::Number(text) => Ok(text.clone()),
        Came::Bool(value) => Ok(value.to_string()),
        Came::Enum(full, _, _) => Ok(full.clone()),
        Came::Instant(instant) => Ok(instant.to_string()),
        Came::Span(seconds, nanos) => Ok(span_text(*seconds, *nanos)),
        Came::Absent => Err(format!("`{path}` is not set in the answer")),
        Came::List(_) | Came::Map(_) | Came::Object(_) => {
            Err(format!("`{path}` is not a single value"))
        }
    }
}

fn follow<'a>(came: &'a Came, step: &yaml::path::Step) -> Option<&'a Came> {
    use yaml::path::Step;
    match (came, step) {
        (Came::Object(members), Step::Field(name)) => {
            member_named(members, name).map(|member| &member.value)
        }
        (Came::Map(values), Step::Field(key) | Step::Key(key)) => values.get(key),
        (Came::List(items), Step::Index(i)) => items.get(*i),
        // `findings.0.rule`: a dotted path into a list.
        (Came::List(items), Step::Field(digits)) => items.get(digits.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The member of that name in either spelling.
pub(super) fn member_named<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.name == name || member.json_name == name)
}

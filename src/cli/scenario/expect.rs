//! Holds an expectation against what came: a subset of it, all differences at
//! once.

use super::came::{Came, member_named};
use crate::yaml::{
    self,
    located::{Entry, Node, Scalar, Value},
    near, path,
};

/// One place where what came is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Path into the answer. Empty: all of it.
    pub path: String,
    /// Line of the expectation in its file.
    pub line: u32,
    /// What was expected there.
    pub expected: String,
    /// What came.
    pub came: String,
}

/// All differences; none if the expectation holds.
#[must_use]
pub fn compare(expected: &Node, came: &Came) -> Vec<Mismatch> {
    let mut found = Vec::new();
    at(expected, came, "", &mut found);
    found
}

fn at(expected: &Node, came: &Came, here: &str, found: &mut Vec<Mismatch>) {
    if expected.is_null() && came.is_nothing() {
        return;
    }
    match (&expected.value, came) {
        (Value::Scalar(scalar), _) if same(scalar, came) => {}
        (Value::Map(entries), Came::Object(members)) => {
            for entry in entries {
                let inner = path::field(here, &entry.key);
                match member_named(members, &entry.key) {
                    Some(member) => at(&entry.value, &member.value, &inner, found),
                    None => {
                        let names = members.iter().map(|member| member.name.as_str());
                        let hint = near::did_you_mean(&entry.key, names);
                        let came = format!("no such field in the contract{hint}");
                        found.push(mismatch(&entry.value, &inner, came));
                    }
                }
            }
        }
        (Value::Map(entries), Came::Map(values)) => {
            for entry in entries {
                let value = values.get(&entry.key).unwrap_or(&Came::Absent);
                at(&entry.value, value, &path::key(here, &entry.key), found);
            }
        }
        (Value::List(items), Came::List(values)) => in_order(expected, items, values, here, found),
        (Value::Map(entries), Came::List(values)) => {
            for entry in entries {
                list_form(entry, values, here, found);
            }
        }
        _ => found.push(mismatch(expected, here, short(came))),
    }
}

fn mismatch(expected: &Node, here: &str, came: String) -> Mismatch {
    Mismatch { path: here.to_owned(), line: expected.line, expected: shown(expected), came }
}

fn in_order(all: &Node, items: &[Node], values: &[Came], here: &str, found: &mut Vec<Mismatch>) {
    if items.len() != values.len() {
        let came = format!("{} elements: {}", values.len(), short_list(values));
        let expected = format!("{} elements: {}", items.len(), shown(all));
        found.push(Mismatch { path: here.to_owned(), line: all.line, expected, came });
        return;
    }
    for (i, (item, value)) in items.iter().zip(values).enumerate() {
        at(item, value, &path::index(here, i), found);
    }
}

/// `contains`, `any_order` and `excludes`.
fn list_form(entry: &Entry, values: &[Came], here: &str, found: &mut Vec<Mismatch>) {
    let form = entry.key.as_str();
    let Some(items) = entry.value.as_list() else {
        found.push(mismatch(&entry.value, here, format!("`{form}` takes a list")));
        return;
    };
    match form {
        "contains" | "any_order" => {
            if form == "any_order" && items.len() != values.len() {
                let came = format!("{} elements: {}", values.len(), short_list(values));
                let expected = format!("{} elements in any order", items.len());
                found.push(Mismatch { path: here.to_owned(), line: entry.line, expected, came });
            }
            for item in unmatched(items, values) {
                found.push(mismatch(item, here, nearest(item, values)));
            }
        }
        "excludes" => {
            for item in items {
                if let Some(value) = values.iter().find(|value| compare(item, value).is_empty()) {
                    let mut one = mismatch(item, here, short(value));
                    one.expected = format!("no {}", one.expected);
                    found.push(one);
                }
            }
        }
        _ => {
            let came = "a list: write a list, or one of contains, any_order, excludes".to_owned();
            found.push(Mismatch {
                path: here.to_owned(),
                line: entry.line,
                expected: format!("`{form}`"),
                came,
            });
        }
    }
}

/// The items that no value is left for, when each takes one of its own. Finds
/// the most matches there are, so the order of writing does not matter.
fn unmatched<'a>(items: &'a [Node], values: &[Came]) -> Vec<&'a Node> {
    let fits: Vec<Vec<bool>> = items
        .iter()
        .map(|item| values.iter().map(|value| compare(item, value).is_empty()).collect())
        .collect();
    let mut taken_by = vec![None; values.len()];
    let mut left = Vec::new();
    for (i, item) in items.iter().enumerate() {
        if !assign(i, &fits, &mut taken_by, &mut vec![false; values.len()]) {
            left.push(item);
        }
    }
    left
}

/// Gives item `i` a value, moving earlier items to others where needed.
fn assign(
    i: usize,
    fits: &[Vec<bool>],
    taken_by: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    let row = fits.get(i).map(Vec::as_slice).unwrap_or_default();
    for (v, fit) in row.iter().enumerate() {
        let open = *fit && !tried.get(v).copied().unwrap_or(true);
        if !open {
            continue;
        }
        if let Some(mark) = tried.get_mut(v) {
            *mark = true;
        }
        let holder = taken_by.get(v).copied().flatten();
        if holder.is_none_or(|other| assign(other, fits, taken_by, tried)) {
            if let Some(slot) = taken_by.get_mut(v) {
                *slot = Some(i);
            }
            return true;
        }
    }
    false
}

/// What came, by way of the value that differs least.
fn nearest(item: &Node, values: &[Came]) -> String {
    let nearest = values.iter().map(|value| compare(item, value)).enumerate();
    match nearest.min_by_key(|(_, differences)| differences.len()) {
        None => "an empty list".to_owned(),
        Some((i, differences)) => match differences.first() {
            // It fits, but another item took it.
            None => format!("too few such elements: {}", short_list(values)),
            Some(first) => format!(
                "none such; [{i}] is nearest, but {} {}: {}",
                if first.path.is_empty() { "it" } else { &first.path },
                if first.path.is_empty() { "is" } else { "came as" },
                first.came
            ),
        },
    }
}

fn same(expected: &Scalar, came: &Came) -> bool {
    let text = expected.text.as_str();
    match came {
        Came::Absent | Came::List(_) | Came::Map(_) | Came::Object(_) => false,
        Came::Text(came) => came == text || same_instant(text, came),
        Came::Enum(full, short, number) => {
            full == text || short == text || (text.is_empty() && *number == 0)
        }
        Came::Bool(value) => text == if *value { "true" } else { "false" },
        Came::Number(came) => match (yaml::integer(text), yaml::integer(came)) {
            (Some(a), Some(b)) => a == b,
            _ => text.parse::<f64>().is_ok_and(|a| came.parse() == Ok(a)),
        },
        Came::Instant(instant) => yaml::parse_timestamp(text) == Some(*instant),
        Came::Span(seconds, nanos) => {
            yaml::parse_duration(text).is_some_and(|d| (d.seconds, d.nanos) == (*seconds, *nanos))
        }
    }
}

fn same_instant(a: &str, b: &str) -> bool {
    yaml::parse_timestamp(a).is_some_and(|a| yaml::parse_timestamp(b) == Some(a))
}

/// The expectation in YAML's flow style.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
        Value::Scalar(scalar) if scalar.plain => scalar.text.clone(),
        Value::Scalar(scalar) => format!("\"{}\"", scalar.text.escape_debug()),
        Value::List(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Value::Map(entries) => {
            let pairs = entries.iter().map(|e| format!("{}: {}", e.key, shown(&e.value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

fn short(came: &Came) -> String {
    shortened(came.to_string())
}

fn short_list(values: &[Came]) -> String {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    shortened(format!("[{}]", texts.join(", ")))
}

/// At most a few lines of it: the rest is in the answer, printed below.
fn shortened(text: String) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

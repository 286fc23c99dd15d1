//! `${name}` in the texts of a scenario. `$${` writes `${` itself.

use std::collections::BTreeMap;

use crate::yaml::located::{Entry, Node, Scalar, Value};

/// What earlier steps saved, by name.
pub(super) type Variables = BTreeMap<String, String>;

/// A text that names something that was not saved, and its line.
#[derive(Debug)]
pub(super) struct Unfilled {
    pub(super) line: u32,
    pub(super) description: String,
}

/// The tree with all names replaced, in keys too.
pub(super) fn fill(node: &Node, variables: &Variables) -> Result<Node, Unfilled> {
    let text = |text: &str, line: u32| {
        fill_text(text, variables).map_err(|description| Unfilled { line, description })
    };
    let value = match &node.value {
        Value::Scalar(scalar) => {
            let filled = text(&scalar.text, node.line)?;
            let changed = filled != scalar.text;
            let mut filled = Scalar { text: filled, plain: scalar.plain };
            // What was filled in is a text, even if it looks like nothing.
            filled.plain &= !(changed && filled.is_null());
            Value::Scalar(filled)
        }
        Value::List(items) => {
            Value::List(items.iter().map(|item| fill(item, variables)).collect::<Result<_, _>>()?)
        }
        Value::Map(entries) => {
            let filled = entries.iter().map(|entry| {
                let key = text(&entry.key, entry.line)?;
                Ok(Entry { key, line: entry.line, value: fill(&entry.value, variables)? })
            });
            Value::Map(filled.collect::<Result<_, _>>()?)
        }
    };
    Ok(Node { line: node.line, value })
}

/// The text with all names replaced.
pub(super) fn fill_text(text: &str, variables: &Variables) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        if let Some(after) = from.strip_prefix("$${") {
            filled.push_str("${");
            rest = after;
        } else if let Some(after) = from.strip_prefix("${") {
            let (name, after) =
                after.split_once('}').ok_or_else(|| format!("`{from}` has no closing brace"))?;
            let value = variables.get(name).ok_or_else(|| unknown(name, variables))?;
            filled.push_str(value);
            rest = after;
        } else {
            filled.push('$');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn unknown(name: &str, variables: &Variables) -> String {
    if variables.is_empty() {
        return format!("no earlier step saved `{name}`");
    }
    let saved = variables.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("no earlier step saved `{name}` (saved: {saved})")
}

/// True if the tree names anything.
pub(super) fn has_variables(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.text.contains("${"),
        Value::List(items) => items.iter().any(has_variables),
        Value::Map(entries) => {
            entries.iter().any(|entry| entry.key.contains("${") || has_variables(&entry.value))
        }
    }
}

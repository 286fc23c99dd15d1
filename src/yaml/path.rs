//! Paths of fields, `limits[3].text["zh-CN"]`, and the lines they were
//! written on.

use std::collections::HashMap;

/// Path of a field of the message at `parent`.
#[must_use]
pub fn field(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// Path of an element of the list at `parent`.
#[must_use]
pub fn index(parent: &str, i: usize) -> String {
    format!("{parent}[{i}]")
}

/// Path of a value of the map at `parent`.
#[must_use]
pub fn key(parent: &str, key: &str) -> String {
    let escaped = key.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{parent}[\"{escaped}\"]")
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `.name`
    Field(String),
    /// `[3]`
    Index(usize),
    /// `["name"]`
    Key(String),
}

/// Takes a path apart. None if it is not one.
#[must_use]
pub fn steps(path: &str) -> Option<Vec<Step>> {
    Some(split(path)?.into_iter().map(|(step, _)| step).collect())
}

/// The steps of a path, each with the byte at which it begins.
fn split(path: &str) -> Option<Vec<(Step, usize)>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let rest = path.get(at..)?;
        let (step, length) = if let Some(quoted) = rest.strip_prefix("[\"") {
            let (key, length) = quoted_key(quoted)?;
            (Step::Key(key), length + 2)
        } else if let Some(number) = rest.strip_prefix('[') {
            let end = number.find(']')?;
            (Step::Index(number.get(..end)?.parse().ok()?), end + 2)
        } else {
            let name = if at == 0 { rest } else { rest.strip_prefix('.')? };
            let end = name.find(['.', '[']).unwrap_or(name.len());
            if end == 0 {
                return None;
            }
            (Step::Field(name.get(..end)?.to_owned()), end + rest.len() - name.len())
        };
        found.push((step, at));
        at += length;
    }
    Some(found)
}

/// The key up to `"]`, and how many bytes that took.
fn quoted_key(text: &str) -> Option<(String, usize)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.push(chars.next()?.1),
            '"' => return text.get(at + 1..)?.starts_with(']').then_some((key, at + 2)),
            other => key.push(other),
        }
    }
    None
}

/// Which line each field was written on.
#[derive(Clone, Debug, Default)]
pub struct LineIndex {
    lines: HashMap<String, u32>,
}

impl LineIndex {
    /// The line of the field, or of the nearest one around it that was
    /// written. 0 if there was no document at all.
    #[must_use]
    pub fn line_of(&self, path: &str) -> u32 {
        if let Some(line) = self.lines.get(path) {
            return *line;
        }
        let starts = split(path).unwrap_or_default();
        let around = starts.iter().rev().filter_map(|(_, start)| path.get(..*start));
        let line = around.filter_map(|outer| self.lines.get(outer)).next();
        line.or_else(|| self.lines.get("")).copied().unwrap_or(0)
    }

    pub(super) fn note(&mut self, path: &str, line: u32) {
        self.lines.insert(path.to_owned(), line);
    }
}

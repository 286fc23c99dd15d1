//! Where in a request something is: a chain of steps on the stack, written out
//! only for what is wrong. Owns the written form, which is protovalidate's.

use std::fmt;

/// A place in a message. Each step borrows the one before, so that walking a
/// message allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct FieldPath<'a> {
    parent: Option<&'a FieldPath<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'static str),
    Index(usize),
    Key(&'a str),
}

/// Longer keys are cut where they are written: they are as long as the caller
/// likes, and the answer is not.
const LONGEST_KEY: usize = 128;

impl FieldPath<'_> {
    /// The request itself.
    pub const ROOT: FieldPath<'static> = FieldPath { parent: None, step: Step::Root };

    /// A field of this message, or one of its oneofs.
    #[must_use]
    pub const fn field(&self, name: &'static str) -> FieldPath<'_> {
        FieldPath { parent: Some(self), step: Step::Field(name) }
    }

    /// An element of this list.
    #[must_use]
    pub const fn index(&self, index: usize) -> FieldPath<'_> {
        FieldPath { parent: Some(self), step: Step::Index(index) }
    }

    /// A value of this map.
    #[must_use]
    pub const fn key<'b>(&'b self, key: &'b str) -> FieldPath<'b> {
        FieldPath { parent: Some(self), step: Step::Key(key) }
    }

    const fn is_root(&self) -> bool {
        matches!(self.step, Step::Root)
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            if matches!(self.step, Step::Field(_)) && !parent.is_root() {
                f.write_str(".")?;
            }
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => {
                f.write_str("[\"")?;
                write_key(key, f)?;
                f.write_str("\"]")
            }
        }
    }
}

/// A key between its quotes: quotes, backslashes and all that does not print
/// (line breaks, directions of writing, …) escaped.
fn write_key(key: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (written, char) in key.chars().enumerate() {
        if written == LONGEST_KEY {
            return f.write_str("…");
        }
        match char {
            '\'' => f.write_str("'")?,
            char => write!(f, "{}", char.escape_debug())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::FieldPath;

    #[test]
    fn a_path_is_written_with_dots_indexes_and_quoted_keys() {
        let root = FieldPath::ROOT;
        let (requests, facts) = (root.field("requests"), root.field("facts"));
        let item = requests.index(3);
        let payout = item.field("payout");
        assert_eq!(payout.field("amount").to_string(), "requests[3].payout.amount");
        assert_eq!(facts.key("app").field("kind").to_string(), "facts[\"app\"].kind");
        assert_eq!(root.to_string(), "");
    }

    #[test]
    fn a_key_is_escaped_and_never_prints_control_characters() {
        let facts = FieldPath::ROOT.field("facts");
        let written = facts.key("a\"b\\c\nd\u{7}\u{202e}'单").to_string();
        assert_eq!(written, r#"facts["a\"b\\c\nd\u{7}\u{202e}'单"]"#);
    }

    #[test]
    fn a_long_key_is_cut() {
        let key = "k".repeat(100_000);
        let written = FieldPath::ROOT.field("facts").key(&key).to_string();
        assert_eq!(written, format!("facts[\"{}…\"]", "k".repeat(128)));
    }
}

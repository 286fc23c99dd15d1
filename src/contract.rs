//! What a well-formed request looks like: the `buf.validate` annotations of
//! `proto/`, compiled by `build/contract.rs`, and the structure of Google's
//! money and timestamps. Finds everything that is wrong at once, each with its
//! field's path. Owns nothing that needs a policy, a store or a caller: what a
//! name refers to and what a fact may be is judged behind it.

mod known;
mod path;
mod rule;
mod shape;
#[cfg(test)]
mod texts_tests;

use std::fmt;

pub use path::FieldPath;
pub use shape::is_printable;

/// Reasons of violations, for `BadRequest.FieldViolation.reason`.
pub mod reason {
    /// It was not sent, or is empty, and may not be.
    pub const REQUIRED: &str = "FIELD_REQUIRED";
    /// Text with too few characters.
    pub const TOO_SHORT: &str = "FIELD_TOO_SHORT";
    /// Text with too many characters or bytes.
    pub const TOO_LONG: &str = "FIELD_TOO_LONG";
    /// A list or map with too few entries.
    pub const TOO_FEW: &str = "FIELD_TOO_FEW";
    /// A list or map with too many entries.
    pub const TOO_MANY: &str = "FIELD_TOO_MANY";
    /// Text that is not written as it has to be.
    pub const MALFORMED: &str = "FIELD_MALFORMED";
    /// An enum value that does not exist or may not be sent.
    pub const VALUE_NOT_ALLOWED: &str = "FIELD_VALUE_NOT_ALLOWED";
    /// A number or instant outside its range.
    pub const OUT_OF_RANGE: &str = "FIELD_OUT_OF_RANGE";
    /// Money whose units and nanos have different signs.
    pub const SIGNS_DIFFER: &str = "MONEY_SIGNS_DIFFER";
}

/// A message that knows what it has to look like.
pub trait Contract {
    /// Adds to `out` everything that is wrong with it; `path` is where it is
    /// inside the request.
    fn check(&self, path: &FieldPath<'_>, out: &mut Violations);
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, for example `payout.facts["app"].string_value`.
    pub field: String,
    /// What kind of thing is wrong; one of [`reason`].
    pub reason: &'static str,
    /// What is allowed, and how the value differs. Never repeats a text that
    /// was sent.
    pub description: String,
}

/// What was found so far. Without a finding it holds no memory.
#[derive(Debug, Default)]
pub struct Violations {
    found: Vec<Violation>,
}

impl Violations {
    /// How many are kept. The answer travels in a header of bounded size, and
    /// nobody mends more at a time; a hostile request could have millions.
    pub const MOST: usize = 100;

    /// Adds one; beyond [`Self::MOST`] nothing.
    pub fn push(
        &mut self,
        path: &FieldPath<'_>,
        reason: &'static str,
        description: fmt::Arguments<'_>,
    ) {
        if self.found.len() < Self::MOST {
            let (field, description) = (path.to_string(), description.to_string());
            self.found.push(Violation { field, reason, description });
        }
    }

    /// True if nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What was found, in the order of the message's fields.
    #[must_use]
    pub fn into_vec(self) -> Vec<Violation> {
        self.found
    }
}

/// Everything that is wrong with a request. Empty: nothing.
pub fn violations<M: Contract>(message: &M) -> Vec<Violation> {
    violations_at(message, &FieldPath::ROOT)
}

/// The same for a message inside a request, for example an item of a batch that
/// is judged by itself: `&FieldPath::ROOT.field("requests").index(3)`.
pub fn violations_at<M: Contract>(message: &M, path: &FieldPath<'_>) -> Vec<Violation> {
    let mut out = Violations::default();
    message.check(path, &mut out);
    out.into_vec()
}

/// One `impl Contract` per message of the contract.
#[allow(unreachable_patterns, clippy::all, clippy::pedantic, reason = "generated")]
mod generated {
    use super::{Contract, FieldPath, Violations, rule, shape};
    use crate::proto::v1;

    include!(concat!(env!("OUT_DIR"), "/bursar_contract.rs"));
}

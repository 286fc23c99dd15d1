//! How one value is checked against one rule, and what is said if it does not
//! hold: a violation per broken rule, like protovalidate. Numbers are repeated
//! in descriptions, texts that were sent never are.

use std::fmt;

use super::{FieldPath, Violations, reason, shape::Shape};

/// Rules of a text.
pub(super) struct Text {
    /// Least number of characters.
    pub(super) min: usize,
    /// Greatest number of characters.
    pub(super) max: Option<usize>,
    /// Greatest number of bytes in UTF-8.
    pub(super) max_bytes: Option<usize>,
    /// How it has to be written.
    pub(super) shape: Option<&'static Shape>,
}

/// The values of an enum that may be sent.
pub(super) struct Choice {
    /// Their numbers.
    pub(super) allowed: &'static [i32],
    /// Their names, with commas.
    pub(super) names: &'static str,
}

/// Something that has to be there.
pub(super) fn required(is_there: bool, path: &FieldPath<'_>, out: &mut Violations) {
    if !is_there {
        out.push(path, reason::REQUIRED, format_args!("must be set"));
    }
}

/// A text. Also checked when it is empty: an annotation that does not allow
/// the empty text makes the field mandatory.
pub(super) fn text(value: &str, rules: &Text, path: &FieldPath<'_>, out: &mut Violations) {
    let characters = Span { min: rules.min, max: rules.max, unit: "character" };
    if let Some(has) = characters.missed_by(value) {
        let reason = match has {
            0 => reason::REQUIRED,
            has if has < rules.min => reason::TOO_SHORT,
            _ => reason::TOO_LONG,
        };
        out.push(path, reason, format_args!("must be {characters}; it has {has}"));
    }
    if let Some(most) = rules.max_bytes.filter(|most| value.len() > *most) {
        let bytes = Span { min: 0, max: Some(most), unit: "byte" };
        let has = value.len();
        out.push(path, reason::TOO_LONG, format_args!("must be {bytes}; it has {has}"));
    }
    if let Some(shape) = rules.shape.filter(|shape| !shape.is_match(value)) {
        let (reason, end) = match value {
            "" => (reason::REQUIRED, "; it is empty"),
            _ => (reason::MALFORMED, ""),
        };
        out.push(path, reason, format_args!("{}{end}", shape.words));
    }
}

/// A number between bounds, which are included.
pub(super) fn number(
    value: i32,
    least: i32,
    most: i32,
    path: &FieldPath<'_>,
    out: &mut Violations,
) {
    if (least..=most).contains(&value) {
        return;
    }
    let reason = reason::OUT_OF_RANGE;
    match (least, most) {
        (least, i32::MAX) => {
            out.push(path, reason, format_args!("must be at least {least}; it is {value}"));
        }
        (i32::MIN, most) => {
            out.push(path, reason, format_args!("must be at most {most}; it is {value}"));
        }
        (least, most) => {
            out.push(path, reason, format_args!("must be {least} to {most}; it is {value}"));
        }
    }
}

/// A value of an enum, as a number on the wire.
pub(super) fn choice(value: i32, rules: &Choice, path: &FieldPath<'_>, out: &mut Violations) {
    if rules.allowed.contains(&value) {
        return;
    }
    let names = rules.names;
    match value {
        // Zero is what a field is that was not sent.
        0 => out.push(path, reason::REQUIRED, format_args!("must be one of {names}")),
        value => out.push(
            path,
            reason::VALUE_NOT_ALLOWED,
            format_args!("must be one of {names}; it is {value}"),
        ),
    }
}

/// The number of entries of a list or map.
pub(super) fn size(
    has: usize,
    min: usize,
    max: Option<usize>,
    path: &FieldPath<'_>,
    out: &mut Violations,
) {
    let reason = match has {
        has if has < min => reason::TOO_FEW,
        has if max.is_some_and(|most| has > most) => reason::TOO_MANY,
        _ => return,
    };
    let entries = Span { min, max, unit: "entry" };
    out.push(path, reason, format_args!("must have {entries}; it has {has}"));
}

/// How much of something there may be, in words: "1 to 128 characters".
struct Span {
    min: usize,
    max: Option<usize>,
    unit: &'static str,
}

impl Span {
    /// How many characters a text has, if that is not allowed. Counts them
    /// only where the number of bytes leaves a doubt.
    fn missed_by(&self, text: &str) -> Option<usize> {
        let bytes = text.len();
        // A character has one to four bytes.
        let may_be_short = bytes < self.min.saturating_mul(4) && (self.min > 1 || bytes == 0);
        let may_be_long = self.max.is_some_and(|most| bytes > most);
        if !may_be_short && !may_be_long {
            return None;
        }
        let has = text.chars().count();
        (has < self.min || self.max.is_some_and(|most| has > most)).then_some(has)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = match (self.min, self.max) {
            (min, None) => write!(f, "at least {min}").map(|()| min),
            (0, Some(max)) => write!(f, "at most {max}").map(|()| max),
            (min, Some(max)) if min == max => write!(f, "{max}").map(|()| max),
            (min, Some(max)) => write!(f, "{min} to {max}").map(|()| max),
        }?;
        match (last, self.unit) {
            (1, unit) => write!(f, " {unit}"),
            (_, "entry") => f.write_str(" entries"),
            (_, unit) => write!(f, " {unit}s"),
        }
    }
}

#[cfg(test)]
mod tests;

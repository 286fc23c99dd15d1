//! A rule's own numbers: which there are, and where they may be named.

use crate::domain::condition::Number;

use super::{checker::Checker, nearest, path::Path, problem::PolicyReason::UnknownReference};

/// Where a predicate or a number stands, and so what it may look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// What a measure counts: facts alone.
    MeasureFilter,
    /// Part of a rule: facts and measures. Decides.
    Rule,
    /// A variant of a condition: facts and measures. Chooses words only.
    ConditionVariant,
    /// A variant of a limit: its numbers too.
    LimitVariant,
    /// A variant of a draw: its numbers too.
    DrawVariant,
}

const OF_LIMITS: &[(&str, Number)] = &[
    ("limit", Number::Limit),
    ("used", Number::Used),
    ("held", Number::Held),
    ("requested", Number::Requested),
    ("remaining", Number::Remaining),
];

const OF_DRAWS: &[(&str, Number)] = &[
    ("balance", Number::Balance),
    ("held", Number::Held),
    ("unfrozen", Number::Unfrozen),
    ("available", Number::Available),
    ("requested", Number::Requested),
];

impl Place {
    /// Whether what is said here decides, rather than chooses words.
    pub fn decides(self) -> bool {
        matches!(self, Self::MeasureFilter | Self::Rule)
    }

    fn numbers(self) -> &'static [(&'static str, Number)] {
        match self {
            Self::MeasureFilter | Self::Rule | Self::ConditionVariant => &[],
            Self::LimitVariant => OF_LIMITS,
            Self::DrawVariant => OF_DRAWS,
        }
    }
}

/// The number of a name.
pub fn number(c: &mut Checker, at: &Path, name: &str, place: Place) -> Option<Number> {
    let numbers = place.numbers();
    if let Some((_, number)) = numbers.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let text = if numbers.is_empty() {
        "numbers are known in variants of limits and draws only".to_owned()
    } else {
        let hint = nearest::hint(name, numbers.iter().map(|(known, _)| *known));
        format!("this rule has no number `{name}`{hint}")
    };
    c.refuse(at, UnknownReference, text)
}

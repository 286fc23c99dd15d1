//! Whether a comparison makes sense: whether it can go either way, and whether
//! the largest amount that passes can still be told.

use std::{collections::BTreeSet, sync::Arc};

use crate::domain::{
    amount::{Amount, Factor},
    condition::{Comparison, Left, Operand, Source},
    finding::Unit,
    value::{Value, ValueType},
};

use super::{
    checker::Checker,
    number::Place,
    path::Path,
    problem::PolicyReason::{AmountComparison, Unreachable},
};

/// Values that are named where all that are allowed would be too many.
const FEW: usize = 12;

/// The left side of a comparison.
pub struct Subject {
    /// What is compared.
    pub left: Left,
    /// Its type.
    pub kind: ValueType,
    /// Multiplies it.
    pub factor: Factor,
    /// What it may be, if that is bounded by the fact's declaration.
    pub allowed: Arc<BTreeSet<Value>>,
}

/// Checks that a literal is one that the fact may have.
pub fn allowed(c: &mut Checker, at: &Path, subject: &Subject, value: &Value) -> Option<()> {
    if subject.allowed.is_empty() || subject.allowed.contains(value) {
        return Some(());
    }
    let few: Vec<String> = subject.allowed.iter().take(FEW).map(ToString::to_string).collect();
    let more = if subject.allowed.len() > FEW { ", …" } else { "" };
    let text = format!("is never `{value}`: it may be `{}`{more}", few.join("`, `"));
    c.refuse(at, Unreachable, text)
}

/// Checks that a number can lie on either side of a literal. The amount is
/// never below its currency's smallest, a measure never below 0, and neither
/// is ever between two steps.
pub fn possible(
    c: &mut Checker,
    at: &Path,
    subject: &Subject,
    comparison: Comparison,
    value: &Value,
) -> Option<()> {
    let Value::Decimal(literal) = value else { return Some(()) };
    let amount = matches!(subject.left, Left::Fact(fact) if c.is_amount(fact));
    let measure = matches!(subject.left, Left::Measure(_));
    if subject.factor != Factor::ONE || !(amount || measure) {
        return Some(());
    }
    let decimals = match c.unit(subject.left)? {
        Unit::Money => c.decimals,
        Unit::Count => 0,
    };
    let least = if amount { Amount::smallest(decimals) } else { Amount::ZERO };
    let constant = match comparison {
        Comparison::Equal | Comparison::NotEqual => {
            *literal < least || literal.decimals() > decimals
        }
        Comparison::Less | Comparison::AtLeast => *literal <= least,
        Comparison::AtMost | Comparison::More => *literal < least,
    };
    if constant {
        let text = format!("is at least {least}, in steps of {}", Amount::smallest(decimals));
        return c.refuse(
            at,
            Unreachable,
            format!("always comes out the same: the left side {text}"),
        );
    }
    Some(())
}

/// Checks that the two sides are not one.
pub fn not_itself(c: &mut Checker, at: &Path, subject: &Subject, right: &Operand) -> Option<()> {
    let same = match (subject.left, right.of) {
        (Left::Fact(a), Source::Fact(b)) | (Left::Measure(a), Source::Measure(b)) => a == b,
        (Left::Number(a), Source::Number(b)) => a == b,
        _ => false,
    };
    if same && subject.factor == right.factor {
        return c.refuse(at, Unreachable, "compares something with itself");
    }
    Some(())
}

/// What decides about an amount must change at finitely many amounts that are
/// known beforehand, or the largest amount that passes could not be told.
pub fn amount_apart(
    c: &mut Checker,
    at: &Path,
    subject: &Subject,
    right: &Operand,
    place: Place,
) -> Option<()> {
    let left = match subject.left {
        Left::Fact(fact) => Source::Fact(fact),
        Left::Measure(measure) => Source::Measure(measure),
        Left::Number(number) => Source::Number(number),
    };
    if place.decides() && c.follows_amount(left) && c.follows_amount(right.of) {
        let text = "both sides follow the amount; compare it with a literal, or with a factor \
                    of a fact or measure that does not";
        return c.refuse(&at.field("other"), AmountComparison, text);
    }
    Some(())
}

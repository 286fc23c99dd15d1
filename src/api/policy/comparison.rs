//! One comparison: which operator goes with which type and which right side.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::{
        amount::Factor,
        condition::{Check, Comparison, Left, Operand, Right, Source, Test},
        policy::Field,
        value::{Value, ValueType},
    },
    proto::{v1, v1::Comparison as Op},
};

use super::{
    checker::Checker,
    field, literal,
    number::{Place, number},
    operand::{factor, measure, operand, set_alternatives},
    path::Path,
    problem::PolicyReason::{InvalidValue, Missing, Unreachable, UnsupportedConstruct, WrongType},
    sense::{Subject, allowed, amount_apart, not_itself, possible},
};

/// Most months or days back.
const MAX_BACK: i32 = 36_500;

/// One comparison.
pub fn comparison(c: &mut Checker, at: &Path, wire: &v1::Predicate, place: Place) -> Option<Test> {
    let left = left(c, at, wire, place);
    let factor = factor(c, &at.field("factor"), &wire.factor);
    let op: Option<Op> = c.known(&at.field("op"), wire.op);
    let op = op?;
    if op == Op::Unspecified {
        return c.refuse(&at.field("op"), Missing, "needs an operator");
    }
    if op == Op::InWorkingHours {
        let text = "working hours are not carried out by this version of Bursar";
        return c.refuse(&at.field("op"), UnsupportedConstruct, text);
    }
    right_side(c, at, wire, op);
    let (left, kind) = left?;
    let ordered = order(op).is_some();
    let takes_factor = kind == ValueType::Decimal && ordered;
    if !wire.factor.is_empty() && !takes_factor {
        let text = "goes with decimals that are compared by order or equality only";
        c.problem(&at.field("factor"), WrongType, text);
    }
    let allowed = match left {
        Left::Fact(fact) => c.allowed(fact),
        _ => Arc::default(),
    };
    let subject = Subject { left, kind, factor: factor?, allowed };
    let check = match (op, order(op)) {
        (_, Some(comparison)) => compared(c, at, wire, &subject, comparison, place),
        (Op::In | Op::NotIn, _) => one_of(c, at, wire, &subject, op == Op::In),
        (Op::Contains, _) => contains(c, at, wire, &subject),
        (Op::WithinMonths | Op::WithinDays, _) => within(c, at, wire, &subject, op),
        _ => presence(c, at, &subject, op),
    };
    Some(Test { left, factor: subject.factor, check: check? })
}

fn left(
    c: &mut Checker,
    at: &Path,
    wire: &v1::Predicate,
    place: Place,
) -> Option<(Left, ValueType)> {
    if !wire.fact.is_empty() {
        let fact = c.fact(&at.field("fact"), &wire.fact)?;
        return Some((Left::Fact(fact), c.kind(fact)?));
    }
    let left = if wire.measure.is_empty() {
        number(c, &at.field("number"), &wire.number, place).map(Left::Number)
    } else {
        measure(c, &at.field("measure"), &wire.measure, place).map(Left::Measure)
    };
    Some((left?, ValueType::Decimal))
}

/// Checks that the right side is one that the operator takes.
fn right_side(c: &mut Checker, at: &Path, wire: &v1::Predicate, op: Op) {
    let given = set_alternatives(&[
        ("value", !wire.value.is_empty()),
        ("values", !wire.values.is_empty()),
        ("other", wire.other.is_some()),
    ]);
    let takes: &[&str] = match op {
        Op::Present | Op::Absent => &[],
        Op::In | Op::NotIn => &["values", "other"],
        Op::Contains | Op::WithinMonths | Op::WithinDays => &["value"],
        _ => &["value", "other"],
    };
    if given.is_empty() {
        match takes {
            [] => {}
            ["values", ..] => {
                c.problem(&at.field("values"), Unreachable, "one of nothing never holds");
            }
            _ => c.problem(&at.field("value"), Missing, "needs something to compare with"),
        }
    }
    let mut taken: Option<&str> = None;
    for name in given {
        if !takes.contains(&name) {
            c.problem(&at.field(name), InvalidValue, "this operator does not take it");
        } else if let Some(first) = taken {
            c.problem(&at.field(name), InvalidValue, format!("goes without `{first}`"));
        } else {
            taken = Some(name);
        }
    }
}

fn compared(
    c: &mut Checker,
    at: &Path,
    wire: &v1::Predicate,
    subject: &Subject,
    comparison: Comparison,
    place: Place,
) -> Option<Check> {
    let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    let orderable = matches!(subject.kind, ValueType::Decimal | ValueType::Time);
    if subject.kind == ValueType::List || !(equality || orderable) {
        let text = format!("does not go with {}", literal::form(subject.kind));
        return c.refuse(&at.field("op"), WrongType, text);
    }
    let right = match &wire.other {
        Some(other) if wire.value.is_empty() => other_side(c, at, other, subject, place),
        _ if wire.value.is_empty() => return None,
        _ => typed(c, &at.field("value"), &wire.value, subject.kind).map(Right::Literal),
    }?;
    if let Right::Literal(value) = &right {
        let at = at.field(if wire.value.is_empty() { "other" } else { "value" });
        if equality {
            allowed(c, &at, subject, value)?;
        }
        possible(c, &at, subject, comparison, value)?;
    } else if let Right::Operand(operand) = &right {
        not_itself(c, at, subject, operand)?;
        amount_apart(c, at, subject, operand, place)?;
    }
    Some(Check::Compare(comparison, right))
}

/// The right side that is not a literal of the left side's type.
fn other_side(
    c: &mut Checker,
    at: &Path,
    wire: &v1::Operand,
    subject: &Subject,
    place: Place,
) -> Option<Right> {
    let at = at.field("other");
    if subject.kind == ValueType::Decimal {
        let operand = operand(c, &at, wire, place)?;
        return Some(match operand.of {
            Source::Literal(amount) => Right::Literal(Value::Decimal(amount)),
            _ => Right::Operand(operand),
        });
    }
    let fact = same_kind(c, &at, wire, subject.kind)?;
    Some(Right::Operand(Operand { of: Source::Fact(fact), factor: Factor::ONE }))
}

/// A fact of a type that is no number.
fn same_kind(c: &mut Checker, at: &Path, wire: &v1::Operand, kind: ValueType) -> Option<usize> {
    let bare = v1::Operand { fact: wire.fact.clone(), ..v1::Operand::default() };
    if wire.fact.is_empty() || *wire != bare {
        let text = format!("must be a fact alone: {}", literal::form(kind));
        return c.refuse(at, WrongType, text);
    }
    let at = at.field("fact");
    let fact = c.fact(&at, &wire.fact)?;
    if c.kind(fact)? != kind {
        let text = format!("`{}` is not {}", wire.fact, literal::form(kind));
        return c.refuse(&at, WrongType, text);
    }
    Some(fact)
}

fn one_of(
    c: &mut Checker,
    at: &Path,
    wire: &v1::Predicate,
    subject: &Subject,
    wanted: bool,
) -> Option<Check> {
    if matches!(subject.kind, ValueType::List | ValueType::Bool) {
        let text = format!("does not go with {}", literal::form(subject.kind));
        return c.refuse(&at.field("op"), WrongType, text);
    }
    if wire.values.is_empty() {
        let other = wire.other.as_ref()?;
        let at = at.field("other");
        if subject.kind != ValueType::Text {
            return c.refuse(&at, WrongType, "a list holds texts; the left side is none");
        }
        return same_kind(c, &at, other, ValueType::List).map(|f| Check::OneOfFact(wanted, f));
    }
    let at = at.field("values");
    let before = c.problems.len();
    let mut values = Vec::with_capacity(wire.values.len());
    let mut listed = BTreeSet::new();
    for (position, text) in wire.values.iter().enumerate() {
        let at = at.at(position);
        let Some(value) = typed(c, &at, text, subject.kind) else { continue };
        if !listed.insert(value.clone()) {
            c.problem(&at, Unreachable, format!("`{text}` is listed already"));
        } else if allowed(c, &at, subject, &value).is_some()
            && possible(c, &at, subject, Comparison::Equal, &value).is_some()
        {
            values.push(value);
        }
    }
    (c.problems.len() == before).then_some(Check::OneOf(wanted, values))
}

fn contains(c: &mut Checker, at: &Path, wire: &v1::Predicate, subject: &Subject) -> Option<Check> {
    if subject.kind != ValueType::List {
        return c.refuse(&at.field("op"), WrongType, "goes with lists only");
    }
    if wire.value.is_empty() {
        return None;
    }
    let at = at.field("value");
    let value = typed(c, &at, &wire.value, ValueType::Text)?;
    allowed(c, &at, subject, &value)?;
    Some(Check::Contains(value))
}

fn within(
    c: &mut Checker,
    at: &Path,
    wire: &v1::Predicate,
    subject: &Subject,
    op: Op,
) -> Option<Check> {
    if subject.kind != ValueType::Time {
        return c.refuse(&at.field("op"), WrongType, "goes with times only");
    }
    if let Left::Fact(fact) = subject.left
        && c.field(fact) == Some(&Field::Time)
    {
        return c.refuse(at, Unreachable, "the decision's own time is always that near");
    }
    if wire.value.is_empty() {
        return None;
    }
    match wire.value.parse() {
        Ok(back @ 0..=MAX_BACK) if op == Op::WithinMonths => Some(Check::WithinMonths(back)),
        Ok(back @ 0..=MAX_BACK) => Some(Check::WithinDays(back)),
        _ => {
            let text = format!("`{}` is not a whole number up to {MAX_BACK}", wire.value);
            c.refuse(&at.field("value"), WrongType, text)
        }
    }
}

fn presence(c: &mut Checker, at: &Path, subject: &Subject, op: Op) -> Option<Check> {
    let always = match subject.left {
        Left::Fact(fact) => c.field(fact).is_some_and(field::always_there),
        Left::Measure(_) | Left::Number(_) => true,
    };
    if always {
        return c.refuse(at, Unreachable, "the left side is always there");
    }
    Some(if op == Op::Present { Check::Present } else { Check::Absent })
}

fn typed(c: &mut Checker, at: &Path, text: &str, kind: ValueType) -> Option<Value> {
    match literal::parse(kind, text) {
        Some(value) => Some(value),
        None => c.refuse(at, WrongType, format!("`{text}` is not {}", literal::form(kind))),
    }
}

/// The order or equality that an operator stands for.
fn order(op: Op) -> Option<Comparison> {
    Some(match op {
        Op::Equal => Comparison::Equal,
        Op::NotEqual => Comparison::NotEqual,
        Op::Less => Comparison::Less,
        Op::AtMost => Comparison::AtMost,
        Op::More => Comparison::More,
        Op::AtLeast => Comparison::AtLeast,
        _ => return None,
    })
}

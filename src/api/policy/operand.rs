//! Numbers that something is compared with or bound by.

use crate::{
    domain::{
        amount::{Amount, Factor},
        condition::{Operand, Source},
        value::ValueType,
    },
    proto::v1,
};

use super::{
    checker::Checker,
    number::{Place, number},
    path::Path,
    problem::PolicyReason::{InvalidValue, Missing, UnsupportedConstruct, WrongType},
};

/// Names of the alternatives that are set.
pub fn set_alternatives<'a>(alternatives: &[(&'a str, bool)]) -> Vec<&'a str> {
    alternatives.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect()
}

/// The one alternative that is set; none or several are a problem.
pub fn exactly_one<'a>(
    c: &mut Checker,
    at: &Path,
    alternatives: &[(&'a str, bool)],
) -> Option<&'a str> {
    let all: Vec<&str> = alternatives.iter().map(|(name, _)| *name).collect();
    match *set_alternatives(alternatives) {
        [one] => Some(one),
        [] => c.refuse(at, Missing, format!("needs one of `{}`", all.join("`, `"))),
        [first, second, ..] => {
            let text = format!("goes without `{first}`: exactly one is set");
            c.refuse(&at.field(second), InvalidValue, text)
        }
    }
}

/// A number, from whatever source the place allows.
pub fn operand(c: &mut Checker, at: &Path, wire: &v1::Operand, place: Place) -> Option<Operand> {
    let factor = factor(c, &at.field("factor"), &wire.factor);
    let source = source(c, at, wire, place);
    if let Some(Source::Literal(_)) = source
        && !wire.factor.is_empty()
    {
        let text = "a literal needs no factor; write the product";
        return c.refuse(&at.field("factor"), InvalidValue, text);
    }
    Some(Operand { of: source?, factor: factor? })
}

fn source(c: &mut Checker, at: &Path, wire: &v1::Operand, place: Place) -> Option<Source> {
    let alternatives = [
        ("value", !wire.value.is_empty()),
        ("fact", !wire.fact.is_empty()),
        ("measure", !wire.measure.is_empty()),
        ("number", !wire.number.is_empty()),
    ];
    let which = exactly_one(c, at, &alternatives)?;
    let at = at.field(which);
    match which {
        "value" => match Amount::parse(&wire.value) {
            Some(amount) => Some(Source::Literal(amount)),
            None => c.refuse(&at, InvalidValue, format!("`{}` is not a decimal", wire.value)),
        },
        "fact" => {
            let fact = c.fact(&at, &wire.fact)?;
            match c.kind(fact)? {
                ValueType::Decimal => Some(Source::Fact(fact)),
                _ => c.refuse(&at, WrongType, format!("`{}` is not a decimal", wire.fact)),
            }
        }
        "measure" => measure(c, &at, &wire.measure, place).map(Source::Measure),
        _ => number(c, &at, &wire.number, place).map(Source::Number),
    }
}

/// The measure of an id, where measures may be read.
pub fn measure(c: &mut Checker, at: &Path, id: &str, place: Place) -> Option<usize> {
    let measure = c.measure(at, id);
    if place == Place::MeasureFilter {
        let text = "a measure that depends on measures is not carried out by this version";
        return c.refuse(at, UnsupportedConstruct, text);
    }
    measure
}

/// A factor; empty is 1.
pub fn factor(c: &mut Checker, at: &Path, text: &str) -> Option<Factor> {
    if text.is_empty() {
        return Some(Factor::ONE);
    }
    match Factor::parse(text) {
        Some(factor) => Some(factor),
        None => {
            let text = format!("`{text}` is not a decimal above 0 and below 100000");
            c.refuse(at, InvalidValue, text)
        }
    }
}

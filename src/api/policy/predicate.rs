//! Conditions as trees: all, any, none.

use crate::{domain::condition::Predicate, proto::v1};

use super::{
    checker::Checker,
    comparison,
    constant::constant,
    number::Place,
    operand::exactly_one,
    path::Path,
    problem::PolicyReason::{InvalidValue, Unreachable},
};

/// Deepest nesting. Bounds evaluation, and the stack.
const MAX_DEPTH: usize = 16;

/// A condition; unset, it always holds.
pub fn optional(
    c: &mut Checker,
    at: &Path,
    wire: Option<&v1::Predicate>,
    place: Place,
) -> Option<Predicate> {
    match wire {
        None => Some(Predicate::TRUE),
        Some(wire) => predicate(c, at, wire, place),
    }
}

/// A condition.
pub fn predicate(
    c: &mut Checker,
    at: &Path,
    wire: &v1::Predicate,
    place: Place,
) -> Option<Predicate> {
    nested(c, at, wire, place, 1)
}

fn nested(
    c: &mut Checker,
    at: &Path,
    wire: &v1::Predicate,
    place: Place,
    depth: usize,
) -> Option<Predicate> {
    if depth > MAX_DEPTH {
        return c.refuse(at, InvalidValue, format!("is nested deeper than {MAX_DEPTH} levels"));
    }
    let alternatives = [
        ("all", !wire.all.is_empty()),
        ("any", !wire.any.is_empty()),
        ("none", !wire.none.is_empty()),
        ("fact", !wire.fact.is_empty()),
        ("measure", !wire.measure.is_empty()),
        ("number", !wire.number.is_empty()),
    ];
    let which = exactly_one(c, at, &alternatives)?;
    let (children, make): (_, fn(Vec<Predicate>) -> Predicate) = match which {
        "all" => (&wire.all, Predicate::All),
        "any" => (&wire.any, Predicate::Any),
        "none" => (&wire.none, Predicate::Nothing),
        _ => return comparison::comparison(c, at, wire, place).map(Predicate::Test),
    };
    let bare = v1::Predicate { all: vec![], any: vec![], none: vec![], ..wire.clone() };
    if bare != v1::Predicate::default() {
        c.problem(at, InvalidValue, format!("`{which}` goes without a comparison"));
    }
    let at_children = at.field(which);
    let compiled: Vec<_> = children
        .iter()
        .enumerate()
        .map(|(i, child)| nested(c, &at_children.at(i), child, place, depth + 1))
        .collect();
    repeats(c, &at_children, &compiled);
    let compiled: Option<Vec<Predicate>> = compiled.into_iter().collect();
    let node = make(compiled?);
    if let Some(always) = constant(&node, &mut c.effort) {
        let text = if always { "always holds" } else { "never holds" };
        return c.refuse(at, Unreachable, text);
    }
    Some(node)
}

fn repeats(c: &mut Checker, at: &Path, children: &[Option<Predicate>]) {
    for (i, child) in children.iter().enumerate() {
        if child.is_some() && children.iter().take(i).any(|earlier| earlier == child) {
            c.problem(&at.at(i), Unreachable, "says again what one before it says");
        }
    }
}

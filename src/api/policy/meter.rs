//! What limits and measures count, and over what.

use crate::{
    domain::{
        limit::{Counting, Counts, OnReturn, Quantity},
        payout::State,
        policy::Field,
        value::ValueType,
        window::Window,
    },
    proto::v1,
};

use super::{
    checker::Checker,
    path::Path,
    problem::PolicyReason::{
        InvalidValue, Missing, Unbounded, Unreachable, UnsupportedConstruct, WrongType,
    },
    time,
};

/// The parts that limits and measures have in common.
pub struct Parts<'a> {
    /// What is added up.
    pub quantity: i32,
    /// Facts it is counted over.
    pub scope: &'a [String],
    /// The time it covers.
    pub window: Option<&'a v1::Window>,
    /// Which payouts count.
    pub counts: i32,
    /// For `IN_STATES`.
    pub states: &'a [i32],
    /// What a return gives back.
    pub on_return: i32,
}

/// What is counted.
pub fn counting(c: &mut Checker, at: &Path, parts: &Parts<'_>) -> Option<Counting> {
    let quantity = quantity(c, &at.field("quantity"), parts.quantity);
    let scope = scope(c, &at.field("scope"), parts.scope);
    let window = time::window(c, &at.field("window"), parts.window);
    let counts = counts(c, at, parts);
    let on_return = match c.known(&at.field("on_return"), parts.on_return) {
        Some(v1::OnReturn::Unspecified | v1::OnReturn::Keep) => Some(OnReturn::Keep),
        Some(v1::OnReturn::Restore) => Some(OnReturn::Restore),
        None => None,
    };
    let (scope, by_amount) = scope?;
    let counting = Counting {
        quantity: quantity?,
        scope,
        by_amount,
        window: window?,
        counts: counts?,
        on_return: on_return?,
    };
    match counting.window {
        Window::Payout => without_meter(c, at, parts, counting.quantity)?,
        Window::Rolling(_) => rolling(c, at, &counting)?,
        _ => {}
    }
    Some(counting)
}

fn quantity(c: &mut Checker, at: &Path, wire: i32) -> Option<Quantity> {
    match c.known(at, wire)? {
        v1::Quantity::Unspecified => c.refuse(at, Missing, "needs what is added up"),
        v1::Quantity::Amount => Some(Quantity::Amount),
        v1::Quantity::Count => Some(Quantity::Count),
    }
}

/// Facts by position, the request's amount apart.
fn scope(c: &mut Checker, at: &Path, wire: &[String]) -> Option<(Vec<usize>, bool)> {
    let before = c.problems.len();
    let mut scope = Vec::with_capacity(wire.len());
    let mut by_amount = false;
    for (position, name) in wire.iter().enumerate() {
        let at = at.at(position);
        let Some(fact) = c.fact(&at, name) else { continue };
        let amount = c.is_amount(fact);
        if scope.contains(&fact) || (amount && by_amount) {
            c.problem(&at, Unreachable, format!("`{name}` is part of the scope already"));
        } else if c.kind(fact) == Some(ValueType::List) {
            c.problem(&at, WrongType, format!("`{name}` is a list, and no single thing"));
        } else if c.field(fact) == Some(&Field::Time) {
            c.problem(&at, Unreachable, "every decision has a time of its own");
        } else if c.is_of_account(fact) {
            // Meters are loaded together with accounts, so before these are known.
            c.unsupported(true, &at, "counting over facts of accounts is");
        } else if amount {
            by_amount = true;
        } else {
            scope.push(fact);
        }
    }
    (c.problems.len() == before).then_some((scope, by_amount))
}

fn counts(c: &mut Checker, at: &Path, parts: &Parts<'_>) -> Option<Counts> {
    let states = states(c, &at.field("states"), parts.states);
    let counts: v1::Counts = c.known(&at.field("counts"), parts.counts)?;
    let at = at.field("states");
    if counts != v1::Counts::InStates && !parts.states.is_empty() {
        return c.refuse(&at, InvalidValue, "goes with counts IN_STATES only");
    }
    match counts {
        v1::Counts::Unspecified | v1::Counts::Live => Some(Counts::Live),
        v1::Counts::Attempts => Some(Counts::Attempts),
        v1::Counts::InStates if parts.states.is_empty() => {
            c.refuse(&at, Missing, "needs the states that count")
        }
        v1::Counts::InStates if states.as_ref()?.contains(&State::Expired) => {
            // A hold that expires counts nothing from its instant on, written or
            // not; one that began to count then would depend on the writing.
            c.unsupported(true, &at, "counting expired payouts is");
            None
        }
        v1::Counts::InStates => states.map(Counts::InStates),
    }
}

/// Several states, each once.
pub fn states(c: &mut Checker, at: &Path, wire: &[i32]) -> Option<Vec<State>> {
    let before = c.problems.len();
    let mut states = Vec::with_capacity(wire.len());
    for (position, number) in wire.iter().enumerate() {
        let at = at.at(position);
        match state(c, &at, *number) {
            Some(state) if states.contains(&state) => {
                c.problem(&at, Unreachable, "is listed already");
            }
            Some(state) => states.push(state),
            None => {}
        }
    }
    (c.problems.len() == before).then_some(states)
}

/// A payout's state.
pub fn state(c: &mut Checker, at: &Path, wire: i32) -> Option<State> {
    use v1::PayoutState as Wire;
    Some(match c.known(at, wire)? {
        Wire::Unspecified => return c.refuse(at, Missing, "needs a state"),
        Wire::PendingApproval => State::PendingApproval,
        Wire::Authorized => State::Authorized,
        Wire::Processing => State::Processing,
        Wire::Succeeded => State::Succeeded,
        Wire::Failed => State::Failed,
        Wire::Rejected => State::Rejected,
        Wire::Cancelled => State::Cancelled,
        Wire::Expired => State::Expired,
        Wire::Returned => State::Returned,
    })
}

/// One payout by itself needs no meter, so nothing about a meter has effect.
fn without_meter(c: &mut Checker, at: &Path, parts: &Parts<'_>, quantity: Quantity) -> Option<()> {
    let before = c.problems.len();
    let mut stray = |there: bool, name: &str| {
        if there {
            let text = "has no effect in a window of one payout";
            c.problem(&at.field(name), Unreachable, text);
        }
    };
    stray(quantity == Quantity::Count, "quantity");
    stray(!parts.scope.is_empty(), "scope");
    stray(parts.counts != 0, "counts");
    stray(parts.on_return != 0, "on_return");
    (c.problems.len() == before).then_some(())
}

fn rolling(c: &mut Checker, at: &Path, counting: &Counting) -> Option<()> {
    if counting.by_amount {
        let text = "a rolling window over each amount is not carried out by this version";
        return c.refuse(&at.field("scope"), UnsupportedConstruct, text);
    }
    if counting.quantity == Quantity::Amount && counting.scope.is_empty() {
        let text = "a rolling window keeps every payout; over the whole programme that has no \
                    end: name a fact in the scope, or use a calendar window";
        return c.refuse(&at.field("window"), Unbounded, text);
    }
    Some(())
}

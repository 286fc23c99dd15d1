//! What happens by itself, and who hears of it: timers, alerts, states.

use std::time::Duration;

use crate::{
    domain::{
        payout::State,
        policy::{Alert, StateText, Timer},
    },
    proto::v1,
};

use super::{
    checker::Checker,
    meter::{state, states},
    path::Path,
    problem::PolicyReason::{DuplicateId, Missing, Unreachable},
    rule::{one_line, severity, sources},
    text::{self, Placeholders, localized},
    time,
};

/// From authorization to execution.
pub fn life(c: &mut Checker, at: &Path, wire: Option<&v1::Life>) -> Option<Option<Duration>> {
    let Some(wire) = wire else { return Some(None) };
    let review = wire.review_within.is_some();
    c.unsupported(review, &at.field("review_within"), "review is");
    time::optional(c, &at.field("execute_within"), wire.execute_within.as_ref())
}

/// A timer; `life` is how long a payout may wait to be executed.
pub fn timer(
    c: &mut Checker,
    at: &Path,
    wire: &v1::Timer,
    life: Option<Duration>,
) -> Option<Timer> {
    let id = c.id(&at.field("id"), &wire.id);
    sources(c, &at.field("sources"), &wire.sources);
    let state = state(c, &at.field("state"), wire.state);
    // A restart looks for what is due among payouts that are under way.
    let is_final = state.is_some_and(State::is_final);
    c.unsupported(is_final, &at.field("state"), "a timer on a final state is");
    let after = match &wire.after {
        Some(after) => time::duration(c, &at.field("after"), after),
        None => c.refuse(&at.field("after"), Missing, "needs how long"),
    };
    if let (Some(State::Authorized), Some(after), Some(life)) = (state, after, life)
        && after >= life
    {
        let text = "never comes: the payout has expired by then";
        c.problem(&at.field("after"), Unreachable, text);
    }
    let alert = c.alert(&at.field("alert"), &wire.alert);
    Some(Timer { id: id?, state: state?, after: after?, alert: alert? })
}

/// An alert; comes after all timers.
pub fn alert(c: &mut Checker, at: &Path, wire: &v1::Alert, position: usize) -> Option<Alert> {
    let id = c.id(&at.field("id"), &wire.id);
    sources(c, &at.field("sources"), &wire.sources);
    let severity = severity(c, &at.field("severity"), wire.severity);
    if wire.audience.trim().is_empty() {
        c.problem(&at.field("audience"), Missing, "needs who should hear of it");
    }
    one_line(c, &at.field("audience"), &wire.audience);
    let on_states = states(c, &at.field("on_states"), &wire.on_states);
    let measured = [
        ("measure", !wire.measure.is_empty()),
        ("threshold", wire.threshold.is_some()),
        ("clear_below", wire.clear_below.is_some()),
        ("once_per", wire.once_per.is_some()),
    ];
    for (name, there) in measured {
        c.unsupported(there, &at.field(name), "an alert on a measure is");
    }
    let raised = c.alerts.get(position).is_some_and(|a| a.raised);
    if !raised && wire.on_states.is_empty() && measured.iter().all(|(_, there)| !there) {
        c.problem(at, Unreachable, "no state and no timer raises it");
    }
    let text = localized(c, &at.field("text"), &wire.text, Placeholders::Alert);
    Some(Alert {
        id: id?,
        severity: severity?,
        audience: wire.audience.as_str().into(),
        on_states: on_states?,
        text: text?,
    })
}

/// What merchants call the states.
pub fn state_texts(c: &mut Checker, at: &Path, wire: &[v1::StateText]) -> Vec<StateText> {
    let mut named: Vec<State> = Vec::with_capacity(wire.len());
    let mut texts = Vec::with_capacity(wire.len());
    for (position, wire) in wire.iter().enumerate() {
        let at = at.at(position);
        let state = state(c, &at.field("state"), wire.state);
        let text = localized(c, &at.field("text"), &wire.text, Placeholders::Plain);
        let reason = text::optional(c, &at.field("reason"), &wire.reason, Placeholders::Plain);
        let Some(state) = state else { continue };
        if named.contains(&state) {
            c.problem(&at.field("state"), DuplicateId, "this state has its texts already");
        }
        named.push(state);
        if let (Some(text), Some(reason)) = (text, reason) {
            texts.push(StateText { state, text, reason });
        }
    }
    texts
}

//! Words of the tests: promises that are kept or broken, and decisions told as
//! the second opinion tells them.

use bursar::{
    domain::{
        decision::{Answer, Decision},
        finding::Outcome,
        payout::State,
    },
    proto::v1::PayoutState,
};

use crate::{
    naive::{Found, Numbers, Opinion},
    setup::decimal,
};

pub fn expect(promise: &str, kept: bool) -> Result<(), String> {
    if kept { Ok(()) } else { Err(format!("broken: {promise}")) }
}

pub fn same<T: PartialEq + std::fmt::Debug>(came: &T, expected: &T) -> Result<(), String> {
    if came == expected {
        Ok(())
    } else {
        Err(format!("it came\n{came:#?}\nexpected\n{expected:#?}"))
    }
}

/// A decision in the words of the second opinion.
pub fn as_opinion(decision: &Decision) -> Opinion {
    let found = |f: &bursar::domain::finding::Finding| Found {
        rule: f.rule.to_string(),
        variant: f.variant.as_ref().map(ToString::to_string),
        warns: f.outcome == Outcome::Warn,
        numbers: f.numbers.as_ref().map(|n| Numbers {
            used: n.used.map(decimal),
            held: decimal(n.held),
            remaining: decimal(n.remaining),
        }),
    };
    Opinion::Decided {
        denied: decision.verdict.answer == Answer::Deny,
        found: decision.verdict.findings.iter().map(found).collect(),
    }
}

pub fn as_wire(state: State) -> PayoutState {
    match state {
        State::PendingApproval => PayoutState::PendingApproval,
        State::Authorized => PayoutState::Authorized,
        State::Processing => PayoutState::Processing,
        State::Succeeded => PayoutState::Succeeded,
        State::Failed => PayoutState::Failed,
        State::Rejected => PayoutState::Rejected,
        State::Cancelled => PayoutState::Cancelled,
        State::Expired => PayoutState::Expired,
        State::Returned => PayoutState::Returned,
    }
}

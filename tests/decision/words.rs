//! Words of the tests: promises that are kept or broken, and decisions told as
//! the second opinion tells them.

use bursar::{
    decision::{
        Judgement,
        configure::{Edit, FactEdit},
    },
    domain::{
        decision::{Answer, Decision},
        finding::Outcome,
        payout::State,
        row::Row,
    },
    proto::v1::PayoutState,
};

use crate::{
    naive::{Found, Numbers, Opinion, books::Said},
    setup::{decimal, fact_rows},
    world::id,
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

pub fn freeze_name(n: usize) -> bursar::domain::name::FreezeName {
    bursar::domain::name::FreezeName { platform: id("p1"), freeze: id(&format!("f{n}")) }
}

pub fn edit(key: &str, said: &Said) -> Edit {
    let facts = [(key.to_owned(), said.clone())].into();
    let facts = fact_rows(&facts).into_iter().map(|(name, fact)| (name, Some(fact)));
    Edit { etag: String::new(), display_name: None, facts: FactEdit::Some(facts.collect()) }
}

/// A denial leaves a record of itself and of the order that came along.
pub fn only_says_no(judgement: &Judgement) -> Result<(), String> {
    let silent = judgement.changes.iter().all(|change| {
        matches!(change.as_put(), Some(Row::Request(_) | Row::Decision(_) | Row::Order(_)))
    });
    expect("a denial consumes nothing", silent)
}

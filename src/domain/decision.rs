//! A decision as it is recorded: everything it was made from, and what it was.
//! One record and its revision recompute it.

use std::collections::BTreeMap;

use super::{
    account::Position,
    amount::Amount,
    finding::Finding,
    instant::Instant,
    limit::Stage,
    name::{DecisionName, Id, OperatorName, OrderName, PayoutName, RevisionName, ShopName},
    named::Named,
    text::Text,
    value::Value,
    who::Author,
};

/// Version of the decision procedure.
pub const DECISION_VERSION: i32 = 1;

/// Allow, review or deny.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Answer {
    /// Allowed.
    Allow,
    /// Allowed if somebody agrees.
    Review,
    /// Refused.
    Deny,
}

/// What a limit or measure stood at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// Confirmed use.
    pub used: Amount,
    /// Held.
    pub held: Amount,
    /// Where the scope includes the amount: used and held per amount.
    pub by_amount: BTreeMap<Amount, (Amount, Amount)>,
    /// Whether a rolling window has no room for another entry.
    pub full: bool,
    /// When a full window has room again. Recorded only with `relief`.
    pub room: Option<Instant>,
    /// Later instants at which use falls, with what remains then (used + held,
    /// without this request). Recorded only as far as the answer needed them.
    pub relief: Vec<(Instant, Amount)>,
    /// The calendar window read.
    pub window: Option<(Instant, Instant)>,
}

/// What an account stood at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Funds {
    /// Whether the account is there and in the policy's currency.
    pub exists: bool,
    /// Its numbers.
    pub position: Position,
    /// Later instants at which more becomes available, with what is then.
    pub relief: Vec<(Instant, Amount)>,
}

/// Everything a decision is a function of, besides the policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inputs {
    /// The decision's time.
    pub now: Instant,
    /// The stage asked about.
    pub stage: Stage,
    /// What was asked for. `None`: whether the smallest payable amount passes.
    pub amount: Option<Amount>,
    /// Values of the policy's facts, by position. The amount's own is empty.
    pub facts: Vec<Option<Value>>,
    /// How facts will change by waiting alone: at an instant, a fact's new value.
    /// Recorded only if something does not pass.
    pub fact_changes: Vec<(Instant, usize, Option<Value>)>,
    /// Readings of the policy's limits, by position. `None`: does not apply,
    /// or its window is a single payout.
    pub limits: Vec<Option<Reading>>,
    /// Readings of the policy's measures, by position.
    pub measures: Vec<Option<Reading>>,
    /// Readings of the policy's draws, by position.
    pub funds: Vec<Funds>,
    /// When the next revision that is scheduled comes into force: what it says
    /// then is not known by this one.
    pub next_revision: Option<Instant>,
}

impl Inputs {
    /// Lets go of all that has memory of its own. What is left recomputes nothing.
    pub fn let_go(&mut self) {
        *self = Self {
            facts: Vec::new(),
            fact_changes: Vec::new(),
            limits: Vec::new(),
            measures: Vec::new(),
            funds: Vec::new(),
            ..*self
        };
    }
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Allow, review or deny.
    pub answer: Answer,
    /// What did not pass, and warnings.
    pub findings: Vec<Finding>,
    /// Largest amount answered ALLOW or REVIEW. `None`: not worked out.
    pub max_amount: Option<Amount>,
    /// Largest amount answered ALLOW. `None`: not worked out.
    pub max_amount_unreviewed: Option<Amount>,
}

/// A decision, as recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Its name.
    pub name: DecisionName,
    /// The revision that decided.
    pub revision: RevisionName,
    /// Id of the request.
    pub request_id: Text,
    /// Who asked.
    pub author: Author,
    /// The order concerned.
    pub order: Option<OrderName>,
    /// The operator who asked.
    pub operator: Option<OperatorName>,
    /// Facts as they were sent.
    pub sent_facts: std::sync::Arc<Named<Value>>,
    /// What it was made from.
    pub inputs: Inputs,
    /// What was decided.
    pub verdict: Verdict,
    /// The payout it made.
    pub payout: Option<Id>,
    /// When the hold expires.
    pub expire_time: Option<Instant>,
    /// Version of the decision procedure.
    pub decision_version: i32,
}

impl Decision {
    /// The shop concerned.
    pub fn shop(&self) -> ShopName {
        self.name.shop()
    }

    /// Name of the payout it made.
    pub fn payout_name(&self) -> Option<PayoutName> {
        self.payout.as_ref().map(|id| self.shop().payout(id.clone()))
    }
}

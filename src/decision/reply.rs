//! What the core answers.

use std::{collections::BTreeMap, sync::Arc};

use super::authorize::Authorize;
use crate::domain::{
    account::{Account, Movement, Position},
    amount::{Amount, Currency},
    decision::{Decision, Inputs, Verdict},
    finding::Unit,
    instant::Instant,
    name::{Id, OperatorName, OrderName, RevisionName},
    payout::{Payout, State},
    row::Row,
    template::Template,
    text::Text,
    who::Author,
};

/// What a command is answered with. Small, for it is moved from hand to hand.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// A decision that was recorded.
    Decided {
        /// The decision.
        decision: Arc<Decision>,
        /// The state of its payout now.
        state: Option<State>,
        /// Whether it was made before.
        replayed: bool,
    },
    /// A decision that was recorded, as shortly as it can be told.
    Granted(Box<Granted>),
    /// A check: what would be decided.
    Checked(Box<Check>),
    /// A payout as it is now.
    Payout(Arc<Payout>),
    /// A configured resource as it is now.
    Row(Arc<Row>),
    /// An account as it is now.
    Account {
        /// The account.
        account: Box<Account>,
        /// Its money.
        position: Position,
    },
    /// A resource that is gone.
    Deleted,
    /// A movement and its account after it.
    Moved {
        /// The movement.
        movement: Box<Movement>,
        /// The account.
        account: Box<Account>,
        /// Its money after it.
        position: Position,
        /// Whether it was recorded before.
        replayed: bool,
    },
    /// The use of limits.
    Usage(Box<Usage>),
    /// Something due was done, or was not due any more.
    Done,
}

/// An authorization that every rule allowed, as it was told in short: what it says
/// stands in the request and in its template.
#[derive(Clone, PartialEq, Debug)]
pub struct Granted {
    /// What was asked.
    pub asked: Arc<Authorize>,
    /// What it has in common with others.
    pub template: Arc<Template>,
    /// The id of the decision and its payout.
    pub id: Id,
    /// When it was decided.
    pub at: Instant,
    /// Who asked.
    pub author: Author,
}

impl Granted {
    /// When its hold expires.
    pub fn expire_time(&self) -> Option<Instant> {
        self.template.common.expire_time(self.at)
    }
}

/// What would be decided.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    /// What it was worked out from.
    pub inputs: Inputs,
    /// What would be decided.
    pub verdict: Verdict,
    /// The revision asked.
    pub revision: RevisionName,
    /// Its currency.
    pub currency: Currency,
    /// The order concerned.
    pub order: Option<OrderName>,
    /// The operator asking.
    pub operator: Option<OperatorName>,
    /// When a hold made now would expire.
    pub expire_time: Option<Instant>,
}

/// The use of limits.
#[derive(Clone, PartialEq, Debug)]
pub struct Usage {
    /// A row per limit.
    pub limits: Vec<LimitUsage>,
    /// When it was read.
    pub read_time: Instant,
    /// The revision in force.
    pub revision: RevisionName,
}

/// The use of one limit.
#[derive(Clone, PartialEq, Debug)]
pub struct LimitUsage {
    /// Position of the limit in the policy.
    pub limit: usize,
    /// What it is counted over, by fact name.
    pub scope: BTreeMap<Text, Text>,
    /// The bound, if it is known.
    pub bound: Option<Amount>,
    /// Confirmed use.
    pub used: Amount,
    /// Held.
    pub held: Amount,
    /// What the numbers count.
    pub unit: Unit,
    /// The window.
    pub window: Option<(Instant, Instant)>,
    /// When use falls next by a window's end or an entry that leaves it.
    pub reset_time: Option<Instant>,
}

//! A payout and its life. Owns its states and what it holds where; the
//! transitions are `decision::life`'s.

use std::collections::BTreeMap;

use super::{
    amount::{Amount, Currency},
    instant::Instant,
    limit::OnReturn,
    meter::{MeterKey, Phase, Shape},
    name::{AccountName, OperatorName, OrderName, PayoutName, RevisionName},
    named::Named,
    text::Text,
    value::Value,
};

/// Where a payout is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Waits for approval.
    PendingApproval,
    /// Waits to be executed.
    Authorized,
    /// The payer is moving the money.
    Processing,
    /// The money has left.
    Succeeded,
    /// The channel failed.
    Failed,
    /// The approvers said no.
    Rejected,
    /// Called off.
    Cancelled,
    /// Not executed in time.
    Expired,
    /// All of it came back.
    Returned,
}

impl State {
    /// Whether it is under way or succeeded.
    pub fn is_live(self) -> bool {
        matches!(
            self,
            Self::PendingApproval
                | Self::Authorized
                | Self::Processing
                | Self::Succeeded
                | Self::Returned
        )
    }

    /// Whether it holds until its expiry.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingApproval | Self::Authorized)
    }

    /// Whether only a late report can still change it.
    pub fn is_final(self) -> bool {
        !self.is_pending() && self != Self::Processing
    }
}

/// What was unusual about how its money moved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Flag {
    /// Succeeded without being executed.
    Unexecuted,
    /// Succeeded while approval was pending.
    Unapproved,
    /// Succeeded after it was cancelled or rejected.
    AfterCancel,
    /// Succeeded after it had expired.
    AfterExpiry,
    /// Succeeded after a failure was reported.
    AfterFailure,
    /// The payee got more than was authorized.
    OverAmount,
    /// Paid again under another reference.
    PaidTwice,
}

/// What the channel said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettlementResult {
    /// The payee has the money.
    Succeeded,
    /// The payee will not have it.
    Failed,
}

/// A report of the channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// What it said.
    pub result: SettlementResult,
    /// What the payee got.
    pub amount: Option<Amount>,
    /// The channel's reference.
    pub reference: Text,
    /// Why it failed.
    pub reason: Text,
    /// When it was recorded.
    pub record_time: Instant,
    /// Whether it changed anything.
    pub applied: bool,
}

/// Money that came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Return {
    /// How much.
    pub amount: Amount,
    /// The channel's reference.
    pub reference: Text,
    /// Why.
    pub reason: Text,
    /// When it was recorded.
    pub record_time: Instant,
}

/// Which payouts a meter counts, as a payout carries it for life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CountsWhile {
    /// While live.
    Live,
    /// Always.
    Always,
    /// In one of these states.
    InStates(Vec<State>),
}

/// A payout's part of a meter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holding {
    /// Which meter.
    pub key: MeterKey,
    /// The meter's shape.
    pub shape: Shape,
    /// Length of a rolling window.
    pub rolling: Option<std::time::Duration>,
    /// Whether its amount is added up, or 1.
    pub adds_amount: bool,
    /// When it counts.
    pub counts: CountsWhile,
    /// What a return gives back.
    pub on_return: OnReturn,
    /// How it counts at present.
    pub now: Option<(Phase, Amount)>,
}

/// A payout's part of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drawn {
    /// Which account.
    pub account: AccountName,
    /// Authorized there.
    pub amount: Amount,
    /// How it holds at present. Debited parts hold nothing.
    pub now: Option<(Phase, Amount)>,
}

/// A decision that was allowed, with its life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payout {
    /// Its name. Its decision has the same id.
    pub name: PayoutName,
    /// The revision that decided.
    pub revision: RevisionName,
    /// Id of the request that made it.
    pub request_id: Text,
    /// The order.
    pub order: Option<OrderName>,
    /// The operator.
    pub operator: Option<OperatorName>,
    /// Who gets it; empty if unknown.
    pub payee: Text,
    /// What it is for; may be empty.
    pub purpose: Text,
    /// The policy's currency.
    pub currency: Currency,
    /// What was authorized.
    pub amount: Amount,
    /// What the payee shall get.
    pub net_amount: Amount,
    /// What the payee got so far.
    pub settled: Option<Amount>,
    /// What came back.
    pub returned: Option<Amount>,
    /// Facts that were sent with the request.
    pub facts: std::sync::Arc<Named<Value>>,
    /// Values of the policy's dimensions, by fact name.
    pub dimensions: BTreeMap<Text, Text>,
    /// When it was authorized.
    pub create_time: Instant,
    /// When it changed last.
    pub update_time: Instant,
    /// When it came to its present state.
    pub state_time: Instant,
    /// When its hold expires.
    pub expire_time: Option<Instant>,
    /// Where it is in its life.
    pub state: State,
    /// The payer's id of the execution.
    pub execution_id: Option<Text>,
    /// When it was executed.
    pub execute_time: Option<Instant>,
    /// When success or failure was reported first.
    pub settle_time: Option<Instant>,
    /// Why it failed, expired or was cancelled.
    pub reason: Text,
    /// What was unusual.
    pub flags: Vec<Flag>,
    /// Reports of the channel.
    pub settlements: Vec<Settlement>,
    /// Returns.
    pub returns: Vec<Return>,
    /// Its parts of meters.
    pub holdings: Vec<Holding>,
    /// Its parts of accounts.
    pub draws: Vec<Drawn>,
    /// Who was connected.
    pub caller: Text,
    /// Timers that fired in the present state.
    pub fired: Vec<Text>,
    /// When something is due for it next, by itself.
    pub due: Option<Instant>,
}

impl Payout {
    /// Whether its hold has expired by an instant, written or not.
    pub fn has_expired(&self, now: Instant) -> bool {
        self.state.is_pending() && self.expire_time.is_some_and(|at| at <= now)
    }

    /// Its state at an instant, expiry included.
    pub fn state_at(&self, now: Instant) -> State {
        if self.has_expired(now) { State::Expired } else { self.state }
    }
}

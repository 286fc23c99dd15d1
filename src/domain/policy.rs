//! A policy, compiled once per revision: what the decision core reads.
//!
//! Order of rules in receipts: conditions, limits, draws, each in the
//! policy's own order.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;

use super::{
    amount::Currency,
    finding::Severity,
    limit::{Condition, Draw, Limit, Localized, Measure},
    name::Id,
    payout::State,
    plan::Plan,
    text::Text,
    value::{Value, ValueType},
    who::RoleSet,
};

/// The rules of a programme.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What the programme is called.
    pub title: Localized,
    /// Its currency.
    pub currency: Currency,
    /// The zone of its days and hours.
    pub zone: TimeZone,
    /// The zone's IANA name.
    pub zone_name: Text,
    /// What rules may look at.
    pub facts: Vec<FactDeclaration>,
    /// Meters without a bound.
    pub measures: Vec<Measure>,
    /// Rules that compare facts.
    pub conditions: Vec<Condition>,
    /// Rules that bound use.
    pub limits: Vec<Limit>,
    /// Accounts a payout holds.
    pub draws: Vec<Draw>,
    /// From authorization to execution. `None`: for ever.
    pub execute_within: Option<Duration>,
    /// What happens after a time in a state.
    pub timers: Vec<Timer>,
    /// What somebody should hear of.
    pub alerts: Vec<Alert>,
    /// What merchants call the states.
    pub states: Vec<StateText>,
    /// What is remembered of it.
    pub plan: Plan,
}

/// Something a decision may look at.
#[derive(Clone, Debug)]
pub struct FactDeclaration {
    /// Its name in the policy.
    pub name: Text,
    /// Its type.
    pub kind: ValueType,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether a decision that looks at it needs it.
    pub required: bool,
    /// The only values it may have. Empty: any.
    pub values: Vec<Value>,
    /// Roles whose word counts. Empty: any.
    pub asserted_by: RoleSet,
    /// Whether payouts can be summed up by it.
    pub dimension: bool,
    /// Kept for reading only.
    pub label: bool,
}

/// Where a fact comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Sent with the request, under this key.
    Request(Text),
    /// Registered with the order, under this key.
    Order(Text),
    /// Registered on the shop, under this key.
    Shop(Text),
    /// Registered on the operator, under this key.
    Operator(Text),
    /// Registered on the platform, under this key.
    Platform(Text),
    /// Registered on an account, under this key.
    Account(Id, Text),
    /// Known to Bursar itself.
    Field(Field),
}

impl Origin {
    /// The account it is about.
    pub fn account(&self) -> Option<&Id> {
        match self {
            Self::Account(id, _)
            | Self::Field(
                Field::AccountExists(id)
                | Field::AccountKind(id)
                | Field::AccountBalance(id)
                | Field::AccountHeld(id)
                | Field::AccountAvailable(id)
                | Field::AccountFrozen(id),
            ) => Some(id),
            _ => None,
        }
    }
}

/// A fact known to Bursar itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The request's amount.
    Amount,
    /// The request's payee.
    Payee,
    /// The request's purpose.
    Purpose,
    /// The decision's own time.
    Time,
    /// The order's id.
    OrderId,
    /// Whether an order is named and known.
    OrderExists,
    /// What the buyer paid.
    OrderPaid,
    /// When the order was placed.
    OrderPlaceTime,
    /// The shop's id.
    ShopId,
    /// Whether the shop is frozen.
    ShopFrozen,
    /// Whether withdrawal of the shop's proceeds is frozen.
    ShopProceedsFrozen,
    /// The operator's id.
    OperatorId,
    /// "MAIN" or "SUB".
    OperatorKind,
    /// Whether the operator is frozen.
    OperatorFrozen,
    /// Whether the operator has a grant.
    GrantExists,
    /// Whether the grant is switched on.
    GrantEnabled,
    /// The grant's most for one payout.
    GrantPerPayout,
    /// The grant's most for a day.
    GrantDaily,
    /// The grant's most for a month.
    GrantMonthly,
    /// The grant's most payouts a day.
    GrantDailyCount,
    /// The grant's tier.
    GrantTier,
    /// Whether the shop has this account.
    AccountExists(Id),
    /// "SETTLEMENT" or "QUOTA".
    AccountKind(Id),
    /// The account's balance.
    AccountBalance(Id),
    /// What payouts hold of it.
    AccountHeld(Id),
    /// What may be taken of it.
    AccountAvailable(Id),
    /// Whether all of it is frozen.
    AccountFrozen(Id),
}

/// Something that happens after a time in a state.
#[derive(Clone, Debug)]
pub struct Timer {
    /// Its id in the policy.
    pub id: Text,
    /// The state.
    pub state: State,
    /// How long in it.
    pub after: Duration,
    /// The alert to raise, by position in the policy.
    pub alert: usize,
}

/// Something that somebody should hear of.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its id in the policy.
    pub id: Text,
    /// How serious it is.
    pub severity: Severity,
    /// Who should hear of it.
    pub audience: Text,
    /// Raised when a payout reaches one of these.
    pub on_states: Vec<State>,
    /// What happened.
    pub text: Localized,
}

/// The reasons that Bursar puts on a payout when nobody gives one.
const OWN_REASONS: [&str; 3] = ["EXPIRED", "CANCELLED", "CHANNEL_FAILED"];

/// What merchants call a state.
#[derive(Clone, Debug)]
pub struct StateText {
    /// The state.
    pub state: State,
    /// Its name.
    pub text: Localized,
    /// Why it was reached, if nobody gave a reason. May be empty.
    pub reason: Localized,
}

impl Policy {
    /// What merchants call a state.
    pub fn state_text(&self, state: State) -> Option<&StateText> {
        self.states.iter().find(|s| s.state == state)
    }

    /// Why a payout is in a state, for people, as far as the policy says so:
    /// not if the channel or a caller gave a reason of their own.
    pub fn reason_text(&self, state: State, reason: &str) -> Option<&Localized> {
        let nobodys = reason.is_empty() || OWN_REASONS.contains(&reason);
        let text = self.state_text(state).map(|s| &s.reason).filter(|_| nobodys);
        text.filter(|text| !text.0.is_empty())
    }

    /// Position of a fact, by name.
    pub fn fact(&self, name: &str) -> Option<usize> {
        self.facts.iter().position(|f| &*f.name == name)
    }
}

/// Gives the compiled policy of a revision that was loaded.
pub trait Policies {
    /// The policy, or nothing if there is no such revision.
    fn policy(&self, revision: &super::name::RevisionName) -> Option<Arc<Policy>>;
}

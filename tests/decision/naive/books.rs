//! What a shopkeeper would write down: facts by name, movements, freezes, and
//! every payout with the history of its states. Nothing is kept summed up.

use std::collections::{BTreeMap, BTreeSet};

use bursar::proto::v1::{PayoutState, Role};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::Values;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    Text(String),
    Bool(bool),
    Number(Decimal),
    Time(Timestamp),
    List(BTreeSet<String>),
}

/// A registered fact and who said it.
#[derive(Clone, Debug)]
pub struct Said {
    pub value: Plain,
    pub by: Vec<Role>,
}

pub type Facts = BTreeMap<String, Said>;

#[derive(Clone, Debug, Default)]
pub struct Order {
    pub facts: Facts,
    pub by: Vec<Role>,
    pub paid: Option<Decimal>,
    pub placed: Option<Timestamp>,
    pub version: i64,
}

impl Order {
    /// What decides between two versions: the marketplace's word, then the newer.
    pub fn precedence(&self) -> (bool, i64) {
        let above = self.by.iter().any(|role| matches!(role, Role::Platform | Role::Admin));
        (above, self.version)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Grant {
    pub enabled: bool,
    pub per_payout: Option<Decimal>,
    pub daily: Option<Decimal>,
    pub monthly: Option<Decimal>,
    pub daily_count: Option<u32>,
    pub tier: String,
}

#[derive(Clone, Debug, Default)]
pub struct Operator {
    pub main: bool,
    pub facts: Facts,
    pub grant: Option<Grant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Shop,
    Operator(String),
    Account,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Part(Decimal),
    Proceeds,
}

#[derive(Clone, Debug)]
pub struct Freeze {
    pub target: Target,
    pub scope: Scope,
    pub end: Option<Timestamp>,
    pub lifted: bool,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub amount: Decimal,
    pub order: Option<String>,
    /// A newer version of the order, sent along.
    pub inline: Option<Order>,
    pub operator: Option<String>,
    pub payee: String,
    pub purpose: String,
    pub facts: BTreeMap<String, Plain>,
    pub roles: Vec<Role>,
}

#[derive(Clone, Debug)]
pub struct Payout {
    pub id: String,
    pub amount: Decimal,
    pub operator: Option<String>,
    pub expires: Option<Timestamp>,
    /// Values of the policy's facts when it was authorized.
    pub values: Values,
    /// Which limits and measures it counts in, and under which values.
    pub counts_in: BTreeMap<String, Vec<Option<Plain>>>,
    pub history: Vec<(Timestamp, PayoutState)>,
    pub execution: Option<String>,
    /// Reference, amount if it succeeded.
    pub reports: Vec<(String, Option<Decimal>)>,
    pub returns: Vec<(String, Decimal)>,
}

#[derive(Clone, Debug, Default)]
pub struct Books {
    pub shop: Facts,
    pub platform: Facts,
    pub account_facts: Facts,
    pub has_account: bool,
    pub orders: BTreeMap<String, Order>,
    pub operators: BTreeMap<String, Operator>,
    pub movements: Vec<Decimal>,
    pub freezes: Vec<Freeze>,
    pub payouts: Vec<Payout>,
}

impl Payout {
    pub fn made(&self) -> Timestamp {
        self.history[0].0
    }

    /// Its state; one that nobody executed in time has expired.
    pub fn state(&self, now: Timestamp) -> PayoutState {
        let (_, last) = self.history[self.history.len() - 1];
        let waiting = matches!(last, PayoutState::PendingApproval | PayoutState::Authorized);
        match self.expires {
            Some(expires) if waiting && now >= expires => PayoutState::Expired,
            _ => last,
        }
    }

    pub fn settled(&self) -> Option<Decimal> {
        let paid: Vec<Decimal> = self.reports.iter().filter_map(|(_, amount)| *amount).collect();
        (!paid.is_empty()).then(|| paid.iter().sum())
    }

    pub fn returned(&self) -> Decimal {
        self.returns.iter().map(|(_, amount)| amount).sum()
    }

    /// Whether it holds what it was authorized for.
    pub fn holds(&self, now: Timestamp) -> bool {
        use PayoutState::{Authorized, PendingApproval, Processing};
        matches!(self.state(now), Authorized | PendingApproval | Processing)
    }

    fn goes_to(&mut self, state: PayoutState, now: Timestamp) {
        if self.state(now) == PayoutState::Expired
            && let Some(expires) = self.expires
            && self.history.last().is_some_and(|(_, last)| *last != PayoutState::Expired)
        {
            self.history.push((expires, PayoutState::Expired));
        }
        self.history.push((now, state));
    }
}

/// Each answers whether the call is accepted.
impl Books {
    pub fn execute(&mut self, n: usize, id: &str, now: Timestamp) -> bool {
        let stopped = self.stops_execution(n, now);
        let payout = &mut self.payouts[n];
        let state = payout.state(now);
        if let Some(first) = &payout.execution {
            let done = matches!(state, PayoutState::Processing | PayoutState::Succeeded);
            return first == id && done;
        }
        if state != PayoutState::Authorized || stopped {
            return false;
        }
        payout.execution = Some(id.to_owned());
        payout.goes_to(PayoutState::Processing, now);
        true
    }

    fn stops_execution(&self, n: usize, now: Timestamp) -> bool {
        let operator = self.payouts[n].operator.clone();
        self.standing(now).any(|freeze| match (&freeze.target, &freeze.scope) {
            (Target::Shop, scope) => matches!(scope, Scope::All | Scope::Proceeds),
            (Target::Operator(id), Scope::All) => Some(id) == operator.as_ref(),
            (Target::Account, Scope::All) => true,
            _ => false,
        })
    }

    pub fn cancel(&mut self, n: usize, now: Timestamp) -> bool {
        let payout = &mut self.payouts[n];
        match payout.state(now) {
            PayoutState::Cancelled => true,
            PayoutState::Authorized | PayoutState::PendingApproval => {
                payout.goes_to(PayoutState::Cancelled, now);
                true
            }
            _ => false,
        }
    }

    /// `paid`: what the payee got; none: the channel failed.
    pub fn settle(
        &mut self,
        n: usize,
        paid: Option<Decimal>,
        reference: &str,
        now: Timestamp,
    ) -> bool {
        let payout = &mut self.payouts[n];
        let known = |amount: &dyn Fn(&Option<Decimal>) -> bool| {
            payout.reports.iter().any(|(r, a)| r == reference && amount(a))
        };
        // A success is the last word on its reference.
        if known(&|a| a.is_some()) {
            return known(&|a| *a == paid && a.is_some());
        }
        if paid.is_none() && known(&|a| a.is_none()) {
            return true;
        }
        match (paid, payout.state(now)) {
            (Some(_), _) => {
                payout.reports.push((reference.to_owned(), paid));
                payout.goes_to(PayoutState::Succeeded, now);
                true
            }
            (None, PayoutState::Processing) => {
                payout.reports.push((reference.to_owned(), None));
                payout.goes_to(PayoutState::Failed, now);
                true
            }
            (None, state) => state == PayoutState::Failed,
        }
    }

    pub fn give_back(
        &mut self,
        n: usize,
        amount: Decimal,
        reference: &str,
        now: Timestamp,
    ) -> bool {
        let payout = &mut self.payouts[n];
        if let Some((_, before)) = payout.returns.iter().find(|(r, _)| r == reference) {
            return *before == amount;
        }
        let state = payout.state(now);
        let settled = payout.settled().unwrap_or_default();
        if !matches!(state, PayoutState::Succeeded | PayoutState::Returned)
            || payout.returned() + amount > settled
        {
            return false;
        }
        payout.returns.push((reference.to_owned(), amount));
        let all = payout.returned() == settled;
        payout.goes_to(if all { PayoutState::Returned } else { PayoutState::Succeeded }, now);
        true
    }

    pub fn standing(&self, now: Timestamp) -> impl Iterator<Item = &Freeze> {
        self.freezes.iter().filter(move |f| !f.lifted && f.end.is_none_or(|end| now < end))
    }

    pub fn stopped(&self, target: &Target, scope: &Scope, now: Timestamp) -> bool {
        self.standing(now).any(|f| f.target == *target && f.scope == *scope)
    }

    pub fn balance(&self) -> Decimal {
        let moved: Decimal = self.movements.iter().sum();
        let paid: Decimal = self.payouts.iter().filter_map(Payout::settled).sum();
        let returned: Decimal = self.payouts.iter().map(Payout::returned).sum();
        moved - paid + returned
    }

    pub fn held(&self, now: Timestamp) -> Decimal {
        self.payouts.iter().filter(|p| p.holds(now)).map(|p| p.amount).sum()
    }

    /// What freezes ask for of the account.
    pub fn asked_to_freeze(&self, now: Timestamp) -> Option<Decimal> {
        if self.stopped(&Target::Account, &Scope::All, now) {
            return None;
        }
        let parts = self.standing(now).filter_map(|f| match (&f.target, &f.scope) {
            (Target::Account, Scope::Part(amount)) => Some(*amount),
            _ => None,
        });
        Some(parts.sum())
    }

    pub fn available(&self, now: Timestamp) -> Decimal {
        let free = self.balance() - self.held(now);
        match self.asked_to_freeze(now) {
            None => Decimal::ZERO,
            Some(asked) => (free - asked).max(Decimal::ZERO),
        }
    }

    pub fn unfrozen(&self, now: Timestamp) -> Decimal {
        match self.asked_to_freeze(now) {
            None => Decimal::ZERO,
            Some(asked) => (self.balance() - asked).max(Decimal::ZERO),
        }
    }
}

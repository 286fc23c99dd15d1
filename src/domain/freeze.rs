//! Freezes, and what stands on a target now.

use super::{
    amount::{Amount, Currency},
    instant::Instant,
    name::{AccountName, FreezeName, OperatorName, ShopName},
    text::Text,
};

/// What a freeze is on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// A shop.
    Shop(ShopName),
    /// An operator.
    Operator(OperatorName),
    /// An account.
    Account(AccountName),
}

impl Target {
    /// The shop concerned.
    pub fn shop(&self) -> ShopName {
        match self {
            Self::Shop(name) => name.clone(),
            Self::Operator(name) => name.shop(),
            Self::Account(name) => name.shop(),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shop(name) => name.fmt(f),
            Self::Operator(name) => name.fmt(f),
            Self::Account(name) => name.fmt(f),
        }
    }
}

/// What it stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Everything of the target.
    All,
    /// This much of an account's balance.
    BalancePart(Amount),
    /// Withdrawal of a shop's proceeds.
    ProceedsWithdrawal,
}

/// A freeze, lifted or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Freeze {
    /// Its name.
    pub name: FreezeName,
    /// What it is on.
    pub target: Target,
    /// What it stops.
    pub scope: Scope,
    /// Currency of its amount, if it has one.
    pub currency: Option<Currency>,
    /// Why.
    pub reason: Text,
    /// When it began.
    pub create_time: Instant,
    /// When it ends by itself.
    pub end_time: Option<Instant>,
    /// When it was lifted.
    pub lift_time: Option<Instant>,
    /// Why it was lifted.
    pub lift_reason: Text,
    /// Who set it.
    pub caller: Text,
}

/// A freeze that was not lifted, as its target keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Which freeze.
    pub freeze: FreezeName,
    /// What it stops.
    pub scope: Scope,
    /// When it ends by itself: it covers instants before this.
    pub end_time: Option<Instant>,
}

/// The freezes on one target that were not lifted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Freezes {
    /// What they are on.
    pub target: Target,
    /// Which.
    pub standing: Vec<Standing>,
}

impl Freezes {
    fn now(&self, now: Instant) -> impl Iterator<Item = &Standing> {
        self.standing.iter().filter(move |s| s.end_time.is_none_or(|end| now < end))
    }

    /// Whether everything of the target is stopped at an instant.
    pub fn stops_all(&self, now: Instant) -> bool {
        self.now(now).any(|s| s.scope == Scope::All)
    }

    /// Whether withdrawal of proceeds is stopped at an instant.
    pub fn stops_proceeds(&self, now: Instant) -> bool {
        self.now(now).any(|s| s.scope == Scope::ProceedsWithdrawal)
    }

    /// How much of an account's balance is stopped at an instant. `None`: all.
    pub fn amount(&self, now: Instant) -> Option<Amount> {
        if self.stops_all(now) {
            return None;
        }
        Some(self.now(now).fold(Amount::ZERO, |sum, s| match s.scope {
            Scope::BalancePart(amount) => sum.plus(amount),
            _ => sum,
        }))
    }

    /// The instants after `now` at which one of them ends by itself.
    pub fn ends(&self, now: Instant) -> impl Iterator<Item = Instant> {
        self.now(now).filter_map(|s| s.end_time)
    }
}

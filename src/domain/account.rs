//! Accounts: what is configured, and the money on them.

use std::sync::Arc;

use super::{
    amount::{Amount, Currency},
    instant::Instant,
    meter::{Phase, Tally},
    name::AccountName,
    row::Row,
    shop::Stamp,
    text::Text,
    value::Facts,
};

/// What an account holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountKind {
    /// Proceeds of orders.
    Settlement,
    /// A credit line.
    Quota,
}

impl AccountKind {
    /// The value of the fact field `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settlement => "SETTLEMENT",
            Self::Quota => "QUOTA",
        }
    }
}

/// An account as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// What it holds.
    pub kind: AccountKind,
    /// Its currency.
    pub currency: Currency,
    /// Registered facts.
    pub facts: Facts,
    /// Its history.
    pub stamp: Stamp,
}

/// The money on an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balance {
    /// The account.
    pub account: AccountName,
    /// Credits minus debits, settled payouts included.
    pub balance: Amount,
    /// What payouts under way hold. `used` stays 0: settling debits `balance`.
    pub holds: Tally,
    /// How many movements were recorded; numbers them for listing.
    pub movements: u64,
}

/// The numbers of an account at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// Credits minus debits.
    pub balance: Amount,
    /// Held by payouts under way.
    pub held: Amount,
    /// What freezes ask for; may exceed the balance. `None`: all of it.
    pub freeze: Option<Amount>,
}

impl Position {
    /// What would be available if nothing were held.
    pub fn unfrozen(&self) -> Amount {
        self.freeze.map_or(Amount::ZERO, |freeze| self.balance.minus(freeze).or_zero())
    }

    /// What the freezes cover: free balance first, so never what is held.
    pub fn frozen(&self) -> Amount {
        let free = self.balance.minus(self.held).or_zero();
        self.freeze.map_or(free, |freeze| freeze.min(free))
    }

    /// What a payout may take now.
    pub fn available(&self) -> Amount {
        self.balance.minus(self.held).minus(self.frozen()).or_zero()
    }
}

impl Balance {
    /// Of a new account.
    pub fn new(account: AccountName) -> Self {
        Self { account, balance: Amount::ZERO, holds: Tally::default(), movements: 0 }
    }

    /// The numbers at an instant, under freezes that ask for `freeze`.
    pub fn position(&self, now: Instant, freeze: Option<Amount>) -> Position {
        Position { balance: self.balance, held: self.holds.held_at(now), freeze }
    }

    /// Applies a change to it.
    pub fn apply(&mut self, change: &BalanceChange) {
        self.balance = self.balance.plus(change.credit);
        if change.movement {
            self.movements += 1;
        }
        if let Some((phase, quantity)) = change.before {
            self.holds.add(phase, quantity.negated());
        }
        if let Some((phase, quantity)) = change.after {
            self.holds.add(phase, quantity);
        }
    }
}

/// How the money on an account changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalanceChange {
    /// The account.
    pub account: AccountName,
    /// Comes to the balance; negative: leaves it.
    pub credit: Amount,
    /// Whether it is a recorded movement.
    pub movement: bool,
    /// How a payout held before.
    pub before: Option<(Phase, Amount)>,
    /// How it holds now.
    pub after: Option<(Phase, Amount)>,
}

impl BalanceChange {
    /// The row of the account's money after it, from the row before it.
    pub fn applied_to(&self, row: Option<Arc<Row>>) -> Arc<Row> {
        let mut row =
            row.unwrap_or_else(|| Arc::new(Row::Balance(Balance::new(self.account.clone()))));
        match Arc::make_mut(&mut row) {
            Row::Balance(balance) => balance.apply(self),
            other => unreachable!("money of {} in the row {:?}", self.account, other.key()),
        }
        row
    }
}

/// Which way money moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// To the account.
    Credit,
    /// From the account.
    Debit,
}

/// Why money moved; the contract's `Movement.Kind` without the unspecified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MovementKind {
    /// Proceeds of orders.
    Proceeds,
    /// A refund.
    Refund,
    /// A fee.
    Fee,
    /// A chargeback.
    Chargeback,
    /// A withdrawal Bursar did not decide.
    OtherWithdrawal,
    /// A correction.
    Correction,
    /// A compensation by the platform.
    Compensation,
}

/// Money that came or left other than by Bursar's payouts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Movement {
    /// The account.
    pub account: AccountName,
    /// The account's own reference.
    pub reference: Text,
    /// Its number on the account, from 1.
    pub number: u64,
    /// Which way.
    pub direction: Direction,
    /// Why.
    pub kind: MovementKind,
    /// How much.
    pub amount: Amount,
    /// The order it belongs to.
    pub order: Option<super::name::OrderName>,
    /// When, by its source.
    pub occur_time: Option<Instant>,
    /// When it was recorded.
    pub record_time: Instant,
    /// Whether it drove the available balance below 0.
    pub overdrawn: bool,
}

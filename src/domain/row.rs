//! Rows: what a store keeps under a key.

use std::sync::Arc;

use super::{
    account::{Account, Balance, Movement},
    cell::Cell,
    decision::Decision,
    freeze::{Freeze, Freezes},
    instant::Instant,
    key::Key,
    name::{AccountName, Id, OrderName, PayoutName, ProgrammeName, RevisionName},
    operator::{Grant, Operator},
    order::Order,
    payout::Payout,
    request::Request,
    shop::{Platform, Shop},
    text::Text,
};

/// One row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// A platform.
    Platform(Platform),
    /// A shop.
    Shop(Shop),
    /// An operator.
    Operator(Operator),
    /// A grant.
    Grant(Grant),
    /// An account as configured.
    Account(Account),
    /// The money on an account.
    Balance(Balance),
    /// A movement.
    Movement(Movement),
    /// A movement's reference, by its number.
    MovementNumber(AccountName, u64, Text),
    /// An order.
    Order(Order),
    /// A payout.
    Payout(Arc<Payout>),
    /// That a payout belongs to an order.
    PayoutOfOrder(OrderName, Id),
    /// A decision.
    Decision(Arc<Decision>),
    /// A request that was answered.
    Request(Request),
    /// A programme.
    Programme(Programme),
    /// A revision.
    Revision(Revision),
    /// A freeze.
    Freeze(Freeze),
    /// The freezes that stand on a target.
    Freezes(Freezes),
    /// The running use of limits.
    Cell(Cell),
    /// That something is due for a payout at an instant. Follows from the
    /// payout's own row.
    Due(Instant, PayoutName),
}

impl Row {
    /// Where it is kept.
    pub fn key(&self) -> Key {
        match self {
            Self::Platform(row) => Key::Platform(row.name.clone()),
            Self::Shop(row) => Key::Shop(row.name.clone()),
            Self::Operator(row) => Key::Operator(row.name.clone()),
            Self::Grant(row) => Key::Grant(row.name.clone()),
            Self::Account(row) => Key::Account(row.name.clone()),
            Self::Balance(row) => Key::Balance(row.account.clone()),
            Self::Movement(row) => Key::Movement(row.account.clone(), row.reference.clone()),
            Self::MovementNumber(account, number, _) => {
                Key::MovementNumber(account.clone(), *number)
            }
            Self::Order(row) => Key::Order(row.name.clone()),
            Self::Payout(row) => Key::Payout(row.name.clone()),
            Self::PayoutOfOrder(order, payout) => Key::PayoutOfOrder(order.clone(), payout.clone()),
            Self::Decision(row) => Key::Decision(row.name.clone()),
            Self::Request(row) => Key::Request(row.key.clone()),
            Self::Programme(row) => Key::Programme(row.name.clone()),
            Self::Revision(row) => Key::Revision(row.name.clone()),
            Self::Freeze(row) => Key::Freeze(row.name.clone()),
            Self::Freezes(row) => Key::Freezes(row.target.clone()),
            Self::Cell(row) => Key::Cell(row.key().clone()),
            Self::Due(at, payout) => Key::Due(*at, payout.clone()),
        }
    }
}

/// A programme: which revision is in force when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Programme {
    /// Its name.
    pub name: ProgrammeName,
    /// How many revisions it has.
    pub revisions: u32,
    /// Activations by start, ascending; of two at the same instant the later
    /// one in the list holds.
    pub activations: Vec<(Instant, u32)>,
}

impl Programme {
    /// The revision in force at an instant.
    pub fn active(&self, at: Instant) -> Option<RevisionName> {
        let (_, number) = self.activations.iter().rev().find(|(start, _)| *start <= at)?;
        Some(RevisionName { programme: self.name.clone(), number: *number })
    }

    /// When the next activation after an instant comes into force.
    pub fn next_activation(&self, after: Instant) -> Option<Instant> {
        self.activations.iter().map(|(start, _)| *start).find(|start| *start > after)
    }
}

/// A revision: a policy as it was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// Its name.
    pub name: RevisionName,
    /// The policy, encoded as `bursar.v1.Policy`.
    pub policy: Arc<[u8]>,
    /// When it was made.
    pub create_time: Instant,
    /// Who made it.
    pub caller: Text,
    /// Why it was made.
    pub note: Text,
    /// SHA-256 of `policy`, hexadecimal.
    pub checksum: Text,
}

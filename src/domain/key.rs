//! Names of rows: what a decision asks a store to load.

use std::hash::{Hash, Hasher};

use super::{
    cell::CellKey,
    freeze::Target,
    instant::Instant,
    name::{
        AccountName, DecisionName, FreezeName, GrantName, Id, OperatorName, OrderName, PayoutName,
        PlatformName, ProgrammeName, RevisionName, ShopName,
    },
    request::RequestKey,
    text::Text,
};

/// Which row. The order of keys is the order of listings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// A platform.
    Platform(PlatformName),
    /// A shop.
    Shop(ShopName),
    /// An operator.
    Operator(OperatorName),
    /// A grant.
    Grant(GrantName),
    /// An account as configured.
    Account(AccountName),
    /// The money on an account.
    Balance(AccountName),
    /// A movement, by reference.
    Movement(AccountName, Text),
    /// A movement's reference, by its number on the account.
    MovementNumber(AccountName, u64),
    /// An order.
    Order(OrderName),
    /// A payout.
    Payout(PayoutName),
    /// That a payout belongs to an order.
    PayoutOfOrder(OrderName, Id),
    /// A decision.
    Decision(DecisionName),
    /// A request that was answered.
    Request(RequestKey),
    /// A programme with its activations.
    Programme(ProgrammeName),
    /// A revision of a programme.
    Revision(RevisionName),
    /// A freeze.
    Freeze(FreezeName),
    /// The freezes that stand on a target.
    Freezes(Target),
    /// The running use of limits.
    Cell(CellKey),
    /// That something is due for a payout at an instant.
    Due(Instant, PayoutName),
}

impl Key {
    /// Whether a row is one of many of its kind that one record writes whole and
    /// hardly anybody asks for again.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Movement(..)
                | Self::MovementNumber(..)
                | Self::Order(_)
                | Self::Payout(_)
                | Self::PayoutOfOrder(..)
                | Self::Decision(_)
                | Self::Request(_)
                | Self::Due(..)
        )
    }

    /// Whether a row is known to be the meters of one order, which change once or
    /// twice, where those of a shop or an operator change with each payout.
    pub fn is_of_an_order(&self) -> bool {
        matches!(self, Self::Cell(cell) if cell.is_of_an_order())
    }

    /// Whether the parts of many payouts are added up in the row: all that runs but the
    /// meters of an order.
    pub fn runs_on(&self) -> bool {
        self.runs() && !self.is_of_an_order()
    }

    /// Whether the parts of payouts are added up in the row.
    pub fn runs(&self) -> bool {
        matches!(self, Self::Cell(_) | Self::Balance(_))
    }
}

/// Only of what tells keys apart: keys are looked up more often than anything
/// else is done, and their platforms and programmes are nearly always the same.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut of = |tag: u8, ids: &[&Id]| {
            state.write_u8(tag);
            ids.iter().for_each(|id| state.write(id.as_str().as_bytes()));
        };
        match self {
            Self::Platform(name) => of(1, &[&name.platform]),
            Self::Shop(name) => of(2, &[&name.shop]),
            Self::Operator(name) => of(3, &[&name.shop, &name.operator]),
            Self::Grant(name) => of(4, &[&name.shop, &name.operator]),
            Self::Account(name) => of(5, &[&name.shop, &name.account]),
            Self::Balance(name) => of(6, &[&name.shop, &name.account]),
            Self::Movement(name, reference) => {
                of(7, &[&name.shop]);
                state.write(reference.as_bytes());
            }
            Self::MovementNumber(name, number) => {
                of(8, &[&name.shop]);
                state.write_u64(*number);
            }
            Self::Order(name) => of(9, &[&name.shop, &name.order]),
            Self::Payout(name) => of(10, &[&name.payout]),
            Self::PayoutOfOrder(name, payout) => of(11, &[&name.order, payout]),
            Self::Decision(name) => of(12, &[&name.decision]),
            Self::Request(key) => {
                state.write_u8(13);
                state.write(key.parent.as_bytes());
                state.write(key.id.as_bytes());
            }
            Self::Programme(name) => of(14, &[&name.programme]),
            Self::Revision(name) => {
                of(15, &[&name.programme.programme]);
                state.write_u32(name.number);
            }
            Self::Freeze(name) => of(16, &[&name.freeze]),
            Self::Freezes(Target::Shop(name)) => of(17, &[&name.shop]),
            Self::Freezes(Target::Operator(name)) => of(18, &[&name.shop, &name.operator]),
            Self::Freezes(Target::Account(name)) => of(19, &[&name.shop, &name.account]),
            Self::Cell(key) => {
                state.write_u8(20);
                key.hash(state);
            }
            Self::Due(_, name) => of(21, &[&name.payout]),
        }
    }
}

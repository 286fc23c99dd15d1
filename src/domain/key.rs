//! Names of rows: what a decision asks a store to load.

use serde::{Deserialize, Serialize};

use super::{
    freeze::Target,
    instant::Instant,
    meter::MeterKey,
    name::{
        AccountName, DecisionName, FreezeName, GrantName, Id, OperatorName, OrderName, PayoutName,
        PlatformName, ProgrammeName, RevisionName, ShopName,
    },
    request::RequestKey,
};

/// Which row. The order of keys is the order of listings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
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
    Movement(AccountName, std::sync::Arc<str>),
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
    /// The running use of a limit.
    Meter(MeterKey),
    /// That something is due for a payout at an instant.
    Due(Instant, PayoutName),
}

//! What a record tells readers: events. They carry ids; what they are about is
//! in the same record or in its row.

use super::{
    finding::Severity,
    instant::Instant,
    name::{DecisionName, PayoutName, ShopName},
    payout::State,
    text::Text,
};

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When it took effect.
    pub effect_time: Instant,
    /// The shop; empty for what concerns a whole platform.
    pub shop: Option<ShopName>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// A resource was made or changed.
    Configured(Text),
    /// A payout was decided.
    Decided(DecisionName),
    /// A payout changed its state.
    PayoutChanged {
        /// Which.
        payout: PayoutName,
        /// From this state; of a new one none.
        from: Option<State>,
        /// To this state.
        to: State,
    },
    /// Money moved on an account.
    Movement(Text),
    /// An alert was raised.
    Alert {
        /// Its id: the policy's, or one of Bursar's own.
        id: Text,
        /// The resource it is about.
        resource: Text,
        /// How serious it is.
        severity: Severity,
        /// Who should hear of it.
        audience: Text,
    },
    /// A freeze was set or lifted.
    Freeze(Text),
}

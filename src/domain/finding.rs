//! One reason inside a decision: ids and numbers. Texts are rendered when it
//! is read.

use std::collections::BTreeMap;

use super::{amount::Amount, instant::Instant, text::Text};

/// What one rule said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold and only warns.
    Warn,
    /// It asks for approval.
    Review,
    /// It refuses.
    Deny,
}

/// What kind of reason it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Category {
    /// Not stated.
    #[default]
    Unspecified,
    /// Does not qualify.
    Eligibility,
    /// The operator may not.
    Permission,
    /// A limit is used up.
    Limit,
    /// The account lacks money.
    Funds,
    /// A freeze stands in the way.
    Freeze,
    /// Risk control.
    Risk,
    /// Somebody has to agree.
    Approval,
}

/// How serious it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Severity {
    /// Not stated.
    #[default]
    Unspecified,
    /// For information.
    Info,
    /// Light.
    Low,
    /// Moderate.
    Medium,
    /// Serious.
    High,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// The policy's currency.
    Money,
    /// Payouts.
    Count,
}

/// The numbers of a limit or a draw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbers {
    /// The bound; of a draw the balance.
    pub limit: Amount,
    /// Confirmed use. `None` for draws.
    pub used: Option<Amount>,
    /// Held by payouts under way.
    pub held: Amount,
    /// What this request adds.
    pub requested: Amount,
    /// What is left, never below 0.
    pub remaining: Amount,
    /// Of a draw: what freezes cover.
    pub frozen: Option<Amount>,
    /// What the numbers count.
    pub unit: Unit,
}

impl Numbers {
    /// How much is missing.
    pub fn short_by(&self) -> Option<Amount> {
        (self.requested > self.remaining).then(|| self.requested.minus(self.remaining))
    }

    /// How far use is above the bound already.
    pub fn over_by(&self) -> Option<Amount> {
        let taken = self.used?.plus(self.held);
        (taken > self.limit).then(|| taken.minus(self.limit))
    }
}

/// One reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Id of the rule.
    pub rule: Text,
    /// Id of the variant that applies.
    pub variant: Option<Text>,
    /// What the rule said.
    pub outcome: Outcome,
    /// Set if a rolling window had no room for another entry.
    pub window_full: bool,
    /// Its numbers, for limits and draws.
    pub numbers: Option<Numbers>,
    /// When it would be gone by waiting alone.
    pub reset_time: Option<Instant>,
    /// The calendar window that was counted.
    pub window: Option<(Instant, Instant)>,
    /// What was counted over, by fact name.
    pub scope: BTreeMap<Text, Text>,
    /// Facts that were looked at, for conditions.
    pub observed: BTreeMap<Text, Text>,
}

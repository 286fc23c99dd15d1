//! Operators and their grants.

use super::{
    amount::Amount,
    name::{GrantName, OperatorName},
    shop::Stamp,
    text::Text,
    value::Facts,
};

/// Main account or sub-account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OperatorKind {
    /// The shop's main account.
    Main,
    /// A sub-account.
    Sub,
}

impl OperatorKind {
    /// The value of the fact field `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Main => "MAIN",
            Self::Sub => "SUB",
        }
    }
}

/// Who acts for a shop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    /// Its name.
    pub name: OperatorName,
    /// For people.
    pub display_name: Text,
    /// Main account or sub-account.
    pub kind: OperatorKind,
    /// Registered facts.
    pub facts: Facts,
    /// Its history.
    pub stamp: Stamp,
}

/// How far a grant reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reach {
    /// The operator's own shop.
    #[default]
    Shop,
    /// Also the shared pool.
    Pool,
    /// The whole group.
    Group,
}

/// What a sub-account may under one programme.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Its name.
    pub name: GrantName,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Most for one payout.
    pub per_payout_amount: Option<Amount>,
    /// Most for a day.
    pub daily_amount: Option<Amount>,
    /// Most for a month.
    pub monthly_amount: Option<Amount>,
    /// Most payouts a day.
    pub daily_count: Option<u32>,
    /// Staff tier; empty if none.
    pub tier: Text,
    /// How far it reaches.
    pub reach: Reach,
    /// Its history.
    pub stamp: Stamp,
}

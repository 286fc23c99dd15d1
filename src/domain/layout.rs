//! What is known beforehand of all payouts of an operator and is the same for most
//! operators under a policy: which rules have still to be looked at, and where their
//! payouts count. Kept once for all of them, because what each of thousands has by
//! itself is nowhere near when it is needed.

use super::{amount::Amount, meter::Within};

/// See the module.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Layout {
    /// What is known of rules.
    pub known: Known,
    /// Of limits and then measures, by position: in which of the rows that payouts come
    /// back to they count, and what tells their meter apart there. `None`: in none.
    pub counted: Vec<Option<(usize, Within)>>,
    /// In which of those rows the template's meters are.
    pub meters: Vec<usize>,
    /// Which of them the accounts have that a payout draws from.
    pub draws: Vec<usize>,
}

/// What is known of rules while configured facts are as they are, whatever is asked
/// and at any stage.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Known {
    /// Conditions that do not fail, by position: they are not looked at, and not
    /// listed as passed.
    pub holds: Vec<bool>,
    /// The other conditions, and whether it is known that they are about it: then this
    /// is not looked at.
    pub open: Vec<(usize, bool)>,
    /// Limits, by position.
    pub limits: Vec<KnownLimit>,
}

/// What is known of a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownLimit {
    /// Whether it applies. `None`: that depends.
    pub applies: Option<bool>,
    /// Its bound, if it has one. `None`: that depends.
    pub bound: Option<Option<Amount>>,
}

//! What a command is judged with, besides rows.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Duration,
};

use super::profile::Profile;

use crate::domain::{
    instant::Instant,
    meter::MeterKey,
    name::{Id, RevisionName},
    policy::{Policies, Policy},
    who::{Author, RoleSet},
};

/// The meters of limits and then measures, by position. `None`: needs none.
pub type Meters = Vec<Option<MeterKey>>;

/// What a command is judged with, besides rows.
pub struct Context<'a> {
    /// The time of the decision.
    pub now: Instant,
    /// Who asks.
    pub author: Author,
    /// In which roles.
    pub roles: RoleSet,
    /// Compiled policies of revisions in programmes that were loaded.
    pub policies: &'a dyn Policies,
    /// An id for what the command makes.
    pub fresh: Id,
    /// How long denied and configuration request ids are remembered.
    pub remember: Duration,
    /// Nobody else changes the store. What nobody recorded is then not there, and
    /// needs no asking.
    pub alone: bool,
    /// The meters of limits and measures by position, as worked out when the
    /// command asked for its rows.
    pub meters: Cell<Option<Meters>>,
    /// Set when the command asked for its rows: its order is nowhere yet. Then there
    /// are no meters of that order either, since what is counted for an order records
    /// it, and orders stay.
    pub order_is_new: Cell<bool>,
    /// Set when the command asked for its rows: besides those that it named it comes
    /// back to [those](Profile::running) of the profile.
    pub comes_back: Cell<bool>,
    /// What is known of whose payout it is: of an earlier payout, or worked out
    /// for this one and then of use for later ones.
    pub profile: RefCell<Option<Arc<Profile>>>,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("author", &self.author)
            .finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// The profile whose rows the command comes back to, once it asked for its rows.
    pub fn comes_back_to(&self) -> Option<Arc<Profile>> {
        if self.comes_back.get() { self.profile.borrow().clone() } else { None }
    }

    /// The policy of a revision that a programme lists.
    pub fn policy(&self, revision: &RevisionName) -> Arc<Policy> {
        self.policies
            .policy(revision)
            .expect("every stored revision was compiled when it was stored or loaded")
    }
}

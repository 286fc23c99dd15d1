//! What is due by itself, and when: an index over open payouts, rebuilt at the
//! start and kept with every commit.

use std::collections::{BTreeSet, HashMap};

use crate::{
    decision::due::next,
    domain::{instant::Instant, name::PayoutName, payout::Payout, policy::Policies},
};

/// Payouts by the next instant at which something is due for them.
#[derive(Debug, Default)]
pub struct DueIndex {
    by_time: BTreeSet<(Instant, PayoutName)>,
    by_payout: HashMap<PayoutName, Instant>,
}

impl DueIndex {
    /// Takes note of a payout as it is now.
    pub fn note(&mut self, payout: &Payout, policies: &dyn Policies) {
        if let Some(old) = self.by_payout.remove(&payout.name) {
            self.by_time.remove(&(old, payout.name.clone()));
        }
        let policy = policies.policy(&payout.revision);
        if let Some(at) = policy.and_then(|policy| next(payout, &policy)) {
            self.by_time.insert((at, payout.name.clone()));
            self.by_payout.insert(payout.name.clone(), at);
        }
    }

    /// Payouts for which something is due by now, earliest first, at most so many.
    pub fn due(&self, now: Instant, most: usize) -> Vec<PayoutName> {
        self.by_time
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(most)
            .map(|(_, p)| p.clone())
            .collect()
    }
}

//! What happens by itself: expiries and the policy's timers, dated at their
//! instants, each once, also after downtime.

use std::sync::Arc;

use super::{
    context::Context,
    life,
    loaded::Loaded,
    out::{Judgement, Out},
    reply::Reply,
};
use crate::domain::{
    change::Change, event::EventKind, instant::Instant, key::Key, name::PayoutName, payout::Payout,
    policy::Policy, row::Row,
};

/// Something may be due for a payout.
#[derive(Clone, Debug)]
pub struct Due {
    /// Which payout.
    pub payout: PayoutName,
}

/// The next instant at which something is due for a payout.
pub fn next(payout: &Payout, policy: &Policy) -> Option<Instant> {
    let expiry = payout.expire_time.filter(|_| payout.state.is_pending());
    let timers = policy
        .timers
        .iter()
        .filter(|timer| timer.state == payout.state && !payout.fired.contains(&timer.id))
        .map(|timer| payout.state_time.plus(timer.after));
    timers.chain(expiry).min()
}

impl Due {
    /// What it is called in records.
    pub fn operation(&self) -> &'static str {
        "Due"
    }

    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        life::rows_of(&self.payout)
    }

    /// Does what is due by now, in the order of the instants.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        let mut out = Out::default();
        let Some(payout) = loaded.payout(&self.payout) else {
            return out.answer(Ok(Reply::Done));
        };
        let mut payout = payout.clone();
        let policy = context.policy(&payout.revision);
        let before = payout.clone();
        catch_up(&mut payout, context.now, &policy, &mut out);
        if payout != before {
            out.changes.push(Change::put(Row::Payout(Arc::new(payout))));
        }
        out.answer(Ok(Reply::Done))
    }
}

/// Does what is due for a payout by now, in the order of the instants, each
/// dated at its own: before anything else happens to it, so that nothing is
/// lost to a call that comes first.
pub fn catch_up(payout: &mut Payout, now: Instant, policy: &Policy, out: &mut Out) {
    while let Some(at) = next(payout, policy).filter(|at| *at <= now) {
        fire(payout, policy, at, out);
        if payout.has_expired(at) {
            life::expire_if_due(payout, now, policy, out);
        }
    }
}

/// Fires the timers that are due at exactly this instant.
fn fire(payout: &mut Payout, policy: &Policy, at: Instant, out: &mut Out) {
    for timer in &policy.timers {
        let due = timer.state == payout.state
            && !payout.fired.contains(&timer.id)
            && payout.state_time.plus(timer.after) == at;
        if !due {
            continue;
        }
        payout.fired.push(timer.id.clone());
        payout.due = next(payout, policy);
        if let Some(alert) = policy.alerts.get(timer.alert) {
            let kind = EventKind::Alert {
                id: alert.id.clone(),
                resource: payout.name.text().into(),
                severity: alert.severity,
                audience: alert.audience.clone(),
            };
            out.tell(at, Some(payout.name.shop()), kind);
        }
    }
}

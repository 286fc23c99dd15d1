//! The life of a payout: its transitions, and what each gives back or takes in
//! the windows of its authorization. Executing and cancelling are here;
//! reports of the channel are `settle`'s.

use std::sync::Arc;

use super::{
    context::Context,
    due,
    loaded::Loaded,
    out::{Judgement, Out},
    reading,
    reply::Reply,
};
use crate::domain::{
    account::BalanceChange,
    amount::Amount,
    change::Change,
    event::EventKind,
    freeze::{Freezes, Target},
    instant::Instant,
    key::Key,
    name::{OperatorName, PayoutName, ShopName},
    payout::{Payout, State},
    placing::place,
    policy::Policy,
    refusal::{Reason, Refusal},
    row::Row,
    text::Text,
};

/// Permits moving the money.
#[derive(Clone, Debug)]
pub struct Execute {
    /// Which payout.
    pub payout: PayoutName,
    /// The payer's id of the execution.
    pub execution_id: Text,
}

/// Calls a payout off.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// Which payout.
    pub payout: PayoutName,
    /// Why.
    pub reason: Text,
}

/// The rows that any change of a payout needs first.
pub fn rows_of(payout: &PayoutName) -> Vec<Key> {
    let shop = payout.shop();
    vec![
        Key::Platform(shop.platform()),
        Key::Shop(shop.clone()),
        Key::Payout(payout.clone()),
        Key::Freezes(Target::Shop(shop)),
    ]
}

/// The rows that any change of a payout needs further.
pub fn footprint(loaded: &Loaded<'_>, context: &Context<'_>, payout: &PayoutName) -> Vec<Key> {
    let mut keys: Vec<Key> = context.author.actor.iter().cloned().map(Key::Operator).collect();
    let Some(payout) = loaded.payout(payout) else { return keys };
    keys.extend(reading::cells(payout.holdings.iter().map(|holding| &holding.key)));
    for drawn in &payout.draws {
        keys.push(Key::Account(drawn.account.clone()));
        keys.push(Key::Balance(drawn.account.clone()));
        keys.push(Key::Freezes(Target::Account(drawn.account.clone())));
    }
    keys.extend(payout.operator.iter().map(|o| Key::Freezes(Target::Operator(o.clone()))));
    keys
}

/// That an actor is no operator of the shop it would act in.
pub fn no_such_actor(actor: &OperatorName, shop: &ShopName) -> Refusal {
    Refusal::new(Reason::OperatorNotFound, format!("{shop} has no operator {actor}."))
        .at("actor", "Name an operator of the shop itself.")
}

/// Moves money on the accounts a payout draws from: negative when it leaves.
pub fn book(payout: &Payout, credit: Amount, out: &mut Out) {
    if let Some(drawn) = payout.draws.first() {
        out.changes.push(Change::Balance(BalanceChange {
            account: drawn.account.clone(),
            credit,
            movement: false,
            before: None,
            after: None,
        }));
    }
}

/// Tells readers of a payout's new state, and raises the alerts the policy has for it.
pub fn announce(payout: &Payout, from: Option<State>, at: Instant, policy: &Policy, out: &mut Out) {
    let shop = payout.name.shop();
    let kind = EventKind::PayoutChanged { payout: payout.name.clone(), from, to: payout.state };
    out.tell(at, Some(shop.clone()), kind);
    for alert in policy.alerts.iter().filter(|a| a.on_states.contains(&payout.state)) {
        let kind = EventKind::Alert {
            id: alert.id.clone(),
            resource: payout.name.text().into(),
            severity: alert.severity,
            audience: alert.audience.clone(),
        };
        out.tell(at, Some(shop.clone()), kind);
    }
}

/// Brings a payout to a state, dated `at`, with all that goes with it.
pub fn transition(
    payout: &mut Payout,
    to: State,
    at: Instant,
    now: Instant,
    policy: &Policy,
    out: &mut Out,
) {
    let from = payout.state;
    payout.state = to;
    payout.update_time = at;
    if from != to {
        payout.state_time = at;
        payout.fired.clear();
    }
    payout.due = due::next(payout, policy);
    place(payout, now, &mut out.changes);
    if from != to {
        announce(payout, Some(from), at, policy, out);
    }
}

/// Writes an expiry that has come, dated at its instant.
pub fn expire_if_due(payout: &mut Payout, now: Instant, policy: &Policy, out: &mut Out) {
    if payout.has_expired(now) {
        let at = payout.expire_time.unwrap_or(now);
        payout.reason = "EXPIRED".into();
        transition(payout, State::Expired, at, now, policy, out);
    }
}

/// Keeps the payout as it is now, if it changed, and answers with it.
pub fn keep(before: &Payout, payout: Payout, mut out: Out) -> Judgement {
    let payout = Arc::new(payout);
    if *payout != *before {
        out.changes.push(Change::put(Row::Payout(payout.clone())));
    }
    out.answer(Ok(Reply::Payout(payout)))
}

/// Keeps what was written (an expiry, an alert) and refuses.
pub fn refuse(before: &Payout, payout: Payout, mut out: Out, refusal: Refusal) -> Judgement {
    if payout != *before {
        out.changes.push(Change::put(Row::Payout(Arc::new(payout))));
    }
    out.answer(Err(refusal))
}

/// A payout that has to be there, with its policy.
pub fn the_payout(
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    name: &PayoutName,
) -> Result<(Payout, Arc<Policy>), Refusal> {
    loaded.the_shop(&name.shop())?;
    let payout = loaded.the_payout(name)?.clone();
    if let Some(actor) = &context.author.actor
        && (actor.shop() != name.shop() || loaded.operator(actor).is_none())
    {
        return Err(no_such_actor(actor, &name.shop()));
    }
    let policy = context.policy(&payout.revision);
    Ok((payout, policy))
}

/// That a payout's state does not allow something.
pub fn wrong_state(payout: &Payout, wanted: &str) -> Refusal {
    let message = format!("The payout is {:?}; only one that is {wanted} can be.", payout.state);
    Refusal::new(Reason::PayoutState, message)
        .at(payout.name.to_string(), "Read it with PayoutService.GetPayout.")
}

fn expired(payout: &Payout) -> Refusal {
    let at = payout.expire_time.map_or_else(String::new, |at| format!(" at {at}"));
    Refusal::new(Reason::PayoutExpired, format!("The payout expired{at}; do not move its money."))
        .at(payout.name.to_string(), "Authorize a new one under a new request_id.")
}

/// Whether a freeze covers what a payout holds. A freeze on a part of a
/// balance takes the free part first, so it never covers holds.
fn frozen(loaded: &Loaded<'_>, payout: &Payout, now: Instant) -> Option<String> {
    let shop = Target::Shop(payout.name.shop());
    let stops = |target: &Target, stops: fn(&Freezes, Instant) -> bool| {
        reading::freezes(loaded, target).is_some_and(|f| stops(f, now))
    };
    if stops(&shop, Freezes::stops_all) || stops(&shop, Freezes::stops_proceeds) {
        return Some(shop.to_string());
    }
    let operator = payout.operator.iter().cloned().map(Target::Operator);
    let accounts = payout.draws.iter().map(|d| Target::Account(d.account.clone()));
    operator.chain(accounts).find(|target| stops(target, Freezes::stops_all)).map(|t| t.to_string())
}

impl Execute {
    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        rows_of(&self.payout)
    }

    /// Judges it. Only its OK permits moving the money.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        let (mut payout, policy) = match the_payout(loaded, context, &self.payout) {
            Ok(found) => found,
            Err(refusal) => return Judgement::only(Err(refusal)),
        };
        let now = context.now;
        let before = payout.clone();
        let mut out = Out::default();
        due::catch_up(&mut payout, now, &policy, &mut out);
        if let Some(first) = &payout.execution_id {
            let refusal = if *first != self.execution_id {
                Refusal::new(
                    Reason::AlreadyExecuting,
                    format!(
                        "The payout was executed as {first:?} at {}.",
                        payout.execute_time.unwrap_or(now)
                    ),
                )
                .at("execution_id", "Do not move the money; ask the execution that has the payout.")
            } else if matches!(payout.state, State::Processing | State::Succeeded) {
                return keep(&before, payout, out);
            } else {
                // The permission was used up: repeating it would pay after a reported failure.
                wrong_state(&payout, "processing")
            };
            return refuse(&before, payout, out, refusal);
        }
        match payout.state {
            State::Authorized => {}
            State::Expired => {
                let refusal = expired(&payout);
                return refuse(&before, payout, out, refusal);
            }
            _ => {
                let refusal = wrong_state(&payout, "authorized");
                return refuse(&before, payout, out, refusal);
            }
        }
        if let Some(target) = frozen(loaded, &payout, now) {
            let refusal =
                Refusal::new(Reason::Frozen, format!("{target} is frozen; do not move the money."))
                    .at(target, "Try again when the freeze is lifted, before the payout expires.");
            return refuse(&before, payout, out, refusal);
        }
        payout.execution_id = Some(self.execution_id.clone());
        payout.execute_time = Some(now);
        transition(&mut payout, State::Processing, now, now, &policy, &mut out);
        keep(&before, payout, out)
    }
}

impl Cancel {
    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        rows_of(&self.payout)
    }

    /// Judges it.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        let (mut payout, policy) = match the_payout(loaded, context, &self.payout) {
            Ok(found) => found,
            Err(refusal) => return Judgement::only(Err(refusal)),
        };
        let now = context.now;
        let before = payout.clone();
        let mut out = Out::default();
        due::catch_up(&mut payout, now, &policy, &mut out);
        match payout.state {
            State::Cancelled => keep(&before, payout, out),
            State::PendingApproval | State::Authorized => {
                payout.reason =
                    if self.reason.is_empty() { "CANCELLED".into() } else { self.reason.clone() };
                transition(&mut payout, State::Cancelled, now, now, &policy, &mut out);
                keep(&before, payout, out)
            }
            State::Expired => {
                let refusal = expired(&payout);
                refuse(&before, payout, out, refusal)
            }
            _ => {
                let refusal = wrong_state(&payout, "not executed yet");
                refuse(&before, payout, out, refusal)
            }
        }
    }
}

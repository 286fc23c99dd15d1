//! How a payout counts in meters and holds on accounts, by its state: what it
//! gives back or takes when that changes, in the windows of its authorization.

use super::{
    account::BalanceChange,
    amount::Amount,
    change::Change,
    instant::Instant,
    limit::OnReturn,
    meter::{MeterChange, Phase},
    payout::{CountsWhile, Holding, Payout, State},
};

/// How a payout in its present state counts in a meter.
fn counting(payout: &Payout, holding: &Holding) -> Option<(Phase, Amount)> {
    let state = payout.state;
    let counted = match &holding.counts {
        CountsWhile::Always => true,
        CountsWhile::Live => state.is_live(),
        CountsWhile::InStates(states) => states.contains(&state),
    };
    if !counted {
        return None;
    }
    let phase = match &holding.counts {
        CountsWhile::Always => Phase::Used,
        _ => phase(payout),
    };
    let quantity =
        if holding.adds_amount { gross(payout, holding) } else { count(payout, holding) };
    quantity.is_positive().then_some((phase, quantity))
}

fn phase(payout: &Payout) -> Phase {
    match payout.state {
        State::PendingApproval | State::Authorized => {
            payout.expire_time.map_or(Phase::Held, Phase::Expiring)
        }
        State::Processing => Phase::Held,
        _ => Phase::Used,
    }
}

/// What it counts for: what was authorized until it is known what was paid.
fn gross(payout: &Payout, holding: &Holding) -> Amount {
    let fee = payout.amount.minus(payout.net_amount);
    let paid = payout.settled.map_or(payout.amount, |settled| settled.plus(fee));
    match (holding.on_return, payout.returned) {
        (OnReturn::Restore, Some(returned)) => paid.minus(returned).or_zero(),
        _ => paid,
    }
}

fn count(payout: &Payout, holding: &Holding) -> Amount {
    let restored = holding.on_return == OnReturn::Restore && payout.state == State::Returned;
    if restored { Amount::ZERO } else { Amount::ONE }
}

/// Brings meters and accounts in line with the payout's present state.
pub fn place(payout: &mut Payout, now: Instant, changes: &mut Vec<Change>) {
    let counts: Vec<Option<(Phase, Amount)>> =
        payout.holdings.iter().map(|holding| counting(payout, holding)).collect();
    for (holding, after) in payout.holdings.iter_mut().zip(counts) {
        if holding.now == after {
            continue;
        }
        changes.push(Change::Meter(MeterChange {
            key: holding.key.clone(),
            shape: holding.shape,
            payout: payout.name.payout.clone(),
            at: payout.create_time,
            amount: payout.amount,
            before: holding.now,
            after,
            forget_until: holding.rolling.map(|length| now.minus(length)),
        }));
        holding.now = after;
    }
    let held = match payout.state {
        state if state.is_pending() || state == State::Processing => Some(phase(payout)),
        _ => None,
    };
    for drawn in &mut payout.draws {
        let after = held.map(|phase| (phase, drawn.amount));
        if drawn.now != after {
            changes.push(Change::Balance(BalanceChange {
                account: drawn.account.clone(),
                credit: Amount::ZERO,
                movement: false,
                before: drawn.now,
                after,
            }));
            drawn.now = after;
        }
    }
}

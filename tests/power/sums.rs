//! A second opinion on meters and balances: added up from what is listed of
//! payouts, movements and freezes, by what the policy says, to the fen.

use std::collections::BTreeSet;

use bursar::proto::v1::{LimitUsage, Movement, Payout, PayoutState, movement};

use crate::{
    check::{Violation, same},
    gather::{Held, Usage, at},
    trial::{fen, fen_of},
};

/// Used and held.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Taken {
    used: i64,
    held: i64,
}

/// What a limit counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Count,
    Attempts,
    /// Given back when all of it came back.
    CountRestored,
    Amount,
    /// Less what came back.
    AmountRestored,
}

/// The limits of the policy: which payouts they are about besides those of the
/// shop and the programme, and what they count.
const LIMITS: [(&str, What); 7] = [
    ("order-count", What::Count),
    ("order-attempts", What::Attempts),
    ("order-total", What::AmountRestored),
    ("order-week", What::CountRestored),
    ("operator-daily", What::AmountRestored),
    ("shop-daily", What::AmountRestored),
    ("shop-total", What::Amount),
];

impl Taken {
    fn add(&mut self, payout: &Payout, what: What) {
        use PayoutState::{Authorized, Processing, Returned, Succeeded};
        let returned = fen(payout.returned_amount.as_ref());
        let paid = payout.settled_amount.as_ref().or(payout.amount.as_ref());
        let quantity = match what {
            What::Attempts => {
                self.used += 1;
                return;
            }
            What::Count => 1,
            What::CountRestored => i64::from(payout.state() != Returned),
            What::Amount => fen(paid),
            What::AmountRestored => fen(paid) - returned,
        };
        match payout.state() {
            Authorized | Processing => self.held += quantity,
            Succeeded | Returned => self.used += quantity,
            _ => {}
        }
    }
}

/// Whether everything of a shop fits together.
pub fn check(held: &Held) -> Result<(), Violation> {
    let Held { shop, payouts, .. } = held;
    let names: BTreeSet<&String> = payouts.iter().map(|payout| &payout.name).collect();
    same(format!("payouts of {shop} that are listed once"), names.len(), payouts.len())?;
    let requests: BTreeSet<&String> = payouts.iter().map(|payout| &payout.request_id).collect();
    same(format!("requests of {shop} that hold once"), requests.len(), payouts.len())?;
    account(held)?;
    held.usage.iter().try_for_each(|usage| limits(usage, payouts))
}

fn account(held: &Held) -> Result<(), Violation> {
    let Held { shop, payouts, movements, account, freezes, .. } = held;
    let references: BTreeSet<&String> = movements.iter().map(|m| &m.reference).collect();
    same(format!("movements of {shop} that count once"), references.len(), movements.len())?;
    let moved: i64 = movements.iter().map(signed).sum();
    let paid: i64 = payouts.iter().map(|p| fen(p.settled_amount.as_ref())).sum();
    let returned: i64 = payouts.iter().map(|p| fen(p.returned_amount.as_ref())).sum();
    let balance = moved - paid + returned;
    same(format!("the balance of {shop}"), fen_of(&account.balance), balance)?;
    let holds = payouts.iter().filter(|payout| {
        matches!(payout.state(), PayoutState::Authorized | PayoutState::Processing)
    });
    let holds: i64 = holds.map(|payout| fen(payout.amount.as_ref())).sum();
    same(format!("the holds of {shop}"), fen_of(&account.held), holds)?;
    let frozen: i64 = freezes.iter().map(|freeze| fen(freeze.amount.as_ref())).sum();
    same(format!("what is frozen of {shop}"), fen_of(&account.frozen), frozen)?;
    let available = (balance - holds - frozen).max(0);
    same(format!("what is available of {shop}"), fen_of(&account.available), available)
}

fn signed(movement: &Movement) -> i64 {
    match movement.direction() {
        movement::Direction::Debit => -fen(movement.amount.as_ref()),
        _ => fen(movement.amount.as_ref()),
    }
}

fn limits(usage: &Usage, payouts: &[Payout]) -> Result<(), Violation> {
    let Usage { programme, order, operator, limits } = usage;
    let name = programme.name();
    let is_about = |payout: &&Payout, rule: &str| {
        let fits = match rule.split('-').next() {
            Some("order") => payout.order == *order,
            Some("operator") => payout.operator == *operator,
            _ => true,
        };
        payout.programme == name && fits
    };
    for (rule, what) in LIMITS {
        let shown = match (limits.get(rule), rule.split('-').next()) {
            (Some(shown), _) => shown,
            (None, Some("order")) if order.is_empty() => continue,
            (None, Some("operator")) if operator.is_empty() => continue,
            (None, _) => return Err(Violation(format!("{name} does not show {rule}"))),
        };
        // A payout stays in the windows of its authorization.
        let start = at(shown.window_start_time.as_ref());
        let is_in = |payout: &&Payout| {
            !rule.ends_with("-daily") || at(payout.create_time.as_ref()) >= start
        };
        let mut taken = Taken::default();
        let counted = payouts.iter().filter(|payout| is_about(payout, rule)).filter(is_in);
        counted.for_each(|payout| taken.add(payout, what));
        let subject = format!("{rule} of {name} {order}{operator}");
        same(subject, numbers(shown)?, taken)?;
    }
    Ok(())
}

fn numbers(shown: &LimitUsage) -> Result<Taken, Violation> {
    if shown.unit != "count" {
        return Ok(Taken { used: fen_of(&shown.used), held: fen_of(&shown.held) });
    }
    let count = |text: &str| text.parse().map_err(|_| Violation(format!("{text} is no count")));
    Ok(Taken { used: count(&shown.used)?, held: count(&shown.held)? })
}

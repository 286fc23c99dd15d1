//! A second opinion: decides by reading the policy as it was written, and by
//! going through all payouts for every number. Slow and obvious; shares
//! nothing with the code under test but the generated messages.

pub mod books;
mod facts;
mod window;

use std::collections::BTreeMap;

use bursar::proto::v1::{self, Comparison as Op, Counts, OnReturn, PayoutState, Quantity};
use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;

use books::{Ask, Books, Payout, Plain};

/// Values of the policy's facts, by name.
pub type Values = BTreeMap<String, Option<Plain>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub rule: String,
    pub variant: Option<String>,
    pub warns: bool,
    pub numbers: Option<Numbers>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Draws have none.
    pub used: Option<Decimal>,
    pub held: Decimal,
    pub remaining: Decimal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    Refused(String),
    Decided { denied: bool, found: Vec<Found> },
}

/// What a limit or measure counts.
#[derive(Clone, Copy)]
pub struct Counted<'a> {
    pub id: &'a str,
    pub quantity: Quantity,
    pub window: &'a v1::Window,
    pub counts: Counts,
    pub states: &'a [i32],
    pub on_return: OnReturn,
    pub scope: &'a [String],
    pub when: Option<&'a v1::Predicate>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    pub used: Decimal,
    pub held: Decimal,
    pub entries: usize,
}

pub fn of_limit(limit: &v1::Limit) -> Counted<'_> {
    Counted {
        id: &limit.id,
        quantity: limit.quantity(),
        window: limit.window.as_ref().expect("a window"),
        counts: limit.counts(),
        states: &limit.states,
        on_return: limit.on_return(),
        scope: &limit.scope,
        when: limit.when.as_ref(),
    }
}

pub fn of_measure(measure: &v1::Measure) -> Counted<'_> {
    Counted {
        id: &measure.id,
        quantity: measure.quantity(),
        window: measure.window.as_ref().expect("a window"),
        counts: measure.counts(),
        states: &measure.states,
        on_return: measure.on_return(),
        scope: &measure.scope,
        when: measure.when.as_ref(),
    }
}

/// Everything an evaluation looks at.
pub struct View<'a> {
    pub policy: &'a v1::Policy,
    pub books: &'a Books,
    pub values: Values,
    pub now: Timestamp,
    pub zone: TimeZone,
}

pub fn zone(policy: &v1::Policy) -> TimeZone {
    TimeZone::get(&policy.time_zone).expect("a zone")
}

impl<'a> View<'a> {
    /// Facts come first; what is wrong with them refuses the call.
    pub fn new(
        policy: &'a v1::Policy,
        books: &'a Books,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Self, String> {
        let values = facts::gather(policy, books, ask, now)?;
        Ok(Self { policy, books, values, now, zone: zone(policy) })
    }

    fn fact(&self, name: &str) -> Option<&Plain> {
        self.values.get(name).and_then(Option::as_ref)
    }

    fn scope(&self, names: &[String]) -> Vec<Option<Plain>> {
        names.iter().map(|name| self.fact(name).cloned()).collect()
    }

    /// What counts now, by going through every payout.
    pub fn count(&self, counted: &Counted<'_>) -> Use {
        let scope = self.scope(counted.scope);
        let mut total = Use::default();
        for payout in &self.books.payouts {
            if payout.counts_in.get(counted.id) != Some(&scope)
                || !window::has(counted.window, payout.made(), self.now, &self.zone)
            {
                continue;
            }
            let (held, quantity) = self.part(counted, payout);
            if quantity > Decimal::ZERO {
                total.entries += 1;
                *(if held { &mut total.held } else { &mut total.used }) += quantity;
            }
        }
        total
    }

    /// What a limit would have counted by now, had it always been there; `None`
    /// if it looks at what is not kept of payouts.
    pub fn had_it_always_been(&self, limit: &v1::Limit) -> Option<Decimal> {
        if limit.when.as_ref().is_some_and(reads_measure) {
            return None;
        }
        let counted = of_limit(limit);
        let (scope, own) = (self.scope(counted.scope), BTreeMap::new());
        let concerns = |payout: &&Payout| {
            let (values, now) = (payout.values.clone(), payout.made());
            let then = View { values, now, zone: self.zone.clone(), ..*self };
            then.holds(counted.when, &own)
                && then.scope(counted.scope) == scope
                && window::has(counted.window, now, self.now, &self.zone)
        };
        let payouts = self.books.payouts.iter().filter(concerns);
        Some(payouts.map(|payout| self.part(&counted, payout).1).sum())
    }

    /// Whether it is held only, and how much it counts for.
    fn part(&self, counted: &Counted<'_>, payout: &Payout) -> (bool, Decimal) {
        use PayoutState::{Authorized, PendingApproval, Processing, Returned, Succeeded};
        let state = payout.state(self.now);
        let under_way = matches!(state, PendingApproval | Authorized | Processing);
        let counts = match counted.counts {
            Counts::Attempts => true,
            Counts::InStates => counted.states.contains(&(state as i32)),
            _ => under_way || matches!(state, Succeeded | Returned),
        };
        let restores = counted.on_return == OnReturn::Restore;
        let quantity = match counted.quantity {
            Quantity::Count if restores && state == Returned => Decimal::ZERO,
            Quantity::Count => Decimal::ONE,
            _ if restores => payout.settled().unwrap_or(payout.amount) - payout.returned(),
            _ => payout.settled().unwrap_or(payout.amount),
        };
        let held = under_way && counted.counts != Counts::Attempts;
        (held, if counts { quantity } else { Decimal::ZERO })
    }

    fn measure(&self, id: &str) -> Option<Decimal> {
        let measure = self.policy.measures.iter().find(|m| m.id == id)?;
        let counted = self.count(&of_measure(measure));
        Some(counted.used + counted.held)
    }

    /// A number with its factor.
    pub fn operand(&self, wire: &v1::Operand, own: &BTreeMap<&str, Decimal>) -> Option<Decimal> {
        let number = if !wire.value.is_empty() {
            wire.value.parse().ok()
        } else if !wire.fact.is_empty() {
            match self.fact(&wire.fact)? {
                Plain::Number(number) => Some(*number),
                _ => None,
            }
        } else if !wire.measure.is_empty() {
            self.measure(&wire.measure)
        } else {
            own.get(&*wire.number).copied()
        };
        Some(number? * factor(&wire.factor))
    }

    pub fn holds(&self, wire: Option<&v1::Predicate>, own: &BTreeMap<&str, Decimal>) -> bool {
        let Some(wire) = wire else { return true };
        let part = |p: &v1::Predicate| self.holds(Some(p), own);
        if !wire.all.is_empty() {
            return wire.all.iter().all(part);
        }
        if !wire.any.is_empty() {
            return wire.any.iter().any(part);
        }
        if !wire.none.is_empty() {
            return !wire.none.iter().any(part);
        }
        let left = if !wire.fact.is_empty() {
            self.fact(&wire.fact).cloned()
        } else if !wire.measure.is_empty() {
            self.measure(&wire.measure).map(Plain::Number)
        } else {
            own.get(&*wire.number).copied().map(Plain::Number)
        };
        match (wire.op(), left) {
            (Op::Present, left) => left.is_some(),
            (Op::Absent, left) => left.is_none(),
            (_, None) => false,
            (_, Some(left)) => self.compares(wire, &left, own),
        }
    }

    fn compares(&self, wire: &v1::Predicate, left: &Plain, own: &BTreeMap<&str, Decimal>) -> bool {
        let today = |at: Timestamp| at.to_zoned(self.zone.clone()).date();
        match (wire.op(), left) {
            (Op::Contains, Plain::List(all)) => all.contains(&wire.value),
            (Op::In | Op::NotIn, _) => {
                let inside = match &wire.other {
                    Some(other) => match (self.fact(&other.fact), left) {
                        (Some(Plain::List(all)), Plain::Text(text)) => all.contains(text),
                        _ => return false,
                    },
                    None => wire.values.iter().any(|v| literal(left, v).as_ref() == Some(left)),
                };
                inside == (wire.op() == Op::In)
            }
            (Op::WithinMonths, Plain::Time(at)) => {
                window::months_back(today(self.now), wire.value.parse().unwrap()) <= today(*at)
            }
            (Op::WithinDays, Plain::Time(at)) => {
                window::days_between(today(*at), today(self.now)) <= wire.value.parse().unwrap()
            }
            (op, Plain::Number(left)) => {
                let right = match &wire.other {
                    Some(other) => self.operand(other, own),
                    None => wire.value.parse().ok(),
                };
                right.is_some_and(|right| ordered(op, left * factor(&wire.factor), right))
            }
            (op, left) => {
                let right = match &wire.other {
                    Some(other) => self.fact(&other.fact).cloned(),
                    None => literal(left, &wire.value),
                };
                match (left, right) {
                    (Plain::Time(a), Some(Plain::Time(b))) => ordered(op, *a, b),
                    (Plain::Text(a), Some(Plain::Text(b))) => ordered(op, a.clone(), b),
                    (Plain::Bool(a), Some(Plain::Bool(b))) => ordered(op, *a, b),
                    _ => false,
                }
            }
        }
    }

    /// Limits and measures that a payout made now counts in, with the values
    /// it counts under.
    pub fn counts_in(&self) -> BTreeMap<String, Vec<Option<Plain>>> {
        let limits = self.policy.limits.iter().map(of_limit);
        let all = limits.chain(self.policy.measures.iter().map(of_measure));
        let own = BTreeMap::new();
        all.filter(|c| c.window.kind() != v1::window::Kind::Payout && self.holds(c.when, &own))
            .map(|c| (c.id.to_owned(), self.scope(c.scope)))
            .collect()
    }

    pub fn in_force(&self, effective: Option<&v1::Effective>) -> bool {
        let at = |t: &prost_types::Timestamp| {
            Timestamp::new(t.seconds, t.nanos).expect("an instant of the test's own")
        };
        effective.is_none_or(|e| {
            e.start_time.as_ref().is_none_or(|start| self.now >= at(start))
                && e.end_time.as_ref().is_none_or(|end| self.now < at(end))
        })
    }

    fn variant(&self, all: &[v1::Variant], own: &BTreeMap<&str, Decimal>) -> Option<String> {
        all.iter().find(|v| self.holds(v.when.as_ref(), own)).map(|v| v.id.clone())
    }

    /// What is asked for, in what a limit counts.
    pub fn requested(&self, limit: &v1::Limit, ask: &Ask) -> Decimal {
        if limit.quantity() == Quantity::Count { Decimal::ONE } else { ask.amount }
    }

    /// A limit's bound, if the limit concerns this request.
    pub fn binds(&self, limit: &v1::Limit) -> Option<Decimal> {
        let own = BTreeMap::new();
        let concerned =
            self.in_force(limit.effective.as_ref()) && self.holds(limit.when.as_ref(), &own);
        concerned.then(|| self.operand(limit.bound.as_ref()?, &own)).flatten()
    }

    fn limit(&self, limit: &v1::Limit, ask: &Ask) -> Option<Found> {
        let bound = self.binds(limit)?;
        let counted = of_limit(limit);
        let single = counted.window.kind() == v1::window::Kind::Payout;
        let total = if single { Use::default() } else { self.count(&counted) };
        let requested = self.requested(limit, ask);
        let full = counted.window.kind() == v1::window::Kind::Rolling
            && most_entries(limit).is_some_and(|most| total.entries >= most);
        if total.used + total.held + requested <= bound && !full {
            return None;
        }
        let decimals = if counted.quantity == Quantity::Count { 0 } else { 2 };
        let steps = bound.max(Decimal::ZERO).trunc_with_scale(decimals);
        let remaining = (steps - total.used - total.held).max(Decimal::ZERO);
        let own = BTreeMap::from([
            ("limit", steps),
            ("used", total.used),
            ("held", total.held),
            ("requested", requested),
            ("remaining", remaining),
        ]);
        Some(Found {
            rule: limit.id.clone(),
            variant: self.variant(&limit.variants, &own),
            warns: limit.on_failure() == v1::OnFailure::Warn,
            numbers: Some(Numbers { used: Some(total.used), held: total.held, remaining }),
        })
    }

    fn draw(&self, draw: &v1::Draw, ask: &Ask) -> Option<Found> {
        let (books, now) = (self.books, self.now);
        let zero_without = |n: Decimal| if books.has_account { n } else { Decimal::ZERO };
        let available = zero_without(books.available(now));
        if books.has_account && ask.amount <= available {
            return None;
        }
        let held = zero_without(books.held(now));
        let own = BTreeMap::from([
            ("balance", zero_without(books.balance())),
            ("held", held),
            ("unfrozen", zero_without(books.unfrozen(now))),
            ("available", available),
            ("requested", ask.amount),
        ]);
        Some(Found {
            rule: draw.id.clone(),
            variant: self.variant(&draw.variants, &own),
            warns: false,
            numbers: Some(Numbers { used: None, held, remaining: available }),
        })
    }

    pub fn decide(&self, ask: &Ask) -> Opinion {
        let none = BTreeMap::new();
        let mut found = Vec::new();
        for rule in &self.policy.conditions {
            let asked =
                self.in_force(rule.effective.as_ref()) && self.holds(rule.when.as_ref(), &none);
            if asked && !self.holds(rule.require.as_ref(), &none) {
                found.push(Found {
                    rule: rule.id.clone(),
                    variant: self.variant(&rule.variants, &none),
                    warns: rule.on_failure() == v1::OnFailure::Warn,
                    numbers: None,
                });
            }
        }
        found.extend(self.policy.limits.iter().filter_map(|limit| self.limit(limit, ask)));
        found.extend(self.policy.draws.iter().filter_map(|draw| self.draw(draw, ask)));
        Opinion::Decided { denied: found.iter().any(|f| !f.warns), found }
    }
}

fn reads_measure(predicate: &v1::Predicate) -> bool {
    let parts = [&predicate.all, &predicate.any, &predicate.none];
    !predicate.measure.is_empty()
        || predicate.other.as_ref().is_some_and(|other| !other.measure.is_empty())
        || parts.into_iter().flatten().any(reads_measure)
}

/// Room of a rolling window. Counts with a literal bound need none of their own.
fn most_entries(limit: &v1::Limit) -> Option<usize> {
    let literal = limit.bound.as_ref().is_some_and(|b| !b.value.is_empty());
    if limit.quantity() == Quantity::Count && literal {
        return None;
    }
    Some(if limit.max_entries == 0 { 10_000 } else { limit.max_entries as usize })
}

fn factor(text: &str) -> Decimal {
    if text.is_empty() { Decimal::ONE } else { text.parse().expect("a factor") }
}

fn ordered<T: PartialOrd>(op: Op, left: T, right: T) -> bool {
    match op {
        Op::Equal => left == right,
        Op::NotEqual => left != right,
        Op::Less => left < right,
        Op::AtMost => left <= right,
        Op::More => left > right,
        Op::AtLeast => left >= right,
        other => panic!("{other:?} is no order"),
    }
}

/// A literal of the same type as a value.
pub fn literal(like: &Plain, text: &str) -> Option<Plain> {
    Some(match like {
        Plain::Text(_) | Plain::List(_) => Plain::Text(text.to_owned()),
        Plain::Bool(_) => Plain::Bool(text.parse().ok()?),
        Plain::Number(_) => Plain::Number(text.parse().ok()?),
        Plain::Time(_) => Plain::Time(text.parse().ok()?),
    })
}

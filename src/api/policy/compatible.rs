//! Whether meters may go on under their ids when a revision replaces another.
//! A meter belongs to the id of a limit or measure: what it counts must mean
//! the same, whatever facts are called and wherever they are declared. Bounds,
//! texts, stages and what a return gives back may change freely.

use crate::domain::{
    condition::{Check, Left, Operand, Predicate, Right, Source, Test},
    limit::{Counting, Counts, Quantity},
    payout::State,
    policy::Policy,
    window::Window,
};

use super::{
    path::Path,
    problem::{PolicyReason::LimitChangedUnderOldId, Problem},
};

/// Something that has meters.
struct Metered<'a> {
    at: Path,
    id: &'a str,
    when: &'a Predicate,
    counting: &'a Counting,
}

/// What counts something else than before under an id that it kept.
pub fn compatible(old: &Policy, new: &Policy) -> Vec<Problem> {
    let before = metered(old);
    let policies = Policies { old, new };
    let mut problems = Vec::new();
    for after in metered(new) {
        let Some(before) = before.iter().find(|b| b.id == after.id) else { continue };
        for (field, what) in policies.changes(before, &after) {
            let field =
                if OF_POLICY.contains(&field) { Path::of(field) } else { after.at.field(field) };
            problems.push(Problem {
                field: field.to_string(),
                reason: LimitChangedUnderOldId,
                description: format!("`{}` {what}: give it a new id", after.id),
            });
        }
    }
    problems
}

/// Fields that are the policy's own.
const OF_POLICY: [&str; 2] = ["time_zone", "currency"];

fn metered(policy: &Policy) -> Vec<Metered<'_>> {
    let measures = policy.measures.iter().enumerate().map(|(i, m)| Metered {
        at: Path::of("measures").at(i),
        id: &m.id,
        when: &m.when,
        counting: &m.counting,
    });
    let limits = policy.limits.iter().enumerate().map(|(i, l)| Metered {
        at: Path::of("limits").at(i),
        id: &l.rule.id,
        when: &l.rule.when,
        counting: &l.counting,
    });
    measures.chain(limits).collect()
}

struct Policies<'a> {
    old: &'a Policy,
    new: &'a Policy,
}

impl Policies<'_> {
    fn changes(&self, old: &Metered<'_>, new: &Metered<'_>) -> Vec<(&'static str, &'static str)> {
        let (a, b) = (old.counting, new.counting);
        if a.window == Window::Payout && b.window == Window::Payout {
            // One payout by itself has no meter.
            return Vec::new();
        }
        let calendar =
            matches!(a.window, Window::Day | Window::Week(_) | Window::Months(_) | Window::Year);
        let zone = self.old.zone_name != self.new.zone_name && (calendar || dated(old.when));
        let currency = self.old.currency != self.new.currency && a.quantity == Quantity::Amount;
        let scope = !self.same_scope(a, b);
        let when = !self.same(old.when, new.when);
        [
            (scope, "scope", "is counted over something else"),
            (a.quantity != b.quantity, "quantity", "adds up something else"),
            (a.window != b.window, "window", "covers another time"),
            (!same_counts(&a.counts, &b.counts), "counts", "counts other payouts"),
            (when, "when", "counts only other payouts"),
            (zone, "time_zone", "has its days in another zone"),
            (currency, "currency", "adds up another currency"),
        ]
        .into_iter()
        .filter_map(|(changed, field, what)| changed.then_some((field, what)))
        .collect()
    }

    /// The order matters: it is the order of the meter's key.
    fn same_scope(&self, old: &Counting, new: &Counting) -> bool {
        old.by_amount == new.by_amount
            && old.scope.len() == new.scope.len()
            && old.scope.iter().zip(&new.scope).all(|(a, b)| self.same_fact(*a, *b))
    }

    fn same_fact(&self, old: usize, new: usize) -> bool {
        match (self.old.facts.get(old), self.new.facts.get(new)) {
            // Whose word counts decides whether a fact is there at all.
            (Some(a), Some(b)) => {
                a.origin == b.origin && a.kind == b.kind && a.asserted_by == b.asserted_by
            }
            _ => false,
        }
    }

    fn same_measure(&self, old: usize, new: usize) -> bool {
        match (self.old.measures.get(old), self.new.measures.get(new)) {
            (Some(a), Some(b)) => a.id == b.id,
            _ => false,
        }
    }

    /// The same condition, in whatever order its parts are written.
    fn same(&self, old: &Predicate, new: &Predicate) -> bool {
        match (old, new) {
            (Predicate::All(a), Predicate::All(b))
            | (Predicate::Any(a), Predicate::Any(b))
            | (Predicate::Nothing(a), Predicate::Nothing(b)) => {
                same_set(a, b, |a, b| self.same(a, b))
            }
            (Predicate::Test(a), Predicate::Test(b)) => self.same_test(a, b),
            _ => false,
        }
    }

    fn same_test(&self, old: &Test, new: &Test) -> bool {
        let left = match (old.left, new.left) {
            (Left::Fact(a), Left::Fact(b)) => self.same_fact(a, b),
            (Left::Measure(a), Left::Measure(b)) => self.same_measure(a, b),
            (a, b) => a == b,
        };
        left && old.factor == new.factor
            && match (&old.check, &new.check) {
                (Check::OneOf(a, old), Check::OneOf(b, new)) => {
                    a == b && same_set(old, new, PartialEq::eq)
                }
                (Check::OneOfFact(a, old), Check::OneOfFact(b, new)) => {
                    a == b && self.same_fact(*old, *new)
                }
                (Check::Compare(a, old), Check::Compare(b, new)) => {
                    a == b && self.same_right(old, new)
                }
                (a, b) => a == b,
            }
    }

    fn same_right(&self, old: &Right, new: &Right) -> bool {
        match (old, new) {
            (Right::Operand(a), Right::Operand(b)) => self.same_operand(a, b),
            (a, b) => a == b,
        }
    }

    fn same_operand(&self, old: &Operand, new: &Operand) -> bool {
        old.factor == new.factor
            && match (old.of, new.of) {
                (Source::Fact(a), Source::Fact(b)) => self.same_fact(a, b),
                (Source::Measure(a), Source::Measure(b)) => self.same_measure(a, b),
                (a, b) => a == b,
            }
    }
}

/// Whether a condition looks at dates, which depend on the zone.
fn dated(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::All(children) | Predicate::Any(children) | Predicate::Nothing(children) => {
            children.iter().any(dated)
        }
        Predicate::Test(test) => {
            matches!(test.check, Check::WithinMonths(_) | Check::WithinDays(_))
        }
    }
}

fn same_counts(old: &Counts, new: &Counts) -> bool {
    match (old, new) {
        (Counts::InStates(a), Counts::InStates(b)) => same_set(a, b, |a: &State, b| a == b),
        (a, b) => a == b,
    }
}

/// Whether each of one has its own counterpart in the other.
fn same_set<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    let mut rest: Vec<&T> = b.iter().collect();
    a.len() == b.len()
        && a.iter().all(|a| {
            let found = rest.iter().position(|b| same(a, b));
            found.map(|position| rest.swap_remove(position)).is_some()
        })
}

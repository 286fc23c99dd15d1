//! When a finding would be gone by waiting alone: the first of finitely many
//! instants at which anything the rule looks at changes by itself, and at
//! which the rule no longer fails. Never at or after the instant at which
//! another revision comes into force.

use jiff::{ToSpan, tz::TimeZone};

use super::evaluate::Situation;
use crate::domain::{
    condition::{Check, Left, Predicate, Right, Source, Test},
    decision::{Funds, Reading},
    instant::Instant,
    limit::{Condition, Draw, Limit, Rule},
    policy::{Field, Origin},
    value::Value,
};

/// For a condition.
pub fn of_condition(
    situation: &Situation<'_>,
    condition: &Condition,
    gone: impl Fn(&Situation<'_>) -> bool,
) -> Option<Instant> {
    let mut instants = common(situation, &condition.rule);
    predicate(situation, &condition.require, &mut instants);
    first(situation, instants, gone)
}

/// For a limit.
pub fn of_limit(
    situation: &Situation<'_>,
    limit: &Limit,
    reading: Option<&Reading>,
    gone: impl Fn(&Situation<'_>) -> bool,
) -> Option<Instant> {
    let mut instants = common(situation, &limit.rule);
    instants.extend(reading.into_iter().flat_map(|r| r.relief.iter().map(|(at, _)| *at)));
    first(situation, instants, gone)
}

/// For a draw.
pub fn of_draw(
    situation: &Situation<'_>,
    draw: &Draw,
    funds: Option<&Funds>,
    gone: impl Fn(&Situation<'_>) -> bool,
) -> Option<Instant> {
    let mut instants = common(situation, &draw.rule);
    instants.extend(funds.into_iter().flat_map(|f| f.relief.iter().map(|(at, _)| *at)));
    first(situation, instants, gone)
}

/// What every rule changes with: its dates, its `when`, facts that change.
fn common(situation: &Situation<'_>, rule: &Rule) -> Vec<Instant> {
    let mut instants: Vec<Instant> = rule.effective.1.into_iter().collect();
    instants.extend(situation.inputs.fact_changes.iter().map(|(at, _, _)| *at));
    predicate(situation, &rule.when, &mut instants);
    instants
}

fn first(
    situation: &Situation<'_>,
    mut instants: Vec<Instant>,
    gone: impl Fn(&Situation<'_>) -> bool,
) -> Option<Instant> {
    // From the next revision on other rules hold, which this one does not know.
    let inputs = situation.inputs;
    instants.retain(|at| *at > inputs.now && inputs.next_revision.is_none_or(|next| *at < next));
    instants.sort_unstable();
    instants.dedup();
    instants.into_iter().find(|at| gone(&situation.at(*at)))
}

/// The instants at which a condition may change by itself.
fn predicate(situation: &Situation<'_>, predicate_: &Predicate, into: &mut Vec<Instant>) {
    match predicate_ {
        Predicate::All(parts) | Predicate::Any(parts) | Predicate::Nothing(parts) => {
            parts.iter().for_each(|part| predicate(situation, part, into));
        }
        Predicate::Test(test) => of_test(situation, test, into),
    }
}

fn of_test(situation: &Situation<'_>, test: &Test, into: &mut Vec<Instant>) {
    let mut measure = |index: usize| {
        let reading = situation.inputs.measures.get(index).and_then(Option::as_ref);
        into.extend(reading.into_iter().flat_map(|r| r.relief.iter().map(|(at, _)| *at)));
    };
    if let Left::Measure(index) = test.left {
        measure(index);
    }
    if let Check::Compare(_, Right::Operand(operand)) = &test.check
        && let Source::Measure(index) = operand.of
    {
        measure(index);
    }
    let Left::Fact(index) = test.left else { return };
    let is_now = |i: usize| {
        let fact = situation.policy.facts.get(i);
        fact.is_some_and(|f| f.origin == Origin::Field(Field::Time))
    };
    match (&test.check, situation.fact(index).as_deref()) {
        (Check::WithinDays(days), Some(Value::Time(time))) => {
            leaves(*time, i64::from(*days).days(), &situation.policy.zone, into);
        }
        (Check::WithinMonths(months), Some(Value::Time(time))) => {
            leaves(*time, i64::from(*months).months(), &situation.policy.zone, into);
        }
        (Check::OneOf(_, values), Some(Value::Time(_))) if is_now(index) => {
            for value in values {
                if let Value::Time(literal) = value {
                    around(*literal, into);
                }
            }
        }
        (Check::Compare(_, right), Some(Value::Time(time))) => {
            // One side may be the decision's own time: around the other one it turns.
            match right {
                Right::Literal(Value::Time(literal)) if is_now(index) => around(*literal, into),
                Right::Operand(operand) => {
                    if let Source::Fact(other) = operand.of
                        && let Some(Value::Time(other_time)) = situation.fact(other).as_deref()
                    {
                        around(*if is_now(index) { other_time } else { time }, into);
                    }
                }
                Right::Literal(_) => {}
            }
        }
        _ => {}
    }
}

fn around(instant: Instant, into: &mut Vec<Instant>) {
    into.push(instant);
    into.push(instant.plus(std::time::Duration::from_nanos(1)));
}

/// Midnights around the day on which a date is no longer within a span; month
/// ends clamp, so the exact one is found by trying.
fn leaves(time: Instant, span: jiff::Span, zone: &TimeZone, into: &mut Vec<Instant>) {
    let date = time.0.to_zoned(zone.clone()).date();
    for extra in 0..=4_i64 {
        let day = date.checked_add(span).and_then(|d| d.checked_add(extra.days()));
        let start = day.and_then(|d| d.to_zoned(zone.clone())).and_then(|z| z.start_of_day());
        if let Ok(start) = start {
            into.push(Instant(start.timestamp()));
        }
    }
}

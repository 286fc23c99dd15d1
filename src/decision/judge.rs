//! Judges inputs against a policy: the column of rules in the policy's order.
//! Pure; the same inputs give the same verdict, live, replayed or read back.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    evaluate::{OwnNumbers, Situation},
    largest, looked_at, reset,
    view::View,
};
use crate::domain::{
    amount::{Amount, Factor},
    condition::Source,
    decision::{Answer, Funds, Inputs, Reading, Verdict},
    finding::{Finding, Numbers, Outcome, Unit},
    instant::Instant,
    layout::{Known, KnownLimit},
    limit::{Condition, Draw, Limit, OnFailure, Quantity, Rule},
    policy::Policy,
    text::Text,
    window::Window,
};

/// How much of a verdict is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Also list what passed.
    pub passes: bool,
    /// When to work out the largest amount.
    pub largest: Largest,
}

/// When the largest amount is worked out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Largest {
    /// Not at all.
    Never,
    /// If the answer is not ALLOW.
    UnlessAllowed,
    /// Always.
    Always,
}

/// Later instants that a decision is recorded with in any case: looking which
/// it rests on costs as much as judging.
const FUTURE_KEPT_WHOLE: usize = 4;

/// What one rule says about a situation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ruling {
    /// It is not asked here.
    Silent,
    /// It holds.
    Holds,
    /// It does not hold.
    Fails,
}

/// Judges inputs.
pub fn judge(policy: &Policy, inputs: &Inputs, wanted: Wanted) -> Verdict {
    judge_rest(policy, inputs, wanted, &Known::default())
}

/// The same, where something is known of rules.
pub fn judge_rest(policy: &Policy, inputs: &Inputs, wanted: Wanted, known: &Known) -> Verdict {
    let situation = Situation::new(policy, inputs);
    let mut findings = Vec::new();
    for (index, condition) in policy.conditions.iter().enumerate() {
        if known.holds.get(index) == Some(&true) {
            continue;
        }
        let ruling = of_condition(&situation, condition);
        if let Some(outcome) = listed(ruling, &condition.rule, wanted) {
            findings.push(condition_finding(&situation, condition, outcome));
        }
    }
    for (index, limit) in policy.limits.iter().enumerate() {
        let ruling = match known.limits.get(index) {
            Some(known) => within(&situation, index, limit, known_bound(&situation, limit, *known)),
            None => of_limit(&situation, index, limit),
        };
        if let Some(outcome) = listed(ruling, &limit.rule, wanted) {
            findings.push(limit_finding(&situation, index, limit, outcome));
        }
    }
    for (index, draw) in policy.draws.iter().enumerate() {
        let ruling = of_draw(&situation, index, draw);
        if let Some(outcome) = listed(ruling, &draw.rule, wanted) {
            findings.push(draw_finding(&situation, index, draw, outcome));
        }
    }
    let answer = findings.iter().fold(Answer::Allow, |answer, f| answer.max(answered(f.outcome)));
    let works_it_out = wanted.largest == Largest::Always
        || wanted.largest == Largest::UnlessAllowed && answer != Answer::Allow;
    let (max_amount, max_amount_unreviewed) = if works_it_out {
        let (any, unreviewed) = largest::amounts(&situation);
        (Some(any), Some(unreviewed))
    } else {
        (None, None)
    };
    Verdict { answer, findings, max_amount, max_amount_unreviewed }
}

/// Whether everything passes that is seen and where nothing is full, without a
/// warning; `total` is what a limit has in use, `available` what a draw may take of
/// an account that is there.
pub(super) fn all_pass(
    view: &impl View,
    known: &Known,
    total: impl Fn(usize) -> Option<Amount>,
    available: impl Fn(usize) -> Option<Amount>,
) -> bool {
    let policy = view.policy();
    let in_force = |rule: &Rule| rule.stages.has(view.stage()) && in_force(rule, view.instant());
    let holds = |(index, applies): &(usize, bool)| {
        let Some(Condition { rule, require }) = policy.conditions.get(*index) else {
            return false;
        };
        !in_force(rule) || !(*applies || view.holds(&rule.when)) || view.holds(require)
    };
    let within = |(index, limit): (usize, &Limit)| {
        let Some(known) = known.limits.get(index) else { return false };
        known_bound(view, limit, *known).is_none_or(|bound| {
            total(index).is_some_and(|total| total.plus(requested(view, limit)) <= bound)
        })
    };
    let covered = |(index, draw): (usize, &Draw)| {
        !asked(view, &draw.rule)
            || available(index).is_some_and(|available| view.requested() <= available)
    };
    known.holds.len() == policy.conditions.len()
        && known.open.iter().all(holds)
        && policy.limits.iter().enumerate().all(within)
        && policy.draws.iter().enumerate().all(covered)
}

/// The inputs without those parts of the future that the verdict does not rest
/// on: of a shop with thousands of holds a decision would carry each one's end.
pub fn needed(policy: &Policy, inputs: Inputs, verdict: &Verdict, wanted: Wanted) -> Inputs {
    let readings = inputs.limits.iter().chain(&inputs.measures).flatten().map(|r| r.relief.len());
    let funds = inputs.funds.iter().map(|f| f.relief.len());
    if readings.chain(funds).sum::<usize>() <= FUTURE_KEPT_WHOLE {
        return inputs;
    }
    let resets: BTreeSet<Instant> = verdict.findings.iter().filter_map(|f| f.reset_time).collect();
    let mut less = inputs.clone();
    let readings = less.limits.iter_mut().chain(&mut less.measures).flatten();
    readings.for_each(|reading| standing_at(&resets, &mut reading.relief));
    less.funds.iter_mut().for_each(|funds| standing_at(&resets, &mut funds.relief));
    // What was dropped may have mattered where a rule does not only get easier.
    if judge(policy, &less, wanted) == *verdict { less } else { inputs }
}

/// Keeps of what changes later what stands at one of these instants.
fn standing_at(instants: &BTreeSet<Instant>, relief: &mut Vec<(Instant, Amount)>) {
    let standing: BTreeSet<Instant> = instants
        .iter()
        .filter_map(|at| relief.partition_point(|(when, _)| when <= at).checked_sub(1))
        .filter_map(|last| relief.get(last).map(|(when, _)| *when))
        .collect();
    relief.retain(|(when, _)| standing.contains(when));
}

/// What is known of rules by configured facts, which are in these inputs.
pub fn known(policy: &Policy, inputs: &Inputs) -> Known {
    let situation = Situation::new(policy, inputs);
    let looks = looked_at::looks(policy);
    let holds = |Condition { rule, require }: &Condition| {
        let stands = looks.stands(&rule.when) && looks.stands(require);
        stands && (!situation.holds(&rule.when) || situation.holds(require))
    };
    let limit = |limit: &Limit| {
        let when = &limit.rule.when;
        let is_bound = match limit.bound.of {
            Source::Literal(_) => true,
            Source::Fact(index) => !looks.varies(index),
            Source::Measure(_) | Source::Number(_) => false,
        };
        KnownLimit {
            applies: looks.stands(when).then(|| situation.holds(when)),
            bound: is_bound.then(|| bound(&situation, limit)),
        }
    };
    let applies = |rule: &Rule| looks.stands(&rule.when) && situation.holds(&rule.when);
    let holds: Vec<bool> = policy.conditions.iter().map(holds).collect();
    let open = policy.conditions.iter().zip(&holds).enumerate();
    let open = open.filter(|(_, (_, holds))| !**holds);
    Known {
        open: open.map(|(index, (it, _))| (index, applies(&it.rule))).collect(),
        holds,
        limits: policy.limits.iter().map(limit).collect(),
    }
}

/// The answer that one rule leads to.
pub(super) fn answer(ruling: Ruling, rule: &Rule) -> Answer {
    match ruling {
        Ruling::Fails => answered(failure(rule)),
        Ruling::Silent | Ruling::Holds => Answer::Allow,
    }
}

fn answered(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Pass | Outcome::Warn => Answer::Allow,
        Outcome::Review => Answer::Review,
        Outcome::Deny => Answer::Deny,
    }
}

fn failure(rule: &Rule) -> Outcome {
    match rule.on_failure {
        OnFailure::Deny => Outcome::Deny,
        OnFailure::Review => Outcome::Review,
        OnFailure::Warn => Outcome::Warn,
    }
}

fn listed(ruling: Ruling, rule: &Rule, wanted: Wanted) -> Option<Outcome> {
    match ruling {
        Ruling::Silent => None,
        Ruling::Holds => wanted.passes.then_some(Outcome::Pass),
        Ruling::Fails => Some(failure(rule)),
    }
}

/// Whether a rule is in force at an instant. The stage and the dates are the
/// authorization's; only `reset` asks about later ones.
fn in_force(rule: &Rule, at: Instant) -> bool {
    let (from, until) = rule.effective;
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}

pub(super) fn asked(view: &impl View, rule: &Rule) -> bool {
    rule.stages.has(view.stage()) && in_force(rule, view.instant()) && view.holds(&rule.when)
}

pub(super) fn of_condition(view: &impl View, condition: &Condition) -> Ruling {
    if !asked(view, &condition.rule) {
        Ruling::Silent
    } else if view.holds(&condition.require) {
        Ruling::Holds
    } else {
        Ruling::Fails
    }
}

/// A limit's bound in steps of its unit. Use and requests are whole steps, so
/// comparing with the floor is comparing exactly.
pub(super) fn bound(view: &impl View, limit: &Limit) -> Option<Amount> {
    let (amount, factor) = view.operand(&limit.bound)?;
    let decimals = decimals(view.policy(), limit.counting.quantity);
    Some(
        amount
            .floor_of(factor, Factor::ONE, decimals)
            .expect("bounds and factors are bounded")
            .or_zero(),
    )
}

fn decimals(policy: &Policy, quantity: Quantity) -> u32 {
    match quantity {
        Quantity::Amount => policy.currency.decimals(),
        Quantity::Count => 0,
    }
}

fn requested(view: &impl View, limit: &Limit) -> Amount {
    match limit.counting.quantity {
        Quantity::Amount => view.requested(),
        Quantity::Count => Amount::ONE,
    }
}

/// What a limit reads where it has no meter, or its meter has no use yet.
pub(super) fn reading<'a>(
    situation: &Situation<'a>,
    index: usize,
    limit: &Limit,
) -> Option<&'a Reading> {
    if limit.counting.window == Window::Payout {
        return None;
    }
    situation.inputs.limits.get(index)?.as_ref()
}

pub(super) fn of_limit(situation: &Situation<'_>, index: usize, limit: &Limit) -> Ruling {
    let bound = if asked(situation, &limit.rule) { bound(situation, limit) } else { None };
    within(situation, index, limit, bound)
}

/// The bound of a limit that is asked here, as far as it is known beforehand; at the
/// instant of the inputs.
fn known_bound(view: &impl View, limit: &Limit, known: KnownLimit) -> Option<Amount> {
    let rule = &limit.rule;
    let applies = rule.stages.has(view.stage())
        && in_force(rule, view.instant())
        && known.applies.unwrap_or_else(|| view.holds(&rule.when));
    if applies { known.bound.unwrap_or_else(|| bound(view, limit)) } else { None }
}

/// Whether use stays within a bound, if there is one.
fn within(situation: &Situation<'_>, index: usize, limit: &Limit, bound: Option<Amount>) -> Ruling {
    let Some(bound) = bound else { return Ruling::Silent };
    let reading = reading(situation, index, limit);
    let total = reading.map_or(Amount::ZERO, |r| situation.total(r, limit.counting.by_amount));
    let full = reading.is_some_and(|r| r.full && r.room.is_none_or(|room| situation.at < room));
    if total.plus(requested(situation, limit)) <= bound && !full {
        Ruling::Holds
    } else {
        Ruling::Fails
    }
}

pub(super) fn funds<'a>(situation: &Situation<'a>, index: usize) -> Option<&'a Funds> {
    situation.inputs.funds.get(index)
}

/// What an account has available at the instant asked about.
pub(super) fn available(situation: &Situation<'_>, funds: &Funds) -> Amount {
    let later = funds.relief.partition_point(|(when, _)| *when <= situation.at);
    let relieved = later.checked_sub(1).and_then(|last| funds.relief.get(last));
    relieved.map_or_else(|| funds.position.available(), |(_, available)| *available)
}

pub(super) fn of_draw(situation: &Situation<'_>, index: usize, draw: &Draw) -> Ruling {
    if !asked(situation, &draw.rule) {
        return Ruling::Silent;
    }
    let enough = funds(situation, index)
        .is_some_and(|funds| funds.exists && situation.amount <= available(situation, funds));
    if enough { Ruling::Holds } else { Ruling::Fails }
}

fn finding(situation: &Situation<'_>, rule: &Rule, outcome: Outcome) -> Finding {
    let variant = (outcome != Outcome::Pass)
        .then(|| rule.variants.iter().find(|v| situation.holds(&v.when)))
        .flatten();
    Finding {
        rule: rule.id.clone(),
        variant: variant.map(|v| v.id.clone()),
        outcome,
        window_full: false,
        numbers: None,
        reset_time: None,
        window: None,
        scope: BTreeMap::new(),
        observed: BTreeMap::new(),
    }
}

fn condition_finding(
    situation: &Situation<'_>,
    condition: &Condition,
    outcome: Outcome,
) -> Finding {
    let mut finding = finding(situation, &condition.rule, outcome);
    situation.observed(&condition.require, &mut finding.observed);
    if outcome != Outcome::Pass {
        finding.reset_time = reset::of_condition(situation, condition, |later| {
            !matches!(of_condition(later, condition), Ruling::Fails)
        });
    }
    finding
}

fn limit_finding(
    situation: &Situation<'_>,
    index: usize,
    limit: &Limit,
    outcome: Outcome,
) -> Finding {
    let reading = reading(situation, index, limit);
    let (used, held) = match reading {
        Some(reading) if limit.counting.by_amount => {
            reading.by_amount.get(&situation.amount).copied().unwrap_or_default()
        }
        Some(reading) => (reading.used, reading.held),
        None => (Amount::ZERO, Amount::ZERO),
    };
    let bound = bound(situation, limit).unwrap_or_default();
    let numbers = Numbers {
        limit: bound,
        used: Some(used),
        held,
        requested: requested(situation, limit),
        remaining: bound.minus(used).minus(held).or_zero(),
        frozen: None,
        unit: match limit.counting.quantity {
            Quantity::Amount => Unit::Money,
            Quantity::Count => Unit::Count,
        },
    };
    let inside = situation.inside(OwnNumbers {
        limit: numbers.limit,
        used,
        held,
        requested: numbers.requested,
        remaining: numbers.remaining,
        ..OwnNumbers::default()
    });
    let mut finding = finding(&inside, &limit.rule, outcome);
    finding.window_full = reading.is_some_and(|r| r.full) && outcome != Outcome::Pass;
    finding.window = reading.and_then(|r| r.window);
    finding.scope = scope(situation, limit);
    if outcome != Outcome::Pass {
        finding.reset_time = reset::of_limit(situation, limit, reading, |later| {
            !matches!(of_limit(later, index, limit), Ruling::Fails)
        });
    }
    finding.numbers = Some(numbers);
    finding
}

fn scope(situation: &Situation<'_>, limit: &Limit) -> BTreeMap<Text, Text> {
    let facts = limit.counting.scope.iter().filter_map(|index| {
        let fact = situation.policy.facts.get(*index)?;
        let value = situation.fact(*index)?;
        Some((fact.name.clone(), value.to_text()))
    });
    facts.collect()
}

fn draw_finding(situation: &Situation<'_>, index: usize, draw: &Draw, outcome: Outcome) -> Finding {
    let position = funds(situation, index).map(|funds| funds.position).unwrap_or_default();
    let inside = situation.inside(OwnNumbers {
        balance: position.balance,
        held: position.held,
        unfrozen: position.unfrozen(),
        available: position.available(),
        requested: situation.amount,
        remaining: position.available(),
        limit: position.balance,
        used: Amount::ZERO,
    });
    let mut finding = finding(&inside, &draw.rule, outcome);
    finding.numbers = Some(Numbers {
        limit: position.balance,
        used: None,
        held: position.held,
        requested: situation.amount,
        remaining: position.available(),
        frozen: Some(position.frozen()),
        unit: Unit::Money,
    });
    if outcome != Outcome::Pass {
        finding.reset_time = reset::of_draw(situation, draw, funds(situation, index), |later| {
            !matches!(of_draw(later, index, draw), Ruling::Fails)
        });
    }
    finding
}

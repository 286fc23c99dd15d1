//! A policy from the wire to what the decision core reads.

use jiff::tz::TimeZone;

use crate::{
    domain::{amount::Currency, plan::Plan, policy::Policy},
    proto::v1,
};

use super::{
    alert, bounds,
    checker::Checker,
    fact, limit,
    path::Path,
    problem::{
        PolicyReason::{InvalidValue, Missing, Unreachable},
        Problem,
    },
    text::{Placeholders, localized},
};

/// Compiles a policy that comes from outside.
///
/// # Errors
///
/// Where it is too large; if it is not, everything that is wrong with it, by
/// path.
pub fn compile(policy: &v1::Policy) -> Result<Policy, Vec<Problem>> {
    let exceeded = bounds::exceeded(policy);
    if exceeded.is_empty() { recompile(policy) } else { Err(exceeded) }
}

/// Compiles a policy that was taken before. However large policies may be by
/// now, what is stored stays in force.
///
/// # Errors
///
/// Everything that is wrong with it, by path.
pub fn recompile(policy: &v1::Policy) -> Result<Policy, Vec<Problem>> {
    let c = &mut Checker::new(policy);
    not_carried_out(c, policy);
    let title = localized(c, &Path::of("title"), &policy.title, Placeholders::Plain);
    let currency = currency(c, &policy.currency);
    c.decimals = currency.map_or(2, Currency::decimals);
    let zone = zone(c, &policy.time_zone);
    fact::declare(c, &policy.facts);
    let measures = each("measures", &policy.measures, |at, position, wire| {
        let measure = limit::measure(c, at, wire);
        if let Some(known) = c.measures.get_mut(position) {
            known.counting = measure.as_ref().map(|m| m.counting.clone());
        }
        measure
    });
    let conditions =
        each("conditions", &policy.conditions, |at, _, wire| limit::condition(c, at, wire));
    let limits = each("limits", &policy.limits, |at, _, wire| limit::limit(c, at, wire));
    let draws =
        each("draws", &policy.draws, |at, position, wire| limit::draw(c, at, wire, position));
    let life = alert::life(c, &Path::of("life"), policy.life.as_ref());
    let timers =
        each("timers", &policy.timers, |at, _, wire| alert::timer(c, at, wire, life.flatten()));
    let alerts =
        each("alerts", &policy.alerts, |at, position, wire| alert::alert(c, at, wire, position));
    let states = alert::state_texts(c, &Path::of("states"), &policy.states);
    never_looked_at(c, policy);
    let whole = || {
        let (zone, zone_name) = zone?;
        Some(Policy {
            title: title?,
            currency: currency?,
            zone,
            zone_name: zone_name.as_str().into(),
            facts: c.facts.iter().map(|f| f.declaration.clone()).collect::<Option<_>>()?,
            measures: measures?,
            conditions: conditions?,
            limits: limits?,
            draws: draws?,
            execute_within: life?,
            timers: timers?,
            alerts: alerts?,
            states,
            plan: Plan::default(),
        })
    };
    match whole() {
        Some(policy) if c.problems.is_empty() => Ok(policy),
        _ => Err(c.all_problems()),
    }
}

/// Compiles every element of a list, whatever becomes of the others.
fn each<W, T>(
    name: &str,
    wire: &[W],
    mut compile: impl FnMut(&Path, usize, &W) -> Option<T>,
) -> Option<Vec<T>> {
    let list = Path::of(name);
    let all: Vec<_> = wire
        .iter()
        .enumerate()
        .map(|(position, wire)| compile(&list.at(position), position, wire))
        .collect();
    all.into_iter().collect()
}

/// Top-level constructs of the schema that this version does not carry out.
fn not_carried_out(c: &mut Checker, policy: &v1::Policy) {
    let governs = c.known(&Path::of("governs"), policy.governs);
    let platform = governs == Some(v1::Governs::Platform);
    c.unsupported(platform, &Path::of("governs"), "governing a platform is");
    for (name, there) in [
        ("calendars", !policy.calendars.is_empty()),
        ("fees", !policy.fees.is_empty()),
        ("obligations", !policy.obligations.is_empty()),
        ("tallies", !policy.tallies.is_empty()),
        ("promises", !policy.promises.is_empty()),
        ("approvals", !policy.approvals.is_empty()),
        ("case_kinds", !policy.case_kinds.is_empty()),
        ("scores", !policy.scores.is_empty()),
    ] {
        c.unsupported(there, &Path::of(name), "this construct is");
    }
}

fn currency(c: &mut Checker, code: &str) -> Option<Currency> {
    let at = Path::of("currency");
    match (code, Currency::parse(code)) {
        (_, Some(currency)) => Some(currency),
        ("", None) => c.refuse(&at, Missing, "needs a currency, as ISO 4217 has it"),
        (_, None) => c.refuse(&at, InvalidValue, format!("ISO 4217 has no `{code}`")),
    }
}

/// The zone, and its name as IANA spells it.
fn zone(c: &mut Checker, name: &str) -> Option<(TimeZone, String)> {
    let at = Path::of("time_zone");
    if name.is_empty() {
        return c.refuse(&at, Missing, "needs a zone such as `Asia/Shanghai`");
    }
    let Ok(zone) = TimeZone::get(name) else {
        return c.refuse(&at, InvalidValue, format!("IANA has no zone `{name}`"));
    };
    let spelt = zone.iana_name().unwrap_or(name).to_owned();
    Some((zone, spelt))
}

/// What is declared and never looked at is a slip more often than not.
fn never_looked_at(c: &mut Checker, policy: &v1::Policy) {
    for (position, wire) in policy.facts.iter().enumerate() {
        let used = c.facts.get(position).is_some_and(|f| f.used);
        let again = c.first_fact(&wire.name) != Some(position);
        if !(used || again || wire.dimension || wire.label || wire.name.is_empty()) {
            let text = "no rule, scope or bound looks at it; a fact that is only kept is a label";
            c.problem(&Path::of("facts").at(position), Unreachable, text);
        }
    }
    for (position, wire) in policy.measures.iter().enumerate() {
        let used = c.measures.get(position).is_some_and(|m| m.used);
        let again = policy.measures.iter().take(position).any(|m| m.id == wire.id);
        if !(used || again || wire.id.is_empty()) {
            let text = "no rule reads it";
            c.problem(&Path::of("measures").at(position), Unreachable, text);
        }
    }
}

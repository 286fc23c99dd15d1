//! When a reason would be gone by waiting alone: at that instant it is, and at
//! none before; without such an instant it stays however long one waits.

use bursar::{decision::spec::Spec, domain::instant::Instant};
use jiff::{SignedDuration, Timestamp};

use crate::{
    choices::{Choices, Story, check},
    largest::{asked, checked},
    naive::books::{Ask, Scope, Target},
    play::Play,
    policies::{self, For},
    promises::{BEGIN, play},
    setup::{at, number, plain_ask},
    steps::{Step, Wait},
};

/// Rules that do not hold at an instant, if nothing happens until then.
fn failing(play: &Play, ask: &Ask, spec: &Spec, at: Timestamp) -> Result<Vec<String>, String> {
    let mut later = play.clone();
    later.world.now = Instant(at);
    let check = checked(&later, ask, spec.clone()).ok_or("refused later, but not now")?;
    Ok(check.verdict.findings.iter().map(|f| f.rule.to_string()).collect())
}

fn waits(choices: &mut Choices, story: &mut Story) -> Result<(), String> {
    let Some((mut play, ask)) = asked(choices, story, For::Waiting)? else { return Ok(()) };
    play.step(&Step::Wait(Wait::Seconds(choices.pick(3) as i64 * 7)))?;
    resets_are_true(&play, &ask, story)
}

/// Each reset that is stated is the first instant without the reason; where
/// none is, there is none before another revision comes into force.
pub fn resets_are_true(play: &Play, ask: &Ask, story: &mut Story) -> Result<(), String> {
    let spec = play.spec(ask);
    let Some(check) = checked(play, ask, spec.clone()) else { return Ok(()) };
    let now = play.now();
    let next = play.plan.iter().map(|(start, _)| *start).find(|start| *start > now);
    let by_this_revision = |at: &Timestamp| next.is_none_or(|next| *at < next);
    for finding in &check.verdict.findings {
        let rule = finding.rule.to_string();
        let fails = |at: Timestamp| Ok::<_, String>(failing(play, ask, &spec, at)?.contains(&rule));
        let Some(Instant(reset)) = finding.reset_time else {
            for later in moments(now).into_iter().filter(by_this_revision) {
                if !fails(later)? {
                    return Err(format!("{rule} states no reset, but is gone at {later}"));
                }
            }
            continue;
        };
        story.tell(|| format!("{now} {rule} resets at {reset}"));
        if !by_this_revision(&reset) {
            return Err(format!("{rule} resets at {reset}, after the next revision"));
        }
        if fails(reset)? {
            return Err(format!("{rule} is still there at its reset {reset}"));
        }
        let nanosecond = SignedDuration::from_nanos(1);
        let before = moments(now).into_iter().filter(|at| *at < reset);
        for earlier in before.chain([reset - nanosecond]).filter(|at| *at > now) {
            if !fails(earlier)? {
                return Err(format!("{rule} is gone at {earlier}, before its reset {reset}"));
            }
        }
    }
    Ok(())
}

/// Instants at which something may change by itself, and some beside them.
fn moments(now: Timestamp) -> Vec<Timestamp> {
    let seconds = [
        1,
        14,
        30,
        45,
        59,
        60,
        90,
        600,
        1786,
        1800,
        1801,
        1830,
        3600,
        57_600,
        86_400,
        90_000,
        2 * 86_400,
        8 * 86_400,
        32 * 86_400,
        70 * 86_400,
        366 * 86_400,
        800 * 86_400,
    ];
    seconds.iter().map(|s| now + SignedDuration::from_secs(*s)).collect()
}

#[test]
fn a_reason_is_gone_at_its_reset_and_not_before() {
    check(1000, 500, waits);
}

const HEAD: &str = r#"
title: {zh-CN: x, en: x}
currency: CNY
time_zone: Asia/Shanghai
life: {execute_within: 1800s}
draws: [{id: money, account: settlement, text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}]
"#;

fn ask(amount: &str) -> Ask {
    Ask { amount: number(amount), ..plain_ask() }
}

/// When a rule resets after some steps, asked about 5 at 10:00:00.
fn resets(policy: &str, steps: &[Step], rule: &str) -> Option<Timestamp> {
    let policy = policies::read(&format!("{HEAD}{policy}"));
    let mut play = play(&policy, at(BEGIN)).expect("a policy that compiles");
    for step in steps {
        play.step(step).unwrap_or_else(|problem| panic!("{step:?}: {problem}"));
    }
    let check = checked(&play, &ask("5"), play.spec(&ask("5"))).expect("an answer");
    let finding = check.verdict.findings.iter().find(|f| &*f.rule == rule);
    finding.unwrap_or_else(|| panic!("{rule} holds")).reset_time.map(|at| at.0)
}

fn authorized(amount: &str) -> Step {
    Step::Authorize(Box::new(ask(amount)))
}

#[test]
fn a_denial_records_only_the_part_of_the_future_that_it_rests_on() {
    let policy = r#"
facts: [{name: shop, type: STRING, source: SHOP, field: id}]
limits:
- {id: total, quantity: AMOUNT, scope: [shop], window: {kind: LIFETIME}, bound: {value: "40"},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
- {id: often, quantity: COUNT, scope: [shop], window: {kind: ROLLING, length: 3600s}, bound: {value: "40"},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
"#;
    let policy = policies::read(&format!("{HEAD}{policy}"));
    let mut play = play(&policy, at(BEGIN)).expect("a policy that compiles");
    let holds = (0..40).flat_map(|_| [authorized("1"), Step::Wait(Wait::Seconds(1))]);
    for step in holds.chain([authorized("3")]) {
        // The denial is recomputed from its record too.
        play.step(&step).unwrap_or_else(|problem| panic!("{step:?}: {problem}"));
    }
    let denial = &play.asked.last().expect("a request").decision;
    assert_eq!(denial.verdict.findings.len(), 2);
    let later = denial.inputs.limits.iter().flatten().map(|reading| reading.relief.len());
    assert!(later.sum::<usize>() <= 4, "{:?}", denial.inputs.limits);
}

#[test]
fn a_limit_over_each_amount_resets_with_its_window() {
    let policy = r#"
facts: [{name: amount, type: DECIMAL, source: REQUEST, field: amount}]
limits:
- {id: alike, quantity: COUNT, scope: [amount], window: {kind: DAY}, bound: {value: "1"},
   counts: ATTEMPTS, text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
"#;
    let reset = resets(policy, &[authorized("5")], "alike");
    assert_eq!(reset, Some(at("2026-03-03T00:00:00+08:00")));
}

#[test]
fn a_measure_over_each_amount_falls_when_a_hold_expires() {
    let policy = r#"
facts: [{name: amount, type: DECIMAL, source: REQUEST, field: amount}]
measures: [{id: alike, quantity: COUNT, scope: [amount], window: {kind: LIFETIME}}]
conditions:
- {id: once, require: {measure: alike, op: LESS, value: "1"},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
"#;
    let reset = resets(policy, &[authorized("5")], "once");
    assert_eq!(reset, Some(at("2026-03-02T10:30:00+08:00")));
}

#[test]
fn a_condition_on_what_is_available_or_held_resets_when_holds_expire_or_freezes_end() {
    let policy = r#"
facts:
- {name: available, type: DECIMAL, source: ACCOUNT, account: settlement, field: available}
- {name: held, type: DECIMAL, source: ACCOUNT, account: settlement, field: held}
conditions:
- {id: enough, require: {fact: available, op: AT_LEAST, value: "58"},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
- {id: calm, require: {fact: held, op: LESS, value: "3"},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
"#;
    let part = Step::Freeze(Target::Account, Scope::Part(number("3")), Some(3600));
    let steps = [authorized("2"), Step::Wait(Wait::Seconds(60)), authorized("0.5"), part];
    assert_eq!(resets(policy, &steps, "enough"), Some(at("2026-03-02T11:01:00+08:00")));
    let steps = [authorized("2"), Step::Wait(Wait::Seconds(60)), authorized("40")];
    assert_eq!(resets(policy, &steps, "calm"), Some(at("2026-03-02T10:31:00+08:00")));
}

#[test]
fn a_condition_on_the_very_instant_resets_at_it_or_right_after() {
    let policy = r#"
facts: [{name: now, type: TIME, source: REQUEST, field: time}]
conditions:
- {id: then, require: {fact: now, op: IN, values: ["2026-03-02T12:00:00+08:00"]},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
- {id: not-now, require: {fact: now, op: NOT_IN, values: ["2026-03-02T10:00:00+08:00"]},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
"#;
    assert_eq!(resets(policy, &[], "then"), Some(at("2026-03-02T12:00:00+08:00")));
    let after = at("2026-03-02T10:00:00.000000001+08:00");
    assert_eq!(resets(policy, &[], "not-now"), Some(after));
}

#[test]
fn a_full_window_resets_when_it_has_room_again() {
    let policy = r#"
facts:
- {name: shop, type: STRING, source: SHOP, field: id}
- {name: stopped, type: BOOL, source: SHOP, field: frozen}
conditions:
- {id: open, require: {fact: stopped, op: EQUAL, value: "false"}, on_failure: WARN,
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
limits:
- {id: hour, quantity: AMOUNT, scope: [shop], window: {kind: ROLLING, length: 3600s},
   counts: ATTEMPTS, bound: {value: "50"}, max_entries: 1, on_failure: WARN,
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
"#;
    // Two are in a window of one, as the rule only warns; a freeze ends before either leaves.
    let freeze = Step::Freeze(Target::Shop, Scope::All, Some(45));
    let steps = [authorized("2"), Step::Wait(Wait::Seconds(60)), authorized("3"), freeze];
    assert_eq!(resets(policy, &steps, "hour"), Some(at("2026-03-02T11:01:00+08:00")));
}

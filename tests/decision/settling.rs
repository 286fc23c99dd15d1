//! Reports of the channel that come again, or late.

use bursar::domain::{event::EventKind, instant::Instant};

use crate::{
    naive::books::Ask,
    policies,
    promises::{BEGIN, play, tight},
    setup::{at, number, plain_ask},
    steps::{Part, Step, Wait},
};

fn ask(amount: &str) -> Ask {
    Ask { amount: number(amount), ..plain_ask() }
}

#[test]
fn a_success_that_corrected_a_failure_is_one_payment_however_often_it_is_reported() {
    let mut play = play(&tight(), at(BEGIN)).expect("a policy that compiles");
    for step in [
        Step::Authorize(Box::new(ask("5"))),
        Step::Execute(0, "e1"),
        Step::Settle(0, Part::None, "r1"),
        Step::Settle(0, Part::All, "r1"),
        Step::Settle(0, Part::All, "r1"),
        // A later failure of the same payment contradicts it, and changes nothing.
        Step::Settle(0, Part::None, "r1"),
        Step::Settle(0, Part::Half, "r1"),
    ] {
        play.step(&step).unwrap_or_else(|problem| panic!("{step:?}: {problem}"));
    }
    assert_eq!(play.books.balance(), number("55"));
}

#[test]
fn what_was_due_before_a_report_is_told_first_though_nobody_looked() {
    let policy = policies::read(
        r#"
title: {zh-CN: x, en: x}
currency: CNY
time_zone: Asia/Shanghai
facts: [{name: shop, type: STRING, source: SHOP, field: id, label: true}]
draws: [{id: money, account: settlement, text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}]
life: {execute_within: 1800s}
timers: [{id: too-long, state: PROCESSING, after: 1800s, alert: stuck}]
alerts: [{id: stuck, severity: HIGH, audience: x, text: {zh-CN: x, en: x}}]
"#,
    );
    for (seconds, told) in [(1799, 0), (1800, 1)] {
        let mut play = play(&policy, at(BEGIN)).expect("a policy that compiles");
        for step in [
            Step::Authorize(Box::new(ask("5"))),
            Step::Execute(0, "e1"),
            Step::Wait(Wait::Seconds(seconds)),
            Step::Settle(0, Part::All, "r1"),
        ] {
            play.step(&step).unwrap_or_else(|problem| panic!("{step:?}: {problem}"));
        }
        let events = &play.judgements.last().expect("the report's").events;
        let alerts = events.iter().filter(|e| matches!(e.kind, EventKind::Alert { .. }));
        let when: Vec<Instant> = alerts.map(|alert| alert.effect_time).collect();
        let due = Instant(at("2026-03-02T10:30:00+08:00"));
        assert_eq!(when, vec![due; told], "after {seconds} s: {events:?}");
    }
}

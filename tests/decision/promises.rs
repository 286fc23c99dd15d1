//! What never breaks, over random steps. Every step of a play already checks
//! that no bound is exceeded, money adds up, a denial consumes nothing,
//! records recompute and repeats repeat (`play`); here plays are compared.

use bursar::proto::v1;
use jiff::Timestamp;

use crate::{
    choices::{Choices, Story, check},
    play::Play,
    policies::{self, For, make},
    setup::{at, number, usual},
    steps::{Step, step},
    words::expect,
};

/// Bounds so tight that a few payouts reach each of them.
pub fn tight() -> v1::Policy {
    policies::read(include_str!("tight.yaml"))
}

pub fn published() -> v1::Policy {
    policies::read(include_str!("../../policies/douyin-small-payout.yaml"))
}

pub const BEGIN: &str = "2026-03-02T10:00:00+08:00";

/// Some begin just before a day, a year or a clock change.
pub fn begin(choices: &mut Choices) -> Timestamp {
    at(choices.one(&[
        BEGIN,
        "2026-03-31T23:59:20+08:00",
        "2027-12-31T23:58:59.999999999+08:00",
        "2026-03-29T00:59:30Z",
    ]))
}

fn policy(choices: &mut Choices, begin: Timestamp) -> v1::Policy {
    match choices.pick(3) {
        0 => tight(),
        1 => published(),
        _ => make(choices, For::Playing, begin),
    }
}

/// A play of a policy, with money on the account. None: it does not compile.
pub fn play(policy: &v1::Policy, begin: Timestamp) -> Option<Play> {
    let mut books = usual(begin);
    books.movements.push(number("60"));
    Play::new(policy, books, begin).ok()
}

fn go_on(play: &mut Play, step: &Step, story: &mut Story) -> Result<(), String> {
    story.tell(|| format!("{} {step:?}", play.now()));
    play.step(step)
}

/// Plays random steps twice and compares.
fn twice(
    choices: &mut Choices,
    story: &mut Story,
    other: impl Fn(&mut Play),
    compare: impl Fn(&Play, &Play) -> Result<(), String>,
) -> Result<(), String> {
    let begin = begin(choices);
    let policy = policy(choices, begin);
    story.tell(|| policies::print(&policy));
    let (Some(mut one), Some(mut two)) = (play(&policy, begin), play(&policy, begin)) else {
        return Ok(());
    };
    other(&mut two);
    for _ in 0..choices.pick(40) {
        let next = step(choices, &policy, &one.books);
        go_on(&mut one, &next, story)?;
        two.step(&next).map_err(|problem| format!("the other play: {problem}"))?;
        compare(&one, &two)?;
    }
    one.rebuilds()?;
    two.rebuilds()
}

fn tried(policy: &v1::Policy, cases: u32) {
    check(cases, 500, |choices, story| {
        let mut play = play(policy, begin(choices)).expect("a policy that compiles");
        for _ in 0..choices.pick(60) {
            let next = step(choices, policy, &play.books);
            go_on(&mut play, &next, story)?;
        }
        play.rebuilds()
    });
}

#[test]
fn no_sequence_of_steps_breaks_a_promise_under_tight_bounds() {
    tried(&tight(), 300);
}

#[test]
fn no_sequence_of_steps_breaks_a_promise_under_the_published_policy() {
    tried(&published(), 200);
}

#[test]
fn the_order_of_rows_in_memory_changes_nothing() {
    check(150, 500, |choices, story| {
        twice(
            choices,
            story,
            |two| two.world.backwards = true,
            |one, two| {
                expect("the same judgements", one.judgements == two.judgements)?;
                expect("the same rows", one.world.rows == two.world.rows)
            },
        )
    });
}

#[test]
fn decisions_are_the_same_whether_what_is_due_is_written_or_not() {
    check(150, 500, |choices, story| {
        twice(
            choices,
            story,
            |two| two.sweeps = true,
            |one, two| {
                let decided = |play: &Play| play.asked.last().map(|a| a.decision.clone());
                expect("the same decision", decided(one) == decided(two))?;
                let answered = |play: &Play| {
                    play.judgements
                        .last()
                        .map(|j| j.answer.as_ref().map(|_| ()).map_err(|r| r.reason))
                };
                expect("the same answer", answered(one) == answered(two))
            },
        )
    });
}

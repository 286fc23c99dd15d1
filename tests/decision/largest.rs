//! The largest amount that would pass: compared with trying every amount, also
//! where a larger one passes and a smaller one does not.

use bursar::{
    decision::{
        Command, Reply,
        evaluate::Situation,
        judge::{Largest, Wanted, judge},
        largest::ForAmounts,
        reply::Check,
        spec::Spec,
    },
    domain::{
        amount::Amount,
        decision::{Answer, Inputs},
        policy::Policy,
    },
};
use rust_decimal::Decimal;

use crate::{
    choices::{Choices, Story, check},
    naive::{Opinion, View, books::Ask},
    play::Play,
    policies::{self, For, make, print},
    promises::{BEGIN, begin, play},
    setup::{at, decimal, money, number, plain_ask, roles},
    steps::{Step, Wait, ask, step},
    words::expect,
};

/// 0.01 to this are tried, in steps of 0.01.
const MOST: i64 = 2600;

/// What the policy was asked, after some steps. None: it does not compile, or
/// refuses the request.
pub fn asked(
    choices: &mut Choices,
    story: &mut Story,
    purpose: For,
) -> Result<Option<(Play, Ask)>, String> {
    let begin = begin(choices);
    let policy = make(choices, purpose, begin);
    story.tell(|| print(&policy));
    let Some(mut play) = play(&policy, begin) else { return Ok(None) };
    for _ in 0..choices.pick(14) {
        let next = match step(choices, &policy, &play.books) {
            Step::Wait(Wait::Seconds(seconds)) if seconds > 2000 => Step::Wait(Wait::Nanosecond),
            next => next,
        };
        story.tell(|| format!("{} {next:?}", play.now()));
        play.step(&next)?;
    }
    let ask = ask(choices, &policy, &play.books);
    story.tell(|| format!("{} asked: {ask:?}", play.now()));
    Ok(Some((play, ask)))
}

pub fn checked(play: &Play, ask: &Ask, spec: Spec) -> Option<Check> {
    let command = Command::Validate(Box::new(spec));
    match play.world.ask(&command, roles(&ask.roles)).answer {
        Ok(Reply::Checked(check)) => Some(*check),
        _ => None,
    }
}

fn tried(policy: &Policy, inputs: &Inputs, amount: Amount) -> Answer {
    // Anew for each amount: no answer is taken over from another.
    let situation = Situation::new(policy, inputs).with_amount(amount);
    ForAmounts::new(&situation).answer(&situation)
}

/// The same as payouts of that amount are judged, which takes longer.
fn judged(policy: &Policy, inputs: &Inputs, amount: Amount) -> Answer {
    let inputs = Inputs { amount: Some(amount), ..inputs.clone() };
    judge(policy, &inputs, Wanted { passes: false, largest: Largest::Never }).answer
}

#[test]
fn the_largest_amount_is_the_one_that_trying_all_finds() {
    check(600, 500, |choices, story| {
        let Some((play, ask)) = asked(choices, story, For::Amounts)? else { return Ok(()) };
        let Some(check) = checked(&play, &ask, play.spec(&ask)) else { return Ok(()) };
        let policy = play.world.policy(&check.revision);
        let came = check.verdict.max_amount.expect("a check states it");
        let allow = check.verdict.max_amount_unreviewed.expect("a check states it");
        expect("without reviews the two are one", came == allow)?;
        let amounts = (1..=MOST).map(|n| money(Decimal::new(n, 2)));
        let passes = |amount: &Amount| tried(&policy, &check.inputs, *amount) != Answer::Deny;
        let best = amounts.rev().find(passes).unwrap_or_default();
        story.tell(|| format!("largest {came}, by trying {best}"));
        let cent = money(Decimal::new(1, 2));
        let near = [came.minus(cent), came, came.plus(cent), best, best.plus(cent)];
        let far = (1..=MOST).step_by(97).map(|n| money(Decimal::new(n, 2)));
        for amount in near.into_iter().chain(far) {
            if cent <= amount && amount <= Amount::largest(2) {
                let [quick, slow] = [tried, judged].map(|it| it(&policy, &check.inputs, amount));
                expect(&format!("{amount} is judged as it is tried"), quick == slow)?;
            }
        }
        if decimal(came) <= Decimal::new(MOST, 2) {
            expect("none of those tried is larger", came == best)
        } else {
            // Beyond what can be tried one by one: it passes, and few above it do not.
            expect("the largest passes", passes(&came))?;
            let above = (1..2000).map(|n| came.plus(money(Decimal::new(n * n, 2))));
            let payable = above.into_iter().filter(|a| *a <= Amount::largest(2));
            expect("no larger one passes", !payable.into_iter().any(|a| passes(&a)))
        }
    });
}

#[test]
fn the_largest_amount_passes_by_a_second_opinion_and_no_larger_one_does() {
    check(500, 500, |choices, story| {
        let Some((play, ask)) = asked(choices, story, For::Amounts)? else { return Ok(()) };
        let Some(check) = checked(&play, &ask, play.spec(&ask)) else { return Ok(()) };
        let largest = decimal(check.verdict.max_amount.expect("a check states it"));
        story.tell(|| format!("largest {largest}"));
        let passes = |amount: Decimal| {
            let ask = Ask { amount, ..ask.clone() };
            let view = View::new(&play.policy, &play.books, &ask, play.now())?;
            Ok::<bool, String>(matches!(view.decide(&ask), Opinion::Decided { denied: false, .. }))
        };
        if largest > Decimal::ZERO {
            expect("the largest passes", passes(largest)?)?;
        }
        let most = number("999999999999999.99");
        let near = (1..=3).map(|n| largest + Decimal::new(n, 2));
        let far = (1..=40).map(|n| largest + Decimal::new(n * 37, 2));
        let places = ["1", "2.5", "5", "7.77", "8.5", "10", "12", "18.01", "25"].map(number);
        let around =
            places.into_iter().flat_map(|p| [p - Decimal::new(1, 2), p, p + Decimal::new(1, 2)]);
        let larger = near.chain(far).chain(around.filter(|a| *a > largest));
        for amount in larger.filter(|a| *a <= most) {
            if passes(amount)? {
                return Err(format!("{amount} passes too"));
            }
        }
        Ok(())
    });
}

#[test]
fn amounts_that_are_used_up_one_beside_another_are_all_passed_over() {
    let policy = policies::read(
        r#"
title: {zh-CN: x, en: x}
currency: CNY
time_zone: Asia/Shanghai
facts: [{name: amount, type: DECIMAL, source: REQUEST, field: amount}]
limits:
- {id: each, quantity: AMOUNT, window: {kind: PAYOUT}, bound: {value: "5"},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
- {id: alike, quantity: COUNT, scope: [amount], window: {kind: DAY}, bound: {value: "1"},
   text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}
draws: [{id: money, account: settlement, text: {zh-CN: x, en: x}, remedy: {zh-CN: x, en: x}}]
"#,
    );
    let mut play = play(&policy, at(BEGIN)).expect("a policy that compiles");
    let ask = |amount: &str| Ask { amount: number(amount), ..plain_ask() };
    for amount in ["5", "4.99", "4.98"] {
        let step = Step::Authorize(Box::new(ask(amount)));
        play.step(&step).unwrap_or_else(|problem| panic!("{problem}"));
    }
    let check = checked(&play, &ask("1"), play.spec(&ask("1"))).expect("an answer");
    assert_eq!(check.verdict.max_amount.map(decimal), Some(number("4.97")));
}

//! Made-up policies, random facts and steps: every decision, finding, variant
//! and number agrees with the second opinion (`naive`).

use std::cell::Cell;

use crate::{
    choices::check,
    policies::{For, make, print},
    promises::{begin, play},
    steps::step,
};

#[test]
fn every_decision_under_a_made_up_policy_agrees_with_a_second_opinion() {
    let (made, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    let (allowed, denied) = (Cell::new(0), Cell::new(0));
    let in_short = Cell::new(0);
    check(1000, 700, |choices, story| {
        let begin = begin(choices);
        let policy = make(choices, For::Playing, begin);
        story.tell(|| print(&policy));
        made.set(made.get() + 1);
        let Some(mut play) = play(&policy, begin) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        for _ in 0..choices.pick(50) {
            let next = step(choices, &policy, &play.books);
            story.tell(|| format!("{} {next:?}", play.now()));
            play.step(&next)?;
        }
        let held = play.asked.iter().filter(|a| a.decision.payout.is_some()).count();
        allowed.set(allowed.get() + held);
        denied.set(denied.get() + play.asked.len() - held);
        in_short.set(in_short.get() + play.world.in_short.get());
        play.rebuilds()
    });
    let (made, refused) = (made.get(), refused.get());
    let (allowed, denied, in_short) = (allowed.get(), denied.get(), in_short.get());
    println!("{made} policies, {refused} refused; {allowed} payouts allowed, {denied} denied");
    println!("{in_short} times one was told in short and compared with what it is at length");
    assert!(in_short > 10, "none is told in short");
    assert!(refused * 100 < made * 30, "{refused} of {made} made-up policies do not compile");
}

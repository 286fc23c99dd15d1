//! Reports of the channel that come again.

use crate::{
    naive::books::Ask,
    promises::{BEGIN, play, tight},
    setup::{at, number, plain_ask},
    steps::{Part, Step},
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

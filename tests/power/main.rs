//! Crashes, looked at from outside: the real binary under a mixed load is
//! killed, loses what its disk had not synced, or finds its files damaged; then
//! it is opened again and asked for everything that was answered.
//!
//! Short forms run with the other tests. `make crash` runs them at length, with
//! `CRASH=full` (docs/RELIABILITY.md). `SEED=…` repeats what was drawn.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests look at clocks, and a panic is how they fail"
)]

mod book;
mod chains;
mod check;
mod client;
mod dice;
mod figures;
mod gather;
mod image;
mod kill;
mod life;
mod load;
mod lost;
mod place;
#[path = "../process/mod.rs"]
mod process;
mod recording;
mod sums;
#[path = "../trial/mod.rs"]
mod trial;
mod world;

use figures::Figures;

/// Whether everything is done at length.
fn is_full() -> bool {
    std::env::var_os("CRASH").is_some_and(|value| value == "full")
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What everything is drawn from; printed, so that it can be repeated.
fn seed() -> u64 {
    use std::hash::BuildHasher;
    let drawn = || std::collections::hash_map::RandomState::new().hash_one(());
    let seed = number("SEED").unwrap_or_else(drawn);
    println!("SEED={seed}");
    seed
}

#[tokio::test]
async fn whatever_was_answered_before_a_kill_is_there_once_and_whole() {
    let seed = seed();
    let count = if is_full() { number("KILLS").unwrap_or(300) } else { 5 };
    let figures = kill::rounds(count, seed, is_full()).await;
    let figures = figures.unwrap_or_else(|violation| panic!("SEED={seed}: {}", violation.0));
    Figures::print_head();
    figures.print("kills");
}

/// Recordings, and failures of each.
async fn lose(recordings: u64, each: u64, seed: u64) -> Figures {
    let mut figures = Figures::default();
    let mut dice = dice::Dice::new(seed);
    let started = std::time::Instant::now();
    for number in 1..=recordings {
        let answers = 200 + dice.below(1200);
        let story = lost::record(&mut dice, answers, None).await;
        let story = story.unwrap_or_else(|violation| panic!("SEED={seed}: {}", violation.0));
        let some = lost::rounds(&story, each, &mut dice).await;
        let some = some.unwrap_or_else(|violation| panic!("SEED={seed}: {}", violation.0));
        figures.add(&some);
        if is_full() {
            let (rounds, all) = (number * each, recordings * each);
            eprintln!("lost writes: {rounds} of {all}, {:?}", started.elapsed());
        }
    }
    figures.took = started.elapsed();
    figures
}

#[tokio::test]
async fn whatever_was_answered_before_the_power_failed_is_there_whatever_else_was_lost() {
    let seed = seed();
    let (recordings, each) =
        if is_full() { (number("RECORDINGS").unwrap_or(20), 50) } else { (1, 40) };
    let figures = lose(recordings, each, seed).await;
    Figures::print_head();
    figures.print("lost writes");
    println!("{} of them failed again while the server opened", figures.twice);
}

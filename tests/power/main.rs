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
mod damage;
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
mod reseal;
mod seeded;
mod sums;
#[path = "../trial/mod.rs"]
mod trial;
mod world;

use check::Violation;
use figures::Figures;
use lost::Plan;

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

/// Works on threads of their own, each with a part of it and a seed; as many as
/// there are processors at length, else one.
fn in_parts<F>(seed: u64, work: impl Fn(u64, u64) -> F + Sync) -> Figures
where
    F: Future<Output = Result<Figures, Violation>>,
{
    let jobs = if is_full() { number("JOBS").unwrap_or(2) } else { 1 };
    let started = std::time::Instant::now();
    let run = |job: u64| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let seed = dice::hash(seed, job);
        runtime.expect("a runtime").block_on(work(jobs, seed))
    };
    let mut figures = Figures::default();
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..jobs).map(|job| scope.spawn(move || run(job))).collect();
        for job in jobs {
            let some = job.join().expect("no panic");
            let some = some.unwrap_or_else(|violation| panic!("SEED={seed}: {}", violation.0));
            figures.add(&some);
        }
    });
    figures.took = started.elapsed();
    figures
}

#[test]
fn whatever_was_answered_before_a_kill_is_there_once_and_whole() {
    let count = if is_full() { number("KILLS").unwrap_or(300) } else { 4 };
    let figures = in_parts(seed(), |jobs, seed| kill::rounds(count.div_ceil(jobs), seed));
    figures.print("kills");
    println!(
        "{} of them by a disk that fails; {} starts from rows at rest",
        figures.disk_failures, figures.from_checkpoint
    );
    assert!(!is_full() || figures.from_checkpoint > 0);
}

/// Recordings, and failures of each.
async fn lose(recordings: u64, each: u64, most: usize, seed: u64) -> Result<Figures, Violation> {
    let mut figures = Figures::default();
    let mut dice = dice::Dice::new(seed);
    for number in 1..=recordings {
        let answers = 100 + dice.below(most);
        let fills = is_full() && number.is_multiple_of(5);
        let answers = if fills { answers + 800 } else { answers };
        let story = lost::record(&mut dice, Plan { answers, fills, bug: None }).await?;
        figures.add(&lost::rounds(&story, each, &mut dice).await?);
        progress("lost writes", number * each, recordings * each);
    }
    Ok(figures)
}

#[test]
fn whatever_was_answered_before_the_power_failed_is_there_whatever_else_was_lost() {
    let (recordings, each, most) =
        if is_full() { (number("RECORDINGS").unwrap_or(20), 50, 1000) } else { (1, 40, 20) };
    let figures = in_parts(seed(), |jobs, seed| lose(recordings.div_ceil(jobs), each, most, seed));
    figures.print("lost writes");
    println!("{} of them failed again while the server opened", figures.twice);
}

/// A sign of life.
fn progress(what: &str, done: u64, all: u64) {
    if is_full() {
        eprintln!("  {what}: {done} of {all} of this thread");
    }
}

#[test]
fn whatever_is_damaged_a_server_serves_everything_or_refuses_and_names_it() {
    let (random, step) = if is_full() { (40, 1) } else { (2, 7) };
    let figures = in_parts(seed(), |_, seed| damage::rounds(random, step, seed));
    figures.print("damaged files");
    println!("{} of them were refused", figures.refused);
    assert!(0 < figures.refused && figures.refused < figures.rounds);
}

#[tokio::test]
async fn an_older_fence_is_enough_to_serve_everything() {
    let seed = seed();
    let checked = damage::an_older_fence(seed).await;
    checked.unwrap_or_else(|violation| panic!("SEED={seed}: {}", violation.0));
}

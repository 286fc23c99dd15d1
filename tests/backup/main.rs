//! Backups of the real binary: taken while clients are at it, restored, served
//! again; what refuses them, what interrupts them; and exports.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests look at clocks, and a panic is how they fail"
)]

mod commands;
mod exported;
mod interrupted;
mod lines;
#[path = "../process/mod.rs"]
mod process;
mod refused;
mod restored;
#[path = "../trial/mod.rs"]
mod trial;
mod under_load;

/// The mixed load of the crash tests, its book, and what is checked against it.
macro_rules! of_the_crash_tests {
    ($($file:literal $name:ident;)+) => {
        $(#[path = $file]
        #[allow(dead_code, reason = "a part of it is used here")]
        mod $name;)+
    };
}

of_the_crash_tests! {
    "../power/book.rs" book;
    "../power/chains.rs" chains;
    "../power/check.rs" check;
    "../power/client.rs" client;
    "../power/dice.rs" dice;
    "../power/gather.rs" gather;
    "../power/life.rs" life;
    "../power/load.rs" load;
    "../power/place.rs" place;
    "../power/sums.rs" sums;
    "../power/world.rs" world;
}

//! The pure core by itself: promises that hold for any sequence of steps, and
//! a second opinion on every decision. PROPTEST_CASES=N runs N other cases of
//! each property.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "small numbers that the tests choose, and a panic is how they fail"
)]

mod agreement;
mod catalogue;
mod choices;
mod configuring;
mod largest;
mod naive;
mod play;
mod policies;
mod predicates;
mod promises;
mod reset;
mod revisions;
mod scoping;
mod settling;
mod setup;
mod short;
mod steps;
mod words;
mod world;

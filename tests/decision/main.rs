//! The pure core by itself: promises that hold for any sequence of steps, and
//! a second opinion on every decision. PROPTEST_CASES=N runs N other cases of
//! each property.

mod agreement;
mod catalogue;
mod choices;
mod largest;
mod naive;
mod play;
mod policies;
mod promises;
mod reset;
mod scoping;
mod settling;
mod setup;
mod steps;
mod world;

//! Policies between wire and domain: compiled once when loaded, compared with
//! the revision before. Owns every check that needs no state; knows the
//! constructs and none of the rules. Stores and activates nothing.

mod alert;
mod bounds;
mod checker;
mod comparison;
mod compatible;
mod compile;
mod constant;
mod diff;
mod fact;
mod field;
mod limit;
mod literal;
mod meter;
mod nearest;
mod number;
mod operand;
mod path;
mod predicate;
mod problem;
mod rule;
mod sense;
#[cfg(test)]
mod tests;
mod text;
mod time;

pub use bounds::exceeded;
pub use compatible::compatible;
pub use compile::{compile, recompile};
pub use diff::{Difference, Unreadable, diff};
pub use problem::{PolicyReason, Problem};

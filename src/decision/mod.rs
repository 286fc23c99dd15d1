//! The pure core: commands in, changes and answers out. Nothing here is
//! async, reads a clock, touches a store or draws a random number.
//!
//! A command goes through three visible steps: it names the rows it needs
//! (`first`, then `second`, which may depend on the first), and is judged over
//! them. What it changes is a list of `Change`s; what it answers is a `Reply`
//! or a `Refusal`. A refusal may still change something: an expiry that the
//! call came too late for is written by it.

mod allow;
pub mod authorize;
pub mod command;
pub mod configure;
pub mod context;
pub mod due;
pub mod evaluate;
mod fact_problems;
pub mod facts;
pub mod judge;
pub mod largest;
pub mod life;
pub mod loaded;
pub mod looked_at;
pub mod out;
mod plain;
pub mod profile;
pub mod reading;
pub mod replay;
pub mod reply;
pub mod reset;
pub mod settle;
pub mod spec;
pub mod usage;
pub mod view;

pub use command::Command;
pub use context::Context;
pub use loaded::{Find, Loaded};
pub use out::{Judgement, Outcome};
pub use reply::Reply;

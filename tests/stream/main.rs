//! Streams of authorizations over real connections: order, repeats, what a
//! stream may have in hand, how it ends, and that none holds up another.

#![allow(clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod answers;
mod bounds;
mod deadlines;
mod ends;
mod setup;
#[path = "../trial/mod.rs"]
mod trial;

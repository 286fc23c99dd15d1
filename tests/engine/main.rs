//! The whole service in process, on clocks that are tampered with and on stores
//! that conflict; and journals that were tampered with, recomputed.

#![allow(clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod conflicts;
mod defects;
mod loads;
mod one_by_one;
mod put_away;
mod recomputed;
mod running;
mod stopped;
mod time;
#[path = "../trial/mod.rs"]
mod trial;

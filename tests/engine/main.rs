//! The whole service in process, on clocks that are tampered with and on stores
//! that conflict; and journals that were tampered with, recomputed.

mod conflicts;
mod recomputed;
mod running;
mod time;
#[path = "../trial/mod.rs"]
mod trial;

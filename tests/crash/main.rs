//! The real binary in another process: killed, on disks that wait or fail, on
//! directories that are damaged or in use. Nothing answered may be lost.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test of processes waits, takes random moments, and gives up after a time"
)]

mod disk;
mod kill;
mod refused;
mod server;
mod sums;
#[path = "../trial/mod.rs"]
mod trial;

//! The real binary in another process: killed, on disks that wait or fail, on
//! directories that are damaged or in use. Nothing answered may be lost.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests look at clocks, and a panic is how they fail"
)]

mod disk;
mod kill;
mod refused;
mod server;
mod sums;
#[path = "../trial/mod.rs"]
mod trial;

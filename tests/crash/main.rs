//! The real binary in another process: on disks that wait or fail, on
//! directories that are damaged or in use. Nothing answered may be lost.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests look at clocks, and a panic is how they fail"
)]

mod disk;
#[path = "../process/mod.rs"]
mod process;
mod refused;
mod sums;
#[path = "../trial/mod.rs"]
mod trial;

/// A client with a connection of its own.
async fn connect(server: &process::Server) -> trial::Client {
    trial::Client::new(server.channel().await)
}

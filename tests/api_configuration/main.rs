//! The services, called as the server calls them: what is configured, who may
//! call what, what is refused, how large answers get. Not the wire itself:
//! `tests/grpc` is about that.
#![allow(clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod accounts;
mod batch;
mod events;
mod freezes;
mod instants;
mod operators;
mod pages;
mod policies;
mod reach;
mod roles;
mod setup;
mod shops;
mod usage;

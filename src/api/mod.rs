//! The gRPC surface: wire ⇄ domain, who may call what, statuses. Judges
//! nothing and stores nothing.

pub mod auth;
pub mod convert;
pub mod identity;
pub mod page;
pub mod problems;
pub mod service;
pub mod status;

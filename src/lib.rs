//! Bursar: may this money leave, and if not, why not. The library behind the
//! `bursar` binary; see `docs/ARCHITECTURE.md` for the map.

pub mod api;
pub mod cli;
pub mod contract;
pub mod decision;
pub mod domain;
pub mod engine;
pub mod proto;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod wire;
pub mod yaml;

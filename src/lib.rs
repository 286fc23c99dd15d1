//! Bursar: may this money leave, and if not, why not. The library behind the
//! `bursar` binary; see `docs/ARCHITECTURE.md` for the map.

pub mod api;
pub mod domain;
pub mod proto;
pub mod store;

//! The edge: wire to domain and back. Owns what is accepted and how it is
//! said; decides nothing.

pub mod policy;

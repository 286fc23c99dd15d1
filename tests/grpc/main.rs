//! The process as a mesh and people see it: health, reflection, how it stops, what
//! it logs, and that two of them never share a data directory.

#[path = "../process/mod.rs"]
mod process;

mod commands;
mod deadline;
mod demo;
mod health;
mod log;
mod reflection;
mod refused;
mod stop;
mod wire;

const SERVICES: [&str; 6] = [
    "bursar.v1.ShopService",
    "bursar.v1.QuotaService",
    "bursar.v1.PayoutService",
    "bursar.v1.PolicyService",
    "bursar.v1.CaseService",
    "bursar.v1.EventService",
];

//! The server process as a mesh sees it: health, reflection, how it stops, what
//! it logs, and that two of them never share a data directory.

#[path = "../process/mod.rs"]
mod process;

mod health;
mod log;
mod reflection;
mod stop;

use tonic::transport::{Channel, Endpoint};

const SERVICES: [&str; 6] = [
    "bursar.v1.ShopService",
    "bursar.v1.QuotaService",
    "bursar.v1.PayoutService",
    "bursar.v1.PolicyService",
    "bursar.v1.CaseService",
    "bursar.v1.EventService",
];

async fn connect(server: &process::Server) -> Channel {
    endpoint(server).connect().await.expect("a connection")
}

fn endpoint(server: &process::Server) -> Endpoint {
    Endpoint::from_shared(format!("http://{}", server.address)).expect("an address")
}

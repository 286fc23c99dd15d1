//! A service in this process, on a store and a clock that the test holds.

use std::{sync::Arc, time::Duration};

use bursar::{
    api::auth::Authenticator,
    domain::instant::Instant,
    engine::{Options, clock::Clock},
    server::{Drain, Parts, Service},
    store::Store,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Endpoint;

use crate::trial::Client;

pub fn at(text: &str) -> Instant {
    Instant(text.parse().expect("an instant"))
}

/// A running service and a client for it.
pub struct Running {
    pub client: Client,
    pub service: Arc<Service>,
    task: JoinHandle<()>,
}

/// Starts one that writes what is due only when it is asked about.
pub async fn start(store: impl Store + 'static, clock: impl Clock + 'static) -> Running {
    let parts = Parts {
        store: Box::new(store),
        clock: Arc::new(clock),
        auth: Authenticator::Local,
        options: Options { sweep: false, ..Options::default() },
    };
    let service = Arc::new(Service::start(parts).expect("a service"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = service.clone();
    let task = tokio::spawn(async move {
        let drain = Drain { linger: Duration::ZERO, within: Duration::ZERO };
        let incoming = TcpListenerStream::new(listener);
        serving.serve(incoming, std::future::pending(), drain).await.expect("it serves");
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    Running { client: Client::new(endpoint.connect_lazy()), service, task }
}

impl Running {
    /// Stops it as a kill would.
    pub async fn stop(self) {
        self.task.abort();
        // Aborted, as told.
        let _ = self.task.await;
        self.service.engine().stop(false).await;
    }
}

//! The composition root: store, engine, services and their limits put
//! together. `run` serves production, tests and the command line alike.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_stream::Stream;
use tonic::{
    service::Routes,
    transport::{Server, server::Connected},
};
use tower::util::MapResponseLayer;

use crate::{
    api::{
        auth::Authenticator, deadline::Deadlines, front::Front, policy_reading::compiler,
        service::Api, status,
    },
    engine::{self, Handle, Options, clock::Clock},
    proto::{
        DESCRIPTORS,
        v1::{
            case_service_server::CaseServiceServer, event_service_server::EventServiceServer,
            payout_service_server::PayoutServiceServer, policy_service_server::PolicyServiceServer,
            quota_service_server::QuotaServiceServer, shop_service_server::ShopServiceServer,
        },
    },
    store::Store,
};

mod connection;

pub use connection::{Connection, incoming};

/// Largest message that is taken.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a stream that are taken before they are read.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same of a connection: far more, or a few streams that are not read from
/// would hold up all others that share their connection behind a proxy.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;

/// What is said when nothing can be answered any more.
const FAILED: &str =
    "the engine failed, the log says why; what was answered before is kept. Restart the service";

/// How often the engine looks whether something is due without being asked.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// What a service is put together from.
pub struct Parts {
    /// Where rows and the journal are kept.
    pub store: Box<dyn Store>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// Who is calling.
    pub auth: Authenticator,
    /// How the engine runs.
    pub options: Options,
}

/// How a service stops when it is told to.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// How long it still takes connections after saying NOT_SERVING, so that
    /// load balancers notice.
    pub linger: Duration,
    /// How long calls under way may take.
    pub within: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { linger: Duration::from_secs(3), within: Duration::from_secs(20) }
    }
}

/// A service whose engine runs.
pub struct Service {
    api: Api,
    writer: JoinHandle<()>,
}

impl Service {
    /// Puts a service together and starts its engine.
    ///
    /// # Errors
    /// If what is stored cannot be read.
    pub fn start(parts: Parts) -> Result<Self, String> {
        let (handle, writer) = engine::start(parts.store, parts.clock, compiler(), parts.options)?;
        Ok(Self { api: Api::new(handle, parts.auth), writer })
    }

    /// The engine.
    pub fn engine(&self) -> &Handle {
        &self.api.engine
    }

    /// Stops the engine; with `tidy` it puts things away first.
    ///
    /// # Errors
    /// If the store failed by then. What was answered is kept all the same.
    pub async fn stop(self, tidy: bool) -> Result<(), String> {
        self.api.engine.stop(tidy).await;
        let failed = self.api.engine.has_failed();
        match self.writer.join() {
            Ok(()) if !failed => Ok(()),
            Ok(()) => Err(FAILED.to_owned()),
            Err(_) => Err("the writer ended by a defect; its message is above".to_owned()),
        }
    }

    /// Serves until `shutdown` is ready, then drains. The engine goes on; stop
    /// it afterwards.
    ///
    /// # Errors
    /// If the transport or the engine fails. Either way every service is
    /// reported as NOT_SERVING first and callers are drained.
    pub async fn serve<IO, E>(
        &self,
        incoming: impl Stream<Item = Result<IO, E>>,
        shutdown: impl Future<Output = ()>,
        drain: Drain,
    ) -> Result<(), String>
    where
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (health, health_service) = tonic_health::server::health_reporter();
        let names = serving(&health).await;
        let routes = add_services(REFLECTION.clone().add_service(health_service), &self.api);
        let api = Arc::new(self.api.clone());
        let sweeper = self.api.engine.clone();
        let sweep = tokio::spawn(async move {
            let mut every = tokio::time::interval(SWEEP_EVERY);
            loop {
                every.tick().await;
                sweeper.tick();
            }
        });
        // Here, where the callers wait.
        let answering = tokio::spawn(self.api.engine.tell_answers());
        let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
        let failed = AtomicBool::new(false);
        let signal = async {
            tokio::select! {
                () = shutdown => {}
                () = self.api.engine.failed() => failed.store(true, Ordering::Relaxed),
            }
            for name in &names {
                health.set_service_status(name, tonic_health::ServingStatus::NotServing).await;
            }
            tokio::time::sleep(drain.linger).await;
            // With GOAWAY behind it, so that they are opened anew elsewhere.
            self.api.streams.drain();
            let _ = stopping.send(());
        };
        let deadline = async {
            let _ = stopped.await;
            tokio::time::sleep(drain.within).await;
        };
        let server = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_keepalive_timeout(Some(Duration::from_secs(20)))
            .max_concurrent_streams(Some(4096))
            .initial_stream_window_size(Some(STREAM_WINDOW))
            .initial_connection_window_size(Some(CONNECTION_WINDOW))
            .layer(MapResponseLayer::new(status::explained))
            .layer(tower::layer::layer_fn(Deadlines))
            .layer(tower::layer::layer_fn(move |others| {
                Front::new(api.clone(), MAX_MESSAGE_BYTES, others)
            }))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, signal);
        let result = tokio::select! {
            result = server => result.map_err(|error| error.to_string()),
            () = deadline => {
                tracing::warn!("calls under way did not end in time; their connections are closed");
                Ok(())
            }
        };
        sweep.abort();
        answering.abort();
        // Also if it failed while the callers were drained.
        if failed.load(Ordering::Relaxed) || self.api.engine.has_failed() {
            return Err(FAILED.to_owned());
        }
        result
    }
}

/// Reports every service as serving; gives their names.
async fn serving(health: &tonic_health::server::HealthReporter) -> Vec<&'static str> {
    let names = vec![
        "",
        "bursar.v1.ShopService",
        "bursar.v1.QuotaService",
        "bursar.v1.PayoutService",
        "bursar.v1.PolicyService",
        "bursar.v1.CaseService",
        "bursar.v1.EventService",
    ];
    for name in &names {
        health.set_service_status(name, tonic_health::ServingStatus::Serving).await;
    }
    names
}

/// Reflection, the same in every service: decoding all descriptors takes far
/// longer than everything else that a start does.
static REFLECTION: LazyLock<Routes> = LazyLock::new(|| {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = reflection().build_v1().expect("the build wrote these descriptors");
    let v1alpha = reflection().build_v1alpha().expect("the build wrote these descriptors");
    Routes::new(v1).add_service(v1alpha)
});

fn add_services(routes: Routes, api: &Api) -> Routes {
    macro_rules! limited {
        ($server:ident) => {
            $server::new(api.clone())
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(usize::MAX)
        };
    }
    routes
        .add_service(limited!(ShopServiceServer))
        .add_service(limited!(QuotaServiceServer))
        .add_service(limited!(CaseServiceServer))
        .add_service(limited!(PayoutServiceServer))
        .add_service(limited!(PolicyServiceServer))
        .add_service(limited!(EventServiceServer))
}

//! A service in this process, under a clock that only its user moves, reached
//! over an in-memory connection: what scenarios and tests run against.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::{
    io::DuplexStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};
use tonic::transport::{Channel, Endpoint, Uri};

use super::scenario::{Host, HostFactory, Pending};
use crate::{
    api::auth::Authenticator,
    domain::instant::Instant,
    engine::{Options, clock::ManualClock},
    server::{Drain, Parts, Service},
    store::{Store, memory::MemoryStore},
};

/// Bytes an in-memory connection buffers each way.
const BUFFER: usize = 256 * 1024;

/// Opens the same store again and again: each time the service starts.
pub type Opener = Arc<dyn Fn() -> Result<Box<dyn Store>, String> + Send + Sync>;

/// Makes a fresh store for each service: its opener, and what is to be kept
/// alive as long as it (a temporary directory).
pub type Fresh =
    Arc<dyn Fn() -> Result<(Opener, Option<Box<dyn Send + Sync>>), String> + Send + Sync>;

/// Starts local services on fresh stores.
#[derive(Clone)]
pub struct LocalFactory {
    fresh: Fresh,
    options: Options,
}

impl LocalFactory {
    /// On stores of their own, made by `fresh`.
    pub fn new(fresh: Fresh, options: Options) -> Self {
        Self { fresh, options }
    }

    /// On memory.
    pub fn memory() -> Self {
        Self::new(
            Arc::new(|| {
                let store = MemoryStore::new();
                let opener: Opener = Arc::new(move || Ok(Box::new(store.clone())));
                Ok((opener, None))
            }),
            Options::default(),
        )
    }
}

impl HostFactory for LocalFactory {
    fn start(&self, clock: Timestamp) -> Pending<'_, Box<dyn Host>> {
        Box::pin(async move {
            let (opener, keep) = (self.fresh)()?;
            let clock = ManualClock::new(Instant(clock));
            let running = Running::start(&opener, &clock, self.options)?;
            let host = LocalHost {
                opener,
                clock,
                running: Some(running),
                options: self.options,
                _keep: keep,
            };
            Ok(Box::new(host) as Box<dyn Host>)
        })
    }
}

/// A local service.
pub struct LocalHost {
    opener: Opener,
    clock: ManualClock,
    running: Option<Running>,
    options: Options,
    _keep: Option<Box<dyn Send + Sync>>,
}

struct Running {
    service: Arc<Service>,
    channel: Channel,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(opener: &Opener, clock: &ManualClock, options: Options) -> Result<Self, String> {
        let service = Service::start(Parts {
            store: opener()?,
            clock: Arc::new(clock.clone()),
            auth: Authenticator::Local,
            options,
        })?;
        let service = Arc::new(service);
        let (connections, incoming) = mpsc::unbounded_channel::<DuplexStream>();
        let incoming = UnboundedReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
        let (stop, stopped) = oneshot::channel();
        let serving = service.clone();
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            let drain = Drain { linger: Duration::ZERO, within: Duration::from_secs(5) };
            if let Err(error) = serving.serve(incoming, shutdown, drain).await {
                tracing::error!(%error, "the local service ended");
            }
        });
        let connector = tower::service_fn(move |_: Uri| {
            let connections = connections.clone();
            async move {
                let (client, server) = tokio::io::duplex(BUFFER);
                connections
                    .send(server)
                    .map_err(|_| std::io::Error::other("the service has stopped"))?;
                Ok::<_, std::io::Error>(TokioIo::new(client))
            }
        });
        let channel = Endpoint::from_static("http://local").connect_with_connector_lazy(connector);
        Ok(Self { service, channel, stop, task })
    }

    async fn stop(self, drain: bool) {
        if drain {
            drop(self.channel);
            let _ = self.stop.send(());
            let _ = self.task.await;
        } else {
            self.task.abort();
            let _ = self.task.await;
        }
        self.service.engine().stop(drain).await;
    }
}

impl Host for LocalHost {
    fn channel(&self) -> Channel {
        let running = self.running.as_ref().expect("a host runs but while it restarts");
        running.channel.clone()
    }

    fn now(&self) -> Timestamp {
        use crate::engine::clock::Clock;
        self.clock.now().wall.0
    }

    fn advance_to(&mut self, instant: Timestamp) -> Pending<'_, ()> {
        Box::pin(async move {
            self.clock.advance_to(Instant(instant));
            if let Some(running) = &self.running {
                running.service.engine().tick();
            }
            Ok(())
        })
    }

    fn restart(&mut self, drain: bool) -> Pending<'_, ()> {
        Box::pin(async move {
            if let Some(running) = self.running.take() {
                running.stop(drain).await;
            }
            self.running = Some(Running::start(&self.opener, &self.clock, self.options)?);
            Ok(())
        })
    }
}

impl Drop for LocalHost {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.task.abort();
        }
    }
}

/// A fresh directory below the system's own, removed when it is dropped.
pub struct ScratchDir(pub PathBuf);

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // Leaving a scratch directory behind is not worth failing for.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

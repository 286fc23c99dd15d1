//! A service in this process, under a clock that only its user moves: what
//! scenarios, tests and the demonstration run against.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_stream::{Stream, StreamExt, wrappers::UnboundedReceiverStream};
use tonic::transport::{Channel, Endpoint, Uri, server::Connected};

use super::scenario::{Host, HostFactory, Pending};
use crate::{
    api::auth::Authenticator,
    domain::instant::Instant,
    engine::{
        Options,
        clock::{Clock, ManualClock},
    },
    server::{self, Drain, Parts, Service},
    store::{Store, memory::MemoryStore},
};

/// Bytes an in-memory connection buffers each way.
const BUFFER: usize = 256 * 1024;

/// Opens the same store again and again: each time the service starts.
pub type Opener = Arc<dyn Fn() -> Result<Box<dyn Store>, String> + Send + Sync>;

/// Something to be kept as long as a store: its temporary directory.
pub type Keep = Option<Box<dyn Send + Sync>>;

/// Makes a fresh store for each service.
pub type Fresh = Arc<dyn Fn() -> Result<(Opener, Keep), String> + Send + Sync>;

/// Starts local services on fresh stores.
#[derive(Clone)]
pub struct LocalFactory {
    fresh: Fresh,
    options: Options,
    listen: Option<SocketAddr>,
}

impl LocalFactory {
    /// On stores of their own, made by `fresh`.
    pub fn new(fresh: Fresh, options: Options) -> Self {
        Self { fresh, options, listen: None }
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

    /// Reached over TCP at this address instead of in memory.
    #[must_use]
    pub fn listening(self, listen: SocketAddr) -> Self {
        Self { listen: Some(listen), ..self }
    }

    /// Starts one whose clock shows that instant.
    ///
    /// # Errors
    /// If its store cannot be opened.
    pub async fn launch(&self, clock: Timestamp) -> Result<LocalHost, String> {
        let (opener, keep) = (self.fresh)()?;
        let mut host = LocalHost {
            opener,
            clock: ManualClock::new(Instant(clock)),
            running: None,
            options: self.options,
            listen: self.listen,
            _keep: keep,
        };
        host.run().await?;
        Ok(host)
    }
}

impl HostFactory for LocalFactory {
    fn start(&self, clock: Timestamp) -> Pending<'_, Box<dyn Host>> {
        Box::pin(async move {
            let host = self.launch(clock).await?;
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
    listen: Option<SocketAddr>,
    _keep: Keep,
}

impl LocalHost {
    async fn run(&mut self) -> Result<(), String> {
        let service = Service::start(Parts {
            store: (self.opener)()?,
            clock: Arc::new(self.clock.clone()),
            auth: Authenticator::Local,
            options: self.options,
        })?;
        self.running = Some(match self.listen {
            None => Running::in_memory(service),
            Some(listen) => Running::over_tcp(service, listen).await?,
        });
        Ok(())
    }
}

struct Running {
    service: Arc<Service>,
    channel: Channel,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    fn in_memory(service: Service) -> Self {
        let (connections, incoming) = mpsc::unbounded_channel::<DuplexStream>();
        let incoming = UnboundedReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
        let connector = tower::service_fn(move |_: Uri| {
            let connections = connections.clone();
            async move {
                let (client, server) = tokio::io::duplex(BUFFER);
                let gone = |_| std::io::Error::other("the service has stopped");
                connections.send(server).map_err(gone)?;
                Ok::<_, std::io::Error>(TokioIo::new(client))
            }
        });
        let channel = Endpoint::from_static("http://local").connect_with_connector_lazy(connector);
        Self::serve(service, incoming, channel)
    }

    async fn over_tcp(service: Service, listen: SocketAddr) -> Result<Self, String> {
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| error.to_string())?;
        Ok(Self::serve(service, server::incoming(listener), endpoint.connect_lazy()))
    }

    fn serve<IO>(
        service: Service,
        incoming: impl Stream<Item = Result<IO, std::io::Error>> + Send + 'static,
        channel: Channel,
    ) -> Self
    where
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let service = Arc::new(service);
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
        Self { service, channel, stop, task }
    }

    async fn stop(self, drain: bool) {
        if drain {
            drop(self.channel);
            let _ = self.stop.send(());
        } else {
            self.task.abort();
        }
        let _ = self.task.await;
        self.service.engine().stop(drain).await;
    }
}

impl Host for LocalHost {
    fn channel(&self) -> Channel {
        let running = self.running.as_ref().expect("a host runs but while it restarts");
        running.channel.clone()
    }

    fn now(&self) -> Timestamp {
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
            self.run().await
        })
    }

    fn stop(&mut self) -> Pending<'_, ()> {
        Box::pin(async move {
            if let Some(running) = self.running.take() {
                running.stop(true).await;
            }
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

/// A directory of this process's own, removed when it is dropped.
#[derive(Debug)]
pub struct ScratchDir(pub PathBuf);

impl ScratchDir {
    /// Makes one below the system's directory for temporary files.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(purpose: &str) -> Result<Self, String> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bursar-{purpose}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // Leaving a scratch directory behind is not worth failing for.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

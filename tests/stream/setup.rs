//! A service in this process whose writer can be held, and streams to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc as blocking,
    },
    time::Duration,
};

use bursar::{
    api::auth::Authenticator,
    domain::instant::Instant,
    engine::{Options, clock::ManualClock},
    proto::v1::{
        self, authorize_payout_result::Result as Outcome,
        payout_service_client::PayoutServiceClient,
    },
    server::{Drain, Parts, Service},
    store::memory::MemoryStore,
};
use prost::Message;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_stream::{
    StreamExt,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{
    Request, Status, Streaming,
    transport::{Channel, Endpoint},
};
use tonic_types::pb::ErrorInfo;

use crate::trial::{Client, authorize};

/// How long anything may take before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn at(text: &str) -> Instant {
    Instant(text.parse().expect("an instant"))
}

/// A running service with shops `s1` and `s2`.
pub struct Running {
    pub client: Client,
    pub service: Arc<Service>,
    pub clock: ManualClock,
    address: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), String>>,
}

pub async fn start() -> Running {
    start_with(Options::default(), Authenticator::Local, Duration::from_secs(20)).await
}

/// One that takes so long at most to drain.
pub async fn start_with(options: Options, auth: Authenticator, within: Duration) -> Running {
    let store = MemoryStore::new();
    let clock = ManualClock::new(at("2026-03-02T02:00:00Z"));
    let with = |auth, options| {
        let clock = Arc::new(clock.clone());
        Parts { store: Box::new(store.clone()), clock, auth, options }
    };
    // The queue of the one that is furnished may be too short for that.
    let before = serve(with(Authenticator::Local, Options::default()), clock.clone(), within).await;
    before.client.furnish(&["s1", "s2"]).await;
    before.stop().await;
    serve(with(auth, Options { sweep: false, ..options }), clock.clone(), within).await
}

async fn serve(parts: Parts, clock: ManualClock, within: Duration) -> Running {
    let service = Arc::new(Service::start(parts).expect("a service"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = service.clone();
    let task = tokio::spawn(async move {
        let drain = Drain { linger: Duration::ZERO, within };
        let shutdown = async { drop(stopped.await) };
        serving.serve(TcpListenerStream::new(listener), shutdown, drain).await
    });
    let channel = Endpoint::from_shared(address.clone()).expect("an address").connect_lazy();
    Running { client: Client::new(channel), service, clock, address, stop, task }
}

impl Running {
    /// A connection of its own, whose streams take so many bytes unread.
    pub fn connection(&self, window: u32) -> Channel {
        let endpoint = Endpoint::from_shared(self.address.clone()).expect("an address");
        endpoint.initial_stream_window_size(window).connect_lazy()
    }

    pub fn payouts(&self) -> PayoutServiceClient<Channel> {
        self.client.payouts.clone()
    }

    /// Tells it to stop, and gives what tells that it has.
    pub fn tell_to_stop(self) -> (Arc<Service>, JoinHandle<Result<(), String>>) {
        self.stop.send(()).expect("it serves");
        (self.service, self.task)
    }

    pub async fn stop(self) {
        drop(self.client);
        let (service, task) = (self.service, self.task);
        task.abort();
        // Aborted, as told.
        let _ = task.await;
        service.engine().stop(false).await;
    }

    /// Holds the writer, before anything that is queued from now on.
    pub async fn hold(&self) -> Gate {
        let (open, opened) = blocking::channel::<()>();
        let (begin, begun) = oneshot::channel();
        let engine = self.service.engine().clone();
        tokio::spawn(async move {
            let held = engine.read(move |_| {
                let _ = begin.send(());
                let _ = opened.recv();
                Ok(())
            });
            held.await.expect("it was held");
        });
        begun.await.expect("it is held");
        Gate(open)
    }

    /// How many decisions there are, of all shops.
    pub async fn decided(&self) -> usize {
        let mut count = 0;
        let mut cursor = String::new();
        loop {
            let request = v1::ListEventsRequest {
                parent: crate::trial::PLATFORM.to_owned(),
                kinds: vec![v1::event::Kind::Decided.into()],
                cursor,
                page_size: 1000,
            };
            let page = self.client.list_events(request).await.expect("events");
            count += page.events.len();
            cursor = page.next_cursor;
            if !page.more {
                return count;
            }
        }
    }

    /// The number of decisions once it stays what it is.
    pub async fn decided_in_the_end(&self) -> usize {
        let mut last = self.decided().await;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = self.decided().await;
            if now == last {
                return now;
            }
            last = now;
        }
    }

    /// Until the service has read what was sent on a connection: requests on
    /// it are read in order.
    pub async fn has_read(&self, channel: &Channel) {
        let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
        for _ in 0..3 {
            let asked = tonic_health::pb::HealthCheckRequest::default();
            health.check(asked).await.expect("healthy");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Holds the writer until it is dropped.
pub struct Gate(#[allow(dead_code, reason = "dropping it is what it does")] blocking::Sender<()>);

/// The nth request of a shop, about an order of its own.
pub fn request(shop: &str, n: usize) -> v1::AuthorizePayoutRequest {
    authorize(shop, &format!("r{n}"), &format!("o{n}"), 1)
}

pub fn requests(shop: &str, count: usize) -> Vec<v1::AuthorizePayoutRequest> {
    (0..count).map(|n| request(shop, n)).collect()
}

/// A stream whose requests are sent one by one.
pub struct Talk {
    pub send: mpsc::Sender<v1::AuthorizePayoutRequest>,
    pub answers: Streaming<v1::AuthorizePayoutResult>,
}

impl Talk {
    pub async fn on(channel: &Channel) -> Self {
        Self::with(channel, |_| {}).await.expect("a stream")
    }

    /// One that was changed before it was opened.
    pub async fn with(
        channel: &Channel,
        change: impl FnOnce(&mut Request<ReceiverStream<v1::AuthorizePayoutRequest>>),
    ) -> Result<Self, Status> {
        let (send, sent) = mpsc::channel(4096);
        let mut request = Request::new(ReceiverStream::new(sent));
        change(&mut request);
        let mut payouts = PayoutServiceClient::new(channel.clone());
        let answers = payouts.stream_authorize_payouts(request).await?.into_inner();
        Ok(Self { send, answers })
    }

    pub async fn say(&self, request: v1::AuthorizePayoutRequest) {
        self.send.send(request).await.expect("the stream is open");
    }

    pub async fn answer(&mut self) -> Result<Option<v1::AuthorizePayoutResult>, Status> {
        tokio::time::timeout(PATIENCE, self.answers.message()).await.expect("in time")
    }
}

/// Sends all of them on a stream, and counts those that were fetched.
pub async fn send_all(
    channel: &Channel,
    requests: Vec<v1::AuthorizePayoutRequest>,
) -> (Arc<AtomicUsize>, Streaming<v1::AuthorizePayoutResult>) {
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = fetched.clone();
    let sent = tokio_stream::iter(requests).map(move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        request
    });
    let mut payouts = PayoutServiceClient::new(channel.clone());
    let answers = payouts.stream_authorize_payouts(sent).await.expect("a stream").into_inner();
    (fetched, answers)
}

/// Everything that comes, and what the stream ends with.
pub async fn rest(
    answers: &mut Streaming<v1::AuthorizePayoutResult>,
) -> (Vec<v1::AuthorizePayoutResult>, Option<Status>) {
    let mut came = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, answers.message()).await.expect("in time") {
            Ok(Some(answer)) => came.push(answer),
            Ok(None) => return (came, None),
            Err(status) => return (came, Some(status)),
        }
    }
}

/// What came of a request: the decision, and whether it is a repeat; or the
/// code and reason of its error.
#[derive(Clone, Debug, PartialEq)]
pub enum Came {
    Decided(v1::Decision, bool),
    Failed(i32, String),
}

pub const ALLOWED: Came = Came::Decided(v1::Decision::Allow, false);
pub const REPEATED: Came = Came::Decided(v1::Decision::Allow, true);

pub fn failed(code: tonic::Code, reason: &str) -> Came {
    Came::Failed(code.into(), reason.to_owned())
}

pub fn came(result: &v1::AuthorizePayoutResult) -> Came {
    match &result.result {
        Some(Outcome::Receipt(receipt)) => Came::Decided(receipt.decision(), receipt.replayed),
        Some(Outcome::Error(error)) => {
            let infos = error.details.iter().filter(|d| d.type_url.ends_with("ErrorInfo"));
            let infos = infos.map(|d| ErrorInfo::decode(d.value.as_slice()).expect("details"));
            let reasons: Vec<String> = infos.map(|info| info.reason).collect();
            Came::Failed(error.code, reasons.concat())
        }
        None => panic!("no result: {result:?}"),
    }
}

pub fn ids(results: &[v1::AuthorizePayoutResult]) -> Vec<&str> {
    results.iter().map(|result| result.request_id.as_str()).collect()
}

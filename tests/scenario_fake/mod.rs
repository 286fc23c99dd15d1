//! A fake of the service for tests of the runner: shops, one daily limit of
//! 500.00 CNY, and lies on demand. Judges nothing else.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    marker::PhantomData,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bursar::{
    cli::scenario::{Host, HostFactory, Pending},
    proto::{google::rpc, v1},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use prost::Message;
use tokio_stream::StreamExt;
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, http},
    server::{Grpc, NamedService},
    transport::{Channel, Endpoint, Server},
};
use tonic_types::{ErrorDetails, StatusExt};

/// What the fake does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    HoldsTwice,
    ForgetsWhenKilled,
    MaxTooLarge,
    MaxTooSmall,
    ResetTooEarly,
    ResetTooLate,
}

#[derive(Default)]
struct State {
    now: Timestamp,
    lies: Vec<Lie>,
    shops: BTreeMap<String, v1::Shop>,
    answers: HashMap<String, v1::Receipt>,
    /// When, how many cents.
    payouts: Vec<(Timestamp, i64)>,
    revisions: HashMap<String, v1::Revision>,
}

const LIMIT: i64 = 50_000;

impl State {
    fn lies(&self, lie: Lie) -> bool {
        self.lies.contains(&lie)
    }

    fn midnight(&self) -> Timestamp {
        let today = self.now.to_zoned(TimeZone::UTC).date();
        today.tomorrow().unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp()
    }

    fn create_shop(&mut self, request: Request<v1::CreateShopRequest>) -> Result<v1::Shop, Status> {
        let role = request.metadata().get("bursar-roles").and_then(|v| v.to_str().ok());
        if role == Some("auditor") {
            let mut details = ErrorDetails::new();
            let metadata = HashMap::from([("role".to_owned(), "auditor".to_owned())]);
            details.set_error_info("ROLE_MISSING", "bursar", metadata);
            details.add_bad_request_violation("shop_id", "not by an auditor");
            let text = "auditors change nothing";
            return Err(Status::with_error_details(Code::PermissionDenied, text, details));
        }
        let request = request.into_inner();
        let mut shop = request.shop.unwrap_or_default();
        shop.name = format!("{}/shops/{}", request.parent, request.shop_id);
        shop.create_time = Some(time(self.now));
        let shop = self.shops.entry(shop.name.clone()).or_insert(shop);
        Ok(shop.clone())
    }

    fn get_shop(&mut self, request: Request<v1::GetShopRequest>) -> Result<v1::Shop, Status> {
        let shop = self.shops.get(&request.into_inner().name).cloned();
        shop.ok_or_else(|| Status::not_found("no such shop"))
    }

    fn judge(&self, shop: &str, payout: Option<v1::PayoutSpec>) -> Result<v1::Receipt, Status> {
        if !self.shops.contains_key(shop) {
            return Err(Status::not_found("no such shop"));
        }
        let money = payout.and_then(|payout| payout.amount).unwrap_or_default();
        let cents = money.units * 100 + i64::from(money.nanos) / 10_000_000;
        let today = self.midnight() - SignedDuration::from_hours(24);
        let used: i64 = self.payouts.iter().filter(|p| p.0 >= today).map(|p| p.1).sum();
        let left = LIMIT - used;
        let mut claimed = left;
        claimed += if self.lies(Lie::MaxTooLarge) { 100 } else { 0 };
        claimed -= if self.lies(Lie::MaxTooSmall) { 100 } else { 0 };
        let mut reset = self.midnight();
        if self.lies(Lie::ResetTooEarly) {
            reset -= SignedDuration::from_secs(1);
        }
        if self.lies(Lie::ResetTooLate) {
            reset += SignedDuration::from_secs(1);
        }
        let mut receipt = v1::Receipt {
            decision: v1::Decision::Allow.into(),
            max_amount: text(claimed),
            currency_code: "CNY".to_owned(),
            amount: Some(money),
            decide_time: Some(time(self.now)),
            ..v1::Receipt::default()
        };
        if cents > left {
            receipt.decision = v1::Decision::Deny.into();
            receipt.findings.push(v1::Finding {
                rule: "daily-total".to_owned(),
                outcome: v1::Outcome::Deny.into(),
                remaining: text(left),
                reset_time: Some(time(reset)),
                ..v1::Finding::default()
            });
        }
        Ok(receipt)
    }

    fn authorize(
        &mut self,
        request: Request<v1::AuthorizePayoutRequest>,
    ) -> Result<v1::Receipt, Status> {
        let request = request.into_inner();
        if request.request_id.is_empty() {
            return Err(Status::invalid_argument("request_id"));
        }
        if let Some(first) = self.answers.get(&request.request_id)
            && !self.lies(Lie::HoldsTwice)
        {
            return Ok(v1::Receipt { replayed: true, ..first.clone() });
        }
        let mut receipt = self.judge(&request.parent, request.payout)?;
        if receipt.decision() == v1::Decision::Allow {
            let amount = receipt.amount.clone().unwrap_or_default();
            self.payouts.push((self.now, amount.units * 100));
            receipt.payout = format!("{}/payouts/{}", request.parent, self.payouts.len());
            receipt.state = v1::PayoutState::Authorized.into();
        }
        self.answers.insert(request.request_id, receipt.clone());
        Ok(receipt)
    }

    fn validate(
        &mut self,
        request: Request<v1::ValidatePayoutRequest>,
    ) -> Result<v1::Receipt, Status> {
        let request = request.into_inner();
        self.judge(&request.parent, request.payout)
    }

    /// Decides the items that have a payout, answers the others with an error
    /// that has details.
    fn batch(
        &mut self,
        request: Request<v1::BatchAuthorizePayoutsRequest>,
    ) -> Result<v1::BatchAuthorizePayoutsResponse, Status> {
        let info = tonic_types::pb::ErrorInfo {
            reason: "BROKEN".to_owned(),
            ..tonic_types::pb::ErrorInfo::default()
        };
        let details = prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: info.encode_to_vec(),
        };
        let error = rpc::Status { code: 3, message: "broken".to_owned(), details: vec![details] };
        use v1::authorize_payout_result::Result as Outcome;
        let request = request.into_inner();
        let results = request.requests.into_iter().map(|mut item| {
            let request_id = item.request_id.clone();
            item.parent.clone_from(&request.parent);
            let result = match item.payout {
                Some(_) => self.authorize(Request::new(item)).map(Outcome::Receipt),
                None => Ok(Outcome::Error(error.clone())),
            };
            let result = result.expect("a decision");
            v1::AuthorizePayoutResult { request_id, result: Some(result) }
        });
        Ok(v1::BatchAuthorizePayoutsResponse { results: results.collect() })
    }

    fn create_revision(
        &mut self,
        request: Request<v1::CreateRevisionRequest>,
    ) -> Result<v1::Revision, Status> {
        let request = request.into_inner();
        if request.yaml == "broken" {
            let mut details = ErrorDetails::new();
            details.set_error_info("POLICY_INVALID", "bursar", HashMap::new());
            let text = "the policy has problems";
            return Err(Status::with_error_details(Code::InvalidArgument, text, details));
        }
        let name = format!("{}/revisions/{}", request.parent, self.revisions.len() + 1);
        let revision = v1::Revision { name, ..v1::Revision::default() };
        Ok(self.revisions.entry(request.request_id).or_insert(revision).clone())
    }

    fn activate(
        &mut self,
        request: Request<v1::ActivateRevisionRequest>,
    ) -> Result<v1::Programme, Status> {
        let active_revision = request.into_inner().name;
        Ok(v1::Programme { active_revision, ..v1::Programme::default() })
    }
}

fn time(instant: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (instant.as_second(), instant.subsec_nanosecond());
    prost_types::Timestamp { seconds, nanos }
}

fn text(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn no_payout(_: Request<v1::GetPayoutRequest>) -> Result<v1::Payout, Status> {
    let mut details = ErrorDetails::new();
    details.set_error_info("PAYOUT_NOT_FOUND", "bursar", HashMap::new());
    Err(Status::with_error_details(Code::NotFound, "no such payout", details))
}

/// The name that one of the fake's services is routed by.
pub trait Named: Clone + Send + Sync + 'static {
    const NAME: &'static str;
}

#[derive(Clone)]
struct Shops;
#[derive(Clone)]
struct Payouts;
#[derive(Clone)]
struct Policies;

impl Named for Shops {
    const NAME: &'static str = "bursar.v1.ShopService";
}
impl Named for Payouts {
    const NAME: &'static str = "bursar.v1.PayoutService";
}
impl Named for Policies {
    const NAME: &'static str = "bursar.v1.PolicyService";
}

/// The fake under one name. By hand, because the generated servers ask for
/// every method of a service.
#[derive(Clone)]
struct Fake<N>(Arc<Mutex<State>>, PhantomData<N>);

impl<N: Named> NamedService for Fake<N> {
    const NAME: &'static str = N::NAME;
}

impl<N: Named> tower::Service<http::Request<Body>> for Fake<N> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let state = Arc::clone(&self.0);
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "CreateShop" => unary(state, request, State::create_shop).await,
                "GetShop" => unary(state, request, State::get_shop).await,
                "AuthorizePayout" => unary(state, request, State::authorize).await,
                "ValidatePayout" => unary(state, request, State::validate).await,
                "BatchAuthorizePayouts" => unary(state, request, State::batch).await,
                "StreamAuthorizePayouts" => stream(state, request).await,
                "GetPayout" => unary(state, request, |_, r| no_payout(r)).await,
                "CreateRevision" => unary(state, request, State::create_revision).await,
                "ActivateRevision" => unary(state, request, State::activate).await,
                _ => Status::unimplemented("not by the fake").into_http(),
            })
        })
    }
}

async fn unary<Q, A>(
    state: Arc<Mutex<State>>,
    request: http::Request<Body>,
    answer: fn(&mut State, Request<Q>) -> Result<A, Status>,
) -> http::Response<Body>
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
{
    let codec = tonic_prost::ProstCodec::<A, Q>::default();
    let service = tower::service_fn(move |request: Request<Q>| {
        let answer = answer(&mut state.lock().unwrap(), request).map(Response::new);
        std::future::ready(answer)
    });
    Grpc::new(codec).unary(service, request).await
}

/// Answers each request as a batch of one, and an id of `end` by ending.
async fn stream(state: Arc<Mutex<State>>, request: http::Request<Body>) -> http::Response<Body> {
    let codec =
        tonic_prost::ProstCodec::<v1::AuthorizePayoutResult, v1::AuthorizePayoutRequest>::default();
    let service =
        tower::service_fn(move |request: Request<tonic::Streaming<v1::AuthorizePayoutRequest>>| {
            let state = Arc::clone(&state);
            let answers = request.into_inner().map(move |item| {
                let item = item?;
                if item.request_id == "end" {
                    return Err(Status::unavailable("it ends here"));
                }
                let parent = item.parent.clone();
                let batch = v1::BatchAuthorizePayoutsRequest { parent, requests: vec![item] };
                let mut answer = state.lock().unwrap().batch(Request::new(batch))?;
                Ok(answer.results.remove(0))
            });
            std::future::ready(Ok::<_, Status>(Response::new(answers)))
        });
    Grpc::new(codec).streaming(service, request).await
}

fn server(state: &Arc<Mutex<State>>) -> tonic::transport::server::Router {
    Server::builder()
        .add_service(Fake::<Shops>(Arc::clone(state), PhantomData))
        .add_service(Fake::<Payouts>(Arc::clone(state), PhantomData))
        .add_service(Fake::<Policies>(Arc::clone(state), PhantomData))
}

/// Serves over memory: no ports, nothing shared between tests.
fn connect(state: &Arc<Mutex<State>>) -> Channel {
    let (accept, incoming) = tokio::sync::mpsc::unbounded_channel();
    let incoming = tokio_stream::wrappers::UnboundedReceiverStream::new(incoming);
    tokio::spawn(server(state).serve_with_incoming(incoming));
    let connector = tower::service_fn(move |_| {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let sent = accept.send(Ok::<_, std::io::Error>(theirs)).map_err(std::io::Error::other);
        std::future::ready(sent.map(|()| hyper_util::rt::TokioIo::new(ours)))
    });
    Endpoint::from_static("http://fake").connect_with_connector_lazy(connector)
}

/// An address where a fake listens for the rest of the test.
pub async fn serve_on_loopback() -> String {
    let state = Arc::new(Mutex::new(State::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(server(&state).serve_with_incoming(incoming));
    format!("http://{addr}")
}

struct FakeHost {
    state: Arc<Mutex<State>>,
    channel: Channel,
}

impl Host for FakeHost {
    fn channel(&self) -> Channel {
        self.channel.clone()
    }

    fn now(&self) -> Timestamp {
        self.state.lock().unwrap().now
    }

    fn advance_to(&mut self, instant: Timestamp) -> Pending<'_, ()> {
        self.state.lock().unwrap().now = instant;
        Box::pin(async { Ok(()) })
    }

    fn restart(&mut self, drain: bool) -> Pending<'_, ()> {
        let mut state = self.state.lock().unwrap();
        if !drain && state.lies(Lie::ForgetsWhenKilled) {
            state.payouts.clear();
        }
        self.channel = connect(&self.state);
        Box::pin(async { Ok(()) })
    }

    fn stop(&mut self) -> Pending<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// Starts fakes that all lie alike.
pub struct FakeFactory(Vec<Lie>);

impl FakeFactory {
    pub fn lying(lies: &[Lie]) -> Self {
        Self(lies.to_vec())
    }
}

impl HostFactory for FakeFactory {
    fn start(&self, clock: Timestamp) -> Pending<'_, Box<dyn Host>> {
        Box::pin(async move {
            let state = State { now: clock, lies: self.0.clone(), ..State::default() };
            let state = Arc::new(Mutex::new(state));
            let channel = connect(&state);
            Ok(Box::new(FakeHost { state, channel }) as Box<dyn Host>)
        })
    }
}

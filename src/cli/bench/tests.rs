//! Whether the world and the requests are what they are said to be: judged by a
//! service in this process.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use prost::Message;
use tonic::transport::Channel;

use super::{
    connect,
    load::{self, Mode, Plan},
    noop,
    outcome::Outcome,
    requests::Requests,
    world::{OPERATORS, World},
};
use crate::{
    cli::{local::LocalFactory, scenario::Host},
    proto::v1::{
        self, Decision, Outcome as Came, ReceiptView, payout_service_client::PayoutServiceClient,
        policy_service_client::PolicyServiceClient, quota_service_client::QuotaServiceClient,
        shop_service_client::ShopServiceClient,
    },
};

const SHOPS: usize = 3;
const TIME: i64 = 1_800_000_000;

fn world(shops: usize) -> Arc<World> {
    Arc::new(World::read(Path::new("policies"), "bench", shops).expect("a world"))
}

fn requests(world: &Arc<World>, hot: u64) -> Requests {
    let time = prost_types::Timestamp { seconds: TIME, nanos: 0 };
    Requests::new(world.clone(), "load", hot, time)
}

/// What a server reads of the bytes.
fn read(request: Bytes) -> v1::AuthorizePayoutRequest {
    v1::AuthorizePayoutRequest::decode(request).expect("a request")
}

/// A service in which the world was made.
async fn furnished(world: &World) -> (impl Host, Channel) {
    let clock = Timestamp::from_second(TIME).expect("an instant");
    let host = LocalFactory::memory().launch(clock).await.expect("a service");
    let channel = host.channel();
    world.furnish(std::slice::from_ref(&channel)).await.expect("a world");
    (host, channel)
}

/// Ids of all rules of the policy in force.
async fn rules(world: &World, channel: &Channel) -> BTreeSet<String> {
    let name = format!("{}/revisions/1", world.programme);
    let revision = PolicyServiceClient::new(channel.clone())
        .get_revision(v1::GetRevisionRequest { name })
        .await
        .expect("a revision");
    let policy = revision.into_inner().policy.expect("a policy");
    let conditions = policy.conditions.into_iter().map(|rule| rule.id);
    let limits = policy.limits.into_iter().map(|rule| rule.id);
    let draws = policy.draws.into_iter().map(|rule| rule.id);
    conditions.chain(limits).chain(draws).collect()
}

#[tokio::test]
async fn nineteen_of_twenty_requests_pass_every_rule_and_one_is_denied() {
    let world = world(SHOPS);
    let (_host, channel) = furnished(&world).await;
    let rules = rules(&world, &channel).await;
    let mut client = PayoutServiceClient::new(channel);
    let mut denied = 0;
    for mut request in requests(&world, 500).take(200).map(read) {
        request.view = ReceiptView::Full.into();
        let receipt = client.authorize_payout(request).await.expect("a decision").into_inner();
        match receipt.decision() {
            Decision::Allow => {
                let passed = receipt.findings.iter().filter(|f| f.outcome() == Came::Pass);
                let passed: BTreeSet<String> = passed.map(|finding| finding.rule.clone()).collect();
                assert_eq!(passed, rules);
            }
            Decision::Deny => {
                let refused = receipt.findings.iter().filter(|f| f.outcome() == Came::Deny);
                let refused: BTreeSet<&str> =
                    refused.map(|finding| finding.rule.as_str()).collect();
                assert!(refused.contains("order-total"), "{refused:?}");
                denied += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(denied, 10);
}

#[tokio::test]
async fn holds_end_when_the_bench_is_told_to_have_them_end() {
    for seconds in [1800, 10] {
        let mut world = World::read(Path::new("policies"), "bench", 1).expect("a world");
        if seconds != 1800 {
            world.hold_for(seconds).expect("a policy that says how long");
        }
        let world = Arc::new(world);
        let (_host, channel) = furnished(&world).await;
        let request = requests(&world, 0).map(read).next().expect("a request");
        let mut client = PayoutServiceClient::new(channel);
        let receipt = client.authorize_payout(request).await.expect("a decision").into_inner();
        let expires = receipt.expire_time.expect("an end").seconds;
        assert_eq!(expires, TIME + i64::from(seconds));
    }
}

#[tokio::test]
async fn every_shop_has_as_many_operators_as_are_told() {
    let world = world(SHOPS);
    let (_host, channel) = furnished(&world).await;
    for shop in &world.shops {
        let request = v1::ListOperatorsRequest { parent: shop.clone(), ..Default::default() };
        let answer = QuotaServiceClient::new(channel.clone()).list_operators(request).await;
        assert_eq!(answer.expect("operators").into_inner().operators.len(), OPERATORS);
    }
}

#[tokio::test]
async fn a_world_that_is_there_is_left_as_it_is_and_what_is_missing_made() {
    let small = world(2);
    let (_host, channel) = furnished(&small).await;
    let world = world(SHOPS);
    let channels = std::slice::from_ref(&channel);
    let made = world.furnish(channels).await.expect("a world");
    assert_eq!(world.furnish(channels).await.expect("the same world"), made);
    assert_eq!(made.seconds, TIME);
    let request = v1::ListShopsRequest { parent: "platforms/bench".into(), ..Default::default() };
    let shops = ShopServiceClient::new(channel.clone()).list_shops(request).await.expect("shops");
    assert_eq!(shops.into_inner().shops.len(), SHOPS);
    let mut policies = PolicyServiceClient::new(channel);
    let name = world.programme.clone();
    let programme = policies.get_programme(v1::GetProgrammeRequest { name }).await.expect("one");
    assert_eq!(programme.into_inner().active_revision, format!("{}/revisions/1", world.programme));
}

#[test]
fn parts_of_a_load_are_together_the_whole() {
    let world = world(SHOPS);
    let whole: Vec<_> = requests(&world, 250).take(50).collect();
    let mut one = requests(&world, 250).part(0, Some(30));
    let mut parts: Vec<_> = one.by_ref().collect();
    assert_eq!((one.number(), one.next()), (30, None));
    parts.extend(requests(&world, 250).part(30, Some(20)));
    assert_eq!(parts, whole);
}

#[test]
fn a_request_follows_from_its_number_alone() {
    let world = world(SHOPS);
    let mut all = requests(&world, 250);
    let first: Vec<_> = all.by_ref().take(60).map(read).collect();
    let again = (0..60).map(|number| read(requests(&world, 250).request(number)));
    assert!(again.eq(first.iter().cloned()));
    let ids: BTreeSet<&str> = first.iter().map(|request| request.request_id.as_str()).collect();
    assert_eq!(ids.len(), 60);
}

#[test]
fn the_hot_shop_gets_its_share_and_the_others_the_rest_evenly() {
    let world = world(100);
    let count = |hot: u64| {
        let first = world.shops.first().expect("a shop");
        requests(&world, hot)
            .take(20_000)
            .map(read)
            .filter(|request| request.parent == *first)
            .count()
    };
    // Drawn by a fixed rule: these are no chances.
    assert!((150..250).contains(&count(0)), "{}", count(0));
    assert!((9_700..10_300).contains(&count(500)), "{}", count(500));
    assert_eq!(count(1000), 20_000);
}

#[test]
fn no_shop_is_hot_for_longer_than_its_day_allows() {
    let world = world(100);
    let requests = requests(&world, 1000);
    let hot = |number| read(requests.request(number)).parent;
    assert_eq!(hot(1_199_999), world.shops[0]);
    assert_eq!(hot(1_200_010), world.shops[1]);
}

#[test]
fn a_denied_request_is_about_an_order_that_was_seen_shortly_before() {
    let world = world(SHOPS);
    let requests = requests(&world, 0);
    let order = |number| read(requests.request(number)).payout.expect("a payout").order;
    assert_eq!(order(39), order(29));
    let shop = |number| read(requests.request(number)).parent;
    assert_eq!(shop(39), shop(29));
    assert_ne!(order(38), order(28));
}

/// What comes of a short load on the server that does nothing.
async fn idle_load(mode: Mode, rate: Option<u64>, count: Option<u64>) -> Outcome {
    let listener = noop::listener().await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = tokio::spawn(noop::serve(listener, 300));
    let clients = connect(&address, 3).await.expect("connections");
    // As long as it takes, if it ends with its requests.
    let time = Duration::from_millis(if count.is_some() { 3_600_000 } else { 200 });
    let plan = Plan { mode, in_flight: 7, rate, time };
    let outcome = load::run(&clients, requests(&world(SHOPS), 0).part(0, count), plan).await;
    server.abort();
    outcome
}

#[tokio::test]
async fn each_mode_gets_an_answer_for_every_request() {
    for (mode, each) in [(Mode::Unary, 1), (Mode::Batch, load::BATCH as u64), (Mode::Stream, 1)] {
        let closed = idle_load(mode, None, None).await;
        assert!(closed.decided > 0 && closed.errors.is_empty(), "{closed:?}");
        assert_eq!(closed.decided, closed.latency.len() * each, "{mode:?}");
        assert_eq!(closed.reply.value_at_quantile(0.5), 300, "{mode:?}");
        let open = idle_load(mode, Some(200), None).await;
        assert!(open.errors.is_empty(), "{open:?}");
        assert_eq!(open.decided, 40 * each, "{mode:?}");
    }
}

#[tokio::test]
async fn a_load_of_so_many_requests_ends_with_the_last_of_them() {
    for mode in [Mode::Unary, Mode::Batch, Mode::Stream] {
        for rate in [None, Some(100_000)] {
            let outcome = idle_load(mode, rate, Some(250)).await;
            assert!(outcome.errors.is_empty(), "{outcome:?}");
            assert_eq!((outcome.decided, outcome.next), (250, 250), "{mode:?} {rate:?}");
        }
        let none = idle_load(mode, None, Some(0)).await;
        assert_eq!((none.decided, none.latency.len(), none.next), (0, 0, 0), "{mode:?}");
    }
}

//! Batches: an item is answered as a single call, and all together stay below
//! the 4 MiB that clients take.

use std::sync::Arc;

use bursar::{
    api::{auth::Authenticator, policy_reading::compiler, service::Api},
    engine::{self, clock::ManualClock},
    proto::{
        google::rpc,
        v1::{
            self, authorize_payout_result::Result as Outcome, fact_value::Kind,
            payout_service_server::PayoutService, policy_service_server::PolicyService,
            quota_service_server::QuotaService, shop_service_server::ShopService,
        },
    },
    store::memory::MemoryStore,
    yaml,
};
use prost::Message;
use tonic::{Code, Request};

use super::setup::*;

pub const SHOP: &str = "platforms/p/shops/s";
pub const PROGRAMME: &str = "platforms/p/programmes/published";

/// A service with platform p and shop s where policies are what they say.
pub async fn compiling() -> Api {
    let clock = ManualClock::new(at("2026-03-02T02:00:00Z"));
    let store = Box::new(MemoryStore::new());
    let options = engine::Options::default();
    let (engine, _writer) =
        engine::start(store, Arc::new(clock), compiler(), options).expect("the engine starts");
    let api = Api::new(engine, Authenticator::Local);
    furnish(&api).await;
    api
}

/// Puts a policy in force.
pub async fn put_in_force(api: &Api, policy: v1::Policy) {
    let revision = v1::CreateRevisionRequest {
        parent: PROGRAMME.to_owned(),
        policy: Some(policy),
        ..v1::CreateRevisionRequest::default()
    };
    let made = api.create_revision(by("admin", revision)).await.expect("a revision");
    let name = made.into_inner().name;
    let activate = v1::ActivateRevisionRequest { name, ..v1::ActivateRevisionRequest::default() };
    api.activate_revision(by("admin", activate)).await.expect("in force");
}

/// A service that decides by a published policy.
pub async fn deciding() -> Api {
    let api = compiling().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/douyin-small-payout.yaml");
    let text = std::fs::read_to_string(path).expect("a policy");
    let (mut policy, _) = yaml::read::<v1::Policy>(&text, "bursar.v1.Policy").expect("a policy");
    // As an author may: with a long explanation of every refusal.
    for rule in &mut policy.conditions {
        rule.text.values_mut().for_each(|text| text.push_str(&" More of it.".repeat(50)));
    }
    put_in_force(&api, policy).await;
    let main = operator("main", v1::operator::Kind::Main, "");
    api.create_operator(by("platform", main)).await.expect("an operator");
    let text = |text: &str| fact(Kind::StringValue(text.to_owned()));
    let shop = v1::Shop {
        facts: [("operating_state", text("suspended_for_rectification"))]
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .chain([("qualification".to_owned(), text("enterprise"))])
            .collect(),
        ..v1::Shop::default()
    };
    api.update_shop(by("platform", shop_update(shop, &["facts"]))).await.expect("a change");
    let known = [
        ("app", text("toutiao")),
        ("payment_method", text("cash_on_delivery")),
        ("status", text("shipped")),
        ("deposit_presale", fact(Kind::BoolValue(true))),
        ("local_life", fact(Kind::BoolValue(true))),
        ("cross_border", fact(Kind::BoolValue(true))),
    ];
    let order = v1::Order {
        name: format!("{SHOP}/orders/o"),
        paid_amount: money(1000),
        place_time: Some(prost_types::Timestamp { seconds: 1_771_560_000, nanos: 0 }),
        source_time: Some(prost_types::Timestamp { seconds: 1_771_560_000, nanos: 0 }),
        facts: known.map(|(key, value)| (key.to_owned(), value)).into(),
        ..v1::Order::default()
    };
    let order = v1::UpsertOrderRequest { order: Some(order), request_id: String::new() };
    api.upsert_order(by("platform", order)).await.expect("an order");
    api
}

fn request(number: usize, view: v1::ReceiptView) -> v1::AuthorizePayoutRequest {
    let channel = fact(Kind::StringValue("shop_pc_order_detail".to_owned()));
    v1::AuthorizePayoutRequest {
        parent: SHOP.to_owned(),
        request_id: format!("r-{number}"),
        payout: Some(v1::PayoutSpec {
            programme: PROGRAMME.to_owned(),
            operator: format!("{SHOP}/operators/main"),
            order: format!("{SHOP}/orders/o"),
            amount: money(600),
            facts: [("entry_channel".to_owned(), channel)].into(),
            ..v1::PayoutSpec::default()
        }),
        view: view.into(),
        ..v1::AuthorizePayoutRequest::default()
    }
}

/// What a batch is answered with.
pub async fn answered(
    api: &Api,
    requests: Vec<v1::AuthorizePayoutRequest>,
) -> v1::BatchAuthorizePayoutsResponse {
    let batch = v1::BatchAuthorizePayoutsRequest { parent: SHOP.to_owned(), requests };
    let answer = api.batch_authorize_payouts(by("platform", batch)).await;
    answer.expect("an answer").into_inner()
}

/// Decides so many, which are all denied for several reasons.
pub async fn decide(
    api: &Api,
    from: usize,
    count: usize,
    view: v1::ReceiptView,
) -> v1::BatchAuthorizePayoutsResponse {
    answered(api, (from..from + count).map(|n| request(n, view)).collect()).await
}

fn receipts(answer: &v1::BatchAuthorizePayoutsResponse) -> Vec<&v1::Receipt> {
    let receipts = answer.results.iter().map(|result| match &result.result {
        Some(Outcome::Receipt(receipt)) => receipt,
        other => panic!("no receipt: {other:?}"),
    });
    receipts.collect()
}

#[tokio::test]
async fn a_thousand_whole_receipts_stay_below_what_clients_take() {
    let api = deciding().await;
    let answer = decide(&api, 0, 1000, v1::ReceiptView::Full).await;
    let bytes = answer.encoded_len();
    assert!(bytes < 4 * 1024 * 1024 && bytes > 1024 * 1024, "{bytes} bytes");
    let all = receipts(&answer);
    let whole = &decide(&api, 5000, 1, v1::ReceiptView::Full).await;
    let whole = receipts(whole)[0];
    assert!(!whole.abridged && whole.findings.len() > 10, "{}", whole.findings.len());
    assert!(whole.encoded_len() * 1000 > 4 * 1024 * 1024, "or this shows nothing");
    for receipt in &all {
        assert_eq!((receipt.decision(), receipt.max_amount.as_str()), (v1::Decision::Deny, "0.00"));
        let whole = receipt.findings.len() == whole.findings.len();
        assert!(receipt.abridged || whole, "what is left out is told");
    }
    let abridged: Vec<_> = all.iter().filter(|receipt| receipt.abridged).collect();
    assert!(abridged.len() > 100, "{}", abridged.len());
    // What was left out can be read.
    let read = v1::GetDecisionRequest {
        name: abridged[0].name.clone(),
        view: v1::ReceiptView::Full.into(),
        ..v1::GetDecisionRequest::default()
    };
    let read = api.get_decision(by("platform", read)).await.expect("the decision").into_inner();
    assert_eq!((read.findings.len(), read.abridged), (whole.findings.len(), false));
}

#[tokio::test]
async fn what_fits_is_left_whole() {
    let api = deciding().await;
    let answer = decide(&api, 0, 100, v1::ReceiptView::Full).await;
    let all = receipts(&answer);
    assert!(all.iter().all(|r| !r.abridged && r.findings.len() > 10));
    assert!(all.iter().all(|r| r.findings.iter().any(|f| !f.text.is_empty())));
}

#[tokio::test]
async fn a_thousand_refusals_with_long_names_stay_below_what_clients_take() {
    let api = deciding().await;
    let broken = |n: usize| {
        let mut broken = request(n, v1::ReceiptView::Basic);
        broken.request_id = "号".repeat(200);
        let payout = broken.payout.as_mut().expect("a payout");
        payout.programme = "x".repeat(700);
        for n in 0..4 {
            let name = format!("{}{n}", "名".repeat(127));
            payout.facts.insert(name, fact(Kind::StringValue(String::new())));
        }
        broken
    };
    let answer = answered(&api, (0..1000).map(broken).collect()).await;
    assert!(answer.encoded_len() < 4 * 1024 * 1024, "{} bytes", answer.encoded_len());
    assert!(answer.results.iter().all(|r| r.request_id.chars().count() == 128));
}

#[tokio::test]
async fn an_item_is_refused_exactly_as_a_single_call() {
    let api = deciding().await;
    let mut broken = request(0, v1::ReceiptView::Basic);
    broken.request_id = String::new();
    let payout = broken.payout.as_mut().expect("a payout");
    payout.programme = "somewhere".to_owned();
    payout.amount = None;
    payout.facts.insert("entry_channel".to_owned(), fact(Kind::DecimalValue("x".to_owned())));
    let alone = api.authorize_payout(by("platform", broken.clone())).await.expect_err("broken");
    assert_eq!(alone.code(), Code::InvalidArgument);
    let alone = rpc::Status::decode(alone.details()).expect("details");
    let answer = answered(&api, vec![request(1, v1::ReceiptView::Basic), broken]).await;
    let Some(Outcome::Error(item)) = &answer.results[1].result else { panic!("{answer:?}") };
    assert_eq!(*item, alone);
    let read = v1::GetDecisionRequest {
        parent: SHOP.to_owned(),
        request_id: "r-1".to_owned(),
        ..v1::GetDecisionRequest::default()
    };
    api.get_decision(Request::new(read)).await.expect("the other one was decided");
}

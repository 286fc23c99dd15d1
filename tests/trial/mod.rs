//! A small world for tests that run a whole service: its policy, its shops, and
//! a client for it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use bursar::proto::{
    google::r#type::Money,
    v1::{
        self, event_service_client::EventServiceClient, payout_service_client::PayoutServiceClient,
        policy_service_client::PolicyServiceClient, quota_service_client::QuotaServiceClient,
        settlement, shop_service_client::ShopServiceClient,
    },
};
use prost_types::Timestamp;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt;

pub const PLATFORM: &str = "platforms/p1";
pub const PROGRAMME: &str = "platforms/p1/programmes/trial";
pub const POLICY: &str = include_str!("../policies/trial.yaml");
/// What each shop has on its account at first.
pub const PROCEEDS: i64 = 100_000_000;

/// Clients of one service.
#[derive(Clone)]
pub struct Client {
    pub shops: ShopServiceClient<Channel>,
    pub quotas: QuotaServiceClient<Channel>,
    pub payouts: PayoutServiceClient<Channel>,
    pub policies: PolicyServiceClient<Channel>,
    pub events: EventServiceClient<Channel>,
}

/// Declares a method that calls one of the service's.
macro_rules! calls {
    ($($service:ident.$method:ident($request:ident) -> $response:ident;)+) => {
        $(pub async fn $method(&self, request: v1::$request) -> Result<v1::$response, Status> {
            self.$service.clone().$method(request).await.map(tonic::Response::into_inner)
        })+
    };
}

impl Client {
    pub fn new(channel: Channel) -> Self {
        Self {
            shops: ShopServiceClient::new(channel.clone()),
            quotas: QuotaServiceClient::new(channel.clone()),
            payouts: PayoutServiceClient::new(channel.clone()),
            policies: PolicyServiceClient::new(channel.clone()),
            events: EventServiceClient::new(channel),
        }
    }

    calls! {
        shops.get_account(GetAccountRequest) -> Account;
        quotas.get_usage(GetUsageRequest) -> GetUsageResponse;
        payouts.authorize_payout(AuthorizePayoutRequest) -> Receipt;
        payouts.execute_payout(ExecutePayoutRequest) -> Payout;
        payouts.settle_payout(SettlePayoutRequest) -> Payout;
        payouts.cancel_payout(CancelPayoutRequest) -> Payout;
        payouts.get_decision(GetDecisionRequest) -> Receipt;
        policies.create_revision(CreateRevisionRequest) -> Revision;
        events.list_events(ListEventsRequest) -> ListEventsResponse;
    }

    pub async fn payout(&self, name: &str) -> Result<v1::Payout, Status> {
        let request = v1::GetPayoutRequest { name: name.to_owned() };
        self.payouts.clone().get_payout(request).await.map(tonic::Response::into_inner)
    }

    /// Platform, policy and shops.
    pub async fn furnish(&self, shops: &[&str]) {
        let platform =
            v1::CreatePlatformRequest { platform_id: "p1".to_owned(), ..Default::default() };
        self.shops.clone().create_platform(platform).await.expect("a platform");
        let revision = v1::CreateRevisionRequest {
            parent: PROGRAMME.to_owned(),
            yaml: POLICY.to_owned(),
            ..Default::default()
        };
        let revision = self.create_revision(revision).await.expect("a revision");
        let activation = v1::ActivateRevisionRequest { name: revision.name, ..Default::default() };
        self.policies.clone().activate_revision(activation).await.expect("it is in force");
        for shop in shops {
            self.furnish_shop(shop).await;
        }
    }

    async fn furnish_shop(&self, id: &str) {
        let mut shops = self.shops.clone();
        let shop = v1::CreateShopRequest {
            parent: PLATFORM.to_owned(),
            shop_id: id.to_owned(),
            ..Default::default()
        };
        shops.create_shop(shop).await.expect("a shop");
        let account = v1::CreateAccountRequest {
            parent: shop_name(id),
            account_id: "settlement".to_owned(),
            account: Some(v1::Account {
                kind: v1::account::Kind::Settlement.into(),
                currency_code: "CNY".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        shops.create_account(account).await.expect("an account");
        let movement = v1::RecordMovementRequest {
            parent: format!("{}/accounts/settlement", shop_name(id)),
            movement: Some(v1::Movement {
                reference: "proceeds".to_owned(),
                direction: v1::movement::Direction::Credit.into(),
                kind: v1::movement::Kind::Proceeds.into(),
                amount: money(PROCEEDS),
                ..Default::default()
            }),
            ..Default::default()
        };
        shops.record_movement(movement).await.expect("money");
    }

    /// Every payout of a shop, all pages.
    pub async fn every_payout(&self, shop: &str) -> Vec<v1::Payout> {
        let mut all = Vec::new();
        let mut request = v1::ListPayoutsRequest {
            parent: shop_name(shop),
            page_size: 500,
            ..Default::default()
        };
        for _ in 0..1000 {
            let page = self.payouts.clone().list_payouts(request.clone()).await;
            let page = page.expect("a page").into_inner();
            all.extend(page.payouts);
            if page.next_page_token.is_empty() {
                return all;
            }
            request.page_token = page.next_page_token;
        }
        panic!("pages without end");
    }

    /// The alerts of the whole platform.
    pub async fn alerts(&self) -> Vec<v1::Event> {
        let request = v1::ListEventsRequest {
            parent: PLATFORM.to_owned(),
            kinds: vec![v1::event::Kind::Alert.into()],
            page_size: 1000,
            ..Default::default()
        };
        self.list_events(request).await.expect("events").events
    }
}

pub fn shop_name(id: &str) -> String {
    format!("{PLATFORM}/shops/{id}")
}

/// A request about an order that is sent along.
pub fn authorize(
    shop: &str,
    request_id: &str,
    order: &str,
    fen: i64,
) -> v1::AuthorizePayoutRequest {
    v1::AuthorizePayoutRequest {
        parent: shop_name(shop),
        request_id: request_id.to_owned(),
        payout: Some(v1::PayoutSpec {
            programme: PROGRAMME.to_owned(),
            amount: money(fen),
            order: format!("{}/orders/{order}", shop_name(shop)),
            inline_order: Some(v1::Order {
                source_time: Some(Timestamp { seconds: 1_767_225_600, nanos: 0 }),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn execute(payout: &str) -> v1::ExecutePayoutRequest {
    v1::ExecutePayoutRequest {
        name: payout.to_owned(),
        execution_id: "x1".to_owned(),
        ..Default::default()
    }
}

pub fn cancel(payout: &str) -> v1::CancelPayoutRequest {
    v1::CancelPayoutRequest { name: payout.to_owned(), ..Default::default() }
}

/// The channel's report: what the payee got, or that it failed.
pub fn settle(payout: &str, paid: Option<Money>) -> v1::SettlePayoutRequest {
    let result = match paid {
        Some(_) => settlement::Result::Succeeded,
        None => settlement::Result::Failed,
    };
    v1::SettlePayoutRequest {
        name: payout.to_owned(),
        result: result.into(),
        amount: paid,
        channel_reference: format!("c-{payout}").chars().rev().take(100).collect(),
        ..Default::default()
    }
}

pub fn money(fen: i64) -> Option<Money> {
    let nanos = i32::try_from(fen % 100).expect("less than a yuan") * 10_000_000;
    Some(Money { currency_code: "CNY".to_owned(), units: fen / 100, nanos })
}

pub fn fen(money: Option<&Money>) -> i64 {
    money.map_or(0, |money| money.units * 100 + i64::from(money.nanos / 10_000_000))
}

/// A decimal string in fen.
pub fn fen_of(text: &str) -> i64 {
    let (units, rest) = text.split_once('.').unwrap_or((text, "00"));
    assert_eq!(rest.len(), 2, "{text} has two decimals");
    format!("{units}{rest}").parse().expect("a decimal")
}

/// The reason in a refusal's details.
pub fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

#[track_caller]
pub fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: tonic::Code, why: &str) {
    let status = answer.expect_err("a refusal");
    assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{status}");
}

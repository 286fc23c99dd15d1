//! A client of all services over one connection.

use bursar::proto::v1::{
    self, case_service_client::CaseServiceClient, event_service_client::EventServiceClient,
    payout_service_client::PayoutServiceClient, policy_service_client::PolicyServiceClient,
    quota_service_client::QuotaServiceClient, shop_service_client::ShopServiceClient,
};
use tonic::{Status, Streaming, transport::Channel};

use crate::{process::Server, trial::reason};

#[derive(Clone)]
pub struct Client {
    shops: ShopServiceClient<Channel>,
    quotas: QuotaServiceClient<Channel>,
    payouts: PayoutServiceClient<Channel>,
    policies: PolicyServiceClient<Channel>,
    events: EventServiceClient<Channel>,
    cases: CaseServiceClient<Channel>,
}

/// Declares methods that call one of the service's.
macro_rules! calls {
    ($($service:ident.$method:ident($request:ident) -> $response:ident;)+) => {
        $(pub async fn $method(&self, request: v1::$request) -> Result<v1::$response, Status> {
            self.$service.clone().$method(request).await.map(tonic::Response::into_inner)
        })+
    };
}

impl Client {
    /// On a connection of its own.
    pub async fn connect(server: &Server) -> Self {
        let channel = server.channel().await;
        Self {
            shops: ShopServiceClient::new(channel.clone()),
            quotas: QuotaServiceClient::new(channel.clone()),
            payouts: PayoutServiceClient::new(channel.clone()),
            policies: PolicyServiceClient::new(channel.clone()),
            events: EventServiceClient::new(channel.clone()),
            cases: CaseServiceClient::new(channel),
        }
    }

    /// A stream of requests, and its answers.
    pub async fn stream_authorize_payouts(
        &self,
        requests: impl tokio_stream::Stream<Item = v1::AuthorizePayoutRequest> + Send + 'static,
    ) -> Result<Streaming<v1::AuthorizePayoutResult>, Status> {
        let answers = self.payouts.clone().stream_authorize_payouts(requests).await?;
        Ok(answers.into_inner())
    }

    calls! {
        shops.create_platform(CreatePlatformRequest) -> Platform;
        shops.create_shop(CreateShopRequest) -> Shop;
        shops.update_shop(UpdateShopRequest) -> Shop;
        shops.get_shop(GetShopRequest) -> Shop;
        shops.upsert_order(UpsertOrderRequest) -> Order;
        shops.get_order(GetOrderRequest) -> Order;
        shops.create_account(CreateAccountRequest) -> Account;
        shops.get_account(GetAccountRequest) -> Account;
        shops.record_movement(RecordMovementRequest) -> RecordMovementResponse;
        shops.list_movements(ListMovementsRequest) -> ListMovementsResponse;
        quotas.create_operator(CreateOperatorRequest) -> Operator;
        quotas.update_grant(UpdateGrantRequest) -> Grant;
        quotas.get_grant(GetGrantRequest) -> Grant;
        quotas.get_usage(GetUsageRequest) -> GetUsageResponse;
        payouts.authorize_payout(AuthorizePayoutRequest) -> Receipt;
        payouts.batch_authorize_payouts(BatchAuthorizePayoutsRequest) -> BatchAuthorizePayoutsResponse;
        payouts.execute_payout(ExecutePayoutRequest) -> Payout;
        payouts.settle_payout(SettlePayoutRequest) -> Payout;
        payouts.cancel_payout(CancelPayoutRequest) -> Payout;
        payouts.return_payout(ReturnPayoutRequest) -> Payout;
        payouts.list_payouts(ListPayoutsRequest) -> ListPayoutsResponse;
        payouts.get_decision(GetDecisionRequest) -> Receipt;
        policies.create_revision(CreateRevisionRequest) -> Revision;
        policies.activate_revision(ActivateRevisionRequest) -> Programme;
        policies.get_programme(GetProgrammeRequest) -> Programme;
        events.list_events(ListEventsRequest) -> ListEventsResponse;
        cases.create_freeze(CreateFreezeRequest) -> Freeze;
        cases.lift_freeze(LiftFreezeRequest) -> Freeze;
        cases.get_freeze(GetFreezeRequest) -> Freeze;
        cases.list_freezes(ListFreezesRequest) -> ListFreezesResponse;
    }
}

/// Why a call was not answered with what was asked for.
#[derive(Debug)]
pub enum No {
    /// The service says so, and changed nothing.
    Refused(String),
    /// Nothing was said: the server is gone, or cannot keep anything.
    Gone,
}

impl From<Status> for No {
    fn from(status: Status) -> Self {
        match reason(&status).as_str() {
            "" | "STORE_UNAVAILABLE" | "DRAINING" => Self::Gone,
            why => Self::Refused(why.to_owned()),
        }
    }
}

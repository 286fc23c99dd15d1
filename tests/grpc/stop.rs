//! SIGTERM: says NOT_SERVING, still answers, then closes, lets calls under way
//! end, and exits with 0.

use std::time::Duration;

use bursar::proto::v1::{
    AuthorizePayoutRequest, GetShopRequest, Shop, payout_service_client::PayoutServiceClient,
    shop_service_client::ShopServiceClient,
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

use super::process::Server;

fn shop() -> GetShopRequest {
    GetShopRequest { name: "platforms/p/shops/s".to_owned() }
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_drains_and_ends_well() {
    let mut server = Server::in_memory();
    let channel = server.channel().await;
    let mut watch = HealthClient::new(channel.clone())
        .watch(HealthCheckRequest::default())
        .await
        .expect("a stream")
        .into_inner();
    let first = watch.message().await.expect("no error").expect("a status");
    assert_eq!(first.status(), ServingStatus::Serving);
    let (send_the_rest, under_way) = call_under_way(server.channel().await);

    server.tell_to_stop();
    let next = watch.message().await.expect("no error").expect("a status");
    assert_eq!(next.status(), ServingStatus::NotServing);
    drop(watch);
    // Load balancers need a while to notice: meanwhile calls are answered, also
    // on new connections.
    let mut late = ShopServiceClient::new(server.channel().await);
    assert_eq!(late.get_shop(shop()).await.expect_err("no shop").code(), Code::NotFound);
    drop((late, channel));

    while server.endpoint().connect().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!server.has_ended(), "it waits for the call under way");
    send_the_rest.send(()).expect("the call waits for it");
    let answer = under_way.await.expect("no panic");
    assert_eq!(answer, Code::NotFound, "the call under way was answered");

    let status = server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_ends_streams_soon_and_well() {
    let mut server = Server::in_memory();
    let channel = server.channel().await;
    let mut payouts = PayoutServiceClient::new(channel.clone());
    let (send, sent) = mpsc::channel(1);
    let stream = payouts.stream_authorize_payouts(ReceiverStream::new(sent)).await;
    let mut answers = stream.expect("a stream").into_inner();
    let ask = || AuthorizePayoutRequest { request_id: "r".to_owned(), ..Default::default() };
    send.send(ask()).await.expect("it is open");
    let answer = answers.message().await.expect("no error").expect("an answer");
    assert_eq!(answer.request_id, "r", "and it says what is wrong with it");

    server.tell_to_stop();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Until connections are told to go away, a stream goes on.
    send.send(ask()).await.expect("it is open");
    answers.message().await.expect("no error").expect("an answer");
    let end = answers.message().await.expect_err("it ends");
    assert_eq!(end.code(), Code::Unavailable);
    let details = end.get_error_details();
    assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some("DRAINING"));
    assert!(details.retry_info().is_some(), "and when to come again");
    drop((answers, send, payouts, channel));
    let ended = tokio::time::timeout(Duration::from_secs(10), server.ended()).await;
    assert_eq!(ended.expect("long before its time is over").code(), Some(0), "{}", server.log());
}

/// A unary call whose request has begun, and whose message is sent when told:
/// on the wire, a stream of one.
fn call_under_way(channel: Channel) -> (oneshot::Sender<()>, tokio::task::JoinHandle<Code>) {
    let (send, sent) = oneshot::channel();
    let call = tokio::spawn(async move {
        let mut client = Grpc::new(channel);
        client.ready().await.expect("a connection");
        let message = futures_util::stream::once(async {
            sent.await.expect("told to send");
            shop()
        });
        let path = PathAndQuery::from_static("/bursar.v1.ShopService/GetShop");
        let codec = ProstCodec::<GetShopRequest, Shop>::default();
        let answer = client.client_streaming(Request::new(message), path, codec).await;
        answer.map_or_else(|status| status.code(), |_| Code::Ok)
    });
    (send, call)
}

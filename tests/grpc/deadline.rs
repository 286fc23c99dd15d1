//! What a call is answered whose deadline passes, as it is on the wire: gRPC
//! clients make up an answer of their own then.

use std::time::Duration;

use tokio::net::TcpStream;
use tonic::{
    Code, Status,
    codegen::http::{HeaderMap, Request},
};
use tonic_types::StatusExt;

use super::process::Server;

/// Headers, and trailers if there are any, of a call that has said nothing yet
/// when its deadline passes.
async fn answered(server: &Server, path: &str) -> HeaderMap {
    let tcp = TcpStream::connect(&server.address).await.expect("a connection");
    let (mut client, connection) = h2::client::handshake(tcp).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("http://{}{path}", server.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "200m")
        .body(())
        .expect("a request");
    let (answer, _unsaid) = client.send_request(request, false).expect("it is sent");
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("in time");
    let (head, mut body) = answer.expect("an answer").into_parts();
    let mut headers = head.headers;
    while let Some(bytes) = body.data().await {
        bytes.expect("no error");
    }
    headers.extend(body.trailers().await.expect("no error").unwrap_or_default());
    connection.abort();
    headers
}

#[tokio::test]
async fn a_call_or_stream_whose_deadline_passes_is_told_so_and_not_that_it_was_cancelled() {
    let server = Server::in_memory();
    for method in ["GetPayout", "StreamAuthorizePayouts"] {
        let headers = answered(&server, &format!("/bursar.v1.PayoutService/{method}")).await;
        let status = Status::from_header_map(&headers).expect("a status");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{method}: {status:?}");
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.as_str());
        assert_eq!(reason, Some("DEADLINE_PASSED"), "{method}");
    }
}

//! Calls as they are on the wire, which gRPC clients do not make or show.

use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tonic::codegen::http::{HeaderMap, Request};

use super::process::Server;

/// Headers, and trailers if there are any, that a call is answered with. Without a
/// body it stays open and says nothing.
pub async fn answer(
    server: &Server,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&'static [u8]>,
) -> HeaderMap {
    let tcp = TcpStream::connect(&server.address).await.expect("a connection");
    let (mut client, connection) = h2::client::handshake(tcp).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://{}{path}", server.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a request");
    let (answer, mut sending) = client.send_request(request, false).expect("it is sent");
    if let Some(body) = body {
        sending.send_data(Bytes::from_static(body), true).expect("it is sent");
    }
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

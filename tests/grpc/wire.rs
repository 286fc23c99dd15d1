//! Calls as they are on the wire, which gRPC clients do not make or show.

use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tonic::{
    Status,
    codegen::http::{HeaderMap, HeaderName, HeaderValue, Request},
};

use super::process::Server;

/// What a call says.
#[derive(Clone, Default, Debug)]
pub struct Said {
    pub headers: &'static [(&'static str, &'static str)],
    /// Without one it stays open and says nothing.
    pub body: Option<Bytes>,
    /// Behind its body.
    pub trailers: &'static [(&'static str, &'static str)],
}

/// What it is answered with.
#[derive(Debug)]
pub struct Answer {
    pub headers: HeaderMap,
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    /// Its status, wherever it is.
    pub fn status(&self) -> Status {
        let trailers = self.trailers.as_ref().and_then(Status::from_header_map);
        trailers.or_else(|| Status::from_header_map(&self.headers)).expect("a status")
    }
}

/// Makes a call.
pub async fn answer(server: &Server, path: &str, said: Said) -> Answer {
    let tcp = TcpStream::connect(&server.address).await.expect("a connection");
    let (mut client, connection) = h2::client::handshake(tcp).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://{}{path}", server.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in said.headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a request");
    let (answer, mut sending) = client.send_request(request, false).expect("it is sent");
    if let Some(body) = said.body {
        sending.send_data(body, said.trailers.is_empty()).expect("it is sent");
    }
    if !said.trailers.is_empty() {
        let trailers = said
            .trailers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        sending.send_trailers(trailers.collect()).expect("they are sent");
    }
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("in time");
    let (head, mut body) = answer.expect("an answer").into_parts();
    // Who answers before all was sent may say that the rest is not wanted.
    let is_enough = |error: &h2::Error| error.reason() == Some(h2::Reason::NO_ERROR);
    while let Some(bytes) = body.data().await {
        match bytes {
            Err(error) if is_enough(&error) => break,
            bytes => drop(bytes.expect("no error")),
        }
    }
    let trailers = match body.trailers().await {
        Err(error) if is_enough(&error) => None,
        trailers => trailers.expect("no error"),
    };
    connection.abort();
    Answer { headers: head.headers, trailers }
}

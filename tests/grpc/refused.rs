//! What the transport refuses before any service sees it: with a reason, as
//! every refusal has one.

use std::{fmt::Debug, mem};

use bursar::server::MAX_MESSAGE_BYTES;
use bytes::Bytes;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    metadata::MetadataValue,
};
use tonic_types::StatusExt;

use super::{
    process::Server,
    wire::{Said, answer},
};

/// What has a way in of its own.
const AUTHORIZE: &str = "/bursar.v1.PayoutService/AuthorizePayout";
/// What has not, and is asked nearly the same.
const VALIDATE: &str = "/bursar.v1.PayoutService/ValidatePayout";

/// Sends bytes as they are, and looks at no answer.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, bytes: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(buffer, &bytes);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        Ok(Some(()))
    }
}

/// The status that a message is answered with.
async fn answered(server: &Server, path: &'static str, request: Request<Vec<u8>>) -> Status {
    let mut client = Grpc::new(server.channel().await);
    client.ready().await.expect("a connection");
    client.unary(request, PathAndQuery::from_static(path), Raw).await.expect_err("a refusal")
}

fn reason(status: &Status) -> (Code, String, String) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no reason: {status:?}"));
    (status.code(), info.reason.clone(), info.domain.clone())
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_the_senders_fault_and_says_so() {
    let server = Server::in_memory();
    let malformed = (Code::InvalidArgument, "MESSAGE_MALFORMED".to_owned(), "bursar".to_owned());
    // A name that is not UTF-8, one that is cut short, and a number for a text.
    let broken = [&b"\x0a\x02\xff\xfe"[..], &b"\x0a\x7fabc"[..], &b"\x08\x01"[..]];
    let paths = ["/bursar.v1.ShopService/GetShop", AUTHORIZE];
    for (bytes, path) in broken.into_iter().flat_map(|bytes| paths.map(|path| (bytes, path))) {
        let request = Request::new(bytes.to_vec());
        let status = answered(&server, path, request).await;
        assert_eq!(reason(&status), malformed, "{bytes:?}: {status:?}");
        let details = status.get_error_details();
        let fields = details.bad_request().map(|b| b.field_violations.len());
        assert_eq!(fields, Some(1), "{status:?}");
    }
}

#[tokio::test]
async fn an_unknown_method_or_service_is_told_by_a_reason() {
    let server = Server::in_memory();
    for path in ["/bursar.v1.ShopService/GetShopp", "/bursar.v2.ShopService/GetShop", "/x"] {
        let status = answered(&server, path, Request::new(Vec::new())).await;
        let (code, reason, _) = reason(&status);
        assert_eq!((code, reason.as_str()), (Code::Unimplemented, "METHOD_UNKNOWN"), "{path}");
    }
}

#[tokio::test]
async fn a_compression_that_is_not_taken_is_told_with_what_is() {
    let server = Server::in_memory();
    let mut request = Request::new(Vec::new());
    request.metadata_mut().insert("grpc-encoding", MetadataValue::from_static("gzip"));
    for path in ["/bursar.v1.ShopService/GetShop", AUTHORIZE] {
        let request = Request::from_parts(
            request.metadata().clone(),
            request.extensions().clone(),
            request.get_ref().clone(),
        );
        let status = answered(&server, path, request).await;
        let (code, reason, _) = reason(&status);
        assert_eq!((code, reason.as_str()), (Code::Unimplemented, "ENCODING_UNSUPPORTED"));
        let accepted = status.metadata().get("grpc-accept-encoding").and_then(|v| v.to_str().ok());
        assert_eq!(accepted, Some("identity"), "{path}");
    }
}

/// What a message is answered with by a way in: all that a client sees of a refusal.
async fn seen(server: &Server, path: &str, body: &Bytes) -> impl PartialEq + Debug {
    let said = Said { body: Some(body.clone()), ..Said::default() };
    let answer = answer(server, path, said).await;
    let status = answer.status();
    // Each asks for fields of its own, and counts what is missing.
    let is_read = reason(&status).1 == "FIELD_INVALID";
    let message = (!is_read).then(|| status.message().to_owned());
    let details = status.get_error_details_vec();
    let kinds: Vec<_> = details.iter().map(mem::discriminant).collect();
    let place = answer.trailers.map(|trailers| trailers.contains_key("grpc-status"));
    let kind = answer.headers.get("content-type").cloned();
    (reason(&status), message, kinds, place, kind, answer.headers.contains_key("grpc-status"))
}

#[tokio::test]
async fn an_authorization_is_read_as_every_other_request_is() {
    let server = Server::in_memory();
    let bodies: [&[u8]; 9] = [
        b"",
        b"\0\0\0",
        b"\0\0\0\0\x05abc",
        b"\x01\0\0\0\0",
        b"\x02\0\0\0\0",
        b"\0\xff\xff\xff\xff",
        b"\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\x01",
    ];
    for body in bodies.map(Bytes::from_static) {
        let own = seen(&server, AUTHORIZE, &body).await;
        assert_eq!(own, seen(&server, VALIDATE, &body).await, "{body:?}");
    }
}

#[tokio::test]
async fn an_authorization_may_be_as_long_as_every_other_request() {
    let server = Server::in_memory();
    for (more, read) in [(-1, true), (0, true), (1, false)] {
        let length = MAX_MESSAGE_BYTES.saturating_add_signed(more);
        // Nothing that could be a message, but that is found once it was read.
        let mut body = vec![0; length + 5];
        body[1..5].copy_from_slice(&u32::try_from(length).expect("it fits").to_be_bytes());
        let body = Bytes::from(body);
        let said = Said { body: Some(body.clone()), ..Said::default() };
        let status = answer(&server, AUTHORIZE, said).await.status();
        assert_eq!(reason(&status).1 == "MESSAGE_MALFORMED", read, "{length}: {status:?}");
        let own = seen(&server, AUTHORIZE, &body).await;
        assert_eq!(own, seen(&server, VALIDATE, &body).await, "{length}");
    }
}

#[tokio::test]
async fn what_comes_behind_a_request_counts_as_what_comes_before_it() {
    let server = Server::in_memory();
    for path in [AUTHORIZE, VALIDATE] {
        let said = Said {
            headers: &[("bursar-roles", "payer")],
            body: Some(Bytes::from_static(b"\0\0\0\0\0")),
            trailers: &[("bursar-roles", "nobody")],
        };
        let status = answer(&server, path, said).await.status();
        assert!(status.message().contains("unknown role"), "{path}: {status:?}");
    }
}

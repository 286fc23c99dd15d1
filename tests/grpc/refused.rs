//! What the transport refuses before any service sees it: with a reason, as
//! every refusal has one.

use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    metadata::MetadataValue,
};
use tonic_types::StatusExt;

use super::{process::Server, wire::answer};

/// What has a way in of its own.
const AUTHORIZE: &str = "/bursar.v1.PayoutService/AuthorizePayout";

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
    for body in bodies {
        let own = answer(&server, AUTHORIZE, &[], Some(body)).await;
        let other =
            answer(&server, "/bursar.v1.PayoutService/ValidatePayout", &[], Some(body)).await;
        let [own, other] = [own, other].map(|headers| {
            let status = Status::from_header_map(&headers).expect("a status");
            (reason(&status), headers.get("content-type").cloned())
        });
        assert_eq!(own, other, "{body:?}");
    }
}

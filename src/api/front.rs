//! The way in for `AuthorizePayout`, which nearly every call is: in front of the
//! generated services, without what they keep for each call. A request is made a
//! command and put down before its answer is waited for, so that what waits is
//! small; buffers are as large as payouts and receipts are, not as messages may be.

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::Either;
use http_body::Frame;
use prost::Message;
use tonic::{
    Status, Streaming,
    body::Body,
    codec::BufferSettings,
    codegen::{
        self, BoxFuture,
        http::{
            self, HeaderMap, HeaderValue, Version,
            header::{CONTENT_TYPE, HeaderName},
            request::Parts,
        },
    },
    metadata::MetadataMap,
};
use tonic_prost::ProstCodec;
use tower::Service;

use super::{begun::Begun, payout_service::Asked, service::Api};
use crate::proto::v1;

/// The path of `AuthorizePayout`.
const AUTHORIZE: &str = "/bursar.v1.PayoutService/AuthorizePayout";
/// Says that messages are compressed, and how.
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Bytes of a buffer for a request at first: most fit.
const BUFFER: usize = 1024;

/// Takes `AuthorizePayout` itself and leaves everything else to the others.
#[derive(Clone, Debug)]
pub struct Front<S> {
    api: Arc<Api>,
    most_bytes: usize,
    others: S,
}

impl<S> Front<S> {
    /// In front of the others; requests have at most so many bytes.
    pub fn new(api: Arc<Api>, most_bytes: usize, others: S) -> Self {
        Self { api, most_bytes, others }
    }
}

impl<S, B> Service<http::Request<B>> for Front<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    B: codegen::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<codegen::StdError> + Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Either<Call, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.others.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if request.uri().path() != AUTHORIZE || request.headers().contains_key(ENCODING) {
            return Either::Right(self.others.call(request));
        }
        let (head, body) = request.into_parts();
        let body = Begun::of(body);
        let mut message = v1::AuthorizePayoutRequest::default();
        let api = self.api.clone();
        let so_far = match body.message(self.most_bytes).map(|bytes| message.merge(bytes)) {
            Some(Ok(())) => match api.ask(&MetadataMap::from_headers(head.headers), &message) {
                Ok(asked) => SoFar::Asked(asked),
                Err(refusal) => SoFar::Refused(Some(refusal.into())),
            },
            // What is wrong is said by whoever reads it for all calls.
            Some(Err(_)) | None => {
                SoFar::Asking(Box::pin(read(head, body, api.clone(), self.most_bytes)))
            }
        };
        Either::Left(Call { api, so_far })
    }
}

/// Reads a request that was not there as a whole, and puts it into the queue.
async fn read<B>(
    mut head: Parts,
    body: Begun<B>,
    api: Arc<Api>,
    most_bytes: usize,
) -> Result<Asked, Status>
where
    B: codegen::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<codegen::StdError> + Send,
{
    let decoder = ProstCodec::<v1::Receipt, v1::AuthorizePayoutRequest>::raw_decoder(
        BufferSettings::new(BUFFER, BUFFER),
    );
    let mut messages = Streaming::new_request(decoder, body, None, Some(most_bytes));
    let none = || Status::internal("Missing request message.");
    let message = messages.message().await?.ok_or_else(none)?;
    // What the generated services do: the call is whole when it has ended, and what comes
    // behind it counts as what comes before.
    if let Some(behind) = messages.trailers().await? {
        head.headers.extend(behind.into_headers());
    }
    drop(messages);
    Ok(api.ask(&MetadataMap::from_headers(head.headers), &message)?)
}

/// A call on its way.
pub struct Call {
    api: Arc<Api>,
    so_far: SoFar,
}

/// How far a call has come.
enum SoFar {
    /// Its request is being read.
    Asking(BoxFuture<Asked, Status>),
    /// Nobody was told yet that it was refused.
    Refused(Option<Status>),
    /// Its answer is waited for.
    Asked(Asked),
}

impl Future for Call {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { api, so_far } = &mut *self;
        let answered = loop {
            match so_far {
                SoFar::Asking(asking) => match ready!(asking.as_mut().poll(context)) {
                    Ok(asked) => *so_far = SoFar::Asked(asked),
                    Err(status) => break Err(status),
                },
                SoFar::Refused(status) => {
                    break Err(status.take().expect("an answer is not asked for twice"));
                }
                SoFar::Asked(Asked { question, style }) => {
                    let answer = ready!(api.engine.poll_answer(question, context));
                    break api.receipt(answer, *style).map_err(Status::from);
                }
            }
        };
        Poll::Ready(Ok(answered.map_or_else(Status::into_http, whole)))
    }
}

/// A response with one message.
fn whole(message: v1::Receipt) -> http::Response<Body> {
    let mut response = http::Response::new(Body::new(Whole::Message(framed(&message))));
    *response.version_mut() = Version::HTTP_2;
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A message as it goes over: not compressed, its length, itself.
fn framed(message: &v1::Receipt) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(length + 5);
    bytes.put_u8(0);
    // Receipts are far from 4 GiB, at which prost would have no memory either.
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut bytes);
    bytes.freeze()
}

/// The body of a response with one message.
enum Whole {
    /// Nothing of it was sent.
    Message(Bytes),
    /// That all is well is to be said.
    Status,
    /// Nothing is left.
    Nothing,
}

impl codegen::Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let next = match *self {
            Self::Message(_) => Self::Status,
            Self::Status | Self::Nothing => Self::Nothing,
        };
        Poll::Ready(match mem::replace(&mut *self, next) {
            Self::Message(bytes) => Some(Ok(Frame::data(bytes))),
            Self::Status => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
                Some(Ok(Frame::trailers(trailers)))
            }
            Self::Nothing => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

//! The baseline: a server that decodes the same request and answers with so
//! many bytes, inside its handler. What a payout costs more is Bursar's.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    task::{Context, Poll},
};

use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::{Grpc, NamedService, StreamingService, UnaryService},
    transport::Server,
};
use tonic_prost::ProstCodec;

use super::client;
use crate::{
    proto::v1::{self, authorize_payout_result::Result as Came},
    server,
};

/// Answers every method that decides payouts.
#[derive(Clone)]
struct Noop {
    answer: v1::Receipt,
}

impl NamedService for Noop {
    const NAME: &'static str = "bursar.v1.PayoutService";
}

impl Noop {
    fn item(&self, request: v1::AuthorizePayoutRequest) -> v1::AuthorizePayoutResult {
        v1::AuthorizePayoutResult {
            request_id: request.request_id,
            result: Some(Came::Receipt(self.answer.clone())),
        }
    }
}

impl UnaryService<v1::AuthorizePayoutRequest> for Noop {
    type Response = v1::Receipt;
    type Future = Ready<Result<Response<v1::Receipt>, Status>>;

    fn call(&mut self, _: Request<v1::AuthorizePayoutRequest>) -> Self::Future {
        ready(Ok(Response::new(self.answer.clone())))
    }
}

impl UnaryService<v1::BatchAuthorizePayoutsRequest> for Noop {
    type Response = v1::BatchAuthorizePayoutsResponse;
    type Future = Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, batch: Request<v1::BatchAuthorizePayoutsRequest>) -> Self::Future {
        let requests = batch.into_inner().requests;
        let results = requests.into_iter().map(|request| self.item(request)).collect();
        ready(Ok(Response::new(v1::BatchAuthorizePayoutsResponse { results })))
    }
}

impl StreamingService<v1::AuthorizePayoutRequest> for Noop {
    type Response = v1::AuthorizePayoutResult;
    type ResponseStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<Self::Response, Status>> + Send>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, requests: Request<Streaming<v1::AuthorizePayoutRequest>>) -> Self::Future {
        let noop = self.clone();
        let answers = requests.into_inner().map(move |request| request.map(|r| noop.item(r)));
        ready(Ok(Response::new(Box::pin(answers))))
    }
}

impl Service<http::Request<Body>> for Noop {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let noop = self.clone();
        Box::pin(async move {
            let path = request.uri().path();
            Ok(if path == client::STREAM.0 {
                Grpc::new(ProstCodec::default()).streaming(noop, request).await
            } else if path == client::BATCH.0 {
                let codec = ProstCodec::<
                    v1::BatchAuthorizePayoutsResponse,
                    v1::BatchAuthorizePayoutsRequest,
                >::default();
                Grpc::new(codec).unary(noop, request).await
            } else {
                let codec = ProstCodec::<v1::Receipt, v1::AuthorizePayoutRequest>::default();
                Grpc::new(codec).unary(noop, request).await
            })
        })
    }
}

/// A free port of this machine.
///
/// # Errors
/// If there is none.
pub async fn listener() -> Result<TcpListener, String> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    TcpListener::bind(any).await.map_err(|error| error.to_string())
}

/// Answers with so many bytes until it is killed; says where on its log, as
/// Bursar does.
///
/// # Errors
/// If it cannot serve.
pub async fn serve(listener: TcpListener, bytes: usize) -> Result<(), String> {
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tracing::info!(%address, "serving");
    Server::builder()
        .max_concurrent_streams(Some(4096))
        .add_service(Noop { answer: answer(bytes) })
        .serve_with_incoming(server::incoming(listener))
        .await
        .map_err(|error| error.to_string())
}

/// A receipt of so many bytes.
fn answer(bytes: usize) -> v1::Receipt {
    // The name takes a byte of tag and, from 128 on, two of length.
    let around = if bytes < 130 { 2 } else { 3 };
    v1::Receipt { name: "x".repeat(bytes.saturating_sub(around)), ..v1::Receipt::default() }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn the_answer_has_as_many_bytes_as_were_asked_for() {
        for bytes in [3, 100, 129, 131, 250, 4000] {
            assert_eq!(answer(bytes).encoded_len(), bytes);
        }
    }
}

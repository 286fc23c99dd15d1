//! Requests and answers as bytes: what all requests have alike is encoded once,
//! and answers are read no further than is measured. The load shares its
//! machine with the server, so what it spends is missing there.

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::Channel,
};

/// A method of the service that decides payouts.
#[derive(Clone, Copy, Debug)]
pub struct Method(pub &'static str);

/// One payout, a call of its own.
pub const UNARY: Method = Method("/bursar.v1.PayoutService/AuthorizePayout");
/// Many in a call.
pub const BATCH: Method = Method("/bursar.v1.PayoutService/BatchAuthorizePayouts");
/// Many in a stream.
pub const STREAM: Method = Method("/bursar.v1.PayoutService/StreamAuthorizePayouts");

impl Method {
    fn path(self) -> PathAndQuery {
        PathAndQuery::from_static(self.0)
    }
}

/// A connection, for messages that are bytes.
#[derive(Clone, Debug)]
pub struct Client(Grpc<Channel>);

impl Client {
    /// On a connection.
    pub fn new(channel: Channel) -> Self {
        Self(Grpc::new(channel).max_decoding_message_size(usize::MAX))
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))
    }

    /// A call with one request and one answer.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn call(&mut self, method: Method, request: Bytes) -> Result<Bytes, Status> {
        self.ready().await?;
        let answer = self.0.unary(Request::new(request), method.path(), Raw).await?;
        Ok(answer.into_inner())
    }

    /// A call with a stream of requests and one of answers.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn stream(
        &mut self,
        method: Method,
        requests: impl tokio_stream::Stream<Item = Bytes> + Send + 'static,
    ) -> Result<tonic::Streaming<Bytes>, Status> {
        self.ready().await?;
        let answers = self.0.streaming(Request::new(requests), method.path(), Raw).await?;
        Ok(answers.into_inner())
    }
}

/// Bytes as they are.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Of a receipt, what is counted. Tags as in `bursar.v1.Receipt`.
#[derive(Clone, PartialEq, Message)]
pub struct Receipt {
    /// The decision.
    #[prost(int32, tag = "1")]
    pub decision: i32,
    /// Whether it was given before.
    #[prost(bool, tag = "5")]
    pub replayed: bool,
}

/// Of the answer to one of many, which of both it is. Tags as in
/// `bursar.v1.AuthorizePayoutResult`.
#[derive(Clone, PartialEq, Message)]
pub struct Item {
    /// A receipt.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub receipt: Option<Bytes>,
    /// Or what came instead.
    #[prost(message, optional, tag = "3")]
    pub error: Option<Error>,
}

/// Why there is no decision. Tags as in `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct Error {
    /// The code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For people.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// The answers to a batch. Tags as in `bursar.v1.BatchAuthorizePayoutsResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct Items {
    /// In the order of the requests.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<Item>,
}

/// A batch of requests. Tags as in `bursar.v1.BatchAuthorizePayoutsRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct Batch {
    /// The requests.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub requests: Vec<Bytes>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{
        google::rpc,
        v1::{self, authorize_payout_result::Result as Came},
    };

    fn reread<T: Message + Default>(message: &impl Message) -> T {
        T::decode(message.encode_to_vec().as_slice()).expect("the same tags")
    }

    #[test]
    fn answers_are_read_with_the_tags_of_the_contract() {
        let receipt =
            v1::Receipt { decision: 3, name: "n".to_owned(), replayed: true, ..Default::default() };
        let error = rpc::Status { code: 8, message: "full".to_owned(), ..Default::default() };
        let results = [Came::Receipt(receipt.clone()), Came::Error(error)].map(|result| {
            v1::AuthorizePayoutResult { request_id: "r".to_owned(), result: Some(result) }
        });
        let answer = v1::BatchAuthorizePayoutsResponse { results: results.to_vec() };
        let items = reread::<Items>(&answer).items;
        let [decided, refused] = items.as_slice() else { panic!("{items:?}") };
        let bytes = decided.receipt.clone().expect("a receipt");
        assert_eq!(bytes, receipt.encode_to_vec());
        let read = Receipt::decode(bytes).expect("a receipt");
        assert_eq!(read, Receipt { decision: 3, replayed: true });
        let error = Error { code: 8, message: "full".to_owned() };
        assert_eq!((&refused.receipt, &refused.error), (&None, &Some(error)));
    }

    #[test]
    fn a_batch_is_read_as_the_requests_it_was_made_of() {
        let requests = ["a", "b"].map(|id| v1::AuthorizePayoutRequest {
            request_id: id.to_owned(),
            ..Default::default()
        });
        let bytes = requests.iter().map(|request| request.encode_to_vec().into()).collect();
        let batch: v1::BatchAuthorizePayoutsRequest = reread(&Batch { requests: bytes });
        assert_eq!(batch.requests, requests);
    }
}

//! Answers, read no further than is measured, and requests that are bytes already.

use bytes::Bytes;
use prost::Message;

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

//! How streams end: clients that vanish, a service that stops, messages that
//! nobody can read.

use std::time::Duration;

use bursar::{api::auth::Authenticator, engine::Options};
use prost::Message;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};

use crate::{setup::*, trial::reason};

#[tokio::test]
async fn a_client_that_vanishes_leaves_what_was_decided_and_nothing_else() {
    let running = start().await;
    let connection = running.connection(1 << 20);
    let mut talk = Talk::on(&connection).await;
    for n in 0..10 {
        talk.say(request("s1", n)).await;
        talk.answer().await.expect("no error").expect("an answer");
    }
    let gate = running.hold().await;
    for n in 10..500 {
        talk.say(request("s1", n)).await;
    }
    running.has_read(&connection).await;
    drop(talk);
    running.has_read(&connection).await;
    drop(gate);
    assert_eq!(running.decided_in_the_end().await, 10);
    let repeat = running.client.authorize_payout(request("s1", 9)).await.expect("an answer");
    assert!(repeat.replayed, "what was decided is known");
    running.stop().await;
}

#[tokio::test]
async fn a_service_that_stops_answers_what_it_has_read_and_says_that_it_is_draining() {
    let running = start().await;
    let connection = running.connection(1 << 20);
    let gate = running.hold().await;
    let mut talk = Talk::on(&connection).await;
    for n in 0..50 {
        talk.say(request("s1", n)).await;
    }
    let mut idle = Talk::on(&connection).await;
    running.has_read(&connection).await;
    let (service, task) = running.tell_to_stop();
    let status = idle.answer().await.expect_err("it is draining");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "DRAINING"));
    drop(gate);
    let (answers, end) = rest(&mut talk.answers).await;
    assert_eq!(answers.len(), 50);
    assert!(answers.iter().all(|answer| came(answer) == ALLOWED));
    let end = end.expect("the client did not end it");
    assert_eq!((end.code(), reason(&end).as_str()), (Code::Unavailable, "DRAINING"));
    drop((talk, idle, connection));
    let served = tokio::time::timeout(Duration::from_secs(10), task).await;
    served.expect("it does not wait for long").expect("no panic").expect("it served well");
    service.engine().stop(true).await;
}

#[tokio::test]
async fn a_stream_that_the_client_has_ended_ends_well_while_the_service_stops() {
    let running = start().await;
    let connection = running.connection(1 << 20);
    let gate = running.hold().await;
    let (_, mut answers) = send_all(&connection, requests("s1", 50)).await;
    running.has_read(&connection).await;
    let (service, _task) = running.tell_to_stop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(gate);
    let (answers, end) = rest(&mut answers).await;
    assert!(end.is_none() && answers.len() == 50, "{end:?}");
    service.engine().stop(true).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_no_stop() {
    let within = Duration::from_millis(500);
    let running = start_with(Options::default(), Authenticator::Local, within).await;
    let connection = running.connection(65_535);
    let (_, _unread) = send_all(&connection, requests("s1", 3000)).await;
    running.decided_in_the_end().await;
    let (service, task) = running.tell_to_stop();
    let served = tokio::time::timeout(Duration::from_secs(10), task).await;
    served.expect("it does not wait for long").expect("no panic").expect("it served well");
    service.engine().stop(true).await;
}

/// Sends bytes as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = bursar::proto::v1::AuthorizePayoutResult;
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
    type Item = bursar::proto::v1::AuthorizePayoutResult;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        Self::Item::decode(buffer).map(Some).map_err(|e| Status::internal(e.to_string()))
    }
}

#[tokio::test]
async fn behind_a_message_that_cannot_be_read_the_stream_ends_and_what_came_before_is_answered() {
    let running = start().await;
    let too_large = vec![0; 5 * 1024 * 1024];
    for (n, (bytes, code, why)) in [
        (b"\x0a\x02\xff\xfe".to_vec(), Code::InvalidArgument, "MESSAGE_MALFORMED"),
        (too_large, Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
    ]
    .into_iter()
    .enumerate()
    {
        let good = |n: usize| request("s1", n).encode_to_vec();
        let sent = tokio_stream::iter([good(2 * n), bytes, good(2 * n + 1)]);
        let mut client = Grpc::new(running.connection(1 << 20));
        client.ready().await.expect("a connection");
        let path = "/bursar.v1.PayoutService/StreamAuthorizePayouts";
        let path = PathAndQuery::from_static(path);
        let answers = client.streaming(Request::new(sent), path, Raw).await.expect("a stream");
        let (answers, end) = rest(&mut answers.into_inner()).await;
        assert_eq!(answers.iter().map(came).collect::<Vec<_>>(), [ALLOWED], "{why}");
        let end = end.expect("an end");
        assert_eq!((end.code(), reason(&end).as_str()), (code, why));
    }
    running.stop().await;
}

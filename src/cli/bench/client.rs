//! gRPC on HTTP/2 itself, without what a client for every purpose does for each
//! call. The load shares its machine with the server, so what it spends is missing
//! there.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_stream::Stream;
use tonic::{
    Code, Status,
    codegen::http::{
        HeaderMap, HeaderValue, Request, Version,
        header::{CONTENT_TYPE, TE},
        uri::{Authority, PathAndQuery, Scheme, Uri},
    },
};

use crate::server::Connection;

/// Bytes that are taken before they are read: of a call, and of all on a connection.
const WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// What a message begins with: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// From so many bytes on, what a stream sends goes without waiting for more.
const ENOUGH: usize = 16 * 1024;

/// A method of the service that decides payouts.
#[derive(Clone, Copy, Debug)]
pub struct Method(pub &'static str);

/// One payout, a call of its own.
pub const UNARY: Method = Method("/bursar.v1.PayoutService/AuthorizePayout");
/// Many in a call.
pub const BATCH: Method = Method("/bursar.v1.PayoutService/BatchAuthorizePayouts");
/// Many in a stream.
pub const STREAM: Method = Method("/bursar.v1.PayoutService/StreamAuthorizePayouts");

/// A connection, for messages that are bytes.
#[derive(Clone, Debug)]
pub struct Client {
    requests: SendRequest<Bytes>,
    authority: Authority,
}

impl Client {
    /// Connects to a host and port. The connection is attended to by the runtime
    /// until all of its clients are gone.
    ///
    /// # Errors
    /// Why nothing is connected.
    pub async fn connect(address: &str) -> Result<Self, String> {
        let problem =
            |error: &dyn std::fmt::Display| format!("cannot connect to {address}: {error}");
        let authority = address.parse::<Authority>().map_err(|error| problem(&error))?;
        let stream = TcpStream::connect(address).await.map_err(|error| problem(&error))?;
        stream.set_nodelay(true).map_err(|error| problem(&error))?;
        let mut builder = Builder::new();
        builder.enable_push(false);
        builder.initial_window_size(WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
        let shaken = builder.handshake(Connection::from(stream)).await;
        let (requests, connection) = shaken.map_err(|error| problem(&error))?;
        // If it fails, so do its calls, which say so.
        tokio::spawn(connection);
        Ok(Self { requests, authority })
    }

    /// A call with one request and one answer.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn call(&mut self, method: Method, request: Bytes) -> Result<Bytes, Status> {
        let (answer, mut sending) = self.begin(method).await?;
        let mut framed = BytesMut::with_capacity(PREFIX + request.len());
        frame(&request, &mut framed)?;
        sending.send_data(framed.freeze(), true).map_err(failed)?;
        let mut answers = Answers::of(answer, JoinSet::new()).await?;
        let none = || Status::internal("no message was answered");
        let message = answers.message().await?.ok_or_else(none)?;
        match answers.message().await? {
            None => Ok(message),
            Some(_) => Err(Status::internal("more than one message was answered")),
        }
    }

    /// A call with a stream of requests and one of answers.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn stream(
        &mut self,
        method: Method,
        requests: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Answers, Status> {
        let (answer, sending) = self.begin(method).await?;
        let mut sender = JoinSet::new();
        sender.spawn(send(requests, sending));
        Answers::of(answer, sender).await
    }

    /// Waits until another call may begin.
    ///
    /// # Errors
    /// If none ever may: the connection is gone.
    pub async fn ready(&mut self) -> Result<(), Status> {
        poll_fn(|context| self.requests.poll_ready(context)).await.map_err(failed)
    }

    async fn begin(
        &mut self,
        Method(path): Method,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), Status> {
        self.ready().await?;
        let mut head = Request::new(()).into_parts().0;
        let mut uri = Uri::default().into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = Some(PathAndQuery::from_static(path));
        head.method = tonic::codegen::http::Method::POST;
        head.uri = Uri::from_parts(uri).map_err(|error| Status::internal(error.to_string()))?;
        head.version = Version::HTTP_2;
        head.headers = HeaderMap::with_capacity(2);
        head.headers.insert(TE, HeaderValue::from_static("trailers"));
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        self.requests.send_request(Request::from_parts(head, ()), false).map_err(failed)
    }
}

/// Sends requests as they come, those that are there together.
async fn send(requests: impl Stream<Item = Bytes>, mut sending: SendStream<Bytes>) {
    let mut requests = pin!(requests);
    loop {
        let (framed, ended) = poll_fn(|context| gather(requests.as_mut(), context)).await;
        // Whoever reads the answers is told why there are no more.
        if sending.send_data(framed, ended).is_err() || ended {
            return;
        }
    }
}

/// The requests that are there, and whether those were all.
fn gather(
    mut requests: Pin<&mut impl Stream<Item = Bytes>>,
    context: &mut Context<'_>,
) -> Poll<(Bytes, bool)> {
    let mut framed = BytesMut::new();
    let ended = loop {
        match requests.as_mut().poll_next(context) {
            Poll::Ready(None) => break true,
            Poll::Ready(Some(request)) => {
                if frame(&request, &mut framed).is_err() {
                    break true;
                }
                if framed.len() >= ENOUGH {
                    break false;
                }
            }
            Poll::Pending if framed.is_empty() => return Poll::Pending,
            Poll::Pending => break false,
        }
    };
    Poll::Ready((framed.freeze(), ended))
}

/// A message as it goes over: not compressed, its length, itself.
fn frame(message: &Bytes, to: &mut BytesMut) -> Result<(), Status> {
    let length = u32::try_from(message.len());
    let length = length.map_err(|_| Status::out_of_range("a message of 4 GiB"))?;
    to.reserve(PREFIX + message.len());
    to.put_u8(0);
    to.put_u32(length);
    to.put_slice(message);
    Ok(())
}

/// What is answered to a call.
#[derive(Debug)]
pub struct Answers {
    body: RecvStream,
    /// What came and is not read.
    unread: Bytes,
    /// What still sends requests. It ends with this: they would not be answered.
    _sender: JoinSet<()>,
}

impl Answers {
    async fn of(answer: ResponseFuture, sender: JoinSet<()>) -> Result<Self, Status> {
        let (head, body) = answer.await.map_err(failed)?.into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            passed(status)?;
        }
        Ok(Self { body, unread: Bytes::new(), _sender: sender })
    }

    /// The next message. `None`: those were all, and all is well.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn message(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = next(&mut self.unread)? {
                return Ok(Some(message));
            }
            let Some(came) = self.body.data().await else { break };
            let came = came.map_err(failed)?;
            let _ = self.body.flow_control().release_capacity(came.len());
            self.unread = match self.unread.is_empty() {
                true => came,
                false => [&*self.unread, &*came].concat().into(),
            };
        }
        if !self.unread.is_empty() {
            return Err(Status::internal("an answer broke off"));
        }
        let trailers = self.body.trailers().await.map_err(failed)?.unwrap_or_default();
        let none = || Status::unknown("an answer without a status");
        passed(Status::from_header_map(&trailers).ok_or_else(none)?).map(|()| None)
    }
}

/// The first message of what came, if all of it did.
fn next(unread: &mut Bytes) -> Result<Option<Bytes>, Status> {
    let Some((prefix, behind)) = unread.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(Status::internal("a compressed answer that nobody asked for"));
    }
    let length = u32::from_be_bytes(length) as usize;
    if behind.len() < length {
        return Ok(None);
    }
    unread.advance(PREFIX);
    Ok(Some(unread.split_to(length)))
}

fn passed(status: Status) -> Result<(), Status> {
    if status.code() == Code::Ok { Ok(()) } else { Err(status) }
}

fn failed(error: h2::Error) -> Status {
    Status::from_error(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc, time::Duration};

    use tonic::codegen::http::Response;

    use super::*;
    use crate::cli::bench::{
        load::{self, Mode, Plan},
        noop,
        outcome::Outcome,
        requests::Requests,
        world::World,
    };

    fn framed(messages: &[&'static str]) -> Vec<u8> {
        let mut framed = BytesMut::new();
        for message in messages {
            frame(&Bytes::from_static(message.as_bytes()), &mut framed).expect("not too long");
        }
        framed.to_vec()
    }

    #[test]
    fn a_message_is_read_when_all_of_it_came_wherever_it_was_cut() {
        let all = framed(&["first", "", "third"]);
        for cut in 0..=all.len() {
            let (now, later) = all.split_at(cut);
            let mut unread = Bytes::copy_from_slice(now);
            let mut read = Vec::new();
            while let Some(message) = next(&mut unread).expect("not compressed") {
                read.push(message);
            }
            unread = [&*unread, later].concat().into();
            while let Some(message) = next(&mut unread).expect("not compressed") {
                read.push(message);
            }
            assert_eq!(read, ["first", "", "third"], "cut at {cut}");
            assert!(unread.is_empty());
        }
    }

    #[test]
    fn requests_that_are_there_go_together_and_more_than_enough_in_turn() {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut gathered = |requests: Vec<Bytes>| {
            let mut requests = pin!(tokio_stream::iter(requests));
            let mut frames = Vec::new();
            loop {
                let Poll::Ready((framed, ended)) = gather(requests.as_mut(), &mut context) else {
                    panic!("nothing is waited for")
                };
                frames.push(framed.len());
                if ended {
                    return frames;
                }
            }
        };
        assert_eq!(gathered(vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")]), [16]);
        let large = Bytes::from(vec![0; ENOUGH]);
        assert_eq!(gathered(vec![large.clone(), large]), [PREFIX + ENOUGH, PREFIX + ENOUGH, 0]);
    }

    #[tokio::test]
    async fn what_a_server_answers_instead_is_told() {
        let listener = noop::listener().await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let server = tokio::spawn(noop::serve(listener, 300));
        let mut client = Client::connect(&address).await.expect("a connection");
        // Not a request at all, and nobody's method.
        let broken = client.call(UNARY, Bytes::from_static(&[0xff])).await;
        assert_eq!(broken.map_err(|status| status.code()), Err(Code::Internal));
        let unknown = client.call(Method("/nobody/Knows"), Bytes::new()).await;
        assert_eq!(unknown.map_err(|status| status.code()), Err(Code::Unimplemented));
        // The connection is as good as before.
        let answer = client.call(UNARY, Bytes::new()).await.expect("an answer");
        assert_eq!(answer.len(), 300);
        server.abort();
    }

    /// What a server answers to every call, whatever is asked.
    #[derive(Clone)]
    struct Script {
        /// Pieces of messages, each in a frame of its own.
        pieces: Vec<Vec<u8>>,
        /// The code at the end. `None`: it ends without one.
        code: Option<&'static str>,
    }

    /// A client of a server that answers so.
    async fn answered(script: Script) -> Client {
        let listener = noop::listener().await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut calls = h2::server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((_, mut respond))) = calls.accept().await {
                let mut sending = respond.send_response(Response::new(()), false).expect("open");
                for piece in script.pieces.clone() {
                    sending.send_data(piece.into(), false).expect("open");
                }
                let mut trailers = HeaderMap::new();
                if let Some(code) = script.code {
                    trailers.insert("grpc-status", HeaderValue::from_static(code));
                }
                sending.send_trailers(trailers).expect("open");
            }
        });
        Client::connect(&address).await.expect("a connection")
    }

    #[tokio::test]
    async fn an_answer_is_whole_or_says_why_it_is_not() {
        let whole = framed(&["whole"]);
        let [one, other] = [&whole[..3], &whole[3..]].map(<[u8]>::to_vec);
        let two = framed(&["one", "two"]);
        for (pieces, code, expected) in [
            (vec![whole.clone()], Some("0"), Ok("whole")),
            (vec![one.clone(), other], Some("0"), Ok("whole")),
            (vec![one], Some("0"), Err(Code::Internal)),
            (vec![two], Some("0"), Err(Code::Internal)),
            (vec![], Some("0"), Err(Code::Internal)),
            (vec![whole.clone()], Some("8"), Err(Code::ResourceExhausted)),
            (vec![whole], None, Err(Code::Unknown)),
        ] {
            let script = Script { pieces, code };
            let mut client = answered(script.clone()).await;
            let came = client.call(UNARY, Bytes::new()).await;
            let came = came.map_err(|status| status.code());
            assert_eq!(came, expected.map(Bytes::from), "{:?}", script.pieces);
        }
    }

    /// What comes of a thousand requests, seven at a time.
    async fn load(client: Client, mode: Mode) -> Outcome {
        let world = World::read(Path::new("policies"), "bench", 1).expect("a world");
        let placed = prost_types::Timestamp::default();
        let requests = Requests::new(Arc::new(world), "run", 0, placed).part(0, Some(1000));
        let time = Duration::from_secs(3600);
        let plan = Plan { mode, in_flight: 7, rate: None, time };
        load::run(&[client], requests, plan).await
    }

    #[tokio::test]
    async fn a_load_ends_when_its_connection_is_gone() {
        let listener = noop::listener().await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let client = Client::connect(&address).await.expect("a connection");
        drop(listener.accept().await.expect("a client"));
        let came = load(client, Mode::Unary).await;
        assert_eq!((came.error_count(), came.next), (7, 7), "{came:?}");
        assert_eq!((came.decided, came.latency.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_stream_that_ends_early_has_all_of_its_requests_failed() {
        for (code, expected) in [("0", "UNKNOWN"), ("8", "RESOURCE_EXHAUSTED")] {
            let client = answered(Script { pieces: Vec::new(), code: Some(code) }).await;
            let came = load(client, Mode::Stream).await;
            assert_eq!(came.errors.get(expected), Some(&7), "{came:?}");
            assert_eq!((came.next, came.decided, came.latency.len()), (7, 0, 0));
        }
    }

    #[tokio::test]
    async fn where_nobody_listens_the_address_is_named() {
        let listener = noop::listener().await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let problem = Client::connect(&address).await.expect_err("nobody listens");
        assert!(problem.starts_with(&format!("cannot connect to {address}: ")), "{problem}");
    }
}

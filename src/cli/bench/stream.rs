//! Load as a stream: requests follow each other as long as not too many are
//! unanswered, and answers come in the same order.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use prost::Message;
use tokio_stream::Stream;
use tonic::Status;

use super::{
    client::{self, Client},
    load::Shared,
    pace::Dues,
    raw,
};

/// What is on its way on one stream.
#[derive(Debug)]
struct Sent {
    /// When each unanswered request was due, the oldest first.
    unanswered: VecDeque<Instant>,
    /// Most of them.
    room: usize,
    /// Told when there is room again.
    waiting: Option<Waker>,
}

/// The requests, as the transport asks for them.
struct Source {
    shared: Shared,
    dues: Dues,
    sent: Arc<Mutex<Sent>>,
}

fn locked(sent: &Mutex<Sent>) -> MutexGuard<'_, Sent> {
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for Source {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut sent = locked(&this.sent);
        if sent.unanswered.len() >= sent.room {
            sent.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        match this.dues.poll_next(context) {
            Poll::Ready(due) => {
                let next = due.and_then(|due| Some((due, this.shared.request()?)));
                Poll::Ready(next.map(|(due, request)| {
                    sent.unanswered.push_back(due);
                    request
                }))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Streams on one connection, with at most `room` requests unanswered.
pub async fn run(mut client: Client, shared: Shared, dues: Dues, room: usize) {
    let sent = Arc::new(Mutex::new(Sent {
        unanswered: VecDeque::new(),
        room: room.max(1),
        waiting: None,
    }));
    let source = Source { shared: shared.clone(), dues, sent: sent.clone() };
    let came = answers(&mut client, source, &shared, &sent).await;
    let unanswered = locked(&sent).unanswered.len();
    let (status, lost) = match came {
        Ok(()) => (Status::unknown("the stream ended before its answer came"), unanswered),
        Err(status) => (status, unanswered.max(1)),
    };
    for _ in 0..lost {
        shared.outcome().failed(&status);
    }
}

async fn answers(
    client: &mut Client,
    source: Source,
    shared: &Shared,
    sent: &Mutex<Sent>,
) -> Result<(), Status> {
    let mut answers = client.stream(client::STREAM, source).await?;
    while let Some(answer) = answers.message().await? {
        let (due, waiting) = {
            let mut sent = locked(sent);
            (sent.unanswered.pop_front(), sent.waiting.take())
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        let answer =
            raw::Item::decode(answer).map_err(|error| Status::internal(error.to_string()))?;
        let mut outcome = shared.outcome();
        outcome.item(&answer);
        match due {
            Some(due) => outcome.answered(due),
            None => outcome.failed(&Status::unknown("an answer that nobody asked for")),
        }
    }
    Ok(())
}

//! Streams of authorizations: requests are taken up as they come and answered
//! in their order. Bounds what a stream has in hand, so that neither a client
//! that does not read nor one that never stops sending costs others anything.
//! What a request means and what its answer looks like is as in a batch.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use prost::Message;
use tokio::{task::JoinHandle, time::Sleep};
use tokio_stream::Stream;
use tonic::{Request, Status, Streaming};

use super::{
    batch::{self, Item},
    deadline,
    payout_service::wants_all,
    service::{Api, Language},
    status,
    streams::Place,
};
use crate::{
    domain::{
        refusal::{Reason, Refusal},
        who::Caller,
    },
    engine::{Answer, Handle, Question, Queued},
    proto::v1,
};

/// Requests of a stream that are read and not answered to the client.
const MOST_IN_HAND: usize = 1024;
/// Bytes of them, beyond which no more are read.
const MOST_BYTES: usize = 1024 * 1024;
/// Requests that are read each time the transport asks for an answer.
const AT_ONCE: usize = 64;

/// A request that was read and is not answered yet.
struct InHand {
    request_id: String,
    full: bool,
    bytes: usize,
    so_far: SoFar,
}

/// How far a request has come.
enum SoFar {
    /// It waits for room in the queue. A task of its own, because a stream is
    /// moved on only while its client reads, and whoever is given room has to
    /// use it. Only the newest request waits: none is read behind it.
    Waits(JoinHandle<Result<Question, Refusal>>),
    /// It is in the queue, being judged, or answered.
    Asked(Question),
    /// It cannot be judged.
    Refused(Refusal),
}

impl Drop for SoFar {
    fn drop(&mut self) {
        if let Self::Waits(waiting) = self {
            waiting.abort();
        }
    }
}

impl SoFar {
    fn of(taken: Result<Queued, Refusal>) -> Self {
        match taken {
            Ok(Queued::In(question)) => Self::Asked(question),
            Ok(Queued::Waits(waiting)) => Self::Waits(tokio::spawn(waiting)),
            Err(refusal) => Self::Refused(refusal),
        }
    }

    /// Ready when it waits for room no more.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Self::Waits(waiting) = self {
            let had = ready!(Pin::new(waiting).poll(context));
            *self = match had {
                Ok(Ok(question)) => Self::Asked(question),
                Ok(Err(refusal)) => Self::Refused(refusal),
                Err(_) => Self::Refused(Refusal::new(
                    Reason::Internal,
                    "Waiting for room ended by a defect; nothing was changed.",
                )),
            };
        }
        Poll::Ready(())
    }

    fn poll_outcome(
        &mut self,
        engine: &Handle,
        context: &mut Context<'_>,
    ) -> Poll<Result<Answer, Refusal>> {
        ready!(self.poll_room(context));
        match self {
            Self::Waits(_) => Poll::Pending,
            Self::Asked(question) => engine.poll_answer(question, context),
            Self::Refused(refusal) => Poll::Ready(Err(refusal.clone())),
        }
    }
}

/// The answers to a stream of requests. Reads them only while it is asked for
/// answers: a client that does not take those is not read from.
pub struct Conversation {
    api: Api,
    caller: Caller,
    language: Language,
    requests: Streaming<v1::AuthorizePayoutRequest>,
    in_hand: VecDeque<InHand>,
    bytes: usize,
    /// What the stream ends with behind what is in hand. None: more may come.
    end: Option<Result<(), Status>>,
    draining: Pin<Box<dyn Future<Output = ()> + Send>>,
    deadline: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("in_hand", &self.in_hand.len()).finish_non_exhaustive()
    }
}

impl Conversation {
    /// Begins one for a caller whose role allows it.
    ///
    /// # Errors
    /// If too many are open.
    pub fn begin(
        api: &Api,
        caller: Caller,
        request: Request<Streaming<v1::AuthorizePayoutRequest>>,
    ) -> Result<Self, Refusal> {
        let place = api.streams.place(&caller.name)?;
        let metadata = request.metadata();
        let language = Language::of(metadata);
        let timeout = deadline::of(metadata.as_ref());
        Ok(Self {
            api: api.clone(),
            caller,
            language,
            requests: request.into_inner(),
            in_hand: VecDeque::new(),
            bytes: 0,
            end: None,
            draining: Box::pin(api.streams.drained()),
            deadline: timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout))),
            _place: place,
        })
    }

    /// Takes up what has come, as far as there is room for it.
    fn read(&mut self, context: &mut Context<'_>) {
        for _ in 0..AT_ONCE {
            let newest = self.in_hand.back_mut();
            let waits = newest.is_some_and(|n| n.so_far.poll_room(context).is_pending());
            let is_full = self.in_hand.len() >= MOST_IN_HAND || self.bytes >= MOST_BYTES;
            if waits || is_full || self.end.is_some() {
                return;
            }
            match Pin::new(&mut self.requests).poll_next(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(request))) => self.take_up(request),
                Poll::Ready(Some(Err(status))) => self.end = Some(Err(explained(status))),
                Poll::Ready(None) => self.end = Some(Ok(())),
            }
        }
        // There may be more, of which nobody would tell.
        context.waker().wake_by_ref();
    }

    fn take_up(&mut self, request: v1::AuthorizePayoutRequest) {
        let bytes = request.encoded_len();
        let so_far = SoFar::of(self.api.take_up(&request, &self.caller));
        self.bytes += bytes;
        let (full, request_id) = (wants_all(request.view), request.request_id);
        self.in_hand.push_back(InHand { request_id, full, bytes, so_far });
    }

    fn has_to_end(&mut self, context: &mut Context<'_>) -> bool {
        self.deadline.as_mut().is_some_and(|late| late.as_mut().poll(context).is_ready())
    }

    /// Puts everything down that was not answered.
    fn break_off(&mut self, status: Status) -> Status {
        self.in_hand.clear();
        self.deadline = None;
        self.end = Some(Ok(()));
        status
    }
}

impl Stream for Conversation {
    type Item = Result<v1::AuthorizePayoutResult, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.has_to_end(context) {
            return Poll::Ready(Some(Err(this.break_off(deadline::passed()))));
        }
        if this.end.is_none() && this.draining.as_mut().poll(context).is_ready() {
            this.end = Some(Err(draining().into()));
        }
        this.read(context);
        if let Some(oldest) = this.in_hand.front_mut() {
            let outcome = ready!(oldest.so_far.poll_outcome(&this.api.engine, context));
            let Some(InHand { request_id, full, bytes, .. }) = this.in_hand.pop_front() else {
                return Poll::Ready(None);
            };
            this.bytes -= bytes;
            let item = Item { request_id, full, outcome };
            let answer = batch::answer(&item, this.language);
            if let Ok(outcome) = item.outcome {
                this.api.engine.take_back(outcome);
            }
            return Poll::Ready(Some(Ok(answer)));
        }
        match this.end.replace(Ok(())) {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(status)) => Poll::Ready(Some(Err(status))),
            None => {
                this.end = None;
                Poll::Pending
            }
        }
    }
}

/// Why no message could be read.
fn explained(refused: Status) -> Status {
    status::of_transport(&refused).map_or(refused, Status::from)
}

fn draining() -> Refusal {
    Refusal::new(
        Reason::Draining,
        "The service is stopping. What is unanswered can be sent again, with the same ids.",
    )
}

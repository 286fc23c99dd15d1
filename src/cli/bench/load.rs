//! Load against a server: so many requests under way (closed loop), or so many
//! begun a second whatever the answers do (open loop). Latency counts from when
//! a request was due, so that a server that stalls cannot hide it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::task::{JoinSet, LocalSet};
use tonic::transport::Channel;

use super::{
    now,
    outcome::Outcome,
    pace::{Dues, dues},
    requests::Requests,
    stream,
};
use crate::proto::v1::{self, payout_service_client::PayoutServiceClient};

/// How requests are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Mode {
    /// AuthorizePayout, each a call of its own.
    Unary,
    /// BatchAuthorizePayouts of 100.
    Batch,
    /// StreamAuthorizePayouts, a stream on each connection.
    Stream,
}

/// Payouts of a batch.
pub const BATCH: usize = 100;

impl Mode {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Batch => "batch",
            Self::Stream => "stream",
        }
    }

    /// Payouts of a call.
    pub const fn each(self) -> u64 {
        match self {
            Self::Batch => BATCH as u64,
            Self::Unary | Self::Stream => 1,
        }
    }

    /// Calls, or unanswered requests of streams, under way if nothing else is
    /// said.
    pub const fn in_flight(self) -> usize {
        match self {
            Self::Unary => 256,
            Self::Batch => 16,
            Self::Stream => 2048,
        }
    }
}

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How.
    pub mode: Mode,
    /// Most calls under way.
    pub in_flight: usize,
    /// Calls begun each second; `None`: the next when one is answered.
    pub rate: Option<u64>,
    /// For how long.
    pub time: Duration,
}

/// What the places of a load share. Locks are held for a moment only, and by
/// one thread.
#[derive(Clone, Debug)]
pub struct Shared {
    requests: Arc<Mutex<Requests>>,
    outcome: Arc<Mutex<Outcome>>,
}

impl Shared {
    /// The next request.
    pub fn request(&self) -> Option<v1::AuthorizePayoutRequest> {
        locked(&self.requests).next()
    }

    /// What came so far.
    pub fn outcome(&self) -> MutexGuard<'_, Outcome> {
        locked(&self.outcome)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A defect elsewhere is reported there.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends load over these connections, each with an equal part of what is in
/// flight.
pub async fn run(channels: &[Channel], requests: Requests, plan: Plan) -> Outcome {
    let shared = Shared {
        requests: Arc::new(Mutex::new(requests)),
        outcome: Arc::new(Mutex::new(Outcome::new())),
    };
    let lanes = channels.len().min(plan.in_flight).max(1);
    let places = LocalSet::new();
    let begin = now();
    for (number, (channel, dues)) in
        channels.iter().zip(dues(lanes, plan.rate, plan.time)).enumerate()
    {
        let room = plan.in_flight / lanes + usize::from(number < plan.in_flight % lanes);
        let (channel, shared) = (channel.clone(), shared.clone());
        places.spawn_local(async move {
            match plan.mode {
                Mode::Stream => stream::run(channel, shared, dues, room).await,
                Mode::Unary | Mode::Batch => calls(plan.mode, channel, shared, dues, room).await,
            }
        });
    }
    places.await;
    let mut outcome = std::mem::replace(&mut *shared.outcome(), Outcome::new());
    outcome.took = now().saturating_duration_since(begin);
    outcome
}

/// Calls on one connection, at most `room` at a time.
async fn calls(mode: Mode, channel: Channel, shared: Shared, dues: Dues, room: usize) {
    let client = PayoutServiceClient::new(channel).max_decoding_message_size(usize::MAX);
    let dues = Arc::new(tokio::sync::Mutex::new(dues));
    let mut places = JoinSet::new();
    for _ in 0..room {
        let (mut client, shared, dues) = (client.clone(), shared.clone(), dues.clone());
        places.spawn_local(async move {
            loop {
                let due = dues.lock().await.next().await;
                let Some(due) = due else { return };
                match mode {
                    Mode::Batch => batch(&mut client, &shared).await,
                    Mode::Unary | Mode::Stream => one(&mut client, &shared).await,
                }
                shared.outcome().answered(due);
            }
        });
    }
    while places.join_next().await.is_some() {}
}

async fn one(client: &mut PayoutServiceClient<Channel>, shared: &Shared) {
    let Some(request) = shared.request() else { return };
    let answer = client.authorize_payout(request).await;
    let mut outcome = shared.outcome();
    match answer {
        Ok(receipt) => outcome.receipt(receipt.get_ref()),
        Err(status) => outcome.failed(&status),
    }
}

async fn batch(client: &mut PayoutServiceClient<Channel>, shared: &Shared) {
    let requests = std::iter::from_fn(|| shared.request()).take(BATCH).collect();
    let batch = v1::BatchAuthorizePayoutsRequest { requests, parent: String::new() };
    let answer = client.batch_authorize_payouts(batch).await;
    let mut outcome = shared.outcome();
    match answer {
        Ok(answer) => answer.into_inner().results.into_iter().for_each(|item| outcome.item(item)),
        Err(status) => outcome.failed(&status),
    }
}

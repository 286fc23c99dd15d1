//! Load against a server: so many requests under way (closed loop), or so many
//! begun a second whatever the answers do (open loop). Latency counts from when
//! a request was due, so that a server that stalls cannot hide it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use tokio::task::JoinSet;
use tonic::Status;

use super::{
    client::{self, Client},
    now,
    outcome::Outcome,
    pace::{Dues, dues},
    raw,
    requests::Requests,
    stream,
};

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
    const fn payouts(self) -> usize {
        match self {
            Self::Batch => BATCH,
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
    /// The next request. `None`: there are no more.
    pub fn request(&self) -> Option<Bytes> {
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
pub async fn run(clients: &[Client], requests: Requests, plan: Plan) -> Outcome {
    let shared = Shared {
        requests: Arc::new(Mutex::new(requests)),
        outcome: Arc::new(Mutex::new(Outcome::new())),
    };
    let lanes = clients.len().min(plan.in_flight).max(1);
    let mut places = JoinSet::new();
    let begin = now();
    for (number, (client, dues)) in
        clients.iter().zip(dues(lanes, plan.rate, plan.time)).enumerate()
    {
        let room = plan.in_flight / lanes + usize::from(number < plan.in_flight % lanes);
        let (client, shared) = (client.clone(), shared.clone());
        places.spawn(async move {
            match plan.mode {
                Mode::Stream => stream::run(client, shared, dues, room).await,
                Mode::Unary | Mode::Batch => calls(plan.mode, client, shared, dues, room).await,
            }
        });
    }
    while places.join_next().await.is_some() {}
    let mut outcome = std::mem::replace(&mut *shared.outcome(), Outcome::new());
    outcome.took = now().saturating_duration_since(begin);
    outcome.next = locked(&shared.requests).number();
    outcome
}

/// Calls on one connection, at most `room` at a time.
async fn calls(mode: Mode, client: Client, shared: Shared, dues: Dues, room: usize) {
    let dues = Arc::new(tokio::sync::Mutex::new(dues));
    let mut places = JoinSet::new();
    for _ in 0..room {
        let (mut client, shared, dues) = (client.clone(), shared.clone(), dues.clone());
        places.spawn(async move {
            loop {
                let due = dues.lock().await.next().await;
                let Some(due) = due else { return };
                let requests = (0..mode.payouts()).map_while(|_| shared.request());
                let requests: Vec<Bytes> = requests.collect();
                if requests.is_empty() {
                    return;
                }
                let came = match mode {
                    Mode::Batch => batch(&mut client, requests, &shared).await,
                    Mode::Unary | Mode::Stream => one(&mut client, requests, &shared).await,
                };
                match came {
                    Ok(()) => shared.outcome().answered(due),
                    Err(status) => {
                        shared.outcome().failed(&status);
                        // Without a connection all others would fail as well, at once.
                        if client.ready().await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
    }
    while places.join_next().await.is_some() {}
}

async fn one(client: &mut Client, requests: Vec<Bytes>, shared: &Shared) -> Result<(), Status> {
    for request in requests {
        let receipt = client.call(client::UNARY, request).await?;
        shared.outcome().receipt(&receipt);
    }
    Ok(())
}

async fn batch(client: &mut Client, requests: Vec<Bytes>, shared: &Shared) -> Result<(), Status> {
    let batch = raw::Batch { requests }.encode_to_vec();
    let answer = client.call(client::BATCH, batch.into()).await?;
    let answer = raw::Items::decode(answer).map_err(|error| Status::internal(error.to_string()))?;
    let mut outcome = shared.outcome();
    answer.items.iter().for_each(|item| outcome.item(item));
    Ok(())
}

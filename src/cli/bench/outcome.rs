//! What came of a load: counts, errors, times. How it is told is not here.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use prost::Message;
use tonic::{Code, Status};

use super::{now, raw};
use crate::{proto::v1::Decision, wire::Failure};

/// Longest time and largest size that are told apart.
const MOST: u64 = 600_000_000;

/// See the module.
#[derive(Debug)]
pub struct Outcome {
    /// Payouts decided.
    pub decided: u64,
    /// Of them, denied.
    pub denied: u64,
    /// Of them, told again what was decided before.
    pub replayed: u64,
    /// The number of the first request that was not sent.
    pub next: u64,
    /// Calls or items that were refused or failed, by gRPC code.
    pub errors: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub first_error: Option<String>,
    /// Microseconds from when a call was due to its answer.
    pub latency: Histogram<u64>,
    /// Bytes of receipts.
    pub reply: Histogram<u64>,
    /// From the first call to the last answer.
    pub took: Duration,
}

impl Outcome {
    /// Nothing yet.
    pub fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, MOST, 3).expect("bounds that are allowed");
        Self {
            decided: 0,
            denied: 0,
            replayed: 0,
            next: 0,
            errors: BTreeMap::new(),
            first_error: None,
            latency: histogram(),
            reply: histogram(),
            took: Duration::ZERO,
        }
    }

    /// A decision came.
    pub fn receipt(&mut self, receipt: &Bytes) {
        match raw::Receipt::decode(receipt.as_ref()) {
            Ok(read) => {
                self.decided += 1;
                self.denied += u64::from(read.decision == i32::from(Decision::Deny));
                self.replayed += u64::from(read.replayed);
                self.reply.saturating_record(receipt.len() as u64);
            }
            Err(error) => self.failed(&Status::internal(error.to_string())),
        }
    }

    /// What came of one of many.
    pub fn item(&mut self, item: &raw::Item) {
        match (&item.receipt, &item.error) {
            (Some(receipt), _) => self.receipt(receipt),
            (None, Some(error)) => {
                self.failed(&Status::new(Code::from_i32(error.code), error.message.clone()));
            }
            (None, None) => self.failed(&Status::internal("an item without an answer")),
        }
    }

    /// No answer came but an error.
    pub fn failed(&mut self, status: &Status) {
        let failure = Failure::from(status);
        *self.errors.entry(failure.code_name()).or_default() += 1;
        self.first_error.get_or_insert_with(|| failure.to_string());
    }

    /// It was due then and is answered now.
    pub fn answered(&mut self, due: Instant) {
        let micros = now().saturating_duration_since(due).as_micros();
        self.latency.saturating_record(u64::try_from(micros).unwrap_or(u64::MAX));
    }

    /// How many errors there were.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

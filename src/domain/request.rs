//! Requests by id: what makes a repeat the same, and what it is answered with.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    instant::Instant,
    name::{Id, PlatformName},
    text::Text,
};

/// A request's identity, as its sender states it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestIdentity {
    /// Which request.
    pub key: RequestKey,
    /// What it says.
    pub content: Fingerprint,
    /// Names of its fields by number, for naming the one that differs.
    pub field_names: Arc<BTreeMap<u32, String>>,
}

/// Which request: (platform, parent, operation, request id).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestKey {
    /// The platform.
    pub platform: PlatformName,
    /// Name of what it is made under.
    pub parent: Text,
    /// The method; unary, batch and stream authorize are one.
    pub operation: Text,
    /// The sender's id.
    pub id: Text,
}

/// A hash per field of a request's content, by field number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fingerprint(pub Vec<(u32, u64)>);

impl Fingerprint {
    /// The first field in which they differ.
    pub fn difference(&self, other: &Self) -> Option<u32> {
        let of = |f: &Self, number| f.0.iter().find(|(n, _)| *n == number).map(|(_, hash)| *hash);
        let mut numbers: Vec<u32> = self.0.iter().chain(&other.0).map(|(n, _)| *n).collect();
        numbers.sort_unstable();
        numbers.into_iter().find(|n| of(self, *n) != of(other, *n))
    }
}

/// What a request was answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answered {
    /// A decision, by its id.
    Decision(Id),
    /// A resource that it made or changed and that it names.
    Resource,
    /// A revision that it made, by its number.
    Revision(u32),
}

/// A request that was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Which request.
    pub key: RequestKey,
    /// What it said.
    pub content: Fingerprint,
    /// What it was answered with.
    pub answered: Answered,
    /// When.
    pub at: Instant,
    /// From then on it is forgotten. `None`: lives as long as its payout.
    pub forget_time: Option<Instant>,
}

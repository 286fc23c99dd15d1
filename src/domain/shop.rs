//! Platforms and shops.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    instant::Instant,
    name::{PlatformName, ShopName},
    value::Facts,
};

/// When a configured resource came to be and how often it changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stamp {
    /// When it was made.
    pub create_time: Instant,
    /// When a configured field changed last.
    pub update_time: Instant,
    /// How often it changed; its etag.
    pub version: u64,
}

impl Stamp {
    /// Of something made now.
    pub fn new(now: Instant) -> Self {
        Self { create_time: now, update_time: now, version: 1 }
    }

    /// After a change now.
    #[must_use]
    pub fn changed(&self, now: Instant) -> Self {
        Self { create_time: self.create_time, update_time: now, version: self.version + 1 }
    }

    /// The etag, as callers see it.
    pub fn etag(&self) -> String {
        format!("v{}", self.version)
    }
}

/// A marketplace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Platform {
    /// Its name.
    pub name: PlatformName,
    /// For people.
    pub display_name: Arc<str>,
    /// Registered facts.
    pub facts: Facts,
    /// Its history.
    pub stamp: Stamp,
}

/// A merchant's shop.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shop {
    /// Its name.
    pub name: ShopName,
    /// For people.
    pub display_name: Arc<str>,
    /// Registered facts.
    pub facts: Facts,
    /// Its history.
    pub stamp: Stamp,
}

//! Platforms and shops.

use super::{
    instant::Instant,
    name::{Id, PlatformName, ShopName},
    text::Text,
    value::Facts,
};

/// When a configured resource came to be and how often it changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// When it was made.
    pub create_time: Instant,
    /// When a configured field changed last.
    pub update_time: Instant,
    /// Its etag: one more with every change, from a number that only this
    /// making of it began with.
    pub version: u64,
}

impl Stamp {
    /// Of something made now.
    pub fn new(now: Instant) -> Self {
        Self { create_time: now, update_time: now, version: 1 }
    }

    /// Of something that record `id` makes now. What is taken away and made
    /// again under its name begins with another version, so that an etag of
    /// the one never fits the other.
    pub fn made_by(id: &Id, now: Instant) -> Self {
        // FNV-1a: any number will do that differs where ids do.
        let version = id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { version, ..Self::new(now) }
    }

    /// After a change now.
    #[must_use]
    pub fn changed(&self, now: Instant) -> Self {
        let version = self.version.wrapping_add(1);
        Self { create_time: self.create_time, update_time: now, version }
    }

    /// The etag, as callers see it.
    pub fn etag(&self) -> String {
        format!("{:016x}", self.version)
    }
}

/// A marketplace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Platform {
    /// Its name.
    pub name: PlatformName,
    /// For people.
    pub display_name: Text,
    /// Registered facts.
    pub facts: Facts,
    /// Its history.
    pub stamp: Stamp,
}

/// A merchant's shop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shop {
    /// Its name.
    pub name: ShopName,
    /// For people.
    pub display_name: Text,
    /// Registered facts.
    pub facts: Facts,
    /// Its history.
    pub stamp: Stamp,
}

//! An instant, to the nanosecond, and its compact stored form. Knows no clock.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};
/// A point in time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub Timestamp);

impl Instant {
    /// The last instant that can be written.
    pub const MAX: Self = Self(Timestamp::MAX);
    /// The first instant that can be written.
    pub const MIN: Self = Self(Timestamp::MIN);

    /// This much later; [`Instant::MAX`] if that is beyond what can be written.
    pub fn plus(self, duration: Duration) -> Self {
        let later =
            SignedDuration::try_from(duration).ok().and_then(|d| self.0.checked_add(d).ok());
        Self(later.unwrap_or(Timestamp::MAX))
    }

    /// This much earlier; [`Instant::MIN`] if that is before what can be written.
    pub fn minus(self, duration: Duration) -> Self {
        let earlier =
            SignedDuration::try_from(duration).ok().and_then(|d| self.0.checked_sub(d).ok());
        Self(earlier.unwrap_or(Timestamp::MIN))
    }

    /// Seconds and nanoseconds since 1970, as protobuf has them (nanoseconds
    /// never negative).
    pub fn to_parts(self) -> (i64, i32) {
        let (seconds, nanos) = (self.0.as_second(), self.0.subsec_nanosecond());
        // Both are negative before 1970.
        if nanos < 0 { (seconds - 1, nanos + 1_000_000_000) } else { (seconds, nanos) }
    }

    /// Nanoseconds since 1970.
    pub fn nanos(self) -> i128 {
        self.0.as_nanosecond()
    }

    /// The reverse of [`Instant::nanos`]. `None` outside what can be written.
    pub fn from_nanos(nanos: i128) -> Option<Self> {
        Timestamp::from_nanosecond(nanos).ok().map(Self)
    }

    /// The reverse of [`Instant::to_parts`]. `None` outside what can be written.
    pub fn from_parts(seconds: i64, nanos: i32) -> Option<Self> {
        Timestamp::new(seconds, nanos).ok().map(Self)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

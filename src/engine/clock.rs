//! The one place that reads clocks. Everything else is told the time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::domain::instant::Instant;

/// A wall clock beside a monotonic one.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// What the wall clock says.
    pub wall: Instant,
    /// Time since some fixed point, which never steps.
    pub monotonic: Duration,
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Both clocks, now.
    fn now(&self) -> Tick;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl SystemClock {
    /// Starts the monotonic one at 0.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
    fn now(&self) -> Tick {
        Tick { wall: Instant(jiff::Timestamp::now()), monotonic: self.start.elapsed() }
    }
}

/// A clock that moves only when it is told to. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock {
    inner: Arc<Mutex<Tick>>,
}

impl ManualClock {
    /// Stands at an instant.
    pub fn new(at: Instant) -> Self {
        Self { inner: Arc::new(Mutex::new(Tick { wall: at, monotonic: Duration::ZERO })) }
    }

    /// Lets time pass until an instant; both clocks agree.
    pub fn advance_to(&self, at: Instant) {
        let mut tick = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = at.0.duration_since(tick.wall.0);
        tick.monotonic += Duration::try_from(passed).unwrap_or_default();
        tick.wall = at;
    }

    /// Sets only the wall clock, as somebody who resets it would.
    pub fn set_wall(&self, at: Instant) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).wall = at;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Tick {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

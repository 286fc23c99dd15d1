//! What scenarios run against: the service, its clock, its store. The runner
//! knows this seam and nothing behind it.

use std::pin::Pin;

use jiff::Timestamp;
use tonic::transport::Channel;

/// Something a host does that takes a while.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// A running service under a clock that only the scenario moves.
pub trait Host: Send {
    /// A channel to it. Another one after each restart.
    fn channel(&self) -> Channel;

    /// What its clock shows.
    fn now(&self) -> Timestamp;

    /// Moves its clock on. What is due until then has happened when this is
    /// done. Never called with an instant before `now`.
    fn advance_to(&mut self, instant: Timestamp) -> Pending<'_, ()>;

    /// Stops it and opens the same store again, at the same instant. Without
    /// `drain` it stops as if it were killed between two requests.
    fn restart(&mut self, drain: bool) -> Pending<'_, ()>;

    /// Stops it for good. When this is done, others can open its store.
    fn stop(&mut self) -> Pending<'_, ()>;
}

/// Starts services, each on an empty store of its own.
pub trait HostFactory: Sync {
    /// Starts one whose clock shows that instant.
    fn start(&self, clock: Timestamp) -> Pending<'_, Box<dyn Host>>;
}

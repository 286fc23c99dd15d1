//! The engine: one bounded queue, one writer. Callers hold a cheap handle; the
//! writer judges batches and answers when they are durable.

mod ahead;
mod answers;
pub mod clock;
mod compiled;
mod handle;
mod ids;
mod judging;
mod profiles;
mod timekeeper;
mod working;
mod writer;

pub use compiled::Compiler;
pub use handle::{Answer, Handle, Question, Queued, View};
pub use ids::earliest as earliest_id;
pub use writer::{Options, start};

//! Calling any RPC by name, without its generated client: what `bursar call`
//! and scenarios share. Knows descriptors and status details, not services.

mod answer;
mod caller;
mod codec;
mod directory;
mod failure;
pub mod json;

pub use answer::Answer;
pub use caller::{Caller, metadata};
pub(crate) use directory::short_name;
pub use directory::{Directory, UnknownMethod};
pub(crate) use failure::code_names;
pub use failure::{Failure, FieldViolation, PreconditionViolation};

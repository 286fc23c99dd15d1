//! Repeats: the same request id with the same content is answered from the
//! record; with other content it is refused, naming the field.

use super::loaded::Loaded;
use crate::domain::{
    instant::Instant,
    refusal::{Reason, Refusal},
    request::{Answered, Request, RequestIdentity},
};

/// What is known of a request id.
#[derive(Clone, PartialEq, Debug)]
pub enum Seen {
    /// Nothing, or no longer.
    New,
    /// It was answered with this.
    Before(Answered),
}

/// Looks a request up.
pub fn seen(
    loaded: &Loaded<'_>,
    identity: &RequestIdentity,
    now: Instant,
) -> Result<Seen, Refusal> {
    let Some(request) = loaded.request(&identity.key) else { return Ok(Seen::New) };
    if request.forget_time.is_some_and(|at| at <= now) {
        return Ok(Seen::New);
    }
    match request.content.difference(&identity.content) {
        None => Ok(Seen::Before(request.answered.clone())),
        Some(number) => {
            let field =
                identity.field_names.get(&number).cloned().unwrap_or_else(|| number.to_string());
            let message = format!(
                "request_id {:?} was used at {} for a request with another {field}.",
                &*request.key.id, request.at
            );
            let advice = "Send the same content again, or a new request_id.";
            Err(Refusal::new(Reason::RequestIdReused, message).at(field, advice))
        }
    }
}

/// Remembers a request.
pub fn remember(
    identity: &RequestIdentity,
    answered: Answered,
    now: Instant,
    forget_time: Option<Instant>,
) -> Request {
    Request {
        key: identity.key.clone(),
        content: identity.content.clone(),
        answered,
        at: now,
        forget_time,
    }
}

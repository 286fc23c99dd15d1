//! Refusals on the wire: one place that maps reasons to gRPC statuses with
//! rich details. Causes go to the log, reasons to the caller.

use std::time::Duration;

use tonic::{Code, Status, body::Body, codegen::http};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    contract::Violation,
    domain::refusal::{Kind, Reason, Refusal},
};

/// Domain of every reason.
pub const DOMAIN: &str = "bursar";

/// Most field violations in one answer: they travel in trailers, which proxies
/// bound to a few KiB.
const MOST_VIOLATIONS: usize = 24;

/// The gRPC code of a kind of refusal.
pub fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Exists => Code::AlreadyExists,
        Kind::Aborted => Code::Aborted,
        Kind::Precondition => Code::FailedPrecondition,
        Kind::Unavailable => Code::Unavailable,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::OutOfRange => Code::OutOfRange,
        Kind::Internal => Code::Internal,
    }
}

/// A refusal as a status.
pub fn status(refusal: &Refusal) -> Status {
    let kind = refusal.reason.kind();
    let mut details = ErrorDetails::new();
    details.set_error_info(refusal.reason.as_str(), DOMAIN, std::collections::HashMap::new());
    for detail in refusal.details.iter().take(MOST_VIOLATIONS) {
        match kind {
            Kind::Invalid | Kind::Exists => {
                details.add_bad_request_violation(&detail.field, &detail.description);
            }
            Kind::Precondition | Kind::Aborted | Kind::Forbidden => {
                details.add_precondition_failure_violation(
                    refusal.reason.as_str(),
                    &detail.field,
                    &detail.description,
                );
            }
            Kind::Exhausted => {
                details.add_quota_failure_violation(&detail.field, &detail.description);
            }
            _ => {
                details.set_resource_info("", &detail.field, "", &detail.description);
            }
        }
    }
    if kind == Kind::Unavailable {
        details.set_retry_info(Some(Duration::from_millis(200)));
    }
    let mut message = refusal.message.clone();
    for detail in refusal.details.iter().take(3) {
        message.push_str(&format!(" [{}] {}", detail.field, detail.description));
    }
    Status::with_error_details(code(kind), message, details)
}

/// Gives the transport's refusal of an oversize message a reason, as every
/// other refusal has one: it never reaches a service.
pub fn explained(response: http::Response<Body>) -> http::Response<Body> {
    let refused = Status::from_header_map(response.headers());
    match refused {
        // Ours have details.
        Some(refused) if refused.code() == Code::OutOfRange && refused.details().is_empty() => {
            let refusal = Refusal::new(Reason::MessageTooLarge, refused.message())
                .at("message", "Send less at once: split lists into pages or batches.");
            status(&refusal).into_http()
        }
        _ => response,
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status(&refusal)
    }
}

/// That a request breaks the contract.
pub fn invalid(violations: Vec<Violation>) -> Refusal {
    let count = violations.len();
    let message = match count {
        1 => "A field of the request is not as the contract asks.".to_owned(),
        _ => format!("{count} fields of the request are not as the contract asks."),
    };
    let mut refusal = Refusal::new(Reason::FieldInvalid, message);
    for violation in violations {
        refusal = refusal.at(violation.field, violation.description);
    }
    refusal
}

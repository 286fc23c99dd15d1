//! A status that is not OK, with the details that came in its trailers.

use std::{collections::BTreeMap, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// A call that was not answered with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// `ErrorInfo.reason` in UPPER_SNAKE. Empty if there was none.
    pub reason: String,
    /// `ErrorInfo.domain`.
    pub domain: String,
    /// `ErrorInfo.metadata`.
    pub metadata: BTreeMap<String, String>,
    /// Every field that is wrong.
    pub field_violations: Vec<FieldViolation>,
    /// Everything that stands in the way.
    pub precondition_violations: Vec<PreconditionViolation>,
    /// When to try again, if the server said so.
    pub retry_delay: Option<Duration>,
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field.
    pub field: String,
    /// A reason in UPPER_SNAKE. May be empty.
    pub reason: String,
    /// What is wrong.
    pub description: String,
}

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreconditionViolation {
    /// What kind of thing.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What is wrong.
    pub description: String,
}

impl Failure {
    /// A failure of this side, before or after the call.
    #[must_use]
    pub fn local(code: Code, message: impl Into<String>) -> Self {
        Self::from(&Status::new(code, message))
    }

    /// The code as gRPC writes it: `NOT_FOUND`.
    #[must_use]
    pub fn code_name(&self) -> &'static str {
        code_name(self.code)
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details.bad_request().map(|b| b.field_violations.as_slice());
        let fields = fields.unwrap_or_default().iter().map(|violation| FieldViolation {
            field: violation.field.clone(),
            reason: violation.reason.clone(),
            description: violation.description.clone(),
        });
        let preconditions = details.precondition_failure().map(|p| p.violations.as_slice());
        let preconditions =
            preconditions.unwrap_or_default().iter().map(|violation| PreconditionViolation {
                kind: violation.r#type.clone(),
                subject: violation.subject.clone(),
                description: violation.description.clone(),
            });
        Self {
            code: status.code(),
            message: with_causes(status),
            reason: info.map(|i| i.reason.clone()).unwrap_or_default(),
            domain: info.map(|i| i.domain.clone()).unwrap_or_default(),
            metadata: info.map(|i| i.metadata.clone().into_iter().collect()).unwrap_or_default(),
            field_violations: fields.collect(),
            precondition_violations: preconditions.collect(),
            retry_delay: details.retry_info().and_then(|retry| retry.retry_delay),
        }
    }
}

/// `NOT_FOUND (PAYOUT_NOT_FOUND): …` and a line for each violation.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code_name())?;
        if !self.reason.is_empty() {
            write!(f, " ({})", self.reason)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        for violation in &self.field_violations {
            write!(f, "\n  {}: {}", violation.field, violation.description)?;
            if !violation.reason.is_empty() {
                write!(f, " ({})", violation.reason)?;
            }
        }
        for violation in &self.precondition_violations {
            write!(f, "\n  {} {}: {}", violation.kind, violation.subject, violation.description)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// The message and what caused it: of a connection that failed, the message
/// alone says only that it did.
fn with_causes(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = if text.is_empty() { more } else { format!("{text}: {more}") };
        }
        cause = error.source();
    }
    text
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The names of all codes but OK.
pub(crate) fn code_names() -> impl Iterator<Item = &'static str> {
    (1..=16).map(|code| code_name(Code::from_i32(code)))
}

//! Refusals on the wire: one place that maps reasons to gRPC statuses with
//! rich details. Causes go to the log, reasons to the caller.
//!
//! Details travel in a header, and clients bound all headers of an answer to
//! 8 KiB (grpc-java) or 16 KiB (gRPC core) and drop what is larger, code and
//! reason included. So they are kept to about 3 KiB, whatever was sent.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status, body::Body, codegen::http};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, QuotaViolation, StatusExt};

use crate::domain::refusal::{Detail, Kind, Reason, Refusal};

/// Domain of every reason.
pub const DOMAIN: &str = "bursar";

/// Most violations in one answer: nobody mends more at a time.
const MOST_VIOLATIONS: usize = 24;
/// Most bytes of all violations together, as they are encoded.
const VIOLATIONS_BYTES: usize = 2560;
/// Encoding a violation adds less than this to its texts.
const AROUND_A_VIOLATION: usize = 16;
/// Longest path or description of one, in characters.
const LONGEST_TEXT: usize = 200;
/// Longest message, in bytes. In its own header each may become three.
const LONGEST_MESSAGE: usize = 400;

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
        Kind::Late => Code::DeadlineExceeded,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::OutOfRange => Code::OutOfRange,
        Kind::Unimplemented => Code::Unimplemented,
        Kind::Internal => Code::Internal,
    }
}

/// A refusal as a status.
pub fn status(refusal: &Refusal) -> Status {
    let kind = refusal.reason.kind();
    let shown: Vec<Violation> = shown(refusal);
    let left_out = refusal.details.len() - shown.len();
    let mut details = ErrorDetails::new();
    let named = refusal.metadata.iter();
    let mut metadata: HashMap<String, String> =
        named.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mut message = refusal.message.clone();
    if left_out > 0 {
        metadata.insert("left_out".to_owned(), left_out.to_string());
        message = format!("{left_out} more are not listed. {message}");
    }
    details.set_error_info(refusal.reason.as_str(), DOMAIN, metadata);
    add(&mut details, kind, shown);
    if kind == Kind::Unavailable {
        details.set_retry_info(Some(Duration::from_millis(200)));
    }
    Status::with_error_details(code(kind), cut_bytes(message), details)
}

/// A violation as it is shown.
struct Violation {
    field: String,
    word: String,
    description: String,
}

impl Violation {
    fn of(detail: &Detail, reason: Reason) -> Self {
        let word = if detail.word.is_empty() { reason.as_str() } else { &*detail.word };
        Self {
            field: cut(&detail.field),
            word: word.to_owned(),
            description: cut(&detail.description),
        }
    }

    fn bytes(&self) -> usize {
        self.field.len() + self.word.len() + self.description.len() + AROUND_A_VIOLATION
    }
}

/// The violations that there is room for, from the first on.
fn shown(refusal: &Refusal) -> Vec<Violation> {
    let mut left = VIOLATIONS_BYTES;
    let all = refusal.details.iter().take(MOST_VIOLATIONS);
    all.map(|detail| Violation::of(detail, refusal.reason))
        .map_while(|violation| {
            left = left.checked_sub(violation.bytes())?;
            Some(violation)
        })
        .collect()
}

/// Adds violations in the form that goes with the kind of refusal.
fn add(details: &mut ErrorDetails, kind: Kind, violations: Vec<Violation>) {
    if violations.is_empty() {
        return;
    }
    let each = violations.into_iter();
    match kind {
        Kind::Invalid | Kind::Exists | Kind::OutOfRange => {
            details.set_bad_request(
                each.map(|v| FieldViolation {
                    field: v.field,
                    description: v.description,
                    reason: v.word,
                    localized_message: None,
                })
                .collect::<Vec<_>>(),
            );
        }
        Kind::Precondition | Kind::Aborted | Kind::Forbidden => {
            details.set_precondition_failure(
                each.map(|v| PreconditionViolation::new(v.word, v.field, v.description))
                    .collect::<Vec<_>>(),
            );
        }
        Kind::Exhausted => {
            details.set_quota_failure(
                each.map(|v| QuotaViolation::new(v.field, v.description)).collect::<Vec<_>>(),
            );
        }
        Kind::NotFound
        | Kind::Unauthenticated
        | Kind::Unavailable
        | Kind::Late
        | Kind::Unimplemented
        | Kind::Internal => {
            for v in each {
                details.set_resource_info("", v.field, "", v.description);
            }
        }
    }
}

/// A text's beginning, if it is too long to be shown.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A message's beginning, if it is too long for its header.
fn cut_bytes(message: String) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message;
    }
    let end = (0..=LONGEST_MESSAGE).rev().find(|end| message.is_char_boundary(*end));
    format!("{}…", message.get(..end.unwrap_or(0)).unwrap_or_default())
}

/// Gives refusals of the transport a reason, as every other refusal has one:
/// they never reach a service.
pub fn explained(response: http::Response<Body>) -> http::Response<Body> {
    let headers = response.headers();
    // Ours have details.
    if !headers.contains_key(Status::GRPC_STATUS)
        || headers.contains_key(Status::GRPC_STATUS_DETAILS)
    {
        return response;
    }
    let Some(refused) = Status::from_header_map(headers) else { return response };
    let Some(refusal) = of_transport(&refused) else { return response };
    let mut status = status(&refusal);
    // What may be sent instead of a compression that is not known.
    *status.metadata_mut() = refused.metadata().clone();
    status.into_http()
}

/// A refusal of the transport in our words, if it is one that callers can do
/// something about.
pub fn of_transport(refused: &Status) -> Option<Refusal> {
    let message = refused.message();
    let (reason, field, advice) = match refused.code() {
        Code::OutOfRange => (
            Reason::MessageTooLarge,
            "message",
            "Send less at once: split lists into pages or batches.",
        ),
        Code::Internal => (
            Reason::MessageMalformed,
            "message",
            "Send the method's own message, whole, with texts in UTF-8.",
        ),
        Code::Unimplemented if message.contains("compressed") => (
            Reason::EncodingUnsupported,
            "grpc-encoding",
            "Send messages without compression, or with one of grpc-accept-encoding.",
        ),
        Code::Unimplemented => (
            Reason::MethodUnknown,
            "method",
            "Compare the service and method with the contract; ask reflection for what there is.",
        ),
        _ => return None,
    };
    let message = if message.is_empty() { "There is no such method." } else { message };
    Some(Refusal::new(reason, message).at(field, advice))
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status(&refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(refusal: &Refusal) -> (usize, usize, usize) {
        let status = status(refusal);
        let details = status.get_error_details();
        let listed = details.bad_request().map_or(0, |b| b.field_violations.len());
        (status.details().len(), status.message().len(), listed)
    }

    #[test]
    fn two_dozen_long_chinese_names_stay_below_what_clients_take() {
        let mut refusal = Refusal::new(Reason::FactUndeclared, "事".repeat(1000));
        for n in 0..24 {
            let name = format!("payout.facts[\"{}{n}\"]", "名".repeat(128));
            refusal = refusal.at(name, "The policy declares no such fact of a request.");
        }
        let (details, message, listed) = encoded(&refusal);
        // In base64 four bytes for three, the message percent-encoded.
        assert!(details * 4 / 3 + message * 3 < 8 * 1024 - 1024, "{details} {message}");
        assert!((3..24).contains(&listed), "{listed}");
        let left = (24 - listed).to_string();
        let shown = status(&refusal);
        let info = shown.get_error_details().error_info().cloned().expect("a reason");
        assert_eq!(info.metadata.get("left_out"), Some(&left));
        assert!(shown.message().starts_with(&format!("{left} more")), "{}", shown.message());
    }

    #[test]
    fn a_path_or_description_of_any_length_is_cut_where_a_character_ends() {
        let long = "字".repeat(50_000);
        let refusal = Refusal::new(Reason::FieldInvalid, long.clone()).at(long.clone(), long);
        let (details, message, listed) = encoded(&refusal);
        assert_eq!(listed, 1);
        assert!(details < 4096 && message <= LONGEST_MESSAGE + 3, "{details} {message}");
    }

    #[test]
    fn every_violation_has_a_word_its_own_or_the_refusals() {
        let refusal = Refusal::new(Reason::FieldInvalid, "Two fields.")
            .because("a", "FIELD_TOO_LONG", "…")
            .at("b", "…");
        let details = status(&refusal).get_error_details();
        let words: Vec<String> = details
            .bad_request()
            .map(|b| b.field_violations.iter().map(|v| v.reason.clone()).collect())
            .unwrap_or_default();
        assert_eq!(words, ["FIELD_TOO_LONG", "FIELD_INVALID"]);
        let refusal = Refusal::new(Reason::Frozen, "Frozen.").at("payout", "…");
        let details = status(&refusal).get_error_details();
        let kinds: Vec<String> = details
            .precondition_failure()
            .map(|p| p.violations.iter().map(|v| v.r#type.clone()).collect())
            .unwrap_or_default();
        assert_eq!(kinds, ["FROZEN"]);
    }

    #[test]
    fn the_message_does_not_repeat_the_violations() {
        let refusal = Refusal::new(Reason::AmountInvalid, "The amount cannot be paid.")
            .at("payout.amount", "Must be more than 0.");
        assert_eq!(status(&refusal).message(), "The amount cannot be paid.");
    }

    #[test]
    fn what_the_transport_refuses_has_a_reason_and_keeps_its_headers() {
        let mut compressed = Status::unimplemented("Content is compressed with `gzip` which …");
        let identity = tonic::metadata::MetadataValue::from_static("identity");
        compressed.metadata_mut().insert("grpc-accept-encoding", identity);
        for (refused, code, reason) in [
            (Status::out_of_range("too large"), Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            (Status::internal("failed to decode"), Code::InvalidArgument, "MESSAGE_MALFORMED"),
            (Status::unimplemented(""), Code::Unimplemented, "METHOD_UNKNOWN"),
            (compressed, Code::Unimplemented, "ENCODING_UNSUPPORTED"),
        ] {
            let headers = explained(refused.into_http()).headers().clone();
            let status = Status::from_header_map(&headers).expect("a status");
            assert_eq!(status.code(), code, "{reason}");
            let details = status.get_error_details();
            assert_eq!(details.error_info().map(|i| i.reason.as_str()), Some(reason));
            assert_eq!(headers.contains_key("grpc-accept-encoding"), reason.starts_with("ENC"));
        }
        let other = explained(Status::not_found("unknown service").into_http());
        assert!(!other.headers().contains_key(Status::GRPC_STATUS_DETAILS));
    }
}

//! Deadlines of calls, as callers state them in `grpc-timeout`: answered as
//! DEADLINE_EXCEEDED here, before the transport answers CANCELLED, which meshes
//! take for the caller's own wish. Not the time that a single request may wait
//! to be judged: the engine minds that.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::Either;
use tonic::{
    Status,
    body::Body,
    codegen::http::{HeaderMap, Request, Response},
};
use tower::Service;

use super::status::status;
use crate::domain::refusal::{Reason, Refusal};

const HEADER: &str = "grpc-timeout";

/// How long a call may take, if it says so. What is not written as gRPC writes
/// it says nothing.
pub fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let written = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count: u64 = written.then(|| digits.parse().ok())??;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// That a call's deadline passed.
pub fn passed() -> Status {
    let message = "The call's deadline passed. What was asked with a request_id is told by asking it again with the same.";
    status(&Refusal::new(Reason::DeadlinePassed, message))
}

/// Answers calls whose deadline passes before there is an answer. Dropping
/// what was to answer takes back what still waits.
#[derive(Clone, Debug)]
pub struct Deadlines<S>(pub S);

type Timed = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S, B> Service<Request<B>> for Deadlines<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Timed>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(timeout) = of(request.headers()) else {
            return Either::Left(self.0.call(request));
        };
        // Made here, and so never later than the transport's own.
        let late = tokio::time::sleep(timeout);
        let answer = self.0.call(request);
        Either::Right(Box::pin(async move {
            tokio::select! {
                biased;
                answer = answer => answer,
                () = late => Ok(passed().into_http()),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;

    fn stated(timeout: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, timeout.parse().expect("a header"));
        of(&headers)
    }

    #[test]
    fn a_timeout_is_read_as_grpc_writes_it() {
        assert_eq!(stated("3H"), Some(Duration::from_secs(10_800)));
        assert_eq!(stated("99999999M"), Some(Duration::from_secs(5_999_999_940)));
        assert_eq!(stated("1S"), Some(Duration::from_secs(1)));
        assert_eq!(stated("250m"), Some(Duration::from_millis(250)));
        assert_eq!(stated("7u"), Some(Duration::from_micros(7)));
        assert_eq!(stated("0n"), Some(Duration::ZERO));
        for wrong in ["", "S", "5", "1s", "-1S", "+1S", "123456789S", "1 S", "é"] {
            assert_eq!(stated(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_call_whose_deadline_passes_is_answered_so_and_not_as_cancelled() {
        let never = tower::service_fn(|_: Request<()>| std::future::pending());
        let mut service = Deadlines(never);
        let request = |timeout: &str| {
            let request = Request::builder().header(HEADER, timeout);
            request.body(()).expect("a request")
        };
        let answer = service.call(request("20m")).await.expect("an answer");
        let status = Status::from_header_map(answer.headers()).expect("a status");
        assert_eq!(status.code(), Code::DeadlineExceeded);
        let details = status.get_error_details();
        assert_eq!(details.error_info().map(|i| i.reason.as_str()), Some("DEADLINE_PASSED"));
    }
}

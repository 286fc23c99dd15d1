//! What a call is answered whose deadline passes, as it is on the wire: gRPC
//! clients make up an answer of their own then.

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{process::Server, wire::answer};

#[tokio::test]
async fn a_call_or_stream_whose_deadline_passes_is_told_so_and_not_that_it_was_cancelled() {
    let server = Server::in_memory();
    for method in ["GetPayout", "AuthorizePayout", "StreamAuthorizePayouts"] {
        let path = format!("/bursar.v1.PayoutService/{method}");
        // Which has said nothing yet by then.
        let headers = answer(&server, &path, &[("grpc-timeout", "200m")], None).await;
        let status = Status::from_header_map(&headers).expect("a status");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{method}: {status:?}");
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.as_str());
        assert_eq!(reason, Some("DEADLINE_PASSED"), "{method}");
    }
}

//! What a call is answered whose deadline passes, as it is on the wire: gRPC
//! clients make up an answer of their own then.

use tonic::Code;
use tonic_types::StatusExt;

use super::{
    process::Server,
    wire::{Said, answer},
};

#[tokio::test]
async fn a_call_or_stream_whose_deadline_passes_is_told_so_and_not_that_it_was_cancelled() {
    let server = Server::in_memory();
    for method in ["GetPayout", "AuthorizePayout", "StreamAuthorizePayouts"] {
        let path = format!("/bursar.v1.PayoutService/{method}");
        // Which has said nothing yet by then.
        let said = Said { headers: &[("grpc-timeout", "200m")], ..Said::default() };
        let status = answer(&server, &path, said).await.status();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{method}: {status:?}");
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.as_str());
        assert_eq!(reason, Some("DEADLINE_PASSED"), "{method}");
    }
}

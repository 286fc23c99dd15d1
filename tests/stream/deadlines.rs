//! How long requests may wait to be judged, and calls to be answered.

use std::time::Duration;

use bursar::proto::v1;
use tonic::{Code, metadata::MetadataValue};

use crate::{
    setup::*,
    trial::{assert_refused, reason},
};

fn within(n: usize, seconds: i64) -> v1::AuthorizePayoutRequest {
    let judge_within = Some(prost_types::Duration { seconds, nanos: 0 });
    v1::AuthorizePayoutRequest { judge_within, ..request("s1", n) }
}

fn batch(requests: Vec<v1::AuthorizePayoutRequest>) -> v1::BatchAuthorizePayoutsRequest {
    v1::BatchAuthorizePayoutsRequest { requests, ..Default::default() }
}

#[tokio::test]
async fn what_waited_too_long_is_not_judged_and_leaves_nothing_behind() {
    let running = start().await;
    let gate = running.hold().await;
    let connection = running.connection(1 << 20);
    let sent = vec![within(0, 2), within(1, 3), request("s1", 2)];
    let (_, mut stream) = send_all(&connection, sent).await;
    let client = running.client.clone();
    let single = tokio::spawn(async move { client.authorize_payout(within(3, 2)).await });
    let mut payouts = running.payouts();
    let several = batch(vec![within(4, 2), within(5, 3)]);
    let several = tokio::spawn(async move { payouts.batch_authorize_payouts(several).await });
    running.has_read(&connection).await;
    running.clock.advance_to(at("2026-03-02T02:00:02Z"));
    drop(gate);

    let late = failed(Code::DeadlineExceeded, "NOT_JUDGED_IN_TIME");
    let (answers, end) = rest(&mut stream).await;
    assert!(end.is_none(), "{end:?}");
    let answers: Vec<Came> = answers.iter().map(came).collect();
    assert_eq!(answers, [late.clone(), ALLOWED, ALLOWED]);
    let single = single.await.expect("no panic");
    assert_refused(single, Code::DeadlineExceeded, "NOT_JUDGED_IN_TIME");
    let several = several.await.expect("no panic").expect("answers").into_inner().results;
    assert_eq!(several.iter().map(came).collect::<Vec<_>>(), [late, ALLOWED]);
    assert_eq!(running.decided().await, 3);

    // The ids are free, and judge_within is not content.
    for (n, expected) in [(0, ALLOWED), (1, REPEATED), (3, ALLOWED), (4, ALLOWED)] {
        let (_, mut again) = send_all(&connection, vec![within(n, 60)]).await;
        let (again, _) = rest(&mut again).await;
        assert_eq!(came(&again[0]), expected, "{n}");
    }
    running.stop().await;
}

#[tokio::test]
async fn nothing_can_be_judged_within_no_time() {
    let running = start().await;
    for seconds in [0, -1] {
        let refused = running.client.authorize_payout(within(0, seconds)).await;
        assert_refused(refused, Code::InvalidArgument, "FIELD_INVALID");
    }
    running.stop().await;
}

#[tokio::test]
async fn the_deadline_of_the_call_ends_a_stream_and_takes_back_what_waits() {
    let running = start().await;
    let connection = running.connection(1 << 20);
    let stream = Talk::with(&connection, |request| {
        request.metadata_mut().insert("grpc-timeout", MetadataValue::from_static("700m"));
    });
    let mut talk = stream.await.expect("a stream");
    talk.say(request("s1", 0)).await;
    let answer = talk.answer().await.expect("no error").expect("an answer");
    assert_eq!(came(&answer), ALLOWED);
    let gate = running.hold().await;
    talk.say(request("s1", 1)).await;
    let status = talk.answer().await.expect_err("the deadline passes");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_PASSED")
    );
    drop(gate);
    assert_eq!(running.decided_in_the_end().await, 1);
    running.stop().await;
}

#[tokio::test]
async fn a_single_call_that_is_given_up_while_it_waits_is_not_judged() {
    let running = start().await;
    let gate = running.hold().await;
    let calls = async {
        let several = batch(requests("s2", 3));
        tokio::join!(running.client.authorize_payout(request("s1", 0)), async {
            running.payouts().batch_authorize_payouts(several).await
        },)
    };
    let given_up = tokio::time::timeout(Duration::from_millis(300), calls).await;
    assert!(given_up.is_err(), "nothing is answered");
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(gate);
    assert_eq!(running.decided_in_the_end().await, 0);
    running.stop().await;
}

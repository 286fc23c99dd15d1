//! What is answered: in order, each by itself, and the same as elsewhere.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bursar::{
    api::auth::Authenticator,
    domain::{
        name::ShopName,
        who::{Caller, Role, RoleSet},
    },
    engine::Options,
    proto::v1,
};
use sha2::{Digest, Sha256};
use tonic::{Code, metadata::MetadataValue};

use crate::{setup::*, trial};

#[tokio::test]
async fn answers_come_in_the_order_of_the_requests_with_their_ids() {
    let running = start().await;
    let all = requests("s1", 3000);
    let (_, mut answers) = send_all(&running.connection(1 << 20), all.clone()).await;
    let (answers, end) = rest(&mut answers).await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!(ids(&answers), all.iter().map(|r| r.request_id.as_str()).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| came(answer) == ALLOWED));
    assert_eq!(running.decided().await, 3000);
    running.stop().await;
}

#[tokio::test]
async fn a_malformed_request_fails_alone_and_as_a_single_call_would() {
    let running = start().await;
    let mut broken = request("s1", 1);
    broken.payout = None;
    broken.request_id = String::new();
    let mut unknown = request("nowhere", 2);
    unknown.request_id = "u".repeat(200);
    let alone = running.client.authorize_payout(broken.clone()).await.expect_err("broken");
    let sent = vec![request("s1", 0), broken, unknown, request("s1", 3)];
    let (_, mut answers) = send_all(&running.connection(1 << 20), sent).await;
    let (answers, end) = rest(&mut answers).await;
    assert!(end.is_none(), "{end:?}");
    let all: Vec<Came> = answers.iter().map(came).collect();
    let invalid = failed(Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(all, [ALLOWED, invalid.clone(), invalid, ALLOWED]);
    let Some(v1::authorize_payout_result::Result::Error(error)) = &answers[1].result else {
        panic!("{answers:?}");
    };
    assert_eq!(error.message, alone.message());
    assert_eq!(answers[2].request_id, "u".repeat(128), "so much of it as an id may have");
    running.stop().await;
}

#[tokio::test]
async fn unary_batch_and_stream_are_one_operation() {
    let running = start().await;
    let channel = running.connection(1 << 20);
    let mut talk = Talk::on(&channel).await;
    talk.say(request("s1", 0)).await;
    let answer = talk.answer().await.expect("no error").expect("an answer");
    assert_eq!(came(&answer), ALLOWED);
    let alone = running.client.authorize_payout(request("s1", 0)).await.expect("a repeat");
    assert!(alone.replayed);
    running.client.authorize_payout(request("s1", 1)).await.expect("a decision");
    let batch =
        v1::BatchAuthorizePayoutsRequest { requests: requests("s1", 3), ..Default::default() };
    let batch = running.payouts().batch_authorize_payouts(batch).await.expect("answers");
    let batch: Vec<Came> = batch.into_inner().results.iter().map(came).collect();
    assert_eq!(batch, [REPEATED, REPEATED, ALLOWED]);
    for n in 0..4 {
        talk.say(request("s1", n)).await;
        let answer = talk.answer().await.expect("no error").expect("an answer");
        assert_eq!(came(&answer), if n < 3 { REPEATED } else { ALLOWED }, "{n}");
    }
    let other = trial::authorize("s1", "r0", "o0", 2);
    talk.say(other).await;
    let answer = talk.answer().await.expect("no error").expect("an answer");
    assert_eq!(came(&answer), failed(Code::AlreadyExists, "REQUEST_ID_REUSED"));
    running.stop().await;
}

#[tokio::test]
async fn what_was_unanswered_at_the_end_is_sent_again_on_another_stream() {
    let running = start().await;
    let channel = running.connection(1 << 20);
    let mut talk = Talk::on(&channel).await;
    for n in 0..20 {
        talk.say(request("s1", n)).await;
    }
    for _ in 0..5 {
        talk.answer().await.expect("no error").expect("an answer");
    }
    drop(talk);
    let (_, mut answers) = send_all(&channel, requests("s1", 20)).await;
    let (answers, end) = rest(&mut answers).await;
    assert!(end.is_none(), "{end:?}");
    assert!(answers.iter().take(5).all(|answer| came(answer) == REPEATED));
    assert_eq!(answers.len(), 20);
    assert_eq!(running.decided().await, 20, "each was decided once");
    running.stop().await;
}

#[tokio::test]
async fn who_may_not_ask_gets_no_stream_and_what_is_out_of_reach_fails_alone() {
    let caller = |roles: RoleSet| Caller {
        name: "back-office".into(),
        roles,
        platforms: None,
        shops: ShopName::parse("platforms/p1/shops/s1").map(|shop| vec![shop]),
    };
    let callers = HashMap::from([
        (Sha256::digest("m").into(), caller(RoleSet::NONE.with(Role::Merchant))),
        (Sha256::digest("a").into(), caller(RoleSet::NONE.with(Role::Auditor))),
    ]);
    let auth = Authenticator::Tokens(Arc::new(callers));
    let running = start_with(Options::default(), auth, Duration::ZERO).await;
    let channel = running.connection(1 << 20);
    let as_ = |token: &'static str| {
        Talk::with(&channel, move |request| {
            let token = MetadataValue::from_static(token);
            request.metadata_mut().insert("authorization", token);
        })
    };
    for (token, code, why) in [
        ("Bearer x", Code::Unauthenticated, "UNAUTHENTICATED"),
        ("Bearer a", Code::PermissionDenied, "ROLE_MISSING"),
    ] {
        trial::assert_refused(as_(token).await.map(|_| ()), code, why);
    }
    let mut talk = as_("Bearer m").await.expect("a stream");
    for (shop, expected) in [
        ("s2", failed(Code::PermissionDenied, "OUT_OF_REACH")),
        ("none", failed(Code::PermissionDenied, "OUT_OF_REACH")),
        ("s1", ALLOWED),
    ] {
        talk.say(request(shop, 0)).await;
        let answer = talk.answer().await.expect("no error").expect("an answer");
        assert_eq!(came(&answer), expected, "{shop}");
    }
    running.stop().await;
}

//! What a stream may have in hand, and that none holds up others.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bursar::{
    api::auth::Authenticator,
    domain::{
        name::ShopName,
        who::{Caller, Role, RoleSet},
    },
    engine::Options,
    proto::v1,
};
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Code, metadata::MetadataValue};

use crate::{
    setup::*,
    trial::{assert_refused, authorize},
};

/// Requests that a stream has in hand, at most.
const IN_HAND: usize = 1024;
/// The least that a stream's client takes unread.
const WINDOW: usize = 65_535;

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_from() {
    let running = start().await;
    let all = requests("s1", 8000);
    let connection = running.connection(65_535);
    let (fetched, mut unread) = send_all(&connection, all.clone()).await;
    // One answer tells how large they are.
    let first = unread.message().await.expect("no error").expect("an answer");
    let decided = running.decided_in_the_end().await;
    // What the connection holds counts as taken: nobody can tell it from that.
    let on_the_way = 2 * WINDOW / first.encoded_len();
    assert!(decided > IN_HAND / 2 && decided <= IN_HAND + on_the_way, "{decided} {on_the_way}");
    assert!(fetched.load(Ordering::Relaxed) < 8000, "the client was held up");
    let (rest, end) = rest(&mut unread).await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!(rest.len(), 7999, "all of it was only waiting");
    running.stop().await;
}

#[tokio::test]
async fn one_that_does_not_read_holds_up_nobody() {
    let running = start().await;
    let slow = running.connection(65_535);
    let mut unread = Vec::new();
    // As many as could fill the queue, on one connection and on several.
    for n in 0..10 {
        let all = (0..3000).map(|r| authorize("s1", &format!("{n}-{r}"), &format!("{n}-{r}"), 1));
        let other = running.connection(65_535);
        let channel = if n % 2 == 0 { &slow } else { &other };
        unread.push(send_all(channel, all.collect()).await);
    }
    running.decided_in_the_end().await;
    let quick = async {
        let (_, mut answers) = send_all(&running.connection(1 << 20), requests("s2", 3000)).await;
        let (answers, end) = rest(&mut answers).await;
        assert!(end.is_none() && answers.len() == 3000, "{end:?}");
        assert!(answers.iter().all(|answer| came(answer) == ALLOWED));
        for n in 0..100 {
            running.client.authorize_payout(request("s2", 10_000 + n)).await.expect("an answer");
        }
        // Also on the connection of those that do not read.
        let mut talk = Talk::on(&slow).await;
        talk.say(request("s2", 20_000)).await;
        let answer = talk.answer().await.expect("no error").expect("an answer");
        assert_eq!(came(&answer), ALLOWED);
    };
    tokio::time::timeout(Duration::from_secs(50), quick).await.expect("nothing is in the way");
    running.stop().await;
}

#[tokio::test]
async fn large_requests_are_held_in_hand_by_their_bytes() {
    let running = start().await;
    let large = |n: usize| {
        let mut large = request("s1", n);
        let facts = &mut large.payout.as_mut().expect("a payout").facts;
        for fact in 0..20 {
            let values = (0..200).map(|n| format!("{n:0>256}")).collect();
            let list = v1::fact_value::Kind::ListValue(v1::StringList { values });
            // Refused in the end: no policy declares them.
            facts.insert(format!("f{fact}"), v1::FactValue { kind: Some(list) });
        }
        large
    };
    let gate = running.hold().await;
    let connection = running.connection(1 << 20);
    let (fetched, mut answers) = send_all(&connection, (0..40).map(large).collect()).await;
    let mut before = 0;
    while before != fetched.load(Ordering::Relaxed) {
        before = fetched.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // One or two in hand, the others where the connection holds bytes.
    assert!((1..18).contains(&before), "{before}");
    drop(gate);
    let (answers, end) = rest(&mut answers).await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!(answers.len(), 40);
    running.stop().await;
}

#[tokio::test]
async fn a_full_queue_makes_streams_wait_and_leaves_room_for_others() {
    let options = Options { queue: 64, ..Options::default() };
    let running = start_with(options, Authenticator::Local, Duration::ZERO).await;
    let gate = running.hold().await;
    let (one, two) = (running.connection(1 << 20), running.connection(1 << 20));
    let (_, mut first) = send_all(&one, requests("s1", 200)).await;
    let (_, mut second) = send_all(&two, requests("s2", 200)).await;
    running.has_read(&one).await;
    running.has_read(&two).await;
    // Half of the places are for those that do not wait.
    let mut single = Vec::new();
    for n in 1000..1016 {
        let client = running.client.clone();
        single.push(tokio::spawn(async move { client.authorize_payout(request("s1", n)).await }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(single.iter().all(|call| !call.is_finished()), "there is room for them");
    let more = v1::BatchAuthorizePayoutsRequest {
        requests: (2000..2100).map(|n| request("s1", n)).collect(),
        ..Default::default()
    };
    let mut payouts = running.payouts();
    let more = tokio::spawn(async move { payouts.batch_authorize_payouts(more).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(gate);
    for call in single {
        call.await.expect("no panic").expect("an answer");
    }
    let more = more.await.expect("no panic").expect("answers").into_inner().results;
    let refused = failed(Code::Unavailable, "OVERLOADED");
    assert!(more.iter().filter(|result| came(result) == refused).count() > 50, "{more:?}");
    for (stream, answers) in [("first", &mut first), ("second", &mut second)] {
        let (answers, end) = rest(answers).await;
        assert!(end.is_none() && answers.len() == 200, "{stream}: {end:?}");
        assert!(answers.iter().all(|answer| came(answer) == ALLOWED), "{stream}");
    }
    running.stop().await;
}

#[tokio::test]
async fn one_caller_has_no_more_streams_open_than_leaves_room_for_others() {
    let caller = |name: &str| Caller {
        name: name.into(),
        roles: RoleSet::NONE.with(Role::Merchant),
        platforms: None,
        shops: ShopName::parse("platforms/p1/shops/s1").map(|shop| vec![shop]),
    };
    let digest = |token: &str| -> [u8; 32] { Sha256::digest(token).into() };
    let callers = ["a", "b", "c", "d", "e"].map(|name| (digest(name), caller(name)));
    let callers = HashMap::from(callers);
    let auth = Authenticator::Tokens(Arc::new(callers));
    let running = start_with(Options::default(), auth, Duration::from_secs(20)).await;
    let connection = running.connection(1 << 16);
    let as_ = |token: &'static str| {
        Talk::with(&connection, move |request| {
            let token = MetadataValue::from_static(token);
            request.metadata_mut().insert("authorization", token);
        })
    };
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(as_("Bearer a").await.expect("a stream"));
    }
    let more = as_("Bearer a").await.map(|_| ());
    assert_refused(more, Code::Unavailable, "OVERLOADED");
    let mut other = as_("Bearer b").await.expect("room for others");
    other.say(request("s1", 0)).await;
    let answer = other.answer().await.expect("no error").expect("an answer");
    assert_eq!(came(&answer), ALLOWED);
    let mut others = Vec::new();
    for token in ["Bearer c", "Bearer d"] {
        for _ in 0..256 {
            others.push(as_(token).await.expect("a stream"));
        }
    }
    for _ in 0..255 {
        others.push(as_("Bearer b").await.expect("a stream"));
    }
    // 1,024 in all.
    assert_refused(as_("Bearer e").await.map(|_| ()), Code::Unavailable, "OVERLOADED");
    drop(others);
    open.truncate(250);
    let again = async {
        // The service hears of the end of a stream when it hears of it.
        while as_("Bearer a").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("places come back");
    drop((open, other));
    running.stop().await;
}

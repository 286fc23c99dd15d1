//! Listing events: page by page, also through records that have none.

use std::time::Duration;

use bursar::{
    api::{auth::Authenticator, service::Api},
    domain::{
        change::Record,
        event::{Event, EventKind},
        name::ShopName,
        who::Author,
    },
    proto::v1::{self, event_service_server::EventService},
    store::{
        Commit, Store,
        memory::MemoryStore,
        sled::{Options, Retain, SledStore, retain},
    },
};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use super::setup::*;

/// Records looked through in one go, and one more.
const MANY: u64 = 1001;

fn record(sequence: u64, shops: &[&str]) -> Record {
    let event = |shop: &&str| Event {
        effect_time: at("2026-01-01T00:00:00Z"),
        shop: ShopName::parse(&format!("platforms/p/shops/{shop}")),
        kind: EventKind::Configured(format!("platforms/p/shops/{shop}").into()),
    };
    Record {
        sequence,
        at: at("2026-01-01T00:00:00Z"),
        author: Author { caller: "test".into(), actor: None },
        operation: "Test".into(),
        changes: Vec::new(),
        events: shops.iter().map(event).collect(),
    }
}

/// A service whose journal has these records behind those of its own start.
async fn api_with(records: impl Fn(u64) -> Vec<Record>) -> (Api, u64) {
    let mut store = MemoryStore::new();
    let before = api_on(store.clone(), Authenticator::Local);
    furnish(&before).await;
    before.engine.stop(true).await;
    let tip = store.begin().expect("a tip").sequence;
    store
        .commit(Commit { records: records(tip), rows: Vec::new(), lacks: None })
        .expect("memory commits");
    (api_on(store, Authenticator::Local), tip)
}

async fn list(api: &Api, parent: &str, cursor: &str, size: i32) -> v1::ListEventsResponse {
    let request = v1::ListEventsRequest {
        parent: parent.to_owned(),
        cursor: cursor.to_owned(),
        page_size: size,
        ..v1::ListEventsRequest::default()
    };
    api.list_events(Request::new(request)).await.expect("events").into_inner()
}

#[tokio::test]
async fn the_cursor_gets_behind_records_without_events() {
    let records = |tip| (1..=MANY).map(|n| record(tip + n, &[])).collect();
    let (api, tip) = api_with(records).await;
    let shop = "platforms/p/shops/s";
    let own = list(&api, shop, "", 1000).await;
    assert!(!own.more && !own.events.is_empty());
    assert!(own.next_cursor.starts_with(&format!("c{}.", tip + MANY)), "{}", own.next_cursor);
    let none = list(&api, shop, &own.next_cursor, 1000).await;
    assert_eq!((none.events, none.more, none.next_cursor), (Vec::new(), false, own.next_cursor));
}

/// Events of shop s behind a cursor that this service did not give.
async fn refused_at(api: &Api, cursor: &str) {
    let request = v1::ListEventsRequest {
        parent: "platforms/p/shops/s".to_owned(),
        cursor: cursor.to_owned(),
        ..v1::ListEventsRequest::default()
    };
    let answer = api.list_events(Request::new(request)).await;
    assert_refused(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["cursor"]);
}

#[tokio::test]
async fn a_cursor_of_a_journal_that_was_put_back_is_refused_and_not_believed() {
    let records = |count: u64| move |tip| (1..=count).map(|n| record(tip + n, &["s"])).collect();
    let (before, _) = api_with(records(5)).await;
    let seen = list(&before, "platforms/p/shops/s", "", 1000).await.next_cursor;
    let again = list(&before, "platforms/p/shops/s", &seen, 1000).await;
    assert_eq!((again.events.len(), &again.next_cursor), (0, &seen));
    // From a backup that is older: the journal ends before.
    let (shorter, _) = api_with(records(3)).await;
    refused_at(&shorter, &seen).await;
    // And when it has grown since: something else stands there.
    let otherwise = |tip| -> Vec<Record> {
        let mut records: Vec<Record> = (1..=9).map(|n| record(tip + n, &["s"])).collect();
        for record in &mut records {
            record.at = at("2026-01-02T00:00:00Z");
        }
        records
    };
    let (other, tip) = api_with(otherwise).await;
    refused_at(&other, &seen).await;
    let own = list(&other, "platforms/p/shops/s", "", 1).await.next_cursor;
    list(&other, "platforms/p/shops/s", &own, 1).await;
    for made_up in [format!("c{}.0.00000000", tip + 1), "c1.7.00000000".to_owned(), "c".to_owned()]
    {
        refused_at(&other, &made_up).await;
    }
}

#[tokio::test]
async fn pages_of_any_size_have_every_event_once() {
    let shops: [&[&str]; 3] = [&["s", "t", "s"], &[], &["t"]];
    let records = |tip: u64| {
        let mut records = Vec::new();
        for (n, shops) in (1..=2 * MANY).zip(shops.iter().cycle()) {
            records.push(record(tip + n, shops));
        }
        records
    };
    let (api, _) = api_with(records).await;
    for parent in ["platforms/p", "platforms/p/shops/s"] {
        let mut whole = Vec::new();
        for size in [7, 400, 1000] {
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = list(&api, parent, &cursor, size).await;
                assert!(page.events.len() <= usize::try_from(size).expect("a size"));
                all.extend(page.events.into_iter().map(|event| event.cursor));
                cursor = page.next_cursor;
                if !page.more {
                    break;
                }
            }
            assert!(all.len() as u64 > MANY, "{parent}: {}", all.len());
            if whole.is_empty() {
                whole = all;
            } else {
                assert_eq!(all, whole, "{parent} by {size}");
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_behind_which_events_were_let_go_of_is_refused_with_the_oldest_that_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { segment_bytes: 16 * 1024, ..Options::default() };
    let open = || SledStore::open(folder.path(), options.clone()).expect("a store");
    let before = api_on(open(), Authenticator::Local);
    furnish(&before).await;
    before.engine.stop(true).await;
    drop(before);
    let mut store = open();
    let tip = store.begin().expect("a tip").sequence;
    for sequence in tip + 1..=tip + 200 {
        let seconds = i64::try_from(sequence).expect("small");
        let at = at("2026-02-01T00:00:00Z").plus(Duration::from_secs(seconds.unsigned_abs()));
        let records = vec![Record { at, ..record(sequence, &["s", "s"]) }];
        store.commit(Commit { records, rows: Vec::new(), lacks: None }).expect("a commit");
        store.tidy().expect("durable");
    }
    let shop = "platforms/p/shops/s";
    let api = api_on(store, Authenticator::Local);
    let all = list(&api, shop, "", 1000).await.events;
    api.engine.stop(true).await;
    drop(api);

    let what = Retain {
        keep: Duration::from_secs(50),
        now: at("2027-01-01T00:00:00Z"),
        dry_run: false,
        unchecked: false,
    };
    let done = retain(folder.path(), &options, &what, &mut |_| {});
    let gone = done.expect("it is done").gone.expect("some went").last.sequence;
    let api = api_on(open(), Authenticator::Local);
    let left = list(&api, shop, "", 1000).await.events;
    assert!(left.len() >= 100 && left.len() < all.len(), "{} of {}", left.len(), all.len());
    assert_eq!(left, all[all.len() - left.len()..]);
    // What is left is gone on from anywhere.
    for (number, event) in left.iter().enumerate().step_by(7) {
        let rest = list(&api, shop, &event.cursor, 1000).await.events;
        assert_eq!(rest, left[number + 1..]);
    }
    for event in &all[..all.len() - left.len()] {
        let request = v1::ListEventsRequest {
            parent: shop.to_owned(),
            cursor: event.cursor.clone(),
            ..v1::ListEventsRequest::default()
        };
        let refused = api.list_events(Request::new(request)).await;
        let status = refused.as_ref().expect_err("it is too old").clone();
        assert_refused(refused, Code::OutOfRange, "CURSOR_TOO_OLD", &["cursor"]);
        let details = status.get_error_details();
        let oldest = &details.error_info().expect("a reason").metadata["oldest_cursor"];
        assert!(oldest.starts_with(&format!("c{gone}.")), "{oldest}");
        assert!(status.message().contains(oldest.as_str()), "{}", status.message());
        assert_eq!(list(&api, shop, oldest, 1000).await.events, left);
    }
    // One that was made up is none.
    refused_at(&api, "c1000000.0.00000000").await;
    api.engine.stop(true).await;
}

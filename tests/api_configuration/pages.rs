//! Pages of large rows: answers stay below the 4 MiB that clients take, and
//! nothing is missed.

use bursar::proto::v1::{
    self, event_service_server::EventService, fact_value::Kind,
    payout_service_server::PayoutService, shop_service_server::ShopService,
};
use prost::Message;
use tonic::{Code, Request};

use super::{batch, setup::*};

/// What a gRPC client takes unless it is told otherwise.
const CLIENTS_TAKE: usize = 4 * 1024 * 1024;

/// Facts of about so many bytes.
fn facts(bytes: usize) -> std::collections::BTreeMap<String, v1::FactValue> {
    let texts = (0..100).map(|n| format!("{}{n}", "值".repeat(250)));
    let values = v1::StringList { values: texts.collect() };
    let list = fact(Kind::ListValue(values));
    let each = list.encoded_len();
    (0..bytes.div_ceil(each)).map(|n| (format!("fact-{n}"), list.clone())).collect()
}

#[tokio::test]
async fn a_listing_of_large_rows_comes_in_pages_that_clients_take() {
    let api = api().await;
    for n in 0..10 {
        let mut request = new_shop(&format!("large-{n}"));
        request.shop = Some(v1::Shop { facts: facts(900_000), ..v1::Shop::default() });
        api.create_shop(by("platform", request)).await.expect("a shop");
    }
    let mut request = v1::ListShopsRequest {
        parent: "platforms/p".to_owned(),
        page_size: 1000,
        page_token: String::new(),
    };
    let (mut names, mut pages) = (Vec::new(), 0);
    loop {
        let page = api.list_shops(Request::new(request.clone())).await.expect("a page");
        let page = page.into_inner();
        assert!(page.encoded_len() < CLIENTS_TAKE, "{} bytes", page.encoded_len());
        names.extend(page.shops.into_iter().map(|shop| shop.name));
        pages += 1;
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(names.len(), 11, "{names:?}");
    assert!(names.is_sorted() && pages == 4, "{pages} pages: {names:?}");
}

#[tokio::test]
async fn events_come_in_pages_that_clients_take() {
    let api = batch::deciding().await;
    // Denials with long texts: each event has the receipt.
    for n in 0..4 {
        batch::decide(&api, n * 500, 500, v1::ReceiptView::Basic).await;
    }
    let mut request = v1::ListEventsRequest {
        parent: batch::SHOP.to_owned(),
        page_size: 1000,
        ..v1::ListEventsRequest::default()
    };
    let (mut decided, mut short) = (0, 0);
    loop {
        let page = api.list_events(Request::new(request.clone())).await.expect("a page");
        let page = page.into_inner();
        assert!(page.encoded_len() < CLIENTS_TAKE, "{} bytes", page.encoded_len());
        decided += page.events.iter().filter(|event| event.receipt.is_some()).count();
        short += usize::from(page.more && page.events.len() < 1000);
        if !page.more {
            break;
        }
        request.cursor = page.next_cursor;
    }
    assert_eq!(decided, 2000);
    assert!(short > 0, "some page ended by its size");
}

#[tokio::test]
async fn sums_that_clients_would_not_take_are_refused_by_what_makes_them_fewer() {
    let api = batch::compiling().await;
    let texts = [("zh-CN", "t"), ("en", "t")].map(|(l, t)| (l.to_owned(), t.to_owned()));
    let item = v1::FactDeclaration {
        name: "item".to_owned(),
        r#type: v1::FactType::String.into(),
        source: v1::FactSource::Request.into(),
        key: "item".to_owned(),
        dimension: true,
        ..v1::FactDeclaration::default()
    };
    let policy = v1::Policy {
        title: texts.into(),
        currency: "CNY".to_owned(),
        time_zone: "UTC".to_owned(),
        facts: vec![item],
        ..v1::Policy::default()
    };
    batch::put_in_force(&api, policy).await;
    let request = |n: usize| v1::AuthorizePayoutRequest {
        request_id: format!("r-{n}"),
        payout: Some(v1::PayoutSpec {
            programme: batch::PROGRAMME.to_owned(),
            amount: money(1),
            facts: [(
                "item".to_owned(),
                fact(Kind::StringValue(format!("{n}{}", "😀".repeat(250)))),
            )]
            .into(),
            ..v1::PayoutSpec::default()
        }),
        ..v1::AuthorizePayoutRequest::default()
    };
    for part in 0..4 {
        let requests = (part * 1000..(part + 1) * 1000).map(request).collect();
        batch::answered(&api, requests).await;
    }
    let sums = |end_time| v1::SummarizePayoutsRequest {
        parent: batch::SHOP.to_owned(),
        programme: batch::PROGRAMME.to_owned(),
        dimension: "item".to_owned(),
        start_time: None,
        end_time,
    };
    let answer = api.summarize_payouts(Request::new(sums(None))).await;
    assert_refused(answer, Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[]);
    let before = Some(prost_types::Timestamp { seconds: 0, nanos: 0 });
    let none = api.summarize_payouts(Request::new(sums(before))).await.expect("no sums");
    assert_eq!(none.into_inner().rows.len(), 0);
}

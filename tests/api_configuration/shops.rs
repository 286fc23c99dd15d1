//! Shops: making, reading, changing, listing, repeating.

use bursar::proto::v1::{self, fact_value::Kind, shop_service_server::ShopService};
use tonic::{Code, Request};

use super::setup::*;

#[tokio::test]
async fn a_shop_is_made_read_and_changed_under_mask_and_etag() {
    let api = api().await;
    let made = api.get_shop(Request::new(get_shop("platforms/p/shops/s"))).await;
    let etag = made.expect("the shop").into_inner().etag;
    let facts = [("a".to_owned(), fact(Kind::BoolValue(true)))].into();
    let sent = v1::Shop {
        display_name: "One".to_owned(),
        facts,
        etag: etag.clone(),
        ..v1::Shop::default()
    };
    let update = shop_update(sent.clone(), &["facts.a"]);
    let changed = api.update_shop(by("platform", update)).await.expect("a change").into_inner();
    assert_eq!((changed.display_name.as_str(), changed.facts.len()), ("", 1));
    let late = api.update_shop(by("platform", shop_update(sent, &["display_name"]))).await;
    let (code, reason, _) = refused(late);
    assert_eq!((code, reason.as_str()), (Code::Aborted, "ETAG_MISMATCH"));
    let gone = shop_update(v1::Shop::default(), &["facts.a"]);
    let changed = api.update_shop(by("platform", gone)).await.expect("a change").into_inner();
    assert!(changed.facts.is_empty());
}

#[tokio::test]
async fn all_that_is_wrong_with_a_request_is_said_at_once() {
    let api = api().await;
    let shop = v1::Shop { name: "s".to_owned(), ..v1::Shop::default() };
    let mut update = shop_update(shop.clone(), &["kind"]);
    update.shop = Some(shop);
    let answer = api.update_shop(by("payer", update)).await;
    let fields = ["shop.name", "update_mask"];
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields);
    let masked = shop_update(v1::Shop::default(), &["etag"]);
    let answer = api.update_shop(by("platform", masked)).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_MASK_INVALID", &["update_mask"]);
    let mut account = new_account(v1::account::Kind::Unspecified, "");
    account.account_id = "no id".to_owned();
    let answer = api.create_account(by("platform", account)).await;
    let fields = ["account_id", "account.kind", "account.currency_code"];
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields);
}

#[tokio::test]
async fn listings_come_in_pages() {
    let api = api().await;
    for id in ["t", "a", "m"] {
        api.create_shop(by("platform", new_shop(id))).await.expect("a shop");
    }
    let mut request = v1::ListShopsRequest {
        parent: "platforms/p".to_owned(),
        page_size: 2,
        page_token: String::new(),
    };
    let mut pages = Vec::new();
    loop {
        let page = api.list_shops(Request::new(request.clone())).await.expect("a page");
        let page = page.into_inner();
        pages.push(page.shops.into_iter().map(|s| s.name).collect::<Vec<_>>());
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let name = |id: &str| format!("platforms/p/shops/{id}");
    assert_eq!(pages, [vec![name("a"), name("m")], vec![name("s"), name("t")]]);
    request.page_token = "not a token".to_owned();
    let answer = api.list_shops(Request::new(request)).await;
    assert_refused(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
}

#[tokio::test]
async fn a_repeat_changes_nothing_and_other_content_is_refused_by_its_field() {
    let api = api().await;
    let mut request = new_shop("x");
    request.request_id = "r1".to_owned();
    let facts = [("fee".to_owned(), fact(Kind::DecimalValue("5".to_owned())))].into();
    request.shop = Some(v1::Shop { facts, ..v1::Shop::default() });
    let first = api.create_shop(by("platform", request.clone())).await.expect("a shop");
    let facts = [("fee".to_owned(), fact(Kind::DecimalValue("5.00".to_owned())))].into();
    request.shop = Some(v1::Shop { facts, ..v1::Shop::default() });
    let again = api.create_shop(by("platform", request.clone())).await.expect("a repeat");
    assert_eq!(first.into_inner(), again.into_inner());
    request.shop_id = "y".to_owned();
    let answer = api.create_shop(by("platform", request.clone())).await;
    assert_refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED", &["shop_id"]);
    request.shop_id = "x".to_owned();
    request.shop = None;
    let answer = api.create_shop(by("platform", request)).await;
    assert_refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED", &["shop"]);
}

#[tokio::test]
async fn facts_do_not_add_up_beyond_what_a_resource_may_have() {
    let api = api().await;
    let change = |from: usize, to: usize| {
        let names: Vec<String> = (from..to).map(|n| format!("f{n}")).collect();
        let facts = names.iter().map(|name| (name.clone(), fact(Kind::BoolValue(true)))).collect();
        let paths: Vec<String> = names.iter().map(|name| format!("facts.{name}")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        shop_update(v1::Shop { facts, ..v1::Shop::default() }, &paths)
    };
    api.update_shop(by("platform", change(0, 60))).await.expect("60 facts");
    api.update_shop(by("platform", change(60, 100))).await.expect("100 facts");
    let answer = api.update_shop(by("platform", change(100, 101))).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["update_mask"]);
    api.update_shop(by("platform", change(0, 60))).await.expect("the same again");
}

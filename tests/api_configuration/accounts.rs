//! Accounts, their movements, and orders.

use bursar::proto::v1::{
    self, fact_value::Kind, quota_service_server::QuotaService, shop_service_server::ShopService,
};
use tonic::{Code, Request};

use super::setup::*;

#[tokio::test]
async fn a_movement_counts_once_and_no_merchant_records_one() {
    let api = api().await;
    let account = new_account(v1::account::Kind::Settlement, "CNY");
    let made = api.create_account(by("platform", account)).await.expect("an account").into_inner();
    assert_eq!((made.balance.as_str(), made.available.as_str()), ("0.00", "0.00"));
    for (reference, replayed, balance) in
        [("m1", false, "100.00"), ("m1", true, "100.00"), ("m2", false, "200.00")]
    {
        let moved = api.record_movement(by("platform", movement(reference, 100))).await;
        let moved = moved.expect("a movement").into_inner();
        let account = moved.account.expect("its account");
        assert_eq!((moved.replayed, account.balance.as_str()), (replayed, balance));
    }
    let other = api.record_movement(by("platform", movement("m1", 7))).await;
    assert_refused(other, Code::AlreadyExists, "REFERENCE_REUSED", &["movement.amount"]);
    let own = api.record_movement(by("merchant,admin", movement("m3", 7))).await;
    assert_refused(own, Code::PermissionDenied, "ROLE_MISSING", &[]);
    let mut request =
        v1::ListMovementsRequest { parent: made.name, page_size: 1, page_token: String::new() };
    for (reference, more) in [("m2", true), ("m1", false)] {
        let page = api.list_movements(Request::new(request.clone())).await.expect("a page");
        let page = page.into_inner();
        let references: Vec<&str> = page.movements.iter().map(|m| &*m.reference).collect();
        assert_eq!((references, page.next_page_token.is_empty()), (vec![reference], !more));
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn what_is_fixed_once_made_stays() {
    let api = api().await;
    api.create_account(by("platform", new_account(v1::account::Kind::Settlement, "CNY")))
        .await
        .expect("an account");
    with_operators(&api).await;
    let mut account = v1::Account {
        name: "platforms/p/shops/s/accounts/a".to_owned(),
        kind: v1::account::Kind::Quota.into(),
        currency_code: "USD".to_owned(),
        ..v1::Account::default()
    };
    let update = |account: &v1::Account| v1::UpdateAccountRequest {
        account: Some(account.clone()),
        ..v1::UpdateAccountRequest::default()
    };
    let answer = api.update_account(by("platform", update(&account))).await;
    let fields = ["account.kind", "account.currency_code"];
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields);
    account.kind = v1::account::Kind::Settlement.into();
    account.currency_code = "CNY".to_owned();
    account.facts = [("a".to_owned(), fact(Kind::BoolValue(true)))].into();
    let changed = api.update_account(by("platform", update(&account))).await.expect("a change");
    assert_eq!(changed.into_inner().facts.len(), 1);
    let promoted = v1::UpdateOperatorRequest {
        operator: Some(v1::Operator {
            name: SUB.to_owned(),
            kind: v1::operator::Kind::Main.into(),
            ..v1::Operator::default()
        }),
        ..v1::UpdateOperatorRequest::default()
    };
    let answer = api.update_operator(by("platform", promoted)).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["operator.kind"]);
}

#[tokio::test]
async fn orders_are_versioned_by_their_source() {
    let api = api().await;
    let order = |seconds, units| v1::UpsertOrderRequest {
        order: Some(v1::Order {
            name: "platforms/p/shops/s/orders/o".to_owned(),
            paid_amount: money(units),
            source_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            ..v1::Order::default()
        }),
        request_id: String::new(),
    };
    api.upsert_order(by("platform", order(10, 5))).await.expect("an order");
    let older = api.upsert_order(by("platform", order(9, 6))).await.expect("nothing new");
    assert_eq!(older.into_inner().paid_amount, money(5));
    let (code, reason, _) = refused(api.upsert_order(by("platform", order(10, 6))).await);
    assert_eq!((code, reason.as_str()), (Code::Aborted, "FACT_CONFLICT"));
    let answer = api.upsert_order(by("platform", order(253_402_300_799, 6))).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["order.source_time"]);
    let negative = api.upsert_order(by("platform", order(11, -1))).await;
    assert_refused(negative, Code::InvalidArgument, "AMOUNT_INVALID", &["order.paid_amount"]);
}

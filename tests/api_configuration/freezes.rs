//! Freezes.

use bursar::proto::v1::{self, case_service_server::CaseService, shop_service_server::ShopService};
use tonic::{Code, Request};

use super::setup::*;

#[tokio::test]
async fn a_part_of_a_balance_is_frozen_until_it_is_lifted() {
    use v1::freeze::Scope;
    let api = api().await;
    let account = new_account(v1::account::Kind::Settlement, "CNY");
    let account = api.create_account(by("platform", account)).await.expect("an account");
    let account = account.into_inner().name;
    api.record_movement(by("platform", movement("m", 100))).await.expect("a movement");
    let wrong = freeze("f", "platforms/p/shops/s", Scope::BalancePart, None);
    let fields = ["freeze.amount", "freeze.target"];
    let answer = api.create_freeze(by("reviewer", wrong)).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields);
    let foreign = freeze("f", "platforms/q/shops/s", Scope::All, None);
    let answer = api.create_freeze(by("reviewer", foreign)).await;
    assert_refused(answer, Code::InvalidArgument, "NAME_INVALID", &["freeze.target"]);
    let part = freeze("f", &account, Scope::BalancePart, Some(30));
    let set = api.create_freeze(by("reviewer", part)).await.expect("a freeze").into_inner();
    assert_eq!(set.amount, money(30));
    let read = v1::GetAccountRequest { name: account.clone() };
    let frozen = api.get_account(Request::new(read)).await.expect("the account").into_inner();
    assert_eq!((frozen.frozen.as_str(), frozen.available.as_str()), ("30.00", "70.00"));
    let shop = freeze("g", "platforms/p/shops/s", Scope::All, None);
    api.create_freeze(by("platform", shop)).await.expect("a freeze");
    let mut list = v1::ListFreezesRequest {
        parent: "platforms/p".to_owned(),
        target: account.clone(),
        ..v1::ListFreezesRequest::default()
    };
    let on_it = api.list_freezes(by("merchant", list.clone())).await.expect("freezes");
    assert_eq!(on_it.into_inner().freezes, std::slice::from_ref(&set));
    list.target.clear();
    list.page_size = 1;
    let page = api.list_freezes(by("auditor", list)).await.expect("freezes").into_inner();
    assert_eq!((page.freezes.len(), page.next_page_token.is_empty()), (1, false));
    let lift = v1::LiftFreezeRequest { name: set.name, ..v1::LiftFreezeRequest::default() };
    let denied = api.lift_freeze(by("merchant", lift.clone())).await;
    assert_eq!(refused(denied).1, "ROLE_MISSING");
    for _ in 0..2 {
        let lifted = api.lift_freeze(by("reviewer", lift.clone())).await.expect("lifted");
        assert!(lifted.into_inner().lift_time.is_some());
    }
    let list = v1::ListAccountsRequest {
        parent: "platforms/p/shops/s".to_owned(),
        ..v1::ListAccountsRequest::default()
    };
    let accounts = api.list_accounts(Request::new(list)).await.expect("accounts").into_inner();
    let available: Vec<&str> = accounts.accounts.iter().map(|a| &*a.available).collect();
    assert_eq!(available, ["100.00"]);
}

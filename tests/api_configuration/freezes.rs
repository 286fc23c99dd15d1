//! Freezes, and what a caller may not reach.

use std::{collections::HashMap, sync::Arc};

use bursar::{
    api::auth::Authenticator,
    domain::{
        name::{Id, ShopName},
        who::{Caller, Role, RoleSet},
    },
    proto::v1::{self, case_service_server::CaseService, shop_service_server::ShopService},
};
use sha2::{Digest, Sha256};
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
    assert_eq!((page.freezes.len(), page.next_page_token.as_str()), (1, "f"));
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

#[tokio::test]
async fn what_is_out_of_reach_is_refused_whether_it_exists_or_not() {
    let store = installed("0");
    let all = api_on(store.clone(), Authenticator::Local);
    furnish(&all).await;
    for id in ["mine", "other"] {
        all.create_shop(by("platform", new_shop(id))).await.expect("a shop");
        let target = format!("platforms/p/shops/{id}");
        let stop = freeze(&format!("f-{id}"), &target, v1::freeze::Scope::All, None);
        all.create_freeze(by("platform", stop)).await.expect("a freeze");
    }
    all.engine.stop(true).await;
    let mine = ShopName::parse("platforms/p/shops/mine").expect("a name");
    let caller = Caller {
        name: "back-office".into(),
        roles: RoleSet::NONE.with(Role::Merchant).with(Role::Reviewer),
        platforms: Id::parse("p").map(|p| vec![p]),
        shops: Some(vec![mine]),
    };
    let callers = HashMap::from([(Sha256::digest("t").into(), caller)]);
    let api = api_on(store, Authenticator::Tokens(Arc::new(callers)));
    fn sent<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = tonic::metadata::MetadataValue::from_static("Bearer t");
        request.metadata_mut().insert("authorization", token);
        request
    }
    api.get_shop(sent(get_shop("platforms/p/shops/mine"))).await.expect("its own shop");
    for name in ["platforms/p/shops/other", "platforms/p/shops/none", "platforms/q/shops/mine"] {
        let answer = api.get_shop(sent(get_shop(name))).await;
        assert_refused(answer, Code::PermissionDenied, "OUT_OF_REACH", &[]);
    }
    let parent = "platforms/p".to_owned();
    let list = v1::ListShopsRequest { parent: parent.clone(), ..v1::ListShopsRequest::default() };
    assert_eq!(refused(api.list_shops(sent(list)).await).1, "OUT_OF_REACH");
    let list = v1::ListFreezesRequest { parent, ..v1::ListFreezesRequest::default() };
    assert_eq!(refused(api.list_freezes(sent(list)).await).1, "OUT_OF_REACH");
    for (id, expected) in [("other", "FREEZE_NOT_FOUND"), ("none", "FREEZE_NOT_FOUND")] {
        let name = format!("platforms/p/freezes/f-{id}");
        let answer = api.get_freeze(sent(v1::GetFreezeRequest { name: name.clone() })).await;
        assert_eq!(refused(answer).1, expected);
        let lift = v1::LiftFreezeRequest { name, ..v1::LiftFreezeRequest::default() };
        assert_eq!(refused(api.lift_freeze(sent(lift)).await).1, expected);
    }
    let name = "platforms/p/freezes/f-mine".to_owned();
    api.get_freeze(sent(v1::GetFreezeRequest { name })).await.expect("on its own shop");
    assert_eq!(
        refused(api.get_shop(Request::new(get_shop("platforms/p/shops/mine"))).await).0,
        Code::Unauthenticated
    );
}

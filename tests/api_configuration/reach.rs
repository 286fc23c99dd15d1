//! What a caller that is limited to some shops may touch, and learns of others.

use std::{collections::HashMap, sync::Arc};

use bursar::{
    api::{auth::Authenticator, service::Api},
    domain::{
        name::{Id, ShopName},
        who::{Caller, Role, RoleSet},
    },
    proto::v1::{
        self, case_service_server::CaseService, event_service_server::EventService,
        policy_service_server::PolicyService, shop_service_server::ShopService,
    },
    store::memory::MemoryStore,
};
use sha2::{Digest, Sha256};
use tonic::{Code, Request};

use super::setup::*;

/// A service whose one caller may touch shop `mine` only.
fn reaching(store: MemoryStore, roles: RoleSet) -> Api {
    let mine = ShopName::parse("platforms/p/shops/mine").expect("a name");
    let caller = Caller {
        name: "back-office".into(),
        roles,
        platforms: Id::parse("p").map(|p| vec![p]),
        shops: Some(vec![mine]),
    };
    let callers = HashMap::from([(Sha256::digest("t").into(), caller)]);
    api_on(store, Authenticator::Tokens(Arc::new(callers)))
}

fn sent<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let token = tonic::metadata::MetadataValue::from_static("Bearer t");
    request.metadata_mut().insert("authorization", token);
    request
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
    let api = reaching(store, RoleSet::NONE.with(Role::Merchant).with(Role::Reviewer));
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
    // Nor does it learn of them by choosing their ids; of its own it does.
    let target = "platforms/p/shops/mine";
    let taken = |id: &str| sent(freeze(id, target, v1::freeze::Scope::All, None));
    let answer = api.create_freeze(taken("f-other")).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["freeze_id"]);
    let answer = api.create_freeze(taken("f-mine")).await;
    let own = ["platforms/p/freezes/f-mine"];
    assert_refused(answer, Code::AlreadyExists, "ALREADY_EXISTS", &own);
    let name = "platforms/p/freezes/f-mine".to_owned();
    api.get_freeze(sent(v1::GetFreezeRequest { name })).await.expect("on its own shop");
    assert_eq!(
        refused(api.get_shop(Request::new(get_shop("platforms/p/shops/mine"))).await).0,
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn an_admin_of_some_shops_changes_nothing_that_concerns_all() {
    let store = installed("0");
    let api = reaching(store, RoleSet::NONE.with(Role::Admin).with(Role::Platform));
    let out_of_reach = |answer: Option<tonic::Status>| {
        assert_refused::<()>(
            Err(answer.expect("a refusal")),
            Code::PermissionDenied,
            "OUT_OF_REACH",
            &[],
        );
    };
    let platform =
        |id: &str| Some(v1::Platform { name: format!("platforms/{id}"), ..Default::default() });
    let create = v1::CreatePlatformRequest {
        platform_id: "q".to_owned(),
        platform: platform("q"),
        ..Default::default()
    };
    out_of_reach(api.create_platform(sent(create)).await.err());
    let update = v1::UpdatePlatformRequest { platform: platform("p"), ..Default::default() };
    out_of_reach(api.update_platform(sent(update)).await.err());
    let shop = v1::CreateShopRequest {
        parent: "platforms/p".to_owned(),
        shop_id: "other".to_owned(),
        shop: Some(v1::Shop::default()),
        ..Default::default()
    };
    out_of_reach(api.create_shop(sent(shop)).await.err());
    let revision = v1::CreateRevisionRequest {
        parent: "platforms/p/programmes/small".to_owned(),
        yaml: "title: {}".to_owned(),
        ..Default::default()
    };
    out_of_reach(api.create_revision(sent(revision)).await.err());
    let activate = v1::ActivateRevisionRequest {
        name: "platforms/p/programmes/small/revisions/1".to_owned(),
        ..Default::default()
    };
    out_of_reach(api.activate_revision(sent(activate)).await.err());
    let events = v1::ListEventsRequest { parent: "platforms/p".to_owned(), ..Default::default() };
    out_of_reach(api.list_events(sent(events)).await.err());
    // A platform none of whose shops it may touch is not there for it.
    let elsewhere = v1::GetPlatformRequest { name: "platforms/q".to_owned() };
    out_of_reach(api.get_platform(sent(elsewhere)).await.err());
    // Its own shop it may have; there is none yet.
    let own = api.get_shop(sent(get_shop("platforms/p/shops/mine"))).await;
    assert_eq!(own.expect_err("no shop").code(), Code::NotFound);
}

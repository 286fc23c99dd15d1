//! Operators and grants: who makes them.

use bursar::proto::v1::{self, quota_service_server::QuotaService};
use tonic::Code;

use super::setup::*;

#[tokio::test]
async fn grants_are_given_by_a_main_account_only() {
    let api = api().await;
    with_operators(&api).await;
    let denied = [("", "ACTOR_REQUIRED"), (SUB, "ACTOR_NOT_MAIN")];
    for (actor, expected) in denied {
        let answer = api.update_grant(by("merchant", grant(Some("300"), &[], actor))).await;
        assert_eq!(refused(answer).1, expected);
    }
    let given = api.update_grant(by("merchant", grant(Some("300"), &[], MAIN))).await;
    let given = given.expect("a grant").into_inner();
    assert_eq!((given.enabled, given.daily_amount.as_deref()), (Some(true), Some("300.00")));
    let taken = api.update_grant(by("merchant", grant(None, &["daily_amount"], MAIN))).await;
    assert_eq!(taken.expect("a change").into_inner().daily_amount, None);
    let answer = api.update_grant(by("merchant", grant(None, &["name"], MAIN))).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_MASK_INVALID", &["update_mask"]);
    let list = v1::ListGrantsRequest { parent: SUB.to_owned(), ..v1::ListGrantsRequest::default() };
    let grants = api.list_grants(by("merchant", list)).await.expect("grants").into_inner().grants;
    assert_eq!(grants.len(), 1);
    let delete = v1::DeleteGrantRequest {
        name: GRANT.to_owned(),
        actor: MAIN.to_owned(),
        request_id: "d".to_owned(),
        ..v1::DeleteGrantRequest::default()
    };
    for _ in 0..2 {
        api.delete_grant(by("merchant", delete.clone())).await.expect("gone");
    }
    let read = v1::GetGrantRequest { name: GRANT.to_owned() };
    assert_eq!(refused(api.get_grant(by("merchant", read)).await).1, "GRANT_NOT_FOUND");
}

#[tokio::test]
async fn a_shop_does_not_make_its_own_main_account() {
    let api = api().await;
    let main = operator("boss", v1::operator::Kind::Main, MAIN);
    assert_refused(
        api.create_operator(by("merchant", main)).await,
        Code::PermissionDenied,
        "ROLE_MISSING",
        &[],
    );
    let none = operator("x", v1::operator::Kind::Unspecified, "");
    let answer = api.create_operator(by("platform", none)).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["operator.kind"]);
}

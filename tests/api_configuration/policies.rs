//! Policies that are too large: refused by name, and in nobody's way.

use std::sync::atomic::{AtomicUsize, Ordering};

use bursar::{
    api::service::Api,
    proto::v1::{
        self, payout_service_server::PayoutService, policy_service_server::PolicyService,
        shop_service_server::ShopService,
    },
};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use super::{batch, setup::*};

fn texts(text: &str) -> std::collections::BTreeMap<String, String> {
    [("zh-CN", text), ("en", text)].map(|(l, t)| (l.to_owned(), t.to_owned())).into()
}

fn fact(n: usize) -> v1::FactDeclaration {
    v1::FactDeclaration {
        name: format!("f-{n}"),
        r#type: v1::FactType::String.into(),
        source: v1::FactSource::Request.into(),
        key: format!("k{n}"),
        label: true,
        ..v1::FactDeclaration::default()
    }
}

/// A sound policy with so many facts.
fn with_facts(count: usize) -> v1::Policy {
    v1::Policy {
        title: texts("t"),
        currency: "CNY".to_owned(),
        time_zone: "UTC".to_owned(),
        facts: (0..count).map(fact).collect(),
        ..v1::Policy::default()
    }
}

/// A policy whose check takes a while: many long lists of values, of which no
/// two have one in common.
fn slow() -> v1::Policy {
    let mut policy = with_facts(1);
    policy.facts[0].label = false;
    let test = |n: usize| v1::Predicate {
        fact: "f-0".to_owned(),
        op: v1::Comparison::In.into(),
        values: (0..200).map(|v| format!("{:x}", n * 200 + v)).chain(["s".to_owned()]).collect(),
        ..v1::Predicate::default()
    };
    let rule = |n: usize| v1::Condition {
        id: format!("c-{n}"),
        require: Some(v1::Predicate { all: (0..99).map(test).collect(), ..Default::default() }),
        text: texts("t"),
        remedy: texts("r"),
        ..v1::Condition::default()
    };
    policy.conditions = (0..2).map(rule).collect();
    policy
}

async fn check(api: &Api, policy: v1::Policy) -> Vec<(String, String)> {
    let request = v1::CheckPolicyRequest { policy: Some(policy), ..Default::default() };
    let answer = api.check_policy(by("merchant", request)).await.expect("an answer");
    answer.into_inner().problems.into_iter().map(|p| (p.field, p.reason)).collect()
}

#[tokio::test]
async fn a_policy_that_is_too_large_is_refused_by_name_wherever_it_is_sent() {
    let api = api().await;
    assert_eq!(check(&api, with_facts(200)).await, []);
    let too_large = [("facts".to_owned(), "TOO_LARGE".to_owned())];
    assert_eq!(check(&api, with_facts(201)).await, too_large);
    let create = v1::CreateRevisionRequest {
        parent: programme().to_string(),
        policy: Some(with_facts(201)),
        ..v1::CreateRevisionRequest::default()
    };
    let status = api.create_revision(by("admin", create)).await.expect_err("refused");
    let details = status.get_error_details();
    let violations = details.bad_request().expect("violations").field_violations.clone();
    let told: Vec<_> = violations.iter().map(|v| (v.field.as_str(), v.reason.as_str())).collect();
    assert_eq!(told, [("facts", "TOO_LARGE")]);
    let diff = v1::DiffRevisionsRequest {
        base: format!("{}/revisions/1", programme()),
        policy: Some(with_facts(201)),
        ..v1::DiffRevisionsRequest::default()
    };
    let answer = api.diff_revisions(by("merchant", diff)).await;
    assert_refused(answer, Code::InvalidArgument, "POLICY_INVALID", &["facts"]);
}

#[tokio::test]
async fn others_are_answered_while_a_policy_is_checked() {
    let api = api().await;
    let order = AtomicUsize::new(0);
    let next = || order.fetch_add(1, Ordering::Relaxed);
    let (checked, read) = tokio::join!(
        async {
            assert_eq!(check(&api, slow()).await, []);
            next()
        },
        async {
            let request = Request::new(get_shop("platforms/p/shops/s"));
            api.get_shop(request).await.expect("the shop");
            next()
        }
    );
    assert!(read < checked, "what was asked later waited for the check");
}

#[tokio::test]
async fn what_is_wrong_with_a_policy_reaches_every_client_however_long_it_is() {
    let api = api().await;
    let long = "名".repeat(17_000);
    for (n, field) in ["currency", "time_zone", "facts[0].name", "title"].iter().enumerate() {
        let mut policy = with_facts(24);
        match n {
            0 => policy.currency = long.clone(),
            1 => policy.time_zone = long.clone(),
            2 => policy.facts[0].name = long.clone(),
            _ => drop(policy.title.insert(long.clone(), "t".to_owned())),
        }
        let create = v1::CreateRevisionRequest {
            parent: programme().to_string(),
            policy: Some(policy),
            ..v1::CreateRevisionRequest::default()
        };
        let status = api.create_revision(by("admin", create)).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.details().len() < 4096, "{field}: {} bytes", status.details().len());
        assert!(status.message().len() < 500, "{field}: {} bytes", status.message().len());
        let details = status.get_error_details();
        let fields: Vec<_> =
            details.bad_request().into_iter().flat_map(|b| &b.field_violations).collect();
        assert!(fields.iter().any(|v| v.field.starts_with(field)), "{fields:?}");
    }
}

#[tokio::test]
async fn a_rule_may_ask_what_kind_of_account_it_is() {
    let api = batch::compiling().await;
    let account = new_account(v1::account::Kind::Quota, "CNY");
    api.create_account(by("platform", account)).await.expect("an account");
    let mut policy = with_facts(0);
    policy.facts.push(v1::FactDeclaration {
        name: "kind".to_owned(),
        r#type: v1::FactType::String.into(),
        source: v1::FactSource::Account.into(),
        account: "a".to_owned(),
        field: "kind".to_owned(),
        ..v1::FactDeclaration::default()
    });
    let rule = |id: &str, value: &str| v1::Condition {
        id: id.to_owned(),
        require: Some(v1::Predicate {
            fact: "kind".to_owned(),
            op: v1::Comparison::Equal.into(),
            value: value.to_owned(),
            ..v1::Predicate::default()
        }),
        text: texts("t"),
        remedy: texts("r"),
        ..v1::Condition::default()
    };
    policy.conditions = vec![rule("quota", "QUOTA"), rule("settlement", "SETTLEMENT")];
    batch::put_in_force(&api, policy.clone()).await;
    let ask = v1::ValidatePayoutRequest {
        parent: batch::SHOP.to_owned(),
        payout: Some(v1::PayoutSpec {
            programme: batch::PROGRAMME.to_owned(),
            amount: money(1),
            ..v1::PayoutSpec::default()
        }),
        ..v1::ValidatePayoutRequest::default()
    };
    let receipt = api.validate_payout(by("platform", ask)).await.expect("a receipt").into_inner();
    let failed: Vec<&str> = receipt.findings.iter().map(|f| f.rule.as_str()).collect();
    assert_eq!(failed, ["settlement"]);
    assert_eq!(receipt.findings[0].observed["kind"], "QUOTA");
    policy.conditions.push(rule("none", "SAVINGS"));
    let never = ("conditions[2].require.value".to_owned(), "UNREACHABLE".to_owned());
    assert_eq!(check(&api, policy).await, [never]);
}

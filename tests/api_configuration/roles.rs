//! Who may call what: the table of docs/ARCHITECTURE.md, method by method and
//! role by role, against a running service.

use std::collections::BTreeMap;

use bursar::{
    cli::{local::LocalFactory, scenario::Host},
    wire::{self, Caller, Directory},
    yaml,
};

#[path = "../tidy/text.rs"]
#[allow(dead_code, reason = "of what tidy reads with, this needs the table")]
mod text;

use text::{cell, table, ticked};

const ROLES: [&str; 6] = ["platform", "admin", "merchant", "payer", "reviewer", "auditor"];

/// A request per method that has nothing wrong with it but that most of what
/// it names is not there.
const REQUESTS: &str = "
ShopService/CreatePlatform: {platform_id: new}
ShopService/UpdatePlatform: {platform: {name: platforms/p}}
ShopService/GetPlatform: {name: platforms/p}
ShopService/CreateShop: {parent: platforms/p, shop_id: s}
ShopService/UpdateShop: {shop: {name: platforms/p/shops/s}}
ShopService/GetShop: {name: platforms/p/shops/s}
ShopService/ListShops: {parent: platforms/p}
ShopService/UpsertOrder:
  order: {name: platforms/p/shops/s/orders/o, source_time: 2026-03-02T10:00:00Z}
ShopService/GetOrder: {name: platforms/p/shops/s/orders/o}
ShopService/CreateAccount:
  {parent: platforms/p/shops/s, account_id: a, account: {kind: SETTLEMENT, currency_code: CNY}}
ShopService/UpdateAccount: {account: {name: platforms/p/shops/s/accounts/a}}
ShopService/GetAccount: {name: platforms/p/shops/s/accounts/a}
ShopService/ListAccounts: {parent: platforms/p/shops/s}
ShopService/RecordMovement:
  parent: platforms/p/shops/s/accounts/a
  movement:
    {reference: r, direction: CREDIT, kind: PROCEEDS, amount: {currency_code: CNY, units: 1}}
ShopService/ListMovements: {parent: platforms/p/shops/s/accounts/a}
QuotaService/CreateOperator:
  {parent: platforms/p/shops/s, operator_id: o, operator: {kind: SUB}}
QuotaService/UpdateOperator: {operator: {name: platforms/p/shops/s/operators/o}}
QuotaService/GetOperator: {name: platforms/p/shops/s/operators/o}
QuotaService/ListOperators: {parent: platforms/p/shops/s}
QuotaService/UpdateGrant: {grant: {name: platforms/p/shops/s/operators/o/grants/x}}
QuotaService/GetGrant: {name: platforms/p/shops/s/operators/o/grants/x}
QuotaService/DeleteGrant: {name: platforms/p/shops/s/operators/o/grants/x}
QuotaService/ListGrants: {parent: platforms/p/shops/s/operators/o}
QuotaService/GetUsage: {parent: platforms/p/shops/s, programme: platforms/p/programmes/x}
PayoutService/ValidatePayout:
  {parent: platforms/p/shops/s, payout: {programme: platforms/p/programmes/x}}
PayoutService/AuthorizePayout: &authorize
  parent: platforms/p/shops/s
  request_id: r
  payout: {programme: platforms/p/programmes/x, amount: {currency_code: CNY, units: 1}}
PayoutService/BatchAuthorizePayouts: {requests: [*authorize]}
PayoutService/StreamAuthorizePayouts: [*authorize]
PayoutService/ExecutePayout: {name: platforms/p/shops/s/payouts/y, execution_id: e}
PayoutService/SettlePayout:
  {name: platforms/p/shops/s/payouts/y, result: SUCCEEDED, channel_reference: c}
PayoutService/CancelPayout: {name: platforms/p/shops/s/payouts/y}
PayoutService/ReturnPayout:
  name: platforms/p/shops/s/payouts/y
  channel_reference: c
  amount: {currency_code: CNY, units: 1}
PayoutService/GetPayout: {name: platforms/p/shops/s/payouts/y}
PayoutService/ListPayouts: {parent: platforms/p/shops/s}
PayoutService/GetDecision: {name: platforms/p/shops/s/decisions/d}
PayoutService/SummarizePayouts:
  {parent: platforms/p/shops/s, programme: platforms/p/programmes/x, dimension: d}
CaseService/CreateFreeze:
  {parent: platforms/p, freeze_id: f, freeze: {target: platforms/p/shops/s, scope: ALL, reason: R}}
CaseService/LiftFreeze: {name: platforms/p/freezes/f}
CaseService/GetFreeze: {name: platforms/p/freezes/f}
CaseService/ListFreezes: {parent: platforms/p}
PolicyService/CreateRevision: {parent: platforms/p/programmes/x, yaml: 'currency: CNY'}
PolicyService/ActivateRevision: {name: platforms/p/programmes/x/revisions/1}
PolicyService/CheckPolicy: {yaml: 'currency: CNY'}
PolicyService/GetRevision: {name: platforms/p/programmes/x/revisions/1}
PolicyService/ListRevisions: {parent: platforms/p/programmes/x}
PolicyService/DiffRevisions:
  {base: platforms/p/programmes/x/revisions/1, target: platforms/p/programmes/x/revisions/2}
PolicyService/GetProgramme: {name: platforms/p/programmes/x}
PolicyService/ListProgrammes: {parent: platforms/p}
EventService/ListEvents: {parent: platforms/p}
";

/// Each method's row: what stands in the columns of the roles.
fn documented() -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::new();
    for row in table("docs/ARCHITECTURE.md", "roles") {
        let marks: Vec<String> = (2..2 + ROLES.len()).map(|n| cell(&row, n).to_owned()).collect();
        for method in ticked(cell(&row, 1)) {
            rows.insert(format!("{}/{method}", cell(&row, 0)), marks.clone());
        }
    }
    rows
}

/// The reason a call in one role is refused with; empty if it is answered. Of a
/// batch or stream, the reason of its one item.
async fn reason(
    caller: &Caller,
    method: &str,
    request: &yaml::located::Node,
    role: &str,
) -> String {
    let descriptor = Directory.method(method).expect("a method");
    let messages = match descriptor.is_client_streaming() {
        true => yaml::from_list(request, &descriptor.input()).expect(method),
        false => vec![yaml::from_node(request, &descriptor.input()).expect(method).message],
    };
    let metadata = wire::metadata([("bursar-roles", role)]).expect("metadata");
    match caller.call(&descriptor, messages, &metadata).await {
        Err(failure) => failure.reason,
        Ok(answer) => {
            let answer = wire::json::answer_to_json(&answer).expect("JSON");
            let items = if answer.is_array() { &answer } else { &answer["results"] };
            let item = &items[0]["error"]["details"][0]["reason"];
            item.as_str().unwrap_or_default().to_owned()
        }
    }
}

#[tokio::test]
async fn every_role_may_call_exactly_what_the_table_says() {
    let clock = "2026-03-02T02:00:00Z".parse().expect("an instant");
    let host = LocalFactory::memory().launch(clock).await.expect("a service");
    let caller = Caller::new(host.channel());
    let requests = yaml::located::parse(REQUESTS).expect("YAML");
    for (method, request) in [
        ("ShopService/CreatePlatform", "{platform_id: p}"),
        ("ShopService/CreateShop", "{parent: platforms/p, shop_id: s}"),
        (
            "QuotaService/CreateOperator",
            "{parent: platforms/p/shops/s, operator_id: o, operator: {kind: SUB}}",
        ),
    ] {
        let request = yaml::located::parse(request).expect("YAML");
        assert_eq!(reason(&caller, method, &request, "platform,admin").await, "", "{method}");
    }
    let documented = documented();
    assert_eq!(documented.len(), requests.as_map().expect("a map").len());
    let mut wrong = Vec::new();
    for (method, marks) in &documented {
        let request = requests.get(method).unwrap_or_else(|| panic!("no request for {method}"));
        for (role, mark) in ROLES.iter().zip(marks) {
            let reason = reason(&caller, method, request, role).await;
            let as_documented = match mark.as_str() {
                "" => reason == "ROLE_MISSING",
                "yes" => reason != "ROLE_MISSING",
                // With a main account behind it only, and none is named.
                "(1)" => reason == "ACTOR_REQUIRED",
                other => panic!("{method}: what is {other:?}?"),
            };
            if !as_documented {
                wrong.push(format!("{method} as {role}: {mark:?} in the table, came {reason:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_merchant_makes_no_main_account_and_needs_one_behind_it() {
    let clock = "2026-03-02T02:00:00Z".parse().expect("an instant");
    let host = LocalFactory::memory().launch(clock).await.expect("a service");
    let caller = Caller::new(host.channel());
    let with = |kind: &str, actor: &str| {
        let text = format!(
            "{{parent: platforms/p/shops/s, operator_id: o, operator: {{kind: {kind}}}{actor}}}"
        );
        yaml::located::parse(&text).expect("YAML")
    };
    let method = "QuotaService/CreateOperator";
    for (request, roles, expected) in [
        (with("MAIN", ""), "merchant", "ROLE_MISSING"),
        (with("MAIN", ""), "merchant,admin", "PLATFORM_NOT_FOUND"),
        (with("SUB", ""), "merchant", "ACTOR_REQUIRED"),
        (with("SUB", ""), "merchant,platform", "PLATFORM_NOT_FOUND"),
    ] {
        assert_eq!(reason(&caller, method, &request, roles).await, expected, "{roles}");
    }
}

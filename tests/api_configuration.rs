//! What is configured through ShopService, QuotaService and CaseService, called
//! as the server calls them. Not the wire itself: `tests/grpc` is about that.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bursar::{
    api::{auth::Authenticator, service::Api},
    domain::{
        amount::{Amount, Currency, Factor},
        condition::{Operand, Predicate, Source},
        finding::{Category, Severity},
        instant::Instant,
        limit::{Counting, Counts, Limit, Localized, OnFailure, OnReturn, Quantity, Rule, Texts},
        meter::{Meter, MeterKey, Tally},
        name::{Id, ProgrammeName, RevisionName, ShopName},
        policy::{FactDeclaration, Field, Origin, Policy},
        row::{Programme, Revision, Row},
        value::ValueType,
        who::{Caller, Role, RoleSet},
        window::Window,
    },
    engine::{self, clock::ManualClock},
    proto::{
        google::r#type::Money,
        v1::{
            self, case_service_server::CaseService, fact_value::Kind,
            quota_service_server::QuotaService, shop_service_server::ShopService,
        },
    },
    store::{Commit, Store, memory::MemoryStore},
};
use prost_types::FieldMask;
use sha2::{Digest, Sha256};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

type Answer<T> = Result<Response<T>, Status>;

fn at(text: &str) -> Instant {
    Instant(text.parse().expect("an instant"))
}

fn programme() -> ProgrammeName {
    ProgrammeName::parse("platforms/p/programmes/small").expect("a name")
}

/// A policy with one limit: 500 a day for each shop, of which some is used.
fn policy() -> Policy {
    let words =
        |zh: &str, en: &str| Localized(vec![("zh-CN".into(), zh.into()), ("en".into(), en.into())]);
    let rule = Rule {
        id: "shop-daily".into(),
        sources: Vec::new(),
        category: Category::Limit,
        severity: Severity::Low,
        stages: [].into_iter().collect(),
        on_failure: OnFailure::Deny,
        effective: (None, None),
        when: Predicate::TRUE,
        variants: Vec::new(),
        expected_resolution: None,
        texts: Texts {
            text: words(
                "{fact:shop} 今日剩余 {remaining} {unit}",
                "{remaining} {unit} left, {what}",
            ),
            remedy: Localized::default(),
        },
    };
    let bound = Source::Literal(Amount::parse("500").expect("an amount"));
    Policy {
        title: Localized::default(),
        currency: Currency::parse("CNY").expect("a currency"),
        zone: jiff::tz::TimeZone::get("Asia/Shanghai").expect("a zone"),
        zone_name: "Asia/Shanghai".into(),
        facts: vec![FactDeclaration {
            name: "shop".into(),
            kind: ValueType::Text,
            origin: Origin::Field(Field::ShopId),
            required: true,
            values: Vec::new(),
            asserted_by: RoleSet::NONE,
            dimension: false,
            label: false,
        }],
        measures: Vec::new(),
        conditions: Vec::new(),
        limits: vec![Limit {
            rule,
            counting: Counting {
                quantity: Quantity::Amount,
                scope: vec![0],
                by_amount: false,
                window: Window::Day,
                counts: Counts::Live,
                on_return: OnReturn::Keep,
            },
            bound: Operand { of: bound, factor: Factor::ONE },
            max_entries: 10,
        }],
        draws: Vec::new(),
        execute_within: Some(Duration::from_secs(600)),
        timers: Vec::new(),
        alerts: Vec::new(),
        states: Vec::new(),
    }
}

/// The programme with its revision, and what shop s used of its limit.
fn installed(used: &str) -> MemoryStore {
    let name = RevisionName { programme: programme(), number: 1 };
    let start = at("2026-01-01T00:00:00Z");
    let revision = Revision {
        name: name.clone(),
        policy: Arc::from(&b""[..]),
        create_time: start,
        caller: "test".into(),
        note: "".into(),
        checksum: "".into(),
    };
    let meter = MeterKey {
        programme: programme(),
        rule: "shop-daily".into(),
        scope: vec!["=s".into()],
        window_start: Some(at("2026-03-01T16:00:00Z")),
    };
    let used = Amount::parse(used).expect("an amount");
    let held = Amount::parse("20").expect("an amount");
    let rows = [
        Row::Programme(Programme {
            name: programme(),
            revisions: 1,
            activations: vec![(start, 1)],
        }),
        Row::Revision(revision),
        Row::Meter(meter, Meter::Fixed(Tally { used, held, ..Tally::default() })),
    ];
    let mut store = MemoryStore::new();
    let rows = rows.into_iter().map(|row| (row.key(), Some(Arc::new(row)))).collect();
    store.commit(Commit { records: Vec::new(), rows }).expect("memory commits");
    store
}

fn api_on(store: MemoryStore, auth: Authenticator) -> Api {
    let clock = ManualClock::new(at("2026-03-02T02:00:00Z"));
    let (engine, _writer) = engine::start(
        Box::new(store),
        Arc::new(clock),
        Arc::new(|_| Ok(policy())),
        engine::Options::default(),
    )
    .expect("the engine starts");
    Api { engine, auth }
}

/// A service with platform p and its shop s.
async fn api() -> Api {
    let api = api_on(installed("100"), Authenticator::Local);
    furnish(&api).await;
    api
}

async fn furnish(api: &Api) {
    let platform = v1::CreatePlatformRequest {
        platform_id: "p".to_owned(),
        ..v1::CreatePlatformRequest::default()
    };
    api.create_platform(by("admin", platform)).await.expect("a platform");
    api.create_shop(by("platform", new_shop("s"))).await.expect("a shop");
}

/// A request in these roles.
fn by<T>(roles: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("bursar-roles", tonic::metadata::MetadataValue::from_static(roles));
    request
}

/// Why it was refused: code, reason, and the fields it is about.
fn refused<T: std::fmt::Debug>(answer: Answer<T>) -> (Code, String, Vec<String>) {
    let status = answer.expect_err("a refusal");
    let details = status.get_error_details();
    let reason = details.error_info().expect("a reason").reason.clone();
    let invalid = details.bad_request().into_iter().flat_map(|b| &b.field_violations);
    (status.code(), reason, invalid.map(|v| v.field.clone()).collect())
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(
    answer: Answer<T>,
    code: Code,
    reason: &str,
    fields: &[&str],
) {
    let (got, why, about) = refused(answer);
    assert_eq!((got, why.as_str()), (code, reason), "{about:?}");
    assert_eq!(about, fields);
}

fn money(units: i64) -> Option<Money> {
    Some(Money { currency_code: "CNY".to_owned(), units, nanos: 0 })
}

fn fact(kind: Kind) -> v1::FactValue {
    v1::FactValue { kind: Some(kind) }
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}

fn new_shop(id: &str) -> v1::CreateShopRequest {
    v1::CreateShopRequest {
        parent: "platforms/p".to_owned(),
        shop_id: id.to_owned(),
        ..v1::CreateShopRequest::default()
    }
}

fn shop_update(shop: v1::Shop, paths: &[&str]) -> v1::UpdateShopRequest {
    let shop = v1::Shop { name: "platforms/p/shops/s".to_owned(), ..shop };
    v1::UpdateShopRequest { shop: Some(shop), update_mask: mask(paths), request_id: String::new() }
}

fn get_shop(name: &str) -> v1::GetShopRequest {
    v1::GetShopRequest { name: name.to_owned() }
}

fn movement(reference: &str, units: i64) -> v1::RecordMovementRequest {
    v1::RecordMovementRequest {
        parent: "platforms/p/shops/s/accounts/a".to_owned(),
        movement: Some(v1::Movement {
            reference: reference.to_owned(),
            direction: v1::movement::Direction::Credit.into(),
            kind: v1::movement::Kind::Proceeds.into(),
            amount: money(units),
            ..v1::Movement::default()
        }),
        request_id: String::new(),
    }
}

fn new_account(kind: v1::account::Kind, currency_code: &str) -> v1::CreateAccountRequest {
    let currency_code = currency_code.to_owned();
    v1::CreateAccountRequest {
        parent: "platforms/p/shops/s".to_owned(),
        account_id: "a".to_owned(),
        account: Some(v1::Account { kind: kind.into(), currency_code, ..v1::Account::default() }),
        request_id: String::new(),
    }
}

fn operator(id: &str, kind: v1::operator::Kind, actor: &str) -> v1::CreateOperatorRequest {
    v1::CreateOperatorRequest {
        parent: "platforms/p/shops/s".to_owned(),
        operator_id: id.to_owned(),
        operator: Some(v1::Operator { kind: kind.into(), ..v1::Operator::default() }),
        actor: actor.to_owned(),
        request_id: String::new(),
    }
}

const MAIN: &str = "platforms/p/shops/s/operators/main";
const SUB: &str = "platforms/p/shops/s/operators/sub";
const GRANT: &str = "platforms/p/shops/s/operators/sub/grants/small";

async fn with_operators(api: &Api) {
    let main = operator("main", v1::operator::Kind::Main, "");
    api.create_operator(by("platform", main)).await.expect("a main account");
    let sub = operator("sub", v1::operator::Kind::Sub, MAIN);
    api.create_operator(by("merchant", sub)).await.expect("a sub-account");
}

fn grant(daily: Option<&str>, paths: &[&str], actor: &str) -> v1::UpdateGrantRequest {
    v1::UpdateGrantRequest {
        grant: Some(v1::Grant {
            name: GRANT.to_owned(),
            enabled: true,
            daily_amount: daily.map(ToOwned::to_owned),
            ..v1::Grant::default()
        }),
        update_mask: mask(paths),
        actor: actor.to_owned(),
        request_id: String::new(),
    }
}

fn freeze(
    id: &str,
    target: &str,
    scope: v1::freeze::Scope,
    units: Option<i64>,
) -> v1::CreateFreezeRequest {
    v1::CreateFreezeRequest {
        parent: "platforms/p".to_owned(),
        freeze_id: id.to_owned(),
        freeze: Some(v1::Freeze {
            target: target.to_owned(),
            scope: scope.into(),
            amount: units.and_then(money),
            reason: "CHECK".to_owned(),
            ..v1::Freeze::default()
        }),
        request_id: String::new(),
    }
}

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
    assert_eq!((given.enabled, given.daily_amount.as_deref()), (true, Some("300.00")));
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
    assert_eq!(on_it.into_inner().freezes, [set.clone()]);
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

#[tokio::test]
async fn usage_says_what_is_left_in_the_callers_language() {
    let request = v1::GetUsageRequest {
        parent: "platforms/p/shops/s".to_owned(),
        programme: programme().to_string(),
        ..v1::GetUsageRequest::default()
    };
    for (used, remaining, over_by) in [("100", "380.00", ""), ("490.5", "0.00", "10.50")] {
        let api = api_on(installed(used), Authenticator::Local);
        furnish(&api).await;
        let mut sent = by("merchant", request.clone());
        let chinese = tonic::metadata::MetadataValue::from_static("zh-CN");
        sent.metadata_mut().insert("accept-language", chinese);
        let usage = api.get_usage(sent).await.expect("usage").into_inner();
        let [limit] = &usage.limits[..] else { panic!("one limit: {usage:?}") };
        assert_eq!((&*limit.rule, &*limit.limit, &*limit.held), ("shop-daily", "500.00", "20.00"));
        assert_eq!((&*limit.remaining, &*limit.over_by, &*limit.unit), (remaining, over_by, "CNY"));
        assert_eq!(limit.text, format!("s 今日剩余 {remaining} CNY"));
        assert_eq!(limit.time_zone, "Asia/Shanghai");
        let usage = api.get_usage(by("merchant", request.clone())).await.expect("usage");
        let text = usage.into_inner().limits.first().map(|l| l.text.clone());
        assert_eq!(text, Some(format!("{remaining} CNY left, —")));
        let elsewhere = v1::GetUsageRequest {
            programme: "platforms/q/programmes/small".to_owned(),
            order: "platforms/p/shops/t/orders/o".to_owned(),
            ..request.clone()
        };
        let answer = api.get_usage(by("merchant", elsewhere)).await;
        let fields = ["programme", "order"];
        assert_refused(answer, Code::InvalidArgument, "NAME_INVALID", &fields);
    }
}

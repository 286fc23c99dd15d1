//! A service on a store in memory, requests, and what refusals say.

use std::{sync::Arc, time::Duration};

use bursar::{
    api::{auth::Authenticator, service::Api},
    domain::{
        amount::{Amount, Currency, Factor},
        cell::{Cell, CellKey, Celled},
        condition::{Operand, Predicate, Source},
        finding::{Category, Severity},
        instant::Instant,
        limit::{Counting, Counts, Limit, Localized, OnFailure, OnReturn, Quantity, Rule, Texts},
        meter::{Meter, MeterKey, Metered, Tally},
        name::{ProgrammeName, RevisionName},
        plan::Plan,
        policy::{FactDeclaration, Field, Origin, Policy},
        row::{Programme, Revision, Row},
        value::ValueType,
        who::RoleSet,
        window::Window,
    },
    engine::{self, clock::ManualClock},
    proto::{
        google::r#type::Money,
        v1::{
            self, fact_value::Kind, quota_service_server::QuotaService,
            shop_service_server::ShopService,
        },
    },
    store::{Changed, Commit, Store, memory::MemoryStore},
};
use prost_types::FieldMask;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

pub type Answer<T> = Result<Response<T>, Status>;

pub fn at(text: &str) -> Instant {
    Instant(text.parse().expect("an instant"))
}

pub fn programme() -> ProgrammeName {
    ProgrammeName::parse("platforms/p/programmes/small").expect("a name")
}

/// A policy with one limit: 500 a day for each shop, of which some is used.
pub fn policy() -> Policy {
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
        plan: Plan::default(),
    }
}

/// The programme with its revision, and what shop s used of its limit.
pub fn installed(used: &str) -> MemoryStore {
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
    let cell = CellKey::from(Celled {
        programme: programme(),
        scope: vec!["=s".into()],
        window_start: Some(at("2026-03-01T16:00:00Z")),
    });
    let within = Metered { rule: "shop-daily".into(), scope: Vec::new(), window_start: None };
    let meter = MeterKey::new(cell.clone(), within);
    let used = Amount::parse(used).expect("an amount");
    let held = Amount::parse("20").expect("an amount");
    let tally = Tally { used, held, ..Tally::default() };
    let rows = [
        Row::Programme(Programme {
            name: programme(),
            revisions: 1,
            activations: vec![(start, 1)],
        }),
        Row::Revision(revision),
        Row::Cell(Cell::new(cell).with(meter, Meter::Fixed(tally))),
    ];
    let mut store = MemoryStore::new();
    let changed =
        |row: Row| Changed { key: row.key(), row: Some(Arc::new(row)), sequence: 0, alone: false };
    let rows = rows.into_iter().map(changed).collect();
    store.commit(Commit { records: Vec::new(), rows, lacks: None }).expect("memory commits");
    store
}

pub fn api_on(store: impl Store + 'static, auth: Authenticator) -> Api {
    let clock = ManualClock::new(at("2026-03-02T02:00:00Z"));
    let (engine, _writer) = engine::start(
        Box::new(store),
        Arc::new(clock),
        Arc::new(|_| Ok(policy())),
        engine::Options::default(),
    )
    .expect("the engine starts");
    Api::new(engine, auth)
}

/// A service with platform p and its shop s.
pub async fn api() -> Api {
    let api = api_on(installed("100"), Authenticator::Local);
    furnish(&api).await;
    api
}

pub async fn furnish(api: &Api) {
    let platform = v1::CreatePlatformRequest {
        platform_id: "p".to_owned(),
        ..v1::CreatePlatformRequest::default()
    };
    api.create_platform(by("admin", platform)).await.expect("a platform");
    api.create_shop(by("platform", new_shop("s"))).await.expect("a shop");
}

/// A request in these roles.
pub fn by<T>(roles: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("bursar-roles", tonic::metadata::MetadataValue::from_static(roles));
    request
}

/// Why it was refused: code, reason, and the fields it is about.
pub fn refused<T: std::fmt::Debug>(answer: Answer<T>) -> (Code, String, Vec<String>) {
    let status = answer.expect_err("a refusal");
    let details = status.get_error_details();
    let reason = details.error_info().expect("a reason").reason.clone();
    let invalid = details.bad_request().into_iter().flat_map(|b| &b.field_violations);
    (status.code(), reason, invalid.map(|v| v.field.clone()).collect())
}

#[track_caller]
pub fn assert_refused<T: std::fmt::Debug>(
    answer: Answer<T>,
    code: Code,
    reason: &str,
    fields: &[&str],
) {
    let (got, why, about) = refused(answer);
    assert_eq!((got, why.as_str()), (code, reason), "{about:?}");
    assert_eq!(about, fields);
}

pub fn money(units: i64) -> Option<Money> {
    Some(Money { currency_code: "CNY".to_owned(), units, nanos: 0 })
}

pub fn fact(kind: Kind) -> v1::FactValue {
    v1::FactValue { kind: Some(kind) }
}

pub fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}

pub fn new_shop(id: &str) -> v1::CreateShopRequest {
    v1::CreateShopRequest {
        parent: "platforms/p".to_owned(),
        shop_id: id.to_owned(),
        ..v1::CreateShopRequest::default()
    }
}

pub fn shop_update(shop: v1::Shop, paths: &[&str]) -> v1::UpdateShopRequest {
    let shop = v1::Shop { name: "platforms/p/shops/s".to_owned(), ..shop };
    v1::UpdateShopRequest { shop: Some(shop), update_mask: mask(paths), request_id: String::new() }
}

pub fn get_shop(name: &str) -> v1::GetShopRequest {
    v1::GetShopRequest { name: name.to_owned() }
}

pub fn movement(reference: &str, units: i64) -> v1::RecordMovementRequest {
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

pub fn new_account(kind: v1::account::Kind, currency_code: &str) -> v1::CreateAccountRequest {
    let currency_code = currency_code.to_owned();
    v1::CreateAccountRequest {
        parent: "platforms/p/shops/s".to_owned(),
        account_id: "a".to_owned(),
        account: Some(v1::Account { kind: kind.into(), currency_code, ..v1::Account::default() }),
        request_id: String::new(),
    }
}

pub fn operator(id: &str, kind: v1::operator::Kind, actor: &str) -> v1::CreateOperatorRequest {
    v1::CreateOperatorRequest {
        parent: "platforms/p/shops/s".to_owned(),
        operator_id: id.to_owned(),
        operator: Some(v1::Operator { kind: kind.into(), ..v1::Operator::default() }),
        actor: actor.to_owned(),
        request_id: String::new(),
    }
}

pub const MAIN: &str = "platforms/p/shops/s/operators/main";
pub const SUB: &str = "platforms/p/shops/s/operators/sub";
pub const GRANT: &str = "platforms/p/shops/s/operators/sub/grants/small";

pub async fn with_operators(api: &Api) {
    let main = operator("main", v1::operator::Kind::Main, "");
    api.create_operator(by("platform", main)).await.expect("a main account");
    let sub = operator("sub", v1::operator::Kind::Sub, MAIN);
    api.create_operator(by("merchant", sub)).await.expect("a sub-account");
}

pub fn grant(daily: Option<&str>, paths: &[&str], actor: &str) -> v1::UpdateGrantRequest {
    v1::UpdateGrantRequest {
        grant: Some(v1::Grant {
            name: GRANT.to_owned(),
            enabled: Some(true),
            daily_amount: daily.map(ToOwned::to_owned),
            ..v1::Grant::default()
        }),
        update_mask: mask(paths),
        actor: actor.to_owned(),
        request_id: String::new(),
    }
}

pub fn freeze(
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

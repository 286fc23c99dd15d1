//! What callers are told about malformed requests: every field at once, by its
//! path, with what is allowed. The rules one by one are tested beside them.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
};

use bursar::{
    contract::{FieldPath, Violations, reason, violations, violations_at},
    proto::{
        google::r#type::Money,
        v1::{self, fact_value::Kind},
    },
};
use prost_types::Timestamp;

/// Counts what each thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "an allocator is unsafe by nature; this one only counts")]
// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn yuan(units: i64, nanos: i32) -> Option<Money> {
    Some(Money { currency_code: "CNY".into(), units, nanos })
}

fn fact(kind: Kind) -> v1::FactValue {
    v1::FactValue { kind: Some(kind) }
}

fn text(value: &str) -> v1::FactValue {
    fact(Kind::StringValue(value.into()))
}

/// A request with every kind of field, all as they should be.
fn request() -> v1::AuthorizePayoutRequest {
    let items = v1::StringList { values: vec!["a".into(), "b".into()] };
    let facts = BTreeMap::from([
        ("app".to_owned(), text("web")),
        ("items".to_owned(), fact(Kind::ListValue(items))),
        ("ratio".to_owned(), fact(Kind::DecimalValue("-0.5".into()))),
        ("sent".to_owned(), fact(Kind::BoolValue(false))),
        ("since".to_owned(), fact(Kind::TimeValue(Timestamp::default()))),
    ]);
    v1::AuthorizePayoutRequest {
        parent: "platforms/p1/shops/s1".into(),
        request_id: "r-1".into(),
        payout: Some(v1::PayoutSpec {
            programme: "platforms/p1/programmes/small".into(),
            amount: yuan(12, 500_000_000),
            facts,
            inline_order: Some(v1::Order {
                paid_amount: yuan(100, 0),
                source_time: Some(Timestamp::default()),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn fields(message: &impl bursar::contract::Contract) -> Vec<(String, &'static str)> {
    violations(message).into_iter().map(|v| (v.field, v.reason)).collect()
}

#[test]
fn a_well_formed_request_is_checked_without_allocating() {
    let request = request();
    let before = ALLOCATIONS.get();
    let found = violations(&request);
    let allocated = ALLOCATIONS.get() - before;
    assert_eq!(found, []);
    assert_eq!(allocated, 0);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_path() {
    let mut request = request();
    request.request_id = "é".repeat(300);
    request.view = 9;
    let payout = request.payout.as_mut().expect("a payout");
    payout.programme.clear();
    payout.amount = yuan(1, -1);
    payout.facts.insert("app".into(), text(""));
    payout.facts.insert("a \"b\"\n".into(), v1::FactValue { kind: None });
    let late = Timestamp { seconds: i64::MAX, nanos: 0 };
    payout.facts.insert("since".into(), fact(Kind::TimeValue(late)));
    let values = vec!["a".into(), "b\r".into()];
    payout.facts.insert("items".into(), fact(Kind::ListValue(v1::StringList { values })));
    let order = payout.inline_order.as_mut().expect("an order");
    order.paid_amount = Some(Money { currency_code: "yuan".into(), units: 1, nanos: 0 });
    order.source_time = None;

    let expected = [
        ("request_id", reason::TOO_LONG),
        ("payout.programme", reason::REQUIRED),
        ("payout.amount.nanos", reason::SIGNS_DIFFER),
        ("payout.inline_order.paid_amount.currency_code", reason::MALFORMED),
        ("payout.inline_order.source_time", reason::REQUIRED),
        ("payout.facts[\"a \\\"b\\\"\\n\"].kind", reason::REQUIRED),
        ("payout.facts[\"app\"].string_value", reason::REQUIRED),
        ("payout.facts[\"items\"].list_value.values[1]", reason::MALFORMED),
        ("payout.facts[\"since\"].time_value", reason::OUT_OF_RANGE),
        ("view", reason::VALUE_NOT_ALLOWED),
    ];
    assert_eq!(fields(&request), expected.map(|(field, reason)| (field.to_owned(), reason)));
}

#[test]
fn descriptions_say_what_is_allowed_and_never_what_was_sent() {
    let mut request = request();
    request.request_id = "x".repeat(300);
    request.payout.as_mut().expect("a payout").payee = "secret\u{1b}[2J".into();
    let found: Vec<String> = violations(&request).into_iter().map(|v| v.description).collect();
    let expected = [
        "must be 1 to 128 characters; it has 300",
        "must not contain control characters such as line breaks",
    ];
    assert_eq!(found, expected);
}

#[test]
fn items_of_a_batch_are_left_to_be_checked_one_by_one() {
    let mut broken = request();
    broken.payout.as_mut().expect("a payout").amount = yuan(0, i32::MAX);
    let requests = vec![request(), broken];
    let batch = v1::BatchAuthorizePayoutsRequest { requests, ..Default::default() };
    assert_eq!(fields(&batch), []);

    let items = FieldPath::ROOT.field("requests");
    let found: Vec<String> = (batch.requests.iter().enumerate())
        .flat_map(|(index, item)| violations_at(item, &items.index(index)))
        .map(|violation| violation.field)
        .collect();
    assert_eq!(found, ["requests[1].payout.amount.nanos"]);
}

#[test]
fn an_empty_batch_and_one_that_is_too_large_are_refused() {
    let batch = |items| v1::BatchAuthorizePayoutsRequest {
        requests: vec![v1::AuthorizePayoutRequest::default(); items],
        ..Default::default()
    };
    assert_eq!(fields(&batch(0)), [("requests".to_owned(), reason::TOO_FEW)]);
    assert_eq!(fields(&batch(1000)), []);
    assert_eq!(fields(&batch(1001)), [("requests".to_owned(), reason::TOO_MANY)]);
}

#[test]
fn optional_fields_are_checked_only_when_they_are_sent() {
    let mut request =
        v1::UpdateGrantRequest { grant: Some(v1::Grant::default()), ..Default::default() };
    assert_eq!(fields(&request), []);
    let grant = request.grant.as_mut().expect("a grant");
    (grant.daily_count, grant.daily_amount) = (Some(-1), Some(String::new()));
    let expected = [
        ("grant.daily_amount".to_owned(), reason::REQUIRED),
        ("grant.daily_count".to_owned(), reason::OUT_OF_RANGE),
    ];
    assert_eq!(fields(&request), expected);
}

#[test]
fn a_flood_of_faults_is_answered_with_a_bounded_list() {
    let values = vec![String::new(); 5_000];
    let mut request = request();
    let payout = request.payout.as_mut().expect("a payout");
    payout.facts.insert("items".into(), fact(Kind::ListValue(v1::StringList { values })));
    assert_eq!(violations(&request).len(), Violations::MOST);
}

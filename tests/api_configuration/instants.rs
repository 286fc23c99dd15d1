//! Instants that are out of range: refused by their fields, and never taken for
//! absent ones. In a message only: JSON cannot say them here.

use bursar::proto::v1::{
    self, case_service_server::CaseService, payout_service_server::PayoutService,
    policy_service_server::PolicyService, shop_service_server::ShopService,
};
use prost_types::Timestamp;
use tonic::{Code, Request};

use super::setup::*;

/// One second after what can be reckoned with, the last that a timestamp may
/// be, and what is none.
const OUTSIDE: [i64; 4] = [253_402_207_201, 253_402_300_799, i64::MAX, i64::MIN];

fn second(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

#[tokio::test]
async fn a_revision_is_not_activated_now_because_its_time_is_out_of_range() {
    let api = api().await;
    for seconds in OUTSIDE {
        let request = v1::ActivateRevisionRequest {
            name: format!("{}/revisions/1", programme()),
            start_time: second(seconds),
            ..v1::ActivateRevisionRequest::default()
        };
        let answer = api.activate_revision(by("admin", request)).await;
        assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["start_time"]);
    }
    let read = v1::GetProgrammeRequest { name: programme().to_string() };
    let programme = api.get_programme(Request::new(read)).await.expect("the programme");
    assert_eq!(programme.into_inner().activations.len(), 1, "the one it was made with");
    let last = v1::ActivateRevisionRequest {
        name: format!("{}/revisions/1", super::setup::programme()),
        start_time: second(253_402_207_200),
        ..v1::ActivateRevisionRequest::default()
    };
    let planned = api.activate_revision(by("admin", last)).await.expect("the last instant");
    assert_eq!(planned.into_inner().activations.len(), 2);
}

#[tokio::test]
async fn sums_are_not_of_all_payouts_because_a_time_is_out_of_range() {
    let api = api().await;
    for seconds in OUTSIDE {
        let request = v1::SummarizePayoutsRequest {
            parent: "platforms/p/shops/s".to_owned(),
            programme: programme().to_string(),
            dimension: "shop".to_owned(),
            start_time: second(seconds),
            end_time: second(seconds),
        };
        let answer = api.summarize_payouts(Request::new(request)).await;
        let fields = ["start_time", "end_time"];
        assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields);
    }
}

#[tokio::test]
async fn no_instant_that_is_registered_is_out_of_range() {
    let api = api().await;
    for seconds in OUTSIDE {
        let mut stop = freeze("f", "platforms/p/shops/s", v1::freeze::Scope::All, None);
        stop.freeze.as_mut().expect("a freeze").end_time = second(seconds);
        let answer = api.create_freeze(by("platform", stop)).await;
        assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["freeze.end_time"]);
        let mut moved = movement("m", 1);
        moved.movement.as_mut().expect("a movement").occur_time = second(seconds);
        let answer = api.record_movement(by("platform", moved)).await;
        assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["movement.occur_time"]);
        let since = Timestamp { seconds, nanos: 0 };
        let order = v1::Order {
            name: "platforms/p/shops/s/orders/o".to_owned(),
            place_time: second(seconds),
            source_time: second(seconds),
            facts: [("since".to_owned(), fact(v1::fact_value::Kind::TimeValue(since)))].into(),
            ..v1::Order::default()
        };
        let request = v1::UpsertOrderRequest { order: Some(order), request_id: String::new() };
        let answer = api.upsert_order(by("platform", request)).await;
        let fields = ["order.place_time", "order.facts[\"since\"].time_value", "order.source_time"];
        assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields);
    }
}

//! Clocks that step back and jump ahead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bursar::{
    api::auth::Authenticator,
    domain::instant::Instant,
    engine::{
        Options,
        clock::{Clock, ManualClock, Tick},
    },
    proto::v1::{Decision, Event, PayoutState, Receipt},
    server::{Parts, Service},
    store::{
        Store,
        fault::{Fate, FaultStore},
        memory::MemoryStore,
    },
};
use tonic::Code;

use crate::{
    running::{Running, at, start},
    trial::{Client, assert_refused, authorize, cancel, execute, money, settle},
};

const START: &str = "2026-03-02T02:00:00Z";

async fn world() -> (MemoryStore, ManualClock, Running) {
    let (store, clock) = (MemoryStore::new(), ManualClock::new(at(START)));
    let running = start(store.clone(), clock.clone()).await;
    running.client.furnish(&["s1"]).await;
    (store, clock, running)
}

async fn allowed(client: &Client, id: &str) -> Receipt {
    let receipt = client.authorize_payout(authorize("s1", id, id, 100)).await.expect("an answer");
    assert_eq!(receipt.decision(), Decision::Allow);
    receipt
}

fn decided(receipt: &Receipt) -> Instant {
    let at = receipt.decide_time.as_ref().expect("a time");
    Instant::from_parts(at.seconds, at.nanos).expect("a time")
}

/// The alerts about the clock.
async fn stepped_back(client: &Client) -> Vec<Event> {
    let mut alerts = client.alerts().await;
    alerts.retain(|event| event.alert == "CLOCK_STEPPED_BACK");
    alerts
}

#[tokio::test]
async fn a_clock_that_steps_back_holds_time_still_and_alerts_once() {
    let (_store, clock, running) = world().await;
    let client = &running.client;
    clock.advance_to(at("2026-03-02T02:10:00Z"));
    let before = decided(&allowed(client, "a").await);
    assert_eq!(before, at("2026-03-02T02:10:00Z"));
    for (id, wall) in [("b", "2026-03-02T01:00:00Z"), ("c", "2026-03-02T01:30:00Z")] {
        clock.set_wall(at(wall));
        assert_eq!(decided(&allowed(client, id).await), before, "time stands still");
    }
    let alerts = stepped_back(client).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].shop, "", "it concerns everybody");

    // When it has caught up, time goes on; the next step back is news again.
    clock.set_wall(at("2026-03-02T02:10:01Z"));
    assert_eq!(decided(&allowed(client, "d").await), at("2026-03-02T02:10:01Z"));
    assert_eq!(stepped_back(client).await.len(), 1);
    clock.set_wall(at("2026-03-02T02:00:00Z"));
    allowed(client, "e").await;
    assert_eq!(stepped_back(client).await.len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn what_a_reader_saw_expired_stays_expired_when_the_clock_steps_back() {
    let (_store, clock, running) = world().await;
    let client = &running.client;
    let payout = allowed(client, "a").await.payout;
    clock.advance_to(at("2026-03-02T02:30:00Z"));
    let state = async || client.payout(&payout).await.expect("a payout").state();
    assert_eq!(state().await, PayoutState::Expired);
    // Nothing was recorded at that time; it was only told.
    clock.set_wall(at("2026-03-02T02:01:00Z"));
    assert_eq!(state().await, PayoutState::Expired);
    let refused = client.execute_payout(execute(&payout)).await;
    assert_refused(refused, Code::FailedPrecondition, "PAYOUT_EXPIRED");
    running.stop().await;
}

#[tokio::test]
async fn what_is_due_is_written_to_the_end_when_it_is_more_than_a_batch() {
    let (mut store, clock, running) = world().await;
    for number in 0..40 {
        allowed(&running.client, &number.to_string()).await;
    }
    running.stop().await;
    clock.advance_to(at("2026-03-02T02:30:00Z"));
    // One that is not served: nobody but this test has it look.
    let parts = Parts {
        store: Box::new(store.clone()),
        clock: Arc::new(clock),
        auth: Authenticator::Local,
        options: Options { batch: 8, ..Options::default() },
    };
    let service = Service::start(parts).expect("a service");
    service.engine().tick();
    let mut expired = || {
        let records = store.records(0, 10_000).expect("records");
        records.iter().filter(|record| record.operation == "Due").count()
    };
    let all = async {
        while expired() < 40 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("all of it");
    service.engine().stop(false).await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_and_is_right_again_has_not_jumped() {
    let (_store, clock, running) = world().await;
    clock.set_wall(at("2026-03-01T22:00:00Z"));
    allowed(&running.client, "a").await;
    clock.set_wall(at("2026-03-02T02:00:01Z"));
    assert_eq!(decided(&allowed(&running.client, "b").await), at("2026-03-02T02:00:01Z"));
    running.stop().await;
}

#[tokio::test]
async fn a_jump_ahead_decides_nothing_and_expires_nothing_until_a_restart_believes_it() {
    let (store, clock, running) = world().await;
    let client = &running.client;
    let payout = allowed(client, "a").await.payout;
    let far = at("2026-03-02T02:31:00Z");
    clock.set_wall(far);
    let jumped = |answer| assert_refused(answer, Code::Unavailable, "CLOCK_JUMP");
    for _ in 0..3 {
        jumped(client.authorize_payout(authorize("s1", "b", "b", 100)).await.map(|_| ()));
        jumped(client.execute_payout(execute(&payout)).await.map(|_| ()));
        running.service.engine().tick();
        let payout = client.payout(&payout).await.expect("reads go on");
        assert_eq!(payout.state(), PayoutState::Authorized);
    }
    assert_eq!(client.alerts().await, [], "nothing failed");

    // Set right, decisions go on; what was refused was not decided.
    clock.set_wall(at("2026-03-02T02:01:00Z"));
    assert!(!allowed(client, "b").await.replayed);

    clock.set_wall(far);
    jumped(client.execute_payout(execute(&payout)).await.map(|_| ()));
    running.stop().await;
    let running = start(store, clock.clone()).await;
    let client = &running.client;
    assert_eq!(decided(&allowed(client, "c").await), far);
    let state = client.payout(&payout).await.expect("a payout").state();
    assert_eq!(state, PayoutState::Expired, "a restart believes its clock");
    running.stop().await;
}

#[tokio::test]
async fn money_that_has_left_is_recorded_also_after_a_jump() {
    let (_store, clock, running) = world().await;
    let client = &running.client;
    let paid = allowed(client, "a").await.payout;
    let unpaid = allowed(client, "b").await.payout;
    client.execute_payout(execute(&paid)).await.expect("an answer");
    clock.set_wall(at("2026-03-02T02:31:00Z"));
    let settled = client.settle_payout(settle(&paid, money(100))).await.expect("an answer");
    assert_eq!(settled.state(), PayoutState::Succeeded);
    // By the time that is believed it has not expired.
    let cancelled = client.cancel_payout(cancel(&unpaid)).await.expect("an answer");
    assert_eq!(cancelled.state(), PayoutState::Cancelled);
    let refused = client.authorize_payout(authorize("s1", "c", "c", 100)).await;
    assert_refused(refused, Code::Unavailable, "CLOCK_JUMP");
    running.stop().await;
}

#[tokio::test]
async fn the_alert_is_recorded_also_when_its_commit_conflicts() {
    let (store, clock, running) = world().await;
    running.stop().await;
    // The first commit conflicts: the one with the alert.
    let first = |turn| if turn == 0 { Fate::Overtaken } else { Fate::Passes };
    let running = start(FaultStore::new(store, first), clock.clone()).await;
    clock.set_wall(at("2026-03-02T01:00:00Z"));
    allowed(&running.client, "a").await;
    assert_eq!(stepped_back(&running.client).await.len(), 1);
    running.stop().await;
}

/// Steps back between two looks, when it is told to.
struct Stumbling {
    steady: ManualClock,
    is_due: Arc<AtomicBool>,
}

impl Clock for Stumbling {
    fn now(&self) -> Tick {
        let tick = self.steady.now();
        if self.is_due.swap(false, Ordering::SeqCst) {
            // From the next look on.
            self.steady.set_wall(tick.wall.minus(Duration::from_secs(3600)));
        }
        tick
    }
}

#[tokio::test]
async fn the_alert_is_recorded_also_when_a_reader_is_the_first_to_notice() {
    let (store, steady, running) = world().await;
    running.stop().await;
    let is_due = Arc::new(AtomicBool::new(false));
    let running = start(store, Stumbling { steady, is_due: is_due.clone() }).await;
    let payout = allowed(&running.client, "a").await.payout;
    // A read looks at the clock behind the batch that was due.
    is_due.store(true, Ordering::SeqCst);
    running.client.payout(&payout).await.expect("a payout");
    allowed(&running.client, "b").await;
    assert_eq!(stepped_back(&running.client).await.len(), 1);
    running.stop().await;
}

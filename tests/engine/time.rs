//! Clocks that step back and jump ahead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bursar::{
    api::auth::Authenticator,
    domain::{change::Record, instant::Instant, key::Key, name::PayoutName, row::Row},
    engine::{
        Options,
        clock::{Clock, ManualClock, Tick},
    },
    proto::v1::{Decision, Event, PayoutState, Receipt},
    server::{Parts, Service},
    store::{
        Changed, Commit, Scan, Store, StoreError, Tip,
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

/// A store that counts how often it is looked for what is due.
struct Counted(MemoryStore, Arc<AtomicUsize>);

impl Store for Counted {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        self.0.begin()
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
        self.0.load(keys)
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        self.0.commit(commit)
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        if matches!(scan.from, Key::Due(..)) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
        self.0.scan(scan)
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.0.records(after, limit)
    }
}

#[tokio::test]
async fn what_stays_due_for_ever_by_a_defect_does_not_keep_the_writer_busy() {
    let mut store = MemoryStore::new();
    // Due, and no payout is there for which anything could be done.
    let due = |number| {
        let payout = format!("platforms/p/shops/s1/payouts/gone-{number}");
        Row::Due(at(START), PayoutName::parse(&payout).expect("a name"))
    };
    let changed =
        |row: Row| Changed { key: row.key(), row: Some(Arc::new(row)), sequence: 0, alone: false };
    let rows = (0..20).map(due).map(changed).collect();
    store.commit(Commit { rows, ..Commit::default() }).expect("rows");
    let looks = Arc::new(AtomicUsize::new(0));
    let parts = Parts {
        store: Box::new(Counted(store, looks.clone())),
        clock: Arc::new(ManualClock::new(at("2026-03-02T03:00:00Z"))),
        auth: Authenticator::Local,
        options: Options { batch: 1, ..Options::default() },
    };
    let service = Service::start(parts).expect("a service");
    for _ in 0..3 {
        service.engine().tick();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    service.engine().stop(false).await;
    let looks = looks.load(Ordering::SeqCst);
    assert!((1..=4).contains(&looks), "{looks} times");
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

//! On a store that serves only what was asked for and whose commits conflict.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bursar::{
    cli::{
        Ink,
        local::{LocalFactory, Opener},
        scenario::{self, Tally, run_paths},
    },
    domain::{
        change::{Record, Rows},
        key::Key,
        row::Row,
    },
    engine::{Options, clock::ManualClock},
    proto::v1::{Decision, Receipt},
    store::{Commit, Scan, Store, StoreError, Tip, fault::FaultStore, memory::MemoryStore},
};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::{
    running::{Running, at, start},
    trial::{Client, PROCEEDS, assert_refused, authorize, fen, fen_of, shop_name},
};

#[tokio::test]
async fn every_scenario_passes_on_a_store_that_conflicts() {
    let factory = LocalFactory::new(
        Arc::new(|| {
            let store = MemoryStore::new();
            // Every batch is judged twice at the least.
            let opener: Opener = Arc::new(move || {
                Ok(Box::new(FaultStore::new(store.clone(), |turn| turn % 2 == 0)))
            });
            Ok((opener, None))
        }),
        Options::default(),
    );
    let mut report = Vec::new();
    let paths = [PathBuf::from("tests/scenarios")];
    let options = scenario::Options::default();
    let tally = run_paths(&paths, &factory, &options, &mut report, Ink::default()).await;
    let Tally { passed, failed } = tally.expect("a report");
    assert!(passed > 50 && failed == 0, "{}", String::from_utf8_lossy(&report));
}

/// A store that the test can look into while the engine has it.
#[derive(Clone)]
struct Shared(Arc<Mutex<FaultStore<MemoryStore>>>);

impl Shared {
    fn new(store: MemoryStore, conflicts: fn(u64) -> bool) -> Self {
        Self(Arc::new(Mutex::new(FaultStore::new(store, conflicts))))
    }

    fn with<T>(&self, act: impl FnOnce(&mut FaultStore<MemoryStore>) -> T) -> T {
        act(&mut self.0.lock().expect("the store"))
    }
}

impl Store for Shared {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        self.with(Store::begin)
    }

    fn load(&mut self, keys: &[Key]) -> Result<Rows, StoreError> {
        self.with(|store| store.load(keys))
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        self.with(|store| store.commit(commit))
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        self.with(|store| store.scan(scan))
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.with(|store| store.records(after, limit))
    }

    fn open_payouts(&mut self) -> Result<Vec<Arc<Row>>, StoreError> {
        self.with(Store::open_payouts)
    }
}

/// A furnished service on a store that conflicts from then on.
async fn world(conflicts: fn(u64) -> bool) -> (Shared, Running) {
    let (store, clock) = (MemoryStore::new(), ManualClock::new(at("2026-03-02T02:00:00Z")));
    let running = start(store.clone(), clock.clone()).await;
    running.client.furnish(&["s1"]).await;
    running.stop().await;
    let shared = Shared::new(store, conflicts);
    (shared.clone(), start(shared, clock).await)
}

async fn ask(client: &Client, number: u64) -> Result<Receipt, Status> {
    let order = format!("o{}", number % 25);
    client.authorize_payout(authorize("s1", &format!("r{number}"), &order, 8_000)).await
}

#[tokio::test]
async fn everything_is_answered_and_nothing_doubled_though_commits_conflict() {
    let (store, running) = world(|turn| turn % 3 != 2).await;
    let before = store.with(Store::begin).expect("a tip").sequence;
    let mut asked = JoinSet::new();
    for number in 0..150 {
        let client = running.client.clone();
        asked.spawn(async move { ask(&client, number).await });
    }
    let mut receipts = Vec::new();
    while let Some(answer) = asked.join_next().await {
        receipts.push(answer.expect("a task").expect("an answer"));
    }
    let is_allowed = |receipt: &&Receipt| receipt.decision() == Decision::Allow;
    let allowed = receipts.iter().filter(is_allowed).count();
    // 25 orders take 3 of 80.00 each below 300.00; 6 are asked for.
    assert_eq!((receipts.len(), allowed), (150, 75));
    let payouts = running.client.every_payout("s1").await;
    assert_eq!(payouts.len(), allowed);
    let held: i64 = payouts.iter().map(|payout| fen(payout.amount.as_ref())).sum();
    let account = bursar::proto::v1::GetAccountRequest {
        name: format!("{}/accounts/settlement", shop_name("s1")),
    };
    let account = running.client.get_account(account).await.expect("an account");
    assert_eq!((fen_of(&account.held), fen_of(&account.balance)), (held, PROCEEDS));
    let tip = store.with(Store::begin).expect("a tip").sequence;
    assert_eq!(tip - before, 150, "one record for each");
    assert!(store.with(|store| store.commits()) >= 3, "there were conflicts");

    // One at a time: two loads do, and each is tried three times.
    let commits = store.with(|store| store.commits());
    for number in 150..160 {
        ask(&running.client, number).await.expect("an answer");
    }
    assert_eq!(store.with(|store| store.commits()) - commits, 30);
    running.stop().await;
}

#[tokio::test]
async fn a_decision_by_itself_takes_two_loads() {
    let (store, running) = world(|_| false).await;
    ask(&running.client, 1).await.expect("an answer");
    assert!(store.with(|store| store.most_loads()) <= 2);
    running.stop().await;
}

#[tokio::test]
async fn conflicts_without_end_are_answered_and_change_nothing() {
    let (store, running) = world(|turn| turn < 16).await;
    assert_refused(ask(&running.client, 1).await, Code::Aborted, "CONTENTION");
    assert_eq!(store.with(|store| store.commits()), 16);
    assert_eq!(running.client.every_payout("s1").await, []);
    let receipt = ask(&running.client, 1).await.expect("an answer");
    assert!(!receipt.replayed);
    running.stop().await;
}

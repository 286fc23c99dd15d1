//! On a store where another writer gets in between: what it takes is accounted
//! for, and nothing is committed that was judged before.

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
        amount::Amount,
        change::{Change, Record},
        key::Key,
        row::Row,
    },
    engine::{Options, clock::ManualClock},
    proto::v1::{Account, Decision, GetAccountRequest, GetUsageRequest, Payout, Receipt},
    store::{
        Commit, Scan, Store, StoreError, Tip,
        fault::{Fate, FaultStore},
        memory::MemoryStore,
    },
};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::{
    running::{Running, at, start},
    trial::{Client, PROCEEDS, PROGRAMME, assert_refused, authorize, fen, fen_of, shop_name},
};

#[tokio::test]
async fn every_scenario_passes_on_a_store_that_conflicts() {
    let factory = LocalFactory::new(
        Arc::new(|| {
            let store = MemoryStore::new();
            // Every batch is judged three times: as it is, over what another
            // writer took meanwhile, and after that was given back.
            let fate = |turn| match turn % 3 {
                0 => Fate::Overtaken,
                1 => Fate::GivenBack,
                _ => Fate::Passes,
            };
            let opener: Opener =
                Arc::new(move || Ok(Box::new(FaultStore::new(store.clone(), fate))));
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
pub struct Shared(Arc<Mutex<FaultStore<MemoryStore>>>);

impl Shared {
    fn new(store: MemoryStore, fate: fn(u64) -> Fate) -> Self {
        Self(Arc::new(Mutex::new(FaultStore::new(store, fate))))
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut FaultStore<MemoryStore>) -> T) -> T {
        act(&mut self.0.lock().expect("the store"))
    }
}

impl Store for Shared {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        self.with(Store::begin)
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
        self.with(|store| store.load(keys))
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        self.with(|store| store.commit(commit))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        self.with(|store| store.scan(scan))
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.with(|store| store.records(after, limit))
    }
}

/// A furnished service on a store with such a fate from then on.
pub async fn world(fate: fn(u64) -> Fate) -> (Shared, Running) {
    let (store, clock) = (MemoryStore::new(), ManualClock::new(at("2026-03-02T02:00:00Z")));
    let running = start(store.clone(), clock.clone()).await;
    running.client.furnish(&["s1"]).await;
    running.stop().await;
    let shared = Shared::new(store, fate);
    (shared.clone(), start(shared, clock).await)
}

async fn ask(client: &Client, number: u64) -> Result<Receipt, Status> {
    let order = format!("o{}", number % 25);
    client.authorize_payout(authorize("s1", &format!("r{number}"), &order, 8_000)).await
}

/// What others hold of the account.
fn taken(store: &Shared) -> Vec<Amount> {
    let held = |change: &Change| match change {
        Change::Balance(change) => change.after.map(|(_, held)| held),
        _ => None,
    };
    store.with(|store| store.taken().iter().filter_map(held).collect())
}

fn held_of(payouts: &[Payout]) -> i64 {
    payouts.iter().map(|payout| fen(payout.amount.as_ref())).sum()
}

async fn account(client: &Client) -> Account {
    let name = format!("{}/accounts/settlement", shop_name("s1"));
    client.get_account(GetAccountRequest { name }).await.expect("an account")
}

/// What is held in the limits of an order: how many payouts, and how much.
async fn held_in_order(client: &Client, order: &str) -> (String, String) {
    let request = GetUsageRequest {
        parent: shop_name("s1"),
        programme: PROGRAMME.to_owned(),
        order: format!("{}/orders/{order}", shop_name("s1")),
        ..GetUsageRequest::default()
    };
    let usage = client.get_usage(request).await.expect("usage");
    let held = |rule: &str| {
        let limit = usage.limits.iter().find(|limit| limit.rule == rule);
        limit.map(|limit| limit.held.clone()).expect("a limit")
    };
    (held("order-count"), held("order-total"))
}

#[tokio::test]
async fn what_others_take_in_between_is_accounted_for_and_no_bound_is_passed() {
    let fate = |turn| if turn % 3 == 2 { Fate::Passes } else { Fate::Overtaken };
    let (store, running) = world(fate).await;
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
    let others = taken(&store);
    // 25 orders have room for 3 of 80.00 each below 300.00; 6 are asked for.
    assert!(others.len() >= 2, "others took something");
    assert_eq!((receipts.len(), allowed + others.len()), (150, 75));
    let payouts = running.client.every_payout("s1").await;
    assert_eq!(payouts.len(), allowed);
    let held = held_of(&payouts) + i64::try_from(others.len()).expect("few") * 8_000;
    let account = account(&running.client).await;
    assert_eq!((fen_of(&account.held), fen_of(&account.balance)), (held, PROCEEDS));
    for order in 0..25 {
        let held = held_in_order(&running.client, &format!("o{order}")).await;
        assert_eq!(held, ("3".to_owned(), "240.00".to_owned()), "o{order}");
    }
    running.stop().await;
}

#[tokio::test]
async fn every_request_leaves_one_record_however_often_it_was_judged() {
    let fate = |turn| if turn % 3 == 2 { Fate::Passes } else { Fate::Overtaken };
    let (store, running) = world(fate).await;
    let before = store.with(Store::begin).expect("a tip").sequence;
    for number in 0..10 {
        ask(&running.client, number).await.expect("an answer");
    }
    assert_eq!(store.with(|store| store.commits()), 30, "each is tried three times");
    let records = store.with(|store| store.records(before, usize::MAX)).expect("records");
    let ours = records.iter().filter(|record| &*record.operation == "AuthorizePayout");
    assert_eq!((records.len(), ours.count()), (30, 10));
    running.stop().await;
}

#[tokio::test]
async fn an_answer_that_others_made_untrue_is_judged_anew() {
    // After the third another writer takes what is left of the order.
    let (store, running) = world(|turn| match turn {
        2 => Fate::Overtaken,
        _ => Fate::Passes,
    })
    .await;
    let ask = async |id: &str| {
        running.client.authorize_payout(authorize("s1", id, "o1", 8_000)).await.expect("an answer")
    };
    for id in ["a", "b"] {
        assert_eq!(ask(id).await.decision(), Decision::Allow);
    }
    let denied = ask("c").await;
    assert_eq!(denied.decision(), Decision::Deny);
    let finding = denied.findings.first().expect("a finding");
    assert_eq!((finding.rule.as_str(), finding.held.as_str()), ("order-total", "240.00"));
    assert_eq!(denied.max_amount, "60.00");
    assert_eq!(taken(&store).len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn conflicts_without_end_are_answered_and_change_nothing() {
    let fate = |turn| if turn < 16 { Fate::Overtaken } else { Fate::Passes };
    let (store, running) = world(fate).await;
    assert_refused(ask(&running.client, 1).await, Code::Aborted, "CONTENTION");
    assert_eq!(store.with(|store| store.commits()), 16);
    assert_eq!(running.client.every_payout("s1").await, []);
    // There was room for three of others, and then for none.
    assert_eq!(taken(&store).len(), 3);
    let receipt = ask(&running.client, 1).await.expect("an answer");
    assert_eq!((receipt.replayed, receipt.decision()), (false, Decision::Deny));
    running.stop().await;
}

#[tokio::test]
async fn who_commits_again_without_beginning_anew_is_found_out() {
    let mut store = FaultStore::new(MemoryStore::new(), |_| Fate::Overtaken);
    store.begin().expect("a tip");
    assert!(matches!(store.commit(Commit::default()), Err(StoreError::Conflict)));
    assert!(matches!(store.commit(Commit::default()), Err(StoreError::Fatal(_))));
}

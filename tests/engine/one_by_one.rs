//! Commands that come together, on a store that nobody else changes: each is
//! committed by itself, over what those before it left, told in short or at length.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use bursar::{
    domain::{allowed::Allowed, change::Record, key::Key, row::Row},
    engine::clock::ManualClock,
    proto::v1::{
        AuthorizePayoutRequest, AuthorizePayoutResult, BatchAuthorizePayoutsRequest, Receipt,
        ReceiptView, ValidatePayoutRequest, authorize_payout_result::Result as Outcome,
    },
    store::{
        Commit, Done, Scan, Store, StoreError, Tip,
        sled::{Options, SledStore, verify},
    },
};
use tempfile::TempDir;

use crate::{
    running::{Running, at, start},
    trial::{authorize, shop_name},
};

/// What a test and its store share.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_shut: bool,
    /// Whether the writer waits before a batch.
    waits: bool,
    /// Commits with records until one fails. `None`: none does.
    left: Option<usize>,
    /// Whether it takes authorizations that are told in short, and how many it took.
    in_short: bool,
    taken: usize,
}

impl Gate {
    fn new(in_short: bool) -> Arc<Self> {
        let state = Mutex::new(State { in_short, ..State::default() });
        Arc::new(Self { state, changed: Condvar::new() })
    }

    /// Takes another commit with records.
    fn take(&self, in_short: bool) -> Result<(), StoreError> {
        let mut state = self.state.lock().expect("a state");
        if let Some(left) = &mut state.left {
            *left = left.checked_sub(1).ok_or_else(|| StoreError::Fatal("as told".to_owned()))?;
        }
        state.taken += usize::from(in_short);
        Ok(())
    }
}

/// The embedded store, before a batch of which one can be made to wait, and a
/// commit of which can fail.
struct Gated(SledStore, Arc<Gate>);

impl Store for Gated {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        let mut state = self.1.state.lock().expect("a state");
        while state.is_shut {
            state.waits = true;
            state = self.1.changed.wait(state).expect("a state");
        }
        drop(state);
        self.0.begin()
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
        self.0.load(keys)
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        if !commit.records.is_empty() {
            self.1.take(false)?;
        }
        self.0.commit(commit)
    }

    fn takes_allowed(&self) -> bool {
        self.1.state.lock().expect("a state").in_short
    }

    fn commit_allowed(&mut self, allowed: &Allowed<'_>, commit: Commit) -> Result<(), StoreError> {
        self.1.take(true)?;
        self.0.commit_allowed(allowed, commit)
    }

    fn when_durable(&mut self, done: Done) {
        self.0.when_durable(done);
    }

    fn takes_running(&self, waiting: usize, oldest: u64) -> usize {
        self.0.takes_running(waiting, oldest)
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        self.0.scan(scan)
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.0.records(after, limit)
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        self.0.tidy()
    }
}

async fn running(data: &TempDir, options: &Options, gate: &Arc<Gate>) -> Running {
    let store = SledStore::open(data.path(), options.clone()).expect("a store");
    let clock = ManualClock::new(at("2026-03-02T02:00:00Z"));
    start(Gated(store, gate.clone()), clock).await
}

/// Has requests judged in one batch.
async fn together(
    running: &Running,
    gate: &Gate,
    requests: Vec<AuthorizePayoutRequest>,
) -> Vec<AuthorizePayoutResult> {
    gate.state.lock().expect("a state").is_shut = true;
    // About another shop: nothing is known of whose payouts the batch is about.
    let other = authorize("s2", "q", "q", 1_000);
    let question = ValidatePayoutRequest {
        parent: other.parent,
        payout: other.payout,
        ..ValidatePayoutRequest::default()
    };
    let mut asked = running.client.payouts.clone();
    let asked = tokio::spawn(async move { asked.validate_payout(question).await });
    while !gate.state.lock().expect("a state").waits {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let parent = shop_name("s1");
    let batch = BatchAuthorizePayoutsRequest { parent, requests };
    let mut sent = running.client.payouts.clone();
    let sent = tokio::spawn(async move { sent.batch_authorize_payouts(batch).await });
    // Long enough for all of them to be queued.
    tokio::time::sleep(Duration::from_millis(200)).await;
    gate.state.lock().expect("a state").is_shut = false;
    gate.changed.notify_all();
    asked.await.expect("it was asked").expect("an answer");
    sent.await.expect("it was sent").expect("answers").into_inner().results
}

fn receipts(results: Vec<AuthorizePayoutResult>) -> Vec<Receipt> {
    let receipt = |result: AuthorizePayoutResult| match result.result {
        Some(Outcome::Receipt(receipt)) => receipt,
        other => panic!("{other:?}"),
    };
    results.into_iter().map(receipt).collect()
}

#[tokio::test]
async fn what_comes_twice_in_one_batch_holds_once_and_orders_add_up() {
    for (checkpoint_records, in_short) in
        [1, 2, 20_000].into_iter().flat_map(|it| [(it, false), (it, true)])
    {
        let (data, gate) = (TempDir::new().expect("a directory"), Gate::new(in_short));
        let options = Options { checkpoint_records, tidy_records: 0, ..Options::default() };
        let running = running(&data, &options, &gate).await;
        running.client.furnish(&["s1", "s2"]).await;
        // One order; the second request comes twice, the last is too much with both.
        let requests = [("a", 4_000), ("b", 4_000), ("b", 4_000), ("c", 22_100)];
        let mut requests = requests.map(|(id, fen)| authorize("s1", id, "o", fen)).to_vec();
        // Of another new order all is wanted: it is told at length.
        requests.push(AuthorizePayoutRequest {
            view: ReceiptView::Full.into(),
            ..authorize("s1", "d", "p", 4_000)
        });
        let receipts = receipts(together(&running, &gate, requests.clone()).await);
        let [a, b, again, c, d] = receipts.as_slice() else { panic!("{receipts:?}") };
        assert!(!d.payout.is_empty() && !d.replayed);
        assert!(!a.replayed && !b.replayed && again.replayed);
        assert!(!a.payout.is_empty() && a.payout != b.payout && b.payout == again.payout);
        assert_eq!((c.payout.as_str(), c.max_amount.as_str()), ("", "220.00"));
        let payouts = running.client.every_payout("s1").await;
        assert_eq!(payouts.len(), 3);
        // The first only: then the order is known.
        assert_eq!(gate.state.lock().expect("a state").taken, usize::from(in_short));
        // Asked for each by itself, it is the same.
        for (request, receipt) in requests.into_iter().zip(&receipts) {
            let alone = running.client.authorize_payout(request).await.expect("an answer");
            assert_eq!((alone.name, alone.replayed), (receipt.name.clone(), true));
        }
        running.stop().await;
        let report = verify(data.path(), &options, |_| Ok(())).expect("whole");
        assert!(!report.rows_incomplete, "{report:?}");
    }
}

#[tokio::test]
async fn when_a_commit_fails_within_a_batch_nobody_of_it_is_told_yes() {
    for in_short in [false, true] {
        a_commit_fails_within_a_batch(in_short).await;
    }
}

async fn a_commit_fails_within_a_batch(in_short: bool) {
    let (data, gate) = (TempDir::new().expect("a directory"), Gate::new(in_short));
    let options = Options::default();
    let failing = running(&data, &options, &gate).await;
    failing.client.furnish(&["s1", "s2"]).await;
    gate.state.lock().expect("a state").left = Some(2);
    let requests = ["a", "b", "c", "d"].map(|id| authorize("s1", id, id, 1_000)).to_vec();
    for result in together(&failing, &gate, requests.clone()).await {
        let Some(Outcome::Error(error)) = result.result else { panic!("{result:?}") };
        assert_eq!(error.code, i32::from(tonic::Code::Unavailable), "{error:?}");
    }
    assert!(failing.service.engine().has_failed());
    failing.stop().await;
    gate.state.lock().expect("a state").left = None;

    // Sent again, each has one answer: two were recorded, the others were not.
    let running = running(&data, &options, &gate).await;
    let mut replayed = Vec::new();
    for request in requests {
        let receipt = running.client.authorize_payout(request).await.expect("an answer");
        assert!(!receipt.payout.is_empty());
        replayed.push(receipt.replayed);
    }
    assert_eq!(replayed, [true, true, false, false]);
    assert_eq!(running.client.every_payout("s1").await.len(), 4);
    running.stop().await;
}

#[tokio::test]
async fn the_receipt_of_what_is_told_in_short_says_what_was_recorded() {
    let (data, gate) = (TempDir::new().expect("a directory"), Gate::new(true));
    let running = running(&data, &Options::default(), &gate).await;
    running.client.furnish(&["s1"]).await;
    for id in ["a", "b"] {
        let request = authorize("s1", id, id, 1_000);
        let first = running.client.authorize_payout(request.clone()).await.expect("an answer");
        assert!(!first.payout.is_empty() && !first.replayed, "{first:?}");
        // Read from the record.
        let again = running.client.authorize_payout(request).await.expect("an answer");
        assert!(again.replayed);
        assert_eq!(first, Receipt { replayed: false, ..again });
    }
    assert_eq!(gate.state.lock().expect("a state").taken, 2, "both were told in short");
    running.stop().await;
}

#[tokio::test]
async fn a_shop_that_was_not_asked_about_before_does_not_count_where_the_one_before_it_does() {
    let (data, gate) = (TempDir::new().expect("a directory"), Gate::new(true));
    let options = Options { tidy_records: 0, ..Options::default() };
    let running = running(&data, &options, &gate).await;
    running.client.furnish(&["s1", "s2", "s3"]).await;
    // Where payouts of the first shop count is known by now.
    for id in ["a", "b"] {
        let request = authorize("s1", id, id, 1_000);
        running.client.authorize_payout(request).await.expect("an answer");
    }
    let requests = [("s1", "c"), ("s3", "d"), ("s1", "e"), ("s3", "f")];
    let requests = requests.map(|(shop, id)| authorize(shop, id, id, 1_000)).to_vec();
    let receipts = receipts(together(&running, &gate, requests).await);
    assert!(receipts.iter().all(|receipt| !receipt.payout.is_empty()), "{receipts:?}");
    assert_eq!(gate.state.lock().expect("a state").taken, 6, "all were told in short");
    running.stop().await;
    // What was counted is compared with what the journal says.
    let report = verify(data.path(), &options, |_| Ok(())).expect("whole");
    assert!(!report.rows_incomplete, "{report:?}");
}

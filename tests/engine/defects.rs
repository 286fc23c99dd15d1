//! A defect met while one command is judged ends that command, and nothing else.

use std::sync::Arc;

use bursar::{
    domain::{
        change::Record,
        key::Key,
        name::ShopName,
        row::Row,
        shop::{Shop, Stamp},
    },
    engine::clock::ManualClock,
    proto::v1::Decision,
    store::{Commit, Scan, Store, StoreError, Tip, memory::MemoryStore},
};
use tonic::Code;

use crate::{
    running::{at, start},
    trial::{assert_refused, authorize},
};

/// Has another kind of row under the key of one shop's balance.
struct Wrong(MemoryStore);

impl Store for Wrong {
    fn begin(&mut self) -> Result<Tip, StoreError> {
        self.0.begin()
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Row>>>, StoreError> {
        let mut rows = self.0.load(keys)?;
        let is_bad =
            |key: &&Key| matches!(key, Key::Balance(account) if account.shop.as_str() == "bad");
        for (_, row) in keys.iter().zip(&mut rows).filter(|(key, _)| is_bad(key)) {
            let shop = Row::Shop(Shop {
                name: ShopName::parse("platforms/p1/shops/bad").expect("a name"),
                display_name: "".into(),
                facts: bursar::domain::value::Facts::default(),
                stamp: Stamp::new(at("2026-03-02T02:00:00Z")),
            });
            *row = Some(Arc::new(shop));
        }
        Ok(rows)
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        self.0.commit(commit)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Arc<Row>>, StoreError> {
        self.0.scan(scan)
    }

    fn records(&mut self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        self.0.records(after, limit)
    }
}

#[tokio::test]
async fn a_command_that_meets_a_defect_is_answered_and_the_others_go_on() {
    let store = MemoryStore::new();
    let clock = ManualClock::new(at("2026-03-02T02:00:00Z"));
    let running = start(store.clone(), clock.clone()).await;
    running.client.furnish(&["s1", "bad"]).await;
    running.stop().await;

    let running = start(Wrong(store.clone()), clock).await;
    let client = &running.client;
    for turn in 0..3 {
        let (good, bad, after) = tokio::join!(
            client.authorize_payout(authorize("s1", &format!("a{turn}"), &format!("a{turn}"), 100)),
            client.authorize_payout(authorize("bad", "b", "o", 100)),
            client.authorize_payout(authorize("s1", &format!("c{turn}"), &format!("c{turn}"), 100)),
        );
        assert_refused(bad, Code::Internal, "INTERNAL");
        for answer in [good, after] {
            assert_eq!(answer.expect("an answer").decision(), Decision::Allow);
        }
    }
    running.stop().await;

    // Sent again where the defect is gone, it is decided: nothing was kept of it.
    let running = start(store, ManualClock::new(at("2026-03-02T02:00:01Z"))).await;
    let receipt = running.client.authorize_payout(authorize("bad", "b", "o", 100)).await;
    let receipt = receipt.expect("an answer");
    assert!(!receipt.replayed && receipt.decision() == Decision::Allow);
}

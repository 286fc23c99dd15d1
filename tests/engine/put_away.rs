//! Rows that are put away while the service goes on.

use bursar::{
    engine::clock::ManualClock,
    proto::v1,
    store::sled::{Options, SledStore, verify},
};
use tempfile::TempDir;

use crate::{
    running::{at, start},
    trial::authorize,
};

#[tokio::test]
async fn meters_that_are_due_to_be_put_away_are_not_lost_to_a_question_that_comes_first() {
    let data = TempDir::new().expect("a directory");
    // Meters are wanted after every record, and handed over with what comes next.
    let options = Options { checkpoint_records: 1, ..Options::default() };
    let store = SledStore::open(data.path(), options.clone()).expect("a store");
    let running = start(store, ManualClock::new(at("2026-03-02T02:00:00Z"))).await;
    running.client.furnish(&["s1"]).await;
    for number in 0..5 {
        let request = authorize("s1", &format!("r{number}"), &format!("o{number}"), 1000);
        let asked = v1::ValidatePayoutRequest {
            parent: request.parent.clone(),
            payout: request.payout.clone(),
            ..Default::default()
        };
        running.client.authorize_payout(request).await.expect("an answer");
        // Nothing is recorded of it.
        running.client.payouts.clone().validate_payout(asked).await.expect("an answer");
    }
    running.stop().await;
    let report = verify(data.path(), &options, |_| Ok(())).expect("rows as the journal has them");
    assert!(report.checkpoint > 0 && !report.rows_incomplete);
}

//! A payout whose steps are taken by one service after another, each stopped in
//! between: the meters of its order are those of a service that was not.

use std::{path::Path, process::Command, time::Duration};

use bursar::{
    domain::instant::Instant,
    engine::clock::ManualClock,
    proto::v1::{GetAccountRequest, GetDecisionRequest, GetUsageRequest, ReturnPayoutRequest},
    store::{
        memory::MemoryStore,
        sled::{Options, Retain, SledStore, retain, verify},
    },
};
use tempfile::TempDir;

use crate::{
    running::{Running, at, start},
    trial::{
        Client, PROGRAMME, assert_refused, authorize, cancel, execute, money, settle, shop_name,
    },
};

const ORDERS: [&str; 3] = ["o1", "o2", "o3"];

/// How a service is stopped.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Not,
    Cleanly,
    /// Without putting anything away. A kill is what `tests/crash` does.
    Untidily,
    /// Cleanly, and what is older than the service before is let go of.
    LettingGo,
}

/// Where the service's rows are.
enum Place {
    Memory(MemoryStore),
    Sled(TempDir, Options),
}

impl Place {
    /// The service that comes after so many others, a second later each.
    async fn start(&self, number: u64) -> Running {
        let clock = ManualClock::new(started(number));
        match self {
            Self::Memory(store) => start(store.clone(), clock).await,
            Self::Sled(dir, options) => {
                let store = SledStore::open(dir.path(), options.clone()).expect("a store");
                start(store, clock).await
            }
        }
    }
}

fn started(number: u64) -> Instant {
    at("2026-03-02T02:00:00Z").plus(Duration::from_secs(number))
}

/// What is used and held of each limit of each order, and the money on the account
/// and what is held of it.
type Seen = Vec<[String; 3]>;

async fn seen(client: &Client) -> Seen {
    let mut seen = Vec::new();
    for order in ORDERS {
        let request = GetUsageRequest {
            parent: shop_name("s1"),
            programme: PROGRAMME.to_owned(),
            order: format!("{}/orders/{order}", shop_name("s1")),
            ..GetUsageRequest::default()
        };
        let limits = client.get_usage(request).await.expect("usage").limits;
        let of = |rule: &str| format!("{rule} of {order}");
        seen.extend(limits.into_iter().map(|limit| [of(&limit.rule), limit.used, limit.held]));
    }
    let name = format!("{}/accounts/settlement", shop_name("s1"));
    let request = GetAccountRequest { name };
    let account = client.get_account(request).await.expect("an account");
    seen.push([account.name, account.balance, account.held]);
    seen
}

/// One step of the story; what it makes is put behind `payouts`.
async fn take(client: &Client, step: usize, payouts: &mut Vec<String>) {
    let authorized = async |order: &str, number: usize| {
        let request = authorize("s1", &format!("r{number}"), order, 5_000);
        client.authorize_payout(request).await.expect("an answer").payout
    };
    match step {
        0 => {
            client.furnish(&["s1"]).await;
            payouts.push(authorized("o1", 0).await);
            // Two of one order, perhaps in one batch.
            let (one, two) = tokio::join!(authorized("o2", 1), authorized("o2", 2));
            payouts.extend([one, two]);
            payouts.push(authorized("o3", 3).await);
        }
        1 => {
            client.execute_payout(execute(&payouts[0])).await.expect("it is executed");
            client.execute_payout(execute(&payouts[1])).await.expect("it is executed");
            client.cancel_payout(cancel(&payouts[3])).await.expect("it is cancelled");
        }
        2 => {
            client.settle_payout(settle(&payouts[0], money(5_000))).await.expect("settled");
            client.settle_payout(settle(&payouts[1], None)).await.expect("failed");
        }
        3 => {
            let request = ReturnPayoutRequest {
                name: payouts[0].clone(),
                amount: money(2_000),
                channel_reference: "back".to_owned(),
                ..ReturnPayoutRequest::default()
            };
            client.payouts.clone().return_payout(request).await.expect("returned");
        }
        _ => payouts.push(authorized("o1", 4).await),
    }
}

/// What is seen after each step, and the payouts.
async fn story(place: &Place, stop: Stop) -> (Vec<Seen>, Vec<String>) {
    let mut running = place.start(0).await;
    let (mut payouts, mut all) = (Vec::new(), Vec::new());
    for step in 0..5 {
        take(&running.client, step, &mut payouts).await;
        all.push(seen(&running.client).await);
        match stop {
            Stop::Not => continue,
            Stop::Cleanly | Stop::LettingGo => running.service.engine().stop(true).await,
            Stop::Untidily => {}
        }
        running.stop().await;
        let number = u64::try_from(step).expect("small");
        if let (Stop::LettingGo, Place::Sled(dir, options)) = (stop, place) {
            let what = Retain {
                keep: Duration::from_secs(1),
                now: Instant::MAX,
                dry_run: false,
                unchecked: false,
            };
            let done = retain(dir.path(), options, &what, &mut |_| {}).expect("it is done");
            assert_eq!(done.gone.is_some(), step > 1, "{done:?}");
        }
        running = place.start(number + 1).await;
        let again = seen(&running.client).await;
        assert_eq!(Some(&again), all.last(), "{stop:?} after step {step}");
    }
    running.stop().await;
    (all, payouts)
}

#[tokio::test]
async fn the_steps_of_a_payout_find_its_orders_meters_however_the_service_stopped_before() {
    let memory = Place::Memory(MemoryStore::new());
    let (expected, _) = story(&memory, Stop::Not).await;
    for (stop, checkpoint_records) in [
        (Stop::Not, 1),
        (Stop::Not, 1000),
        (Stop::Cleanly, 1000),
        (Stop::Untidily, 3),
        (Stop::Untidily, 1000),
    ] {
        let options = Options { checkpoint_records, tidy_records: 0, ..Options::default() };
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().to_owned();
        let place = Place::Sled(dir, options.clone());
        assert_eq!(story(&place, stop).await.0, expected, "{stop:?}, {checkpoint_records}");
        let report = verify(&path, &options, |_| Ok(())).expect("rows as the journal has them");
        assert!(!report.rows_incomplete, "{stop:?}, {checkpoint_records}");
    }
}

/// `bursar export`: whether all went well, and what it said.
fn export(data: &Path, after: u64) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    command.args(["export", "--after", &after.to_string(), "--data"]).arg(data);
    let output = command.output().expect("it ran");
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    (output.status.success(), said.concat())
}

/// That exports begin with the oldest record that is left, and that one which would leave
/// out others says so.
fn exports_go_on(data: &Path, no_more: u64) {
    for after in [0, no_more] {
        let (done, said) = export(data, after);
        assert!(done, "{said}");
        let lines: Vec<serde_json::Value> =
            said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let (first, last) = (&lines[1], lines.last().expect("an end"));
        assert_eq!(first["sequence"], no_more + 1);
        assert_eq!((&last["type"], &last["no_more"]), (&"end".into(), &no_more.into()));
    }
    let (done, said) = export(data, no_more - 1);
    assert!(!done && said.contains("let go of"), "{said}");
    assert!(said.contains(&format!("go on with --after {no_more}")), "{said}");
}

#[tokio::test]
async fn records_that_are_let_go_of_meanwhile_change_no_meter_and_no_step_that_is_left() {
    let memory = Place::Memory(MemoryStore::new());
    let (expected, _) = story(&memory, Stop::Not).await;
    // A file for each commit.
    // Each commit fills a file.
    let options = Options { segment_bytes: 4097, tidy_records: 0, ..Options::default() };
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_owned();
    let place = Place::Sled(dir, options.clone());
    let (all, payouts) = story(&place, Stop::LettingGo).await;
    assert_eq!(all, expected);
    let report = verify(&path, &options, |_| Ok(())).expect("rows as the journal has them");
    assert!(!report.rows_incomplete && report.no_more > 0, "{report:?}");

    exports_go_on(&path, report.no_more);

    let running = place.start(9).await;
    let client = &running.client;
    let again = async |order: &str, number: usize| {
        let request = authorize("s1", &format!("r{number}"), order, 5_000);
        client.authorize_payout(request).await.expect("an answer")
    };
    // One that was returned, and one that nobody went on with: they are what they were.
    for (number, order) in [(0, "o1"), (2, "o2")] {
        let receipt = again(order, number).await;
        assert!(receipt.replayed && receipt.payout == payouts[number], "{number}: {receipt:?}");
        let request = GetDecisionRequest { name: receipt.name, ..GetDecisionRequest::default() };
        client.payouts.clone().get_decision(request).await.expect("its decision");
    }
    let executed = client.execute_payout(execute(&payouts[2])).await;
    executed.expect("it goes on after its record went");
    // Failed and cancelled before what is left: nobody knows them.
    for number in [1, 3] {
        let missing = client.payout(&payouts[number]).await;
        assert_refused(missing, tonic::Code::NotFound, "PAYOUT_NOT_FOUND");
    }
    let receipt = again("o3", 3).await;
    assert!(!receipt.replayed && receipt.payout != payouts[3], "{receipt:?}");
    running.stop().await;
}

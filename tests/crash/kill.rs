//! A server that is killed while clients are at it.

use std::{
    collections::{BTreeMap, hash_map::RandomState},
    ffi::OsStr,
    hash::BuildHasher,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bursar::proto::v1::{
    AuthorizePayoutRequest, CancelPayoutRequest, Decision, GetDecisionRequest, Payout, PayoutState,
    Receipt,
};
use tokio::task::JoinSet;
use tonic::Status;

use crate::{
    connect,
    process::{PATIENCE, Server, assert_clean},
    sums,
    trial::{Client, authorize, execute, reason, settle, shop_name},
};

const SHOPS: [&str; 3] = ["s1", "s2", "s3"];
const ROUNDS: u64 = 6;
/// How often rows are put away in every other round: so often that many a kill
/// comes in the middle of it.
const CHECKPOINT_RECORDS: &str = "20";
const CLIENTS: u64 = 6;
/// Answers that are waited for before the kill.
const ENOUGH: usize = 30;
/// Most requests of one client in one round.
const MOST: u64 = 150;

/// A request that was answered.
#[derive(Clone)]
struct Answered {
    request: AuthorizePayoutRequest,
    receipt: Receipt,
    /// The last answer about its payout.
    payout: Option<Payout>,
    /// Whether a later call about it was not answered.
    unsure: bool,
}

/// What was asked in a round.
#[derive(Default)]
struct Book {
    answered: Vec<Answered>,
    unanswered: Vec<AuthorizePayoutRequest>,
}

fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// The server is gone, and not of another opinion: refusals of its own give a
/// reason.
#[track_caller]
fn assert_gone(status: &Status) {
    assert_eq!(reason(status), "", "{status}");
}

async fn work(client: Client, book: Arc<Mutex<Book>>, round: u64, number: u64) {
    for turn in 0..MOST {
        let dice = random();
        let shop = SHOPS[usize::try_from(dice % 3).expect("small")];
        // Few requests for each order, from several clients at once.
        let order = format!("o-{round}-{}", turn / 2);
        let fen = 1 + i64::try_from(dice / 3 % 15_000).expect("small");
        let request = authorize(shop, &format!("r-{round}-{number}-{turn}"), &order, fen);
        let receipt = match client.authorize_payout(request.clone()).await {
            Ok(receipt) => receipt,
            Err(status) => {
                assert_gone(&status);
                book.lock().expect("the book").unanswered.push(request);
                return;
            }
        };
        let mut answered = Answered { request, receipt, payout: None, unsure: false };
        let result = match answered.receipt.decision() {
            Decision::Allow => live(&client, &mut answered, dice >> 32).await,
            _ => Ok(()),
        };
        answered.unsure = result.is_err();
        book.lock().expect("the book").answered.push(answered);
        if let Err(status) = result {
            assert_gone(&status);
            return;
        }
    }
}

/// Takes a payout some way.
async fn live(client: &Client, answered: &mut Answered, dice: u64) -> Result<(), Status> {
    let name = answered.receipt.payout.clone();
    match dice % 5 {
        0 => return Ok(()),
        1 => {
            let cancel = CancelPayoutRequest { name, ..Default::default() };
            answered.payout = Some(client.cancel_payout(cancel).await?);
            return Ok(());
        }
        _ => answered.payout = Some(client.execute_payout(execute(&name)).await?),
    }
    let paid = match dice % 5 {
        2 => return Ok(()),
        3 => None,
        _ => answered.receipt.amount.clone(),
    };
    answered.payout = Some(client.settle_payout(settle(&name, paid)).await?);
    Ok(())
}

/// How far a payout is in its life.
fn progress(state: PayoutState) -> u8 {
    match state {
        PayoutState::Authorized => 1,
        PayoutState::Processing => 2,
        _ => 3,
    }
}

/// Everything that was answered is there, as it was answered.
async fn check_answered(client: &Client, all: &[Answered]) {
    let mut tasks = JoinSet::new();
    for part in all.chunks(all.len() / 8 + 1) {
        let (client, part) = (client.clone(), part.to_vec());
        tasks.spawn(async move {
            for answered in part {
                check_one(&client, answered).await;
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("as it was answered");
    }
}

async fn check_one(client: &Client, answered: Answered) {
    let by_request = GetDecisionRequest {
        parent: answered.request.parent.clone(),
        request_id: answered.request.request_id.clone(),
        ..Default::default()
    };
    let by_name = GetDecisionRequest { name: answered.receipt.name.clone(), ..Default::default() };
    for request in [by_name, by_request] {
        let found = client.get_decision(request).await.expect("an answered decision");
        assert_eq!(lasting(found), lasting(answered.receipt.clone()));
    }
    if answered.receipt.decision() != Decision::Allow {
        assert_eq!(answered.receipt.payout, "");
        return;
    }
    let found = client.payout(&answered.receipt.payout).await.expect("an answered payout");
    assert_eq!(found.request_id, answered.request.request_id);
    assert_eq!(found.amount, answered.receipt.amount);
    let before = answered.payout.as_ref().map_or(PayoutState::Authorized, Payout::state);
    if answered.unsure {
        assert!(progress(found.state()) >= progress(before), "{found:?}");
    } else if let Some(payout) = answered.payout {
        assert_eq!(found, payout);
    } else {
        assert_eq!(found.state(), before);
    }
}

/// A receipt without what changes with the payout.
fn lasting(receipt: Receipt) -> Receipt {
    Receipt { replayed: false, state: 0, ..receipt }
}

/// Sends again what was not answered, twice; it holds once.
async fn resend(client: &Client, unanswered: Vec<AuthorizePayoutRequest>) -> Vec<Answered> {
    let mut all = Vec::new();
    for request in unanswered {
        let known = GetDecisionRequest {
            parent: request.parent.clone(),
            request_id: request.request_id.clone(),
            ..Default::default()
        };
        let known = client.get_decision(known).await;
        let receipt = client.authorize_payout(request.clone()).await.expect("an answer");
        match known {
            Ok(known) => {
                assert!(receipt.replayed, "it was decided before the kill");
                assert_eq!(lasting(known), lasting(receipt.clone()));
            }
            Err(status) => {
                assert_eq!(reason(&status), "DECISION_NOT_FOUND", "{status}");
                assert!(!receipt.replayed);
            }
        }
        let again = client.authorize_payout(request.clone()).await.expect("an answer");
        assert!(again.replayed);
        assert_eq!(lasting(again), lasting(receipt.clone()));
        all.push(Answered { request, receipt, payout: None, unsure: false });
    }
    all
}

async fn answers(book: &Mutex<Book>, enough: usize) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while book.lock().expect("the book").answered.len() < enough {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.expect("answers");
}

#[tokio::test]
async fn after_kill_minus_nine_every_answered_payout_is_there_once_and_limits_are_right_to_the_fen()
{
    let data = tempfile::TempDir::new().expect("a directory");
    let mut server = start(data.path(), 0);
    connect(&server).await.furnish(&SHOPS).await;
    let mut all: Vec<Answered> = Vec::new();
    let mut from_checkpoint = 0;
    for round in 0..ROUNDS {
        let book = Arc::new(Mutex::new(Book::default()));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(work(connect(&server).await, book.clone(), round, number));
        }
        answers(&book, ENOUGH).await;
        tokio::time::sleep(Duration::from_micros(random() % 300_000)).await;
        assert!(!server.log().contains("panicked"), "{}", server.log());
        server.kill();
        while let Some(task) = clients.join_next().await {
            task.expect("a client");
        }
        let Book { answered, unanswered } = std::mem::take(&mut *book.lock().expect("the book"));
        assert!(answered.len() >= ENOUGH);

        server = start(data.path(), round + 1);
        from_checkpoint += u64::from(began_from_a_checkpoint(&server.log()));
        let client = connect(&server).await;
        check_answered(&client, &answered).await;
        all.extend(answered);
        all.extend(resend(&client, unanswered).await);
        check_sums(&client, &all).await;
    }
    assert!(from_checkpoint > 0, "rows at rest were used");
    let client = connect(&server).await;
    check_answered(&client, &all).await;
    let denied = all.iter().filter(|a| a.receipt.decision() == Decision::Deny).count();
    assert!(0 < denied && denied < all.len(), "{denied} of {} denied", all.len());
    drop(client);
    assert!(server.stop().await.success());
    assert_eq!(assert_clean(data.path()), all.len() as u64, "every decision was answered");
}

/// Starts the server of a round.
fn start(data: &Path, round: u64) -> Server {
    let often: &[(&str, &OsStr)] = &[("BURSAR_CHECKPOINT_RECORDS", OsStr::new(CHECKPOINT_RECORDS))];
    Server::start_with(data, if round.is_multiple_of(2) { often } else { &[] })
}

/// Whether a start applied only the end of the journal to rows at rest.
fn began_from_a_checkpoint(log: &str) -> bool {
    let line = log.lines().find(|line| line.contains("the store is open")).expect("it says so");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    line["replayed"].as_u64() < line["sequence"].as_u64()
}

async fn check_sums(client: &Client, all: &[Answered]) {
    for shop in SHOPS {
        let payouts = sums::check(client, shop).await;
        let allowed = all.iter().filter(|a| a.request.parent == shop_name(shop));
        let allowed = allowed.filter(|a| a.receipt.decision() == Decision::Allow);
        let allowed: BTreeMap<&String, &String> =
            allowed.map(|a| (&a.request.request_id, &a.receipt.payout)).collect();
        assert_eq!(payouts.len(), allowed.len(), "{shop} has what was allowed and no more");
        for (request_id, payout) in &payouts {
            assert_eq!(allowed.get(request_id), Some(&&payout.name));
        }
    }
}

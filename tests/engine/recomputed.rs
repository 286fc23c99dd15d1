//! `bursar verify` on journals whose decisions are not what they say: the chain
//! is sound, but the record and its revision make another decision.

use std::{path::Path, process::Command, sync::Arc};

use bursar::{
    domain::{
        amount::Amount,
        change::{Change, Record},
        decision::{Answer, Decision},
        row::Row,
    },
    engine::clock::ManualClock,
    store::{
        Commit, Store,
        memory::MemoryStore,
        sled::{Options, SledStore},
    },
};
use tempfile::TempDir;

use crate::{
    running::{at, start},
    trial::authorize,
};

type Tamper = fn(&mut Decision);

/// The records of a service that allowed one payout and denied another.
async fn records() -> Vec<Record> {
    let mut store = MemoryStore::new();
    let clock = ManualClock::new(at("2026-03-02T02:00:00Z"));
    let running = start(store.clone(), clock).await;
    running.client.furnish(&["s1"]).await;
    for (id, fen) in [("small", 100), ("large", 40_000)] {
        let request = authorize("s1", id, "o1", fen);
        running.client.authorize_payout(request).await.expect("an answer");
    }
    running.stop().await;
    let records = store.records(0, usize::MAX).expect("records");
    records.iter().map(|record| Record::clone(record)).collect()
}

/// Writes records as a store would, and verifies them.
fn verify(records: Vec<Record>) -> (i32, String) {
    let data = TempDir::new().expect("a directory");
    let mut store = SledStore::open(data.path(), Options::default()).expect("a store");
    store.commit(Commit::of(records, |_| None)).expect("a commit");
    drop(store);
    run(data.path())
}

fn run(data: &Path) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    let output = command.args(["verify", "--data"]).arg(data).output().expect("it ran");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

fn change(records: &mut [Record], request: &str, change: impl Fn(&mut Decision)) -> (u64, String) {
    for record in records {
        for made in &mut record.changes {
            if let Change::Put(row) = made
                && let Row::Decision(decision) = Arc::make_mut(row)
                && &*decision.request_id == request
            {
                let decision = Arc::make_mut(decision);
                change(decision);
                return (record.sequence, decision.name.to_string());
            }
        }
    }
    panic!("no decision of {request}");
}

#[tokio::test]
async fn what_the_service_decided_is_recomputed_and_reported() {
    let records = records().await;
    let count = records.len();
    let (code, said) = verify(records);
    assert_eq!(code, 0, "{said}");
    for line in [
        &format!("records     {count} in "),
        "2026-03-02T02:00:00Z",
        "decisions   2, recomputed 2",
        "payouts     1",
        "revisions   1",
        &format!("fence       record {count}, the journal's end"),
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[tokio::test]
async fn a_decision_that_its_record_does_not_make_is_named() {
    let records = records().await;
    let tampered: [(&str, Tamper, &str); 4] = [
        ("large", |d| d.verdict.answer = Answer::Allow, "the answer is recorded as Allow"),
        ("large", |d| d.verdict.findings.clear(), "what did not pass is recorded as []"),
        ("large", |d| d.verdict.max_amount = Amount::parse("300"), "the largest amount"),
        ("small", |d| d.inputs.amount = Amount::parse("400"), "recomputed as Deny"),
    ];
    for (request, tamper, expected) in tampered {
        let mut records = records.clone();
        let (sequence, name) = change(&mut records, request, tamper);
        let (code, said) = verify(records);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("record {sequence}: {name}")), "{said}");
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[tokio::test]
async fn a_decision_without_its_revision_is_named() {
    let mut records = records().await;
    for record in &mut records {
        record.changes.retain(|change| !matches!(change.as_put(), Some(Row::Revision(_))));
    }
    let (code, said) = verify(records);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("revisions/1 is not in the journal"), "{said}");
}

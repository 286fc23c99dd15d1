//! Directories that are in use or damaged, and messages that are too large.

use std::{fs, path::Path};

use bursar::{proto::v1::CreateRevisionRequest, server::MAX_MESSAGE_BYTES};
use tempfile::TempDir;
use tonic::Code;

use crate::{
    connect,
    process::{Server, assert_clean, refusal, verify},
    sums,
    trial::{PROGRAMME, assert_refused, authorize},
};

const PAYOUTS: u64 = 8;

/// A directory with some payouts, closed in order.
async fn closed() -> TempDir {
    let data = TempDir::new().expect("a directory");
    let server = Server::start(data.path());
    let client = connect(&server).await;
    client.furnish(&["s1"]).await;
    for number in 0..PAYOUTS {
        let request = authorize("s1", &format!("request-{number}"), &format!("o{number}"), 100);
        client.authorize_payout(request).await.expect("an answer");
    }
    drop(client);
    assert!(server.stop().await.success());
    data
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a listing") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_data_directory_is_refused_with_a_clear_error() {
    let data = TempDir::new().expect("a directory");
    let server = Server::start(data.path());
    let client = connect(&server).await;
    client.furnish(&["s1"]).await;
    let expected = "bursar.lock is locked: another Bursar serves this data directory";
    let said = refusal(data.path()).await;
    assert!(said.contains(expected), "{said}");
    let (code, said) = verify(data.path(), &[]);
    assert!(code == 2 && said.contains(expected) && !said.contains("DAMAGED"), "{said}");
    client.authorize_payout(authorize("s1", "r1", "o1", 100)).await.expect("the first goes on");
}

#[tokio::test]
async fn a_message_over_the_size_limit_is_refused_and_the_service_goes_on() {
    let data = TempDir::new().expect("a directory");
    let server = Server::start(data.path());
    let client = connect(&server).await;
    client.furnish(&["s1"]).await;
    let revision = CreateRevisionRequest {
        parent: PROGRAMME.to_owned(),
        yaml: "#".repeat(MAX_MESSAGE_BYTES + 1),
        ..CreateRevisionRequest::default()
    };
    let status = client.create_revision(revision).await.expect_err("a refusal");
    assert!(status.message().contains(&MAX_MESSAGE_BYTES.to_string()), "{status}");
    assert_refused::<()>(Err(status), Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    client.authorize_payout(authorize("s1", "r1", "o1", 100)).await.expect("it goes on");
    sums::check(&client, "s1").await;
}

#[tokio::test]
async fn a_missing_fence_is_refused_and_the_message_says_what_to_do() {
    let data = closed().await;
    fs::remove_file(data.path().join("durable.fence")).expect("removed");
    let command = format!("bursar verify --data {} --rebuild-fence", data.path().display());
    let said = refusal(data.path()).await;
    assert!(said.contains("durable.fence is missing") && said.contains(&command), "{said}");
    let (code, said) = verify(data.path(), &[]);
    assert!(code == 1 && said.contains(&command), "{said}");

    let (code, said) = verify(data.path(), &["--rebuild-fence"]);
    assert!(code == 0 && said.contains("nothing will tell any more"), "{said}");
    let (code, said) = verify(data.path(), &["--rebuild-fence"]);
    assert!(code == 1 && said.contains("is there"), "only a lost one is written anew: {said}");
    assert_eq!(assert_clean(data.path()), PAYOUTS);
    let server = Server::start(data.path());
    let payouts = sums::check(&connect(&server).await, "s1").await;
    assert_eq!(payouts.len() as u64, PAYOUTS);
}

#[tokio::test]
async fn a_flipped_byte_is_refused_and_the_message_names_the_record() {
    let data = closed().await;
    let journal = Path::new("journal/00000000000000000001.log");
    let log = fs::read(data.path().join(journal)).expect("a file of the journal");
    // What a record of the middle says, the first and the last time it is there.
    let said = b"request-3";
    let places: Vec<usize> =
        (0..log.len()).filter(|at| log.get(*at..).is_some_and(|l| l.starts_with(said))).collect();
    let (first, last) = (places.first().expect("a place"), places.last().expect("a place"));
    for place in [first, last] {
        for is_served in [true, false] {
            let damaged = TempDir::new().expect("a directory");
            copy(data.path(), damaged.path());
            let mut log = log.clone();
            log[*place] ^= 1;
            fs::write(damaged.path().join(journal), log).expect("written");
            let said = if is_served {
                refusal(damaged.path()).await
            } else {
                let (code, said) = verify(damaged.path(), &["--json"]);
                assert_eq!(code, 1, "{said}");
                let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
                assert!(report["sequence"].is_u64(), "{said}");
                said
            };
            assert!(said.contains("record") && said.contains("restore it from a backup"), "{said}");
        }
    }
    assert_eq!(assert_clean(data.path()), PAYOUTS, "the original is sound");
}

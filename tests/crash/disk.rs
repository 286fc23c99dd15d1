//! Disks that wait, fail, or are full: `shim.c` stands between the server and
//! the kernel.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use bursar::proto::v1::Decision;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    connect,
    process::{PATIENCE, Server, assert_clean},
    sums,
    trial::{Client, assert_refused, authorize, execute},
};

/// How long an answer that must not come is waited for.
const NOT_YET: Duration = Duration::from_millis(500);

/// Compiles the shim, once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let name = format!("shim-{}.so", std::process::id());
        let shim = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crash/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source);
        assert!(compiler.status().expect("a C compiler, `cc`").success());
        shim
    })
}

/// A data directory, and beside it the files that tell the disk what to do.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory") }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn serve(&self) -> Server {
        let data = self.data();
        let [gate, error, full, log] =
            ["gate", "sync-error", "full", "log"].map(|name| self.file(name));
        let env: [(&str, &OsStr); 6] = [
            ("LD_PRELOAD", shim().as_ref()),
            ("BURSAR_TEST_GATE", gate.as_ref()),
            ("BURSAR_TEST_SYNC_ERROR", error.as_ref()),
            ("BURSAR_TEST_FULL", full.as_ref()),
            ("BURSAR_TEST_LOG", log.as_ref()),
            ("BURSAR_TEST_DATA", data.as_ref()),
        ];
        Server::start_with(&data, &env)
    }

    /// Calls of `fdatasync` on the journal: how many began, how many ended.
    fn syncs(&self) -> (usize, usize) {
        let log = fs::read_to_string(self.file("log")).unwrap_or_default();
        let of_journal = |l: &&str| l.contains("/data/journal/");
        let count = |what| log.lines().filter(of_journal).filter(|l| l.starts_with(what)).count();
        (count("begin "), count("end "))
    }

    fn set(&self, file: &str, content: &str) {
        fs::write(self.file(file), content).expect("written");
    }

    fn unset(&self, file: &str) {
        fs::remove_file(self.file(file)).expect("removed");
    }
}

#[tokio::test]
async fn replies_wait_for_the_disk() {
    let place = Place::new();
    let server = place.serve();
    let client = connect(&server).await;
    client.furnish(&["s1"]).await;
    let before = place.syncs();
    assert!(before.0 > 0, "the journal was synced");

    place.set("gate", "");
    let asking = client.authorize_payout(authorize("s1", "r1", "o1", 100));
    tokio::pin!(asking);
    assert!(timeout(NOT_YET, &mut asking).await.is_err(), "answered before the disk was");
    let (begun, ended) = place.syncs();
    assert!(begun > ended, "a sync is under way: {begun} began, {ended} ended");
    // Nor is it shown to anybody else.
    let listing = client.every_payout("s1");
    tokio::pin!(listing);
    if let Ok(listed) = timeout(NOT_YET, &mut listing).await {
        assert_eq!(listed, [], "what is not durable is not listed");
    }

    place.unset("gate");
    let receipt = timeout(PATIENCE, asking).await.expect("in time").expect("an answer");
    assert_eq!(receipt.decision(), Decision::Allow);
    assert!(place.syncs().1 > ended);
    server.kill();

    let server = Server::start(&place.data());
    let payout = connect(&server).await.payout(&receipt.payout).await.expect("it is there");
    assert_eq!(payout.request_id, "r1");
}

/// What is answered when nothing can be kept any more, and what is left.
async fn fails(file: &str, content: &str, cause: &str) {
    let place = Place::new();
    let mut server = place.serve();
    let client = connect(&server).await;
    client.furnish(&["s1"]).await;
    let kept = client.authorize_payout(authorize("s1", "kept", "o1", 100)).await;
    let kept = kept.expect("an answer");
    let executed = client.execute_payout(execute(&kept.payout)).await.expect("an answer");

    place.set(file, content);
    let lost = authorize("s1", "lost", "o2", 200);
    let answer = timeout(PATIENCE, client.authorize_payout(lost.clone())).await;
    assert_refused(answer.expect("in time"), Code::Unavailable, "STORE_UNAVAILABLE");
    // Also when the disk is well again: what it dropped it does not say.
    place.unset(file);
    nothing_is_answered(&client, &kept.payout).await;
    assert!(server.log().contains(cause), "{}", server.log());
    // Load balancers are told, and whoever keeps it running.
    assert_eq!(health(server.channel().await).await, ServingStatus::NotServing);
    drop(client);
    assert_eq!(server.ended().await.code(), Some(1));

    let server = Server::start(&place.data());
    let client = connect(&server).await;
    assert_eq!(client.payout(&kept.payout).await.expect("it is there"), executed);
    let receipt = client.authorize_payout(lost).await.expect("an answer");
    assert_eq!(receipt.decision(), Decision::Allow);
    assert_eq!(sums::check(&client, "s1").await.len(), 2);
    drop(client);
    assert!(server.stop().await.success());
    assert_eq!(assert_clean(&place.data()), 2);
}

async fn health(channel: Channel) -> ServingStatus {
    let request = HealthCheckRequest { service: "bursar.v1.PayoutService".to_owned() };
    let answer = HealthClient::new(channel).check(request).await.expect("a status");
    answer.into_inner().status()
}

async fn nothing_is_answered(client: &Client, payout: &str) {
    // Longer than the engine takes to look after itself.
    for _ in 0..3 {
        let unavailable = |answer| assert_refused(answer, Code::Unavailable, "STORE_UNAVAILABLE");
        unavailable(client.payout(payout).await.map(|_| ()));
        unavailable(client.authorize_payout(authorize("s1", "kept", "o1", 100)).await.map(|_| ()));
        unavailable(client.authorize_payout(authorize("s1", "new", "o3", 100)).await.map(|_| ()));
        sleep(Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn a_sync_that_fails_is_answered_and_nothing_after_it() {
    fails("sync-error", "5", "os error 5").await;
}

#[tokio::test]
async fn a_sync_that_finds_no_room_is_answered_and_nothing_after_it() {
    fails("sync-error", "28", "os error 28").await;
}

#[tokio::test]
async fn a_full_disk_is_answered_and_nothing_is_lost() {
    fails("full", "", "No space left on device").await;
}

#[tokio::test]
async fn a_disk_that_fails_while_the_server_stops_is_told_by_its_exit_code() {
    let place = Place::new();
    let mut server = place.serve();
    let client = connect(&server).await;
    client.furnish(&["s1"]).await;
    server.tell_to_stop();
    // It still answers for a while, so that load balancers notice.
    client.authorize_payout(authorize("s1", "kept", "o1", 100)).await.expect("an answer");
    place.set("sync-error", "5");
    let lost = client.authorize_payout(authorize("s1", "lost", "o2", 100)).await;
    assert_refused(lost, Code::Unavailable, "STORE_UNAVAILABLE");
    drop(client);
    assert_eq!(server.ended().await.code(), Some(1), "{}", server.log());
}

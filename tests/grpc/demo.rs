//! `bursar demo`, outside the checkout: the story, and then a service that
//! knows all of it.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use bursar::proto::v1::{ListPayoutsRequest, payout_service_client::PayoutServiceClient};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use super::process::{PATIENCE, bursar};

/// A process that is killed when the test lets go of it.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_demonstration_plays_its_day_and_then_stays_up_until_it_is_told_to_stop() {
    let elsewhere = TempDir::new().expect("a directory");
    let mut command = bursar();
    command.args(["demo", "--listen", "127.0.0.1:0"]).current_dir(elsewhere.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut demo = Child(command.spawn().expect("a demonstration"));
    let story = BufReader::new(demo.0.stdout.take().expect("a pipe"));
    let address = story.lines().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("stays up on ")?;
        rest.split_whitespace().next().map(ToOwned::to_owned)
    });
    let address = address.expect("it ends its story by saying where it stays up");

    let mut payouts = PayoutServiceClient::new(connect(&address).await);
    let parent = "platforms/demo/shops/teahouse".to_owned();
    let request = ListPayoutsRequest { parent, ..Default::default() };
    let listed = payouts.list_payouts(request).await.expect("a listing").into_inner();
    assert!(!listed.payouts.is_empty(), "what the story did is there");

    drop(payouts);
    let pid = demo.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("a signal").success());
    let ended = tokio::task::spawn_blocking(move || demo.0.wait().map(|status| status.code()));
    let code = tokio::time::timeout(PATIENCE, ended).await.expect("in time").expect("no panic");
    assert_eq!(code.expect("waited for"), Some(0));
}

/// It says where it stays up a moment before it does.
async fn connect(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let trying = async {
        loop {
            if let Ok(channel) = endpoint.connect().await {
                return channel;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("in time")
}

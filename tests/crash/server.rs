//! `bursar serve` as a child process on a data directory, and other commands.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use tonic::transport::{Channel, Endpoint};

use crate::trial::Client;

/// How long anything may take before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server. Killed when it is dropped.
pub struct Server {
    child: Child,
    pub address: String,
    log: Arc<Mutex<String>>,
}

fn bursar() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    for name in ["BURSAR_LISTEN", "BURSAR_STORE", "BURSAR_DATA", "BURSAR_TOKENS", "BURSAR_LOG"] {
        command.env_remove(name);
    }
    command
}

fn serving(data: &Path) -> Command {
    let mut command = bursar();
    command.args(["serve", "--store", "sled", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Server {
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    pub fn start_with(data: &Path, env: &[(&str, &OsStr)]) -> Self {
        let mut child = serving(data).envs(env.iter().copied()).spawn().expect("a server");
        let stderr = child.stderr.take().expect("a pipe");
        let log = Arc::new(Mutex::new(String::new()));
        let (found, address) = mpsc::channel();
        let lines = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _ = found.send(address);
                }
                let mut log = lines.lock().expect("the log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut server = Self { child, address: String::new(), log };
        match address.recv_timeout(PATIENCE) {
            Ok(address) => server.address = address,
            Err(_) => panic!("no server: {}", server.log()),
        }
        server
    }

    pub async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        endpoint.expect("an address").connect().await.expect("a connection")
    }

    pub async fn client(&self) -> Client {
        Client::new(self.channel().await)
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }

    /// SIGTERM, and what it exits with. Asynchronous so that clients hear the
    /// server's goodbye and hang up.
    pub async fn stop(self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("a signal").success());
        self.ends().await
    }

    /// What it exits with without being told to.
    pub async fn ends(mut self) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("waited for") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not end: {}", self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let is_serving = line.get("message")? == "serving";
    is_serving.then(|| line["address"].as_str().map(ToOwned::to_owned))?
}

/// What a child exits with; `None` if it does not.
fn exit(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().expect("waited for") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Why a server refuses to start on a directory.
pub fn refusal(data: &Path) -> String {
    let mut child = serving(data).spawn().expect("a server");
    let status = exit(&mut child);
    if status.is_none() {
        child.kill().expect("killed");
    }
    let Output { stderr, .. } = child.wait_with_output().expect("output");
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
    said
}

/// `bursar verify`: its exit code, and all it said.
pub fn verify(data: &Path, more: &[&str]) -> (i32, String) {
    let output = bursar().arg("verify").arg("--data").arg(data).args(more).output();
    let Output { status, stdout, stderr } = output.expect("it ran");
    let said = [stdout, stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    (status.code().unwrap_or(-1), said)
}

/// `bursar verify` finds nothing wrong; how many decisions it recomputed.
#[track_caller]
pub fn assert_clean(data: &Path) -> u64 {
    let (code, said) = verify(data, &["--json"]);
    assert_eq!(code, 0, "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(report["ok"], true);
    assert_eq!(report["decisions"], report["decisions_recomputed"]);
    report["decisions"].as_u64().expect("a number")
}

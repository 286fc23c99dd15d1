//! `bursar serve` as a child process of a test: its own port and folder, its log
//! read while it runs, killed when the test lets go of it; and other commands.
#![allow(
    dead_code,
    clippy::indexing_slicing,
    reason = "each test binary uses a part of it; a panic is how a test fails"
)]

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use tonic::transport::{Channel, Endpoint};

/// How long anything may take before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A server. Killed when it is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// The binary, without what the machine's environment says to it.
pub fn bursar() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    for name in ["BURSAR_LISTEN", "BURSAR_STORE", "BURSAR_DATA", "BURSAR_TOKENS", "BURSAR_LOG"] {
        command.env_remove(name);
    }
    command
}

fn serving() -> Command {
    let mut command = bursar();
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("BURSAR_LOG", "info");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A server that was just told to open a directory.
pub struct Opening(Server);

impl Opening {
    pub fn start(data: &Path) -> Self {
        Self(Server::run(serving().args(["--store", "sled", "--data"]).arg(data)).0)
    }

    /// SIGKILL.
    pub fn kill(self) {
        self.0.kill();
    }
}

impl Server {
    /// Starts one that keeps nothing, and waits until it serves.
    pub fn in_memory() -> Self {
        Self::spawn(serving().args(["--store", "memory"]))
    }

    /// Starts one on a data directory, and waits until it serves.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same with more environment.
    pub fn start_with(data: &Path, env: &[(&str, &OsStr)]) -> Self {
        let mut command = serving();
        command.args(["--store", "sled", "--data"]).arg(data);
        Self::spawn(command.envs(env.iter().copied()))
    }

    /// The same; what it says, if it does not come to serve.
    pub fn try_start(data: &Path, env: &[(&str, &OsStr)]) -> Result<Self, String> {
        let mut command = serving();
        command.args(["--store", "sled", "--data"]).arg(data);
        Self::try_spawn(command.envs(env.iter().copied()))
    }

    fn spawn(command: &mut Command) -> Self {
        Self::try_spawn(command).unwrap_or_else(|log| panic!("no server: {log}"))
    }

    fn try_spawn(command: &mut Command) -> Result<Self, String> {
        let (mut server, address) = Self::run(command);
        match address.recv_timeout(PATIENCE) {
            Ok(address) => server.address = address,
            Err(_) => return Err(server.log()),
        }
        Ok(server)
    }

    /// Runs one that may not come to serve; its address is told when it does.
    fn run(command: &mut Command) -> (Self, mpsc::Receiver<String>) {
        let mut child = command.spawn().expect("a server");
        let stderr = child.stderr.take().expect("a pipe");
        let log = Arc::new(Mutex::new(String::new()));
        let (found, address) = mpsc::channel();
        let lines = log.clone();
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _ = found.send(address);
                }
                let mut log = lines.lock().expect("the log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        (Self { child, address: String::new(), log, reader: Some(reader) }, address)
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).expect("an address")
    }

    /// A new connection.
    pub async fn channel(&self) -> Channel {
        self.endpoint().connect().await.expect("a connection")
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

    /// SIGTERM.
    pub fn tell_to_stop(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("a signal").success());
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it was started here").is_some()
    }

    /// What it exits with, told to stop. Asynchronous so that clients hear the
    /// server's goodbye and hang up.
    pub async fn stop(mut self) -> ExitStatus {
        self.tell_to_stop();
        self.ended().await
    }

    /// What it exits with; then its log is whole.
    pub async fn ended(&mut self) -> ExitStatus {
        for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
            if let Some(status) = self.child.try_wait().expect("waited for") {
                if let Some(reader) = self.reader.take() {
                    reader.join().expect("its log was read");
                }
                return status;
            }
            tokio::time::sleep(LOOK_EVERY).await;
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

/// Why a server refuses to start on a directory.
pub async fn refusal(data: &Path) -> String {
    let (mut server, _) = Server::run(serving().args(["--store", "sled", "--data"]).arg(data));
    let status = server.ended().await;
    assert_eq!(status.code(), Some(1), "{}", server.log());
    server.log()
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

//! A `bursar serve` process for a test: its own port and folder, its log read
//! while it runs, killed when the test lets go of it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use serde_json::Value;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    /// What it logged so far, as it came.
    pub log: Vec<String>,
    /// Where it listens.
    pub address: String,
}

impl Server {
    /// Starts one and waits until it serves.
    pub fn start(store: &str, data: &Path) -> Self {
        let mut server = Self::spawn(store, data);
        loop {
            let Some(line) = server.next_line() else {
                panic!("it ended before it served:\n{}", server.log.join("\n"));
            };
            let Ok(record) = serde_json::from_str::<Value>(&line) else { continue };
            if record.get("message").and_then(Value::as_str) == Some("serving") {
                let address = record.get("address").and_then(Value::as_str);
                address.expect("an address").clone_into(&mut server.address);
                return server;
            }
        }
    }

    /// Starts one that may fail to serve.
    pub fn spawn(store: &str, data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bursar"))
            .args(["serve", "--store", store, "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env_remove("BURSAR_TOKENS")
            .env("BURSAR_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (sender, lines) = channel();
        let log = BufReader::new(child.stderr.take().expect("a piped stderr"));
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                // Nobody listens any more when the test has ended.
                let _ = sender.send(line);
            }
        });
        Self { child, lines, log: Vec::new(), address: String::new() }
    }

    /// The next line it logs. None when it has ended.
    fn next_line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.log.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("nothing happens; its log:\n{}", self.log.join("\n"))
            }
        }
    }

    /// Sends it SIGTERM.
    pub fn tell_to_stop(&self) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(told.success(), "process {pid} cannot be told to stop");
    }

    /// Waits until it has ended, and reads the rest of its log.
    pub fn ended(&mut self) -> ExitStatus {
        while self.next_line().is_some() {}
        self.child.wait().expect("it was started here")
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it was started here").is_some()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

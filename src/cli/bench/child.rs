//! Servers that the bench starts: this binary in processes of their own, on
//! free ports of this machine, ended with the bench.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::now;

/// How long a server may take to start; one with a long history takes longer.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long it may take to catch up after a load, and to put things away.
const MOST_CATCHING_UP: Duration = Duration::from_secs(600);
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A server that does next to nothing for so long is idle.
const QUIET: Duration = Duration::from_millis(400);
/// What counts as next to nothing: less of a processor than this, of a look.
const NEXT_TO_NOTHING: Duration = Duration::from_millis(20);
/// Linux counts processor time in hundredths of a second.
const MILLIS_PER_TICK: u64 = 10;

/// What a server says on its log.
enum Said {
    /// Where it listens.
    Serving(String),
    /// That it answers nobody any more and puts things away, and when.
    PuttingAway(Instant),
    /// Something went wrong.
    Wrong(String),
}

/// Memory of a process, in KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// Resident at most, since it was started.
    pub peak: u64,
}

/// A server process. Killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    said: mpsc::Receiver<Said>,
    /// Where it listens.
    pub address: String,
}

impl Server {
    /// Bursar on a data directory.
    ///
    /// # Errors
    /// If it does not come to serve.
    pub fn bursar(store: &str, data: &Path) -> Result<Self, String> {
        let store = ["serve", "--listen", "127.0.0.1:0", "--store", store, "--data"];
        let mut args: Vec<OsString> = store.map(OsString::from).to_vec();
        args.push(data.into());
        Self::start(&args)
    }

    /// The baseline, answering with so many bytes.
    ///
    /// # Errors
    /// If it does not come to serve.
    pub fn baseline(bytes: usize) -> Result<Self, String> {
        Self::start(&["bench".into(), "--serve-noop".into(), bytes.to_string().into()])
    }

    fn start(args: &[OsString]) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        // What the environment says about a server is about another one.
        let ours = std::env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| name.to_str().is_some_and(|name| name.starts_with("BURSAR_")));
        for name in ours {
            command.env_remove(name);
        }
        let mut child = command
            .args(args)
            .env("BURSAR_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("no server: {error}"))?;
        let log = child.stderr.take().ok_or("a server without a log")?;
        let (says, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let Some(heard) = heard(&line) else { continue };
                if let Said::Wrong(line) = &heard {
                    // For whoever runs the bench, too.
                    eprintln!("{line}");
                }
                // It may have been heard enough.
                let _ = says.send(heard);
            }
        });
        let mut server = Self { child, said, address: String::new() };
        match server.said.recv_timeout(PATIENCE) {
            Ok(Said::Serving(address)) => server.address = address,
            Ok(Said::Wrong(line)) => return Err(format!("the server does not start: {line}")),
            Ok(Said::PuttingAway(_)) | Err(_) => return Err("the server does not start".to_owned()),
        }
        Ok(server)
    }

    /// Processor time it took so far, user and system.
    pub fn cpu(&self) -> Duration {
        cpu(&self.child.id().to_string())
    }

    /// Memory that it has, and that it had at most.
    pub fn memory(&self) -> Option<Memory> {
        memory_in(&fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?)
    }

    /// Bytes it had written to disk so far.
    fn written(&self) -> u64 {
        let path = format!("/proc/{}/io", self.child.id());
        written_in(&fs::read_to_string(path).unwrap_or_default())
    }

    /// Waits until it has nothing to do any more. How long that took: to the
    /// last moment at which it still did something.
    pub async fn idle(&self) -> Duration {
        let begin = now();
        let (mut busy, mut cpu, mut written) = (begin, self.cpu(), self.written());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let looked = now();
            let (cpu_now, written_now) = (self.cpu(), self.written());
            if cpu_now.saturating_sub(cpu) >= NEXT_TO_NOTHING || written_now > written {
                busy = looked;
            }
            (cpu, written) = (cpu_now, written_now);
            let quiet = looked.saturating_duration_since(busy) >= QUIET;
            if quiet || looked.saturating_duration_since(begin) >= MOST_CATCHING_UP {
                return busy.saturating_duration_since(begin);
            }
        }
    }

    /// Tells it to stop, and waits until it has. How long it took to put things
    /// away, without the time that it leaves to load balancers and callers.
    ///
    /// # Errors
    /// If it does not end, or ends badly.
    pub async fn stop(&mut self) -> Result<Duration, String> {
        let begin = now();
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let id = id.ok_or("a server without an id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)
            .map_err(|error| format!("the server cannot be told to stop: {error}"))?;
        while now().saturating_duration_since(begin) < MOST_CATCHING_UP {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                if !status.success() {
                    return Err(format!("the server ended with {status}"));
                }
                let ended = now();
                let away = self.said.try_iter().find_map(|said| match said {
                    Said::PuttingAway(since) => Some(ended.saturating_duration_since(since)),
                    Said::Serving(_) | Said::Wrong(_) => None,
                });
                return away.ok_or_else(|| "the server did not say when it had drained".to_owned());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err("the server does not stop".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a line of the log says to the bench. `None`: nothing that matters.
fn heard(line: &str) -> Option<Said> {
    let Ok(parsed) = serde_json::from_str::<serde_json::Value>(line) else {
        return Some(Said::Wrong(line.to_owned()));
    };
    let field = |name| parsed.get(name).and_then(serde_json::Value::as_str);
    match (field("level"), field("message")) {
        (Some("INFO"), Some("serving")) => Some(Said::Serving(field("address")?.to_owned())),
        (Some("INFO"), Some("putting the store away")) => Some(Said::PuttingAway(now())),
        (Some("INFO"), _) => None,
        _ => Some(Said::Wrong(line.to_owned())),
    }
}

/// Processor time of a process, by its id or "self".
pub fn cpu(process: &str) -> Duration {
    cpu_in(&fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default())
}

fn cpu_in(stat: &str) -> Duration {
    // The second field is a name in parentheses and may contain anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * MILLIS_PER_TICK)
}

fn written_in(io: &str) -> u64 {
    // Not `wchar`: that counts what is written to sockets and to itself, too.
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0)
}

fn memory_in(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_that_may_be_anything() {
        let stat = "71 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(cpu_in(stat), Duration::from_secs(2));
        assert_eq!(cpu_in(""), Duration::ZERO);
    }

    #[test]
    fn bytes_written_are_those_that_went_to_disk() {
        assert_eq!(written_in("rchar: 5\nwchar: 99\nwrite_bytes: 77\ncancelled: 1\n"), 77);
        assert_eq!(written_in(""), 0);
    }

    #[test]
    fn memory_is_what_is_resident_and_was_at_most() {
        let status = "Name:\tbursar\nVmHWM:\t  2200 kB\nVmRSS:\t  1100 kB\n";
        assert_eq!(memory_in(status), Some(Memory { resident: 1100, peak: 2200 }));
        assert_eq!(memory_in("Name:\tgone\n"), None);
    }

    #[test]
    fn of_a_log_is_heard_what_matters() {
        let line = |level: &str, message: &str| {
            format!(r#"{{"level":"{level}","message":"{message}","address":"127.0.0.1:7"}}"#)
        };
        let serving = heard(&line("INFO", "serving"));
        assert!(matches!(serving, Some(Said::Serving(address)) if address == "127.0.0.1:7"));
        let away = heard(&line("INFO", "putting the store away"));
        assert!(matches!(away, Some(Said::PuttingAway(_))));
        assert!(heard(&line("INFO", "stopped")).is_none());
        for wrong in [line("ERROR", "serving"), "thread 'writer' panicked".to_owned()] {
            assert!(matches!(heard(&wrong), Some(Said::Wrong(_))), "{wrong}");
        }
    }
}

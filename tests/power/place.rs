//! Where a test's files are, and the libraries that stand between the server
//! and its disk.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::process::Server;

/// How often rows are put away in some rounds: so often that many a crash comes
/// in the middle of it.
pub const OFTEN: &str = "40";

/// After which time without an act a server counts as idle.
const IDLE: Duration = Duration::from_secs(1);

/// Compiles a library, once.
fn library(source: &str) -> PathBuf {
    let name = Path::new(source).file_stem().and_then(OsStr::to_str).expect("a name");
    let name = format!("power-{name}-{}.so", std::process::id());
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-pthread", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().expect("a C compiler, `cc`").success());
    library
}

/// Notes what is written.
pub fn recorder() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| library("power/recorder.c"))
}

/// Fails when it is told to.
pub fn failing_disk() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| library("crash/shim.c"))
}

/// A directory of a test. What is below `root` is the server's.
pub struct Place {
    dir: TempDir,
}

impl Place {
    /// On a real disk.
    pub fn new() -> Self {
        let place = Self { dir: TempDir::new().expect("a directory") };
        fs::create_dir(place.root()).expect("a directory");
        place
    }

    /// In memory, where there is room: for what is only read again.
    pub fn in_memory() -> Self {
        let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
        let place = Self { dir: dir.expect("a directory") };
        fs::create_dir(place.root()).expect("a directory");
        place
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn root(&self) -> PathBuf {
        self.file("root")
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// Starts a server whose disk is noted. What it says if it does not serve.
    pub fn serve_noted(&self, checkpoints: &str, bug: Option<&str>) -> Result<Server, String> {
        let [root, log, stop] =
            [self.root(), self.file("log"), self.file("stop")].map(PathBuf::into_os_string);
        let mut env: Vec<(&str, &OsStr)> = vec![
            ("LD_PRELOAD", recorder().as_os_str()),
            ("BURSAR_RECORD_ROOT", &root),
            ("BURSAR_RECORD_LOG", &log),
            ("BURSAR_RECORD_STOP", &stop),
            ("BURSAR_CHECKPOINT_RECORDS", OsStr::new(checkpoints)),
        ];
        env.extend(bug.map(|bug| ("BURSAR_RECORD_BUG", OsStr::new(bug))));
        Server::try_start(&self.data(), &env)
    }

    /// Kills a server whose disk is noted, between two acts.
    pub fn kill_noted(&self, server: Server) {
        let [stop, seen] = ["stop", "stop.seen"].map(|name| self.file(name));
        fs::write(&stop, "").expect("written");
        // A server that has nothing to write is between two acts too.
        let until = Instant::now() + IDLE;
        while !seen.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        server.kill();
        fs::remove_file(stop).expect("removed");
        // There if it was seen.
        let _ = fs::remove_file(seen);
    }
}

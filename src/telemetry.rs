//! Logs: for people on a terminal, JSON lines otherwise. `BURSAR_LOG` filters
//! them (`info` by default).

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Starts logging, once.
pub fn init() {
    let filter = EnvFilter::try_from_env("BURSAR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let started = if std::io::stderr().is_terminal() {
        let ansi = std::env::var_os("NO_COLOR").is_none();
        registry
            .with(fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(ansi))
            .try_init()
    } else {
        registry
            .with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init()
    };
    // A second start in one process (tests) keeps the first.
    let _ = started;
}

//! The commands of the `bursar` binary, one module each, and what they share:
//! colours, and how they give up. Parsing of the whole command line is not here.

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    process::ExitCode,
};

pub mod args;
pub mod backup;
pub mod bench;
pub mod call;
pub mod demo;
pub mod export;
pub mod local;
pub mod paper;
pub mod policy;
mod progress;
pub mod published;
pub mod restore;
pub mod retain;
pub mod scenario;
pub mod serve;
pub mod store;
pub mod verify;

/// Colours, if whoever reads is a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ink {
    on: bool,
}

impl Ink {
    /// Colours for that output, unless it is not a terminal or `NO_COLOR` is set.
    #[must_use]
    pub fn on(output: &impl IsTerminal) -> Self {
        Self { on: output.is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    /// For what went well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// For what did not.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.paint("31;1", text)
    }

    /// For what is told.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// For what matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Prints a line. A reader that went away, such as `head`, is no error of ours:
/// what is still to be said is then said to nobody.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says why and gives up.
pub fn failed(problem: &str) -> ExitCode {
    eprintln!("{} {problem}", Ink::on(&std::io::stderr()).bad("error:"));
    ExitCode::FAILURE
}

//! Scenario files as typed data. Everything that can be wrong with one is
//! found when it is read, with file and line; running finds only what the
//! service answers.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use prost_reflect::MethodDescriptor;

use super::reader::Reader;
use crate::yaml::located::Node;

/// A list of calls under a clock.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, in a sentence.
    pub name: String,
    /// The file it was read from.
    pub path: PathBuf,
    /// What the clock shows before the first step.
    pub clock: Timestamp,
    /// The steps, those of included files first.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The file it is written in: an included one, perhaps.
    pub file: Arc<Path>,
    /// Its line there.
    pub line: u32,
    /// Request metadata, the file's and its own. Values may name variables.
    pub metadata: Vec<(String, String)>,
    /// What a demonstration tells its reader before the step. Scenarios skip it.
    pub say: Option<String>,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Calls a method.
    Call(Box<Call>),
    /// Installs a policy: creates a revision from a file and activates it.
    Policy(PolicyStep),
    /// Moves the clock on by a duration, or to an instant.
    Clock(ClockStep),
    /// Stops the service and opens its store again.
    Restart {
        /// False: as if it were killed.
        drain: bool,
    },
}

/// A call and what is expected of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: MethodDescriptor,
    /// The request, with variables in it.
    pub request: Node,
    /// What to keep of the answer.
    pub save: Vec<Save>,
    /// What is expected.
    pub expect: Expect,
}

/// What is expected of a call.
#[derive(Clone, Debug)]
pub enum Expect {
    /// An answer, whatever it says.
    Answer,
    /// An answer that says at least this.
    Subset(Node),
    /// A failure that says at least this.
    Failure(Node),
}

/// A part of an answer that later steps use.
#[derive(Clone, Debug)]
pub struct Save {
    /// The name later steps use, as `${name}`.
    pub name: String,
    /// The path into the answer.
    pub path: String,
    /// Its line.
    pub line: u32,
}

/// A policy and where it goes.
#[derive(Clone, Debug)]
pub struct PolicyStep {
    /// The file, under the directory of policies.
    pub file: String,
    /// The programme, `platforms/*/programmes/*`. May name variables.
    pub programme: String,
}

/// How the clock moves on. Texts, because they may name variables.
#[derive(Clone, Debug)]
pub enum ClockStep {
    /// By a duration: `61s`, `30m`, `24h`, `1h 30m`.
    Wait(String),
    /// To an instant in RFC 3339.
    Until(String),
}

/// A duration of `wait`, as protobuf writes one or with larger units.
#[must_use]
pub fn parse_wait(text: &str) -> Option<SignedDuration> {
    // Friendly as jiff calls it; the other form it reads is ISO 8601's.
    let duration: SignedDuration = text.parse().ok()?;
    (!duration.is_negative() && !text.starts_with('P')).then_some(duration)
}

/// What a file is.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// A scenario.
    Scenario(Box<Scenario>),
    /// Steps without a name: for other files to include, not run by itself.
    Fragment,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub description: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.description)
    }
}

/// Reads a file and those it includes.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load(path: &Path) -> Result<Loaded, Vec<FileProblem>> {
    let mut reader = Reader::default();
    let found = reader.read(path);
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    let problem = |description: &str| {
        let description = description.to_owned();
        vec![FileProblem { file: path.to_owned(), line: 1, description }]
    };
    let Some(name) = found.name else { return Ok(Loaded::Fragment) };
    let clock =
        found.clock.ok_or_else(|| problem("`clock` is missing: the instant it begins at"))?;
    if found.steps.is_empty() {
        return Err(problem("there are no steps"));
    }
    let path = path.to_owned();
    Ok(Loaded::Scenario(Box::new(Scenario { name, path, clock, steps: found.steps })))
}

//! `bursar scenario`: lists of calls with a clock, run against the service in
//! process. Owns the file format and the report; the service comes from a
//! [`HostFactory`].

mod came;
mod expect;
#[cfg(test)]
mod expect_tests;
mod file;
mod host;
mod policy;
mod prove;
mod reader;
mod repeat;
mod run;
mod template;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

pub use came::{Came, Member};
pub use expect::{Mismatch, compare};
pub use file::{
    Action, Call, ClockStep, Expect, FileProblem, Loaded, PolicyStep, Save, Scenario, Step, load,
};
pub use host::{Host, HostFactory, Pending};
pub use run::{Failure, Observer, Options, Outcome, play, run_file};

use super::Ink;

/// Runs scenario files against the service in process.
#[derive(Clone, Debug, clap::Args)]
pub struct ScenarioArgs {
    /// Files, or directories of `*.yaml` files, searched all the way down.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// The store each scenario gets a fresh one of.
    #[arg(long, value_name = "STORE", default_value = "memory")]
    pub store: String,
    /// Directory of the policies that `policy` steps name.
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// Send every call that may be repeated twice and compare the answers.
    #[arg(long)]
    pub twice: bool,
    /// Stop the service without notice after each step and open its store again.
    #[arg(long)]
    pub reopen_each_step: bool,
    /// Check each denial's max_amount and reset_time against the service.
    #[arg(long)]
    pub prove_receipts: bool,
}

impl ScenarioArgs {
    /// How the scenarios shall be run.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            policies: self.policies.clone(),
            twice: self.twice,
            reopen_each_step: self.reopen_each_step,
            prove_receipts: self.prove_receipts,
            ..Options::default()
        }
    }
}

/// How many scenarios passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: usize,
    /// Failed, files that could not be read included.
    pub failed: usize,
}

/// Runs the scenarios and reports on the standard output.
pub async fn run(args: &ScenarioArgs, factory: &dyn HostFactory) -> ExitCode {
    let ink = Ink::on(&io::stdout());
    match run_paths(&args.paths, factory, &args.options(), &mut io::stdout(), ink).await {
        Ok(Tally { passed: 0, failed: 0 }) => {
            let _ = writeln!(io::stderr(), "there are no scenarios in these files");
            ExitCode::FAILURE
        }
        Ok(Tally { failed: 0, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        // Whoever read this, such as `head`, went away before all were run.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs files and directories in order of their names, a line for each, more
/// for a failure.
///
/// # Errors
/// A path cannot be read, or the report not written.
pub async fn run_paths(
    paths: &[PathBuf],
    factory: &dyn HostFactory,
    options: &Options,
    out: &mut (dyn Write + Send),
    ink: Ink,
) -> io::Result<Tally> {
    let mut tally = Tally::default();
    for path in files(paths)? {
        let scenario = match load(&path) {
            Ok(Loaded::Fragment) => continue,
            Ok(Loaded::Scenario(scenario)) => scenario,
            Err(problems) => {
                tally.failed += 1;
                writeln!(out, "{} {}", ink.bad("FAIL"), path.display())?;
                for problem in problems {
                    writeln!(out, "     {problem}")?;
                }
                continue;
            }
        };
        match run_file(&scenario, factory, options).await.failure {
            None => {
                tally.passed += 1;
                writeln!(out, "{}   {}", ink.good("ok"), scenario.name)?;
            }
            Some(failure) => {
                tally.failed += 1;
                writeln!(out, "{} {}", ink.bad("FAIL"), scenario.name)?;
                report(&failure, out, ink)?;
            }
        }
        out.flush()?;
    }
    writeln!(out, "{} passed, {} failed", tally.passed, tally.failed)?;
    Ok(tally)
}

fn report(failure: &Failure, out: &mut (dyn Write + Send), ink: Ink) -> io::Result<()> {
    let Failure { step, file, line, what, .. } = failure;
    writeln!(out, "     step {step}, {}:{line}: {what}", file.display())?;
    let indented = |text: &str| text.replace('\n', "\n               ");
    writeln!(out, "     expected: {}", indented(&failure.expected))?;
    writeln!(out, "     came:     {}", indented(&failure.came))?;
    if let Some(answer) = &failure.answer {
        let answer = format!("     answer:   {}", indented(answer));
        writeln!(out, "{}", ink.dim(&answer))?;
    }
    Ok(())
}

/// The files to run: those named, and the `*.yaml` of directories, sorted.
fn files(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside = Vec::new();
            search(path, &mut inside)?;
            inside.sort();
            found.extend(inside);
        } else if path.exists() {
            found.push(path.clone());
        } else {
            let text = format!("{}: there is no such file or directory", path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
    }
    Ok(found)
}

fn search(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        // Not through links: a link to a directory above would never end.
        if entry.file_type()?.is_dir() {
            search(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path);
        }
    }
    Ok(())
}

//! `bursar policy check` and `bursar policy diff`: tools for policy authors.
//! They work on files and need no service.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::{Ink, failed, say};
use crate::{
    api::{policy, policy_reading},
    proto::v1,
};

/// Tools for policy authors.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Say what is wrong with policy files, with lines.
    Check(CheckArgs),
    /// Show what differs between two policy files.
    Diff(DiffArgs),
}

/// Which files to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Policy files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also check that each may follow this one.
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

/// Which files to compare.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The older one.
    old: PathBuf,
    /// The newer one.
    new: PathBuf,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

/// Runs a tool.
pub fn run(command: &PolicyCommand) -> ExitCode {
    match command {
        PolicyCommand::Check(args) => check(args),
        PolicyCommand::Diff(args) => diff(args),
    }
}

fn read(path: &Path) -> Result<policy_reading::Read, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let read = policy_reading::read(None, &text);
    if text.is_empty() {
        return Err(format!("{}: the file is empty", path.display()));
    }
    Ok(read)
}

fn sound(path: &Path) -> Result<v1::Policy, String> {
    let read = read(path)?;
    match (read.policy, read.problems.first()) {
        (Some(policy), None) => Ok(policy),
        (_, problem) => Err(format!(
            "{} has problems{}; see `bursar policy check`",
            path.display(),
            problem.map(|p| format!(" (line {}: {})", p.line, p.description)).unwrap_or_default()
        )),
    }
}

fn check(args: &CheckArgs) -> ExitCode {
    let base = match args.base.as_deref().map(sound).transpose() {
        Ok(base) => base.and_then(|base| policy::compile(&base).ok()),
        Err(problem) => return failed(&problem),
    };
    let ink = Ink::on(&std::io::stdout());
    let mut clean = true;
    for path in &args.files {
        let mut read = match read(path) {
            Ok(read) => read,
            Err(problem) => return failed(&problem),
        };
        if let (Some(base), Some(policy), true) = (&base, &read.policy, read.problems.is_empty()) {
            let new = policy::compile(policy).ok();
            for problem in new.map(|new| policy::compatible(base, &new)).unwrap_or_default() {
                let line = read.lines.as_ref().map_or(0, |lines| lines.line_of(&problem.field));
                read.problems.push(v1::PolicyProblem {
                    field: problem.field,
                    line: i32::try_from(line).unwrap_or(0),
                    reason: problem.reason.as_str().to_owned(),
                    description: problem.description,
                });
            }
        }
        clean &= read.problems.is_empty();
        read.problems.sort_by_key(|p| p.line);
        report(path, &read.problems, args.json, ink);
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(path: &Path, problems: &[v1::PolicyProblem], json: bool, ink: Ink) {
    if json {
        for p in problems {
            let line = serde_json::json!({
                "file": path.display().to_string(), "line": p.line, "field": p.field,
                "reason": p.reason, "description": p.description,
            });
            say(line);
        }
        return;
    }
    if problems.is_empty() {
        say(format!("{} {}", ink.good("ok  "), path.display()));
    }
    for p in problems {
        say(format!(
            "{} {}:{} {} {} {}",
            ink.bad("FAIL"),
            path.display(),
            p.line,
            p.field,
            p.description,
            ink.dim(&format!("({})", p.reason))
        ));
    }
}

fn diff(args: &DiffArgs) -> ExitCode {
    let (old, new) = match (sound(&args.old), sound(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(problem), _) | (_, Err(problem)) => return failed(&problem),
    };
    let differences = match policy::diff(&old, &new) {
        Ok(differences) => differences,
        Err(error) => return failed(&error.to_string()),
    };
    let ink = Ink::on(&std::io::stdout());
    if differences.is_empty() && !args.json {
        say("the two have the same rules");
    }
    for d in differences {
        if args.json {
            say(serde_json::json!({"field": d.field, "before": d.before, "after": d.after}));
            continue;
        }
        say(&d.field);
        if !d.before.is_empty() {
            say(format!("  {}", ink.bad(&format!("- {}", d.before))));
        }
        if !d.after.is_empty() {
            say(format!("  {}", ink.good(&format!("+ {}", d.after))));
        }
    }
    ExitCode::SUCCESS
}

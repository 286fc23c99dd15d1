//! `bursar backup`: a consistent copy of a data directory, also while a service
//! serves it. The store copies and checks; here the result is told.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::{Ink, failed, progress::Progress, say};
use crate::{
    engine::clock::{Clock, SystemClock},
    store::sled::backup::{Failure, Note, back_up},
};

/// What to copy, and where to.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The data directory. A service may have it open; it goes on meanwhile.
    #[arg(long, env = "BURSAR_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// The backup: a folder that is not there yet.
    #[arg(long, value_name = "NEWDIR")]
    to: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Makes a backup.
pub fn run(args: &BackupArgs) -> ExitCode {
    let mut progress = Progress::default();
    let at = SystemClock::new().now().wall;
    let made = back_up(&args.data, &args.to, at, &mut |done, all| progress.bytes(done, all));
    progress.clear();
    match made {
        Ok(note) if args.json => say(as_json(&note, "backup", &args.to)),
        Ok(note) => {
            let ink = Ink::on(&std::io::stdout());
            say(format!("{} {}", ink.good("backed up"), args.to.display()));
            print(&note);
        }
        Err(failure) => return give_up(&failure, args.json),
    }
    ExitCode::SUCCESS
}

/// What is in a backup, for people.
pub(super) fn print(note: &Note) {
    let line = |label: &str, text: String| say(format!("  {label:<11} {text}"));
    let last = note.last_time.as_ref().map(|at| format!(", the last at {at}")).unwrap_or_default();
    line("records", format!("{} in {} commits{last}", note.records, note.commits));
    line("decisions", note.decisions.to_string());
    line("payouts", note.payouts.to_string());
    let platforms: Vec<&str> = note.platforms.iter().map(String::as_str).collect();
    line("platforms", if platforms.is_empty() { "none".to_owned() } else { platforms.join(", ") });
    line("last hash", note.last_hash.clone());
    line("journal", format!("{} ({} bytes)", note.journal, note.bytes));
    line("made", format!("{} by version {}", note.create_time, note.bursar_version));
}

/// What is in a backup, for programs.
pub(super) fn as_json(note: &Note, what: &str, path: &std::path::Path) -> Value {
    let mut said = json!({"ok": true, what: path.display().to_string()});
    if let (Value::Object(said), Ok(Value::Object(note))) = (&mut said, serde_json::to_value(note))
    {
        said.extend(note);
    }
    said
}

/// Says why nothing was copied.
pub(super) fn give_up(failure: &Failure, json: bool) -> ExitCode {
    if !json {
        return failed(&failure.to_string());
    }
    let error = failure.to_string();
    say(json!({"ok": false, "error": error, "sequence": failure.sequence()}));
    ExitCode::FAILURE
}

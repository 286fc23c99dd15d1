//! `bursar restore`: a data directory of a backup. The store copies and checks;
//! here it is told what came back, and what did not.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    Ink,
    backup::{as_json, give_up, print},
    progress::Progress,
    say,
};
use crate::store::sled::backup::restore;

/// What to restore, and where to.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup.
    #[arg(long, value_name = "BACKUP")]
    from: PathBuf,
    /// The data directory: one that is not there yet, or an empty one.
    #[arg(long, env = "BURSAR_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Restores a backup.
pub fn run(args: &RestoreArgs) -> ExitCode {
    let mut progress = Progress::default();
    let made = restore(&args.from, &args.data, &mut |done, all| progress.bytes(done, all));
    progress.clear();
    match made {
        Ok(note) if args.json => say(as_json(&note, "data", &args.data)),
        Ok(note) => {
            let ink = Ink::on(&std::io::stdout());
            say(format!("{} {}", ink.good("restored"), args.data.display()));
            print(&note);
            let after = note.last_time.as_deref().unwrap_or(&note.create_time);
            say(format!(
                "What was answered after {after} is not known here: payouts made since then hold \
                 nothing,\nand their request ids are taken for new ones. Before payers go on, \
                 compare with what the\nchannel paid, and settle by name what is here and record \
                 the rest as movements.\nThe next start makes the rows of the journal: \
                 bursar serve --data {}",
                args.data.display()
            ));
        }
        Err(failure) => return give_up(&failure, args.json),
    }
    ExitCode::SUCCESS
}

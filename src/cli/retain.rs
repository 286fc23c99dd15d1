//! `bursar retain`: lets go of the oldest records of a data directory that nothing
//! serves. The store does it; here it is told what went and what is kept.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use super::{Ink, failed, progress::Progress, say};
use crate::{
    engine::clock::{Clock, SystemClock},
    store::sled::{Counted, Gone, Options, Retain, Retained, Stage, retain},
};

/// Five years, and a day for each leap day that may be in them.
const FIVE_YEARS: u32 = 5 * 365 + 2;
/// Channels report what came back for weeks, and ids of requests that were denied are
/// remembered for 30 days.
const LEAST: i64 = 90;

/// What to let go of.
#[derive(Debug, Args)]
pub struct RetainArgs {
    /// The data directory. No service may have it open.
    #[arg(long, env = "BURSAR_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Keep everything of so many days before now, or before the last record if that was
    /// earlier; 90 at least.
    #[arg(long, default_value_t = FIVE_YEARS, value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(LEAST..))]
    keep_days: u32,
    /// Only tell what would go. The directory is opened as by a start, which finishes what
    /// an interrupted one left.
    #[arg(long)]
    dry_run: bool,
    /// Do not compare what is kept with what the records that go make, nor rows with what
    /// the others make of it, before anything goes: that takes longer than `bursar verify`.
    #[arg(long)]
    unchecked: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Lets go of it.
pub fn run(args: &RetainArgs) -> ExitCode {
    let keep = Duration::from_secs(u64::from(args.keep_days) * 24 * 60 * 60);
    let mut progress = Progress::default();
    let mut tell = |stage| match stage {
        Stage::Going(done, all) => progress.of_records(done, all),
        Stage::Comparing(record, part, of) => progress.part(part, of, record),
    };
    let now = SystemClock::new().now().wall;
    let what = Retain { keep, now, dry_run: args.dry_run, unchecked: args.unchecked };
    let done = retain(&args.data, &Options::default(), &what, &mut tell);
    progress.clear();
    match done {
        Ok(retained) if args.json => say(as_json(args, &retained)),
        Ok(retained) => print(args, &retained),
        Err(damage) if args.json => {
            let error = damage.to_string();
            say(json!({"ok": false, "error": error, "sequence": damage.sequence()}));
            return ExitCode::FAILURE;
        }
        Err(damage) => return failed(&format!("nothing was let go of: {damage}")),
    }
    ExitCode::SUCCESS
}

fn as_json(args: &RetainArgs, retained: &Retained) -> Value {
    let Retained { tip, before, oldest, gone, unfinished } = retained;
    let went = gone.as_ref().map(|Gone { last, records, bytes, counted }| {
        json!({
            "last_sequence": last.sequence,
            "last_time": last.at.to_string(),
            "records": records,
            "bytes": bytes,
            "payouts": counted.map(|counted| counted.gone),
            "payouts_kept": counted.map(|counted| counted.kept),
            "bytes_kept": counted.map(|counted| counted.bytes),
        })
    });
    json!({
        "ok": true,
        "data": args.data.display().to_string(),
        "dry_run": args.dry_run,
        "before": before.to_string(),
        "oldest_sequence": oldest.map(|it| it.sequence),
        "oldest_time": oldest.map(|it| it.at.to_string()),
        "last_sequence": tip.sequence,
        "gone": went,
        "unfinished": unfinished,
    })
}

fn print(args: &RetainArgs, Retained { before, oldest, gone, unfinished, .. }: &Retained) {
    let ink = Ink::on(&std::io::stdout());
    let (data, days) = (args.data.display(), args.keep_days);
    let Some(Gone { last, records, bytes, counted }) = gone else {
        let oldest = oldest.map_or_else(
            || "It has no records".to_owned(),
            |it| format!("Its oldest record, {}, is of {}", it.sequence, it.at),
        );
        say(format!(
            "{} {data}: no file of the journal has only records before {before}, as {days} days \
             are kept. {oldest}",
            ink.good("nothing to let go of")
        ));
        return;
    };
    let line = |label: &str, text: String| say(format!("  {label:<11} {text}"));
    match counted {
        None => say(format!("{} {data}", ink.bold("would let go of"))),
        Some(_) => say(format!("{} {data}", ink.good("let go of"))),
    }
    let upto = format!("{records}, the last of them {} of {}", last.sequence, last.at);
    line("records", format!("{upto}; what is before {before} may go, in whole files"));
    line("journal", format!("{bytes} bytes"));
    if let Some(Counted { gone, kept, bytes }) = counted {
        line("payouts", format!("{gone} that were over, with their decisions and requests"));
        line(
            "kept",
            format!("{kept} payouts that were not, or were changed later, and every order,"),
        );
        line("", format!("meter, movement and configuration: {bytes} bytes in base/"));
    }
    if let Some(why) = unfinished {
        line("left to do", format!("the next start removes what is left: {why}"));
    }
}

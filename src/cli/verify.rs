//! `bursar verify`: checks a data directory that nothing serves. The store
//! checks chain, checksums, gaps, fence and rows; here every decision is
//! recomputed from its record and its revision, and the report is written.

use std::{
    collections::HashMap,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use serde_json::{Value, json};

use super::{Ink, failed, progress::Progress, say};
use crate::{
    api::policy_reading::compile_stored,
    decision::authorize::recompute,
    domain::{
        change::{Change, Record},
        decision::{DECISION_VERSION, Decision, Verdict},
        name::RevisionName,
        policy::Policy,
        row::Row,
    },
    store::sled::{Damage, Item, MOST_ROWS, Options, Report, rebuild_fence, verify_in_parts},
};

/// Differing decisions that are listed; more are counted.
const MOST_LISTED: usize = 20;

/// What to check.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The data directory. No service may have it open.
    #[arg(long, env = "BURSAR_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write a new `durable.fence` first, if it was lost. Whether records are
    /// missing at the journal's end cannot be told any more afterwards.
    #[arg(long)]
    rebuild_fence: bool,
}

/// Exit code if it cannot be told whether anything is wrong.
const NOT_CHECKED: u8 = 2;

/// Checks it. Exit code 1 if anything is wrong, 2 if it could not be checked.
pub fn run(args: &VerifyArgs) -> ExitCode {
    let options = Options::default();
    if args.rebuild_fence
        && let Err(problem) = rebuild(&args.data, &options)
    {
        return failed(&problem);
    }
    let mut recount = Recount::default();
    let mut progress = Progress::default();
    let each = |item: Item<'_, Arc<Record>>| {
        match item {
            Item::Kept(row) => recount.keep(row),
            Item::Record(record) => recount.take(record),
        }
        Ok(())
    };
    let tell = |part, of, record| progress.part(part, of, record);
    let checked = verify_in_parts(&args.data, &options, MOST_ROWS, each, tell);
    recount.check_kept();
    progress.clear();
    let is_sound = checked.is_ok() && recount.problem_count == 0;
    if args.json {
        say(as_json(&args.data, &checked, &recount));
    } else {
        print(&args.data, &checked, &recount);
    }
    match &checked {
        Err(damage) if how_to_go_on(damage).is_some() => ExitCode::from(NOT_CHECKED),
        _ if is_sound => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// What to do, if nothing could be looked at; that says nothing about what is
/// there.
fn how_to_go_on(damage: &Damage) -> Option<&'static str> {
    match damage {
        Damage::InUse(_) => Some("Stop the service first, or check a copy made while it is down"),
        Damage::Nothing(_) => Some("Name the directory that the service is given with --data"),
        Damage::Io { cause, .. } if cause.kind() == ErrorKind::PermissionDenied => {
            Some("Run this as the user that the service runs as")
        }
        _ => None,
    }
}

fn rebuild(data: &Path, options: &Options) -> Result<(), String> {
    eprintln!(
        "{} writes a new durable.fence for what is there now. If records are missing at the \
         journal's end, nothing will tell any more; the lost file knew. Prefer putting it back.",
        Ink::on(&std::io::stderr()).bad("--rebuild-fence")
    );
    let tip = rebuild_fence(data, options).map_err(|damage| damage.to_string())?;
    eprintln!("a fence was written; it says record {}", tip.sequence);
    Ok(())
}

/// Counts what passes by and recomputes the decisions among it.
#[derive(Debug, Default)]
struct Recount {
    policies: HashMap<RevisionName, Policy>,
    /// Rows that are kept of records that are no more, and decisions among them.
    kept: u64,
    kept_decisions: Vec<Arc<Decision>>,
    records: u64,
    decisions: u64,
    recomputed: u64,
    payouts: u64,
    problems: Vec<Problem>,
    problem_count: u64,
}

/// A decision or revision that is not what it should be.
#[derive(Debug)]
struct Problem {
    /// The record; none, if that is no more.
    sequence: Option<u64>,
    name: String,
    why: String,
}

impl Recount {
    fn take(&mut self, record: &Record) {
        self.records += 1;
        self.check_kept();
        for row in record.changes.iter().filter_map(Change::as_put) {
            self.look_at(row, Some(record.sequence));
        }
    }

    /// Takes a row that is kept of records that are no more.
    fn keep(&mut self, row: &Row) {
        self.kept += 1;
        self.look_at(row, None);
    }

    fn look_at(&mut self, row: &Row, sequence: Option<u64>) {
        let (name, checked) = match row {
            Row::Revision(revision) => {
                let compiled = compile_stored(&revision.policy);
                let learnt = compiled.map(|policy| {
                    self.policies.insert(revision.name.clone(), policy);
                });
                (revision.name.to_string(), learnt)
            }
            // Its revision may come behind it.
            Row::Decision(decision) if sequence.is_none() => {
                self.kept_decisions.push(decision.clone());
                return;
            }
            Row::Decision(decision) => (decision.name.to_string(), self.check(decision)),
            _ => return,
        };
        self.note(checked, sequence, name);
    }

    /// Checks decisions that are kept, when all revisions that are kept are known.
    fn check_kept(&mut self) {
        for decision in std::mem::take(&mut self.kept_decisions) {
            let checked = self.check(&decision);
            self.note(checked, None, decision.name.to_string());
        }
    }

    fn note(&mut self, checked: Result<(), String>, sequence: Option<u64>, name: String) {
        if let Err(why) = checked {
            self.problem_count += 1;
            if self.problems.len() < MOST_LISTED {
                self.problems.push(Problem { sequence, name, why });
            }
        }
    }

    fn check(&mut self, decision: &Decision) -> Result<(), String> {
        self.decisions += 1;
        self.payouts += u64::from(decision.payout.is_some());
        if decision.decision_version != DECISION_VERSION {
            return Err(format!(
                "it was made by version {} of the procedure; this is version {DECISION_VERSION}",
                decision.decision_version
            ));
        }
        let policy = self.policies.get(&decision.revision);
        let policy = policy
            .ok_or_else(|| format!("its revision {} is not in the journal", decision.revision))?;
        let made = recompute(decision, policy);
        self.recomputed += 1;
        match difference(&decision.verdict, &made) {
            Some(difference) => Err(difference),
            None => Ok(()),
        }
    }
}

/// What two verdicts differ in.
fn difference(recorded: &Verdict, made: &Verdict) -> Option<String> {
    let differs = |what: &str, recorded: &dyn std::fmt::Debug, made: &dyn std::fmt::Debug| {
        Some(format!("{what} is recorded as {recorded:?} and recomputed as {made:?}"))
    };
    let rules = |verdict: &Verdict| -> Vec<String> {
        verdict.findings.iter().map(|finding| finding.rule.to_string()).collect()
    };
    if recorded.answer != made.answer {
        return differs("the answer", &recorded.answer, &made.answer);
    }
    let (left, right) = (rules(recorded), rules(made));
    if left != right {
        return differs("what did not pass", &left, &right);
    }
    if let Some((left, right)) =
        recorded.findings.iter().zip(&made.findings).find(|(left, right)| left != right)
    {
        return differs(&format!("the finding of {}", left.rule), left, right);
    }
    let largest = |verdict: &Verdict| (verdict.max_amount, verdict.max_amount_unreviewed);
    if largest(recorded) != largest(made) {
        return differs("the largest amount", &largest(recorded), &largest(made));
    }
    (recorded != made).then(|| "the verdict differs".to_owned())
}

fn as_json(data: &Path, checked: &Result<Report, Damage>, recount: &Recount) -> Value {
    let problems = recount.problems.iter().map(
        |problem| json!({"sequence": problem.sequence, "name": problem.name, "why": problem.why}),
    );
    let found = json!({
        "ok": checked.is_ok() && recount.problem_count == 0,
        "data": data.display().to_string(),
        "records": recount.records,
        "revisions": recount.policies.len(),
        "decisions": recount.decisions,
        "decisions_recomputed": recount.recomputed,
        "payouts": recount.payouts,
        "problem_count": recount.problem_count,
        "problems": problems.collect::<Vec<_>>(),
    });
    let store = match checked {
        Ok(report) => json!({
            "last_time": last_time(report),
            "no_more": report.no_more,
            "kept_rows": recount.kept,
            "commits": report.commits,
            "rows": report.rows,
            "fence": report.fence,
            "checkpoint": report.checkpoint,
            "torn_bytes": report.torn_bytes,
            "rows_incomplete": report.rows_incomplete,
        }),
        Err(damage) => json!({
            "error": damage.to_string(),
            "sequence": damage.sequence(),
            "checked": how_to_go_on(damage).is_none(),
        }),
    };
    let both = [found, store].into_iter().filter_map(|part| match part {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    both.flatten().collect()
}

fn last_time(report: &Report) -> Option<String> {
    (report.tip.sequence > 0).then(|| report.tip.at.to_string())
}

fn print(data: &Path, checked: &Result<Report, Damage>, recount: &Recount) {
    let ink = Ink::on(&std::io::stdout());
    let report = match checked {
        Ok(report) => report,
        Err(damage) => {
            let data = data.display();
            match how_to_go_on(damage) {
                Some(advice) => {
                    say(format!("{} {data}: {damage}. {advice}", ink.bad("cannot check")));
                }
                None => say(format!("{} {data}: {damage}", ink.bad("DAMAGED"))),
            }
            return list(recount, ink);
        }
    };
    if recount.problem_count == 0 {
        say(format!("{} {}", ink.good("ok"), data.display()));
    } else {
        say(format!("{} {}", ink.bad("DIFFERS"), data.display()));
    }
    let line = |label: &str, text: String| say(format!("  {label:<11} {text}"));
    let last = last_time(report).map(|at| format!(", the last at {at}")).unwrap_or_default();
    line("records", format!("{} in {} commits{last}", recount.records, report.commits));
    if report.no_more > 0 {
        let (kept, no_more) = (recount.kept, report.no_more);
        line("no more", format!("records up to {no_more}, of which {kept} rows are kept"));
    }
    line("decisions", format!("{}, recomputed {}", recount.decisions, recount.recomputed));
    line("payouts", recount.payouts.to_string());
    line("revisions", recount.policies.len().to_string());
    if report.rows_incomplete {
        let rows = report.rows;
        let why = "those at rest are not there, damaged, or far behind";
        let told = "not compared; the next start makes what is missing of the journal";
        line("rows", format!("{rows}, {told}: {why}"));
    } else {
        line("rows", format!("{}, as the journal makes them", report.rows));
    }
    let behind = match report.tip.sequence.saturating_sub(report.fence) {
        0 => ", the journal's end".to_owned(),
        behind => format!(", {behind} before the journal's end"),
    };
    line("fence", format!("record {}{behind}", report.fence));
    line("checkpoint", format!("record {}", report.checkpoint));
    if report.torn_bytes > 0 {
        let bytes = report.torn_bytes;
        line(
            "torn tail",
            format!("{bytes} bytes of a commit that was never answered; the next start drops it"),
        );
    }
    list(recount, ink);
}

fn list(recount: &Recount, ink: Ink) {
    for Problem { sequence, name, why } in &recount.problems {
        let whose = sequence.map_or("kept".to_owned(), |sequence| format!("record {sequence}"));
        say(format!("{} {whose}: {name}: {why}", ink.bad("differs")));
    }
    let more = recount.problem_count.saturating_sub(recount.problems.len() as u64);
    if more > 0 {
        say(format!("and {more} more"));
    }
}

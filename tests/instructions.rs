//! How many instructions a decision takes: counted, not timed, so that nothing
//! else on the machine matters, and compared with a ceiling that is written down.
//! A slowdown fails here.
//!
//! Counted are the benchmarks of the decision alone and of a payout in process
//! (`benches/`), optimised, under valgrind, with some decisions and with twice as
//! many: the difference is what those take, without what it takes to start.

#![allow(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

use toml::{Table, Value};

/// Decisions of the smaller run.
const DECISIONS: u64 = 400;
/// Of a hundred: what a decision may take more than was measured.
const MORE: u64 = 3;
/// Of a hundred: from how much less on the ceiling has to come down, so that a
/// slowdown after it shows again.
const LESS: u64 = 10;
/// What is counted, and how the benchmarks are told; `N` is how often.
const COUNTED: [(&str, &str, &[&str]); 3] = [
    // Judging alone.
    ("judge", "decision", &["--count", "judge", "N"]),
    // With naming, loading and applying rows.
    ("core", "decision", &["--count", "core", "N"]),
    // With the API, the engine and the embedded store. One at a time: how many
    // make a batch else depends on which thread comes first.
    ("service", "service", &["N", "1"]),
];

fn ceilings_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions/ceilings.toml")
}

/// The benchmarks, optimised as far as this crate goes, and no more than can be
/// waited for; what it depends on stays as the tests have it, so that only one
/// crate is built more.
fn benchmarks() -> BTreeMap<String, PathBuf> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--message-format=json"]);
    build.args(["--bench", "decision", "--bench", "service"]);
    for setting in [
        "opt-level=1",
        "debug-assertions=false",
        "overflow-checks=false",
        // As in a release: parts so large that the same is inlined each time.
        "codegen-units=16",
        "incremental=false",
    ] {
        build.arg("--config").arg(format!("profile.dev.package.bursar.{setting}"));
    }
    let Output { status, stdout, stderr } = build.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "the benchmarks do not build: {said}");
    let messages = String::from_utf8(stdout).expect("text");
    let built = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let name = message.get("target")?.get("name")?.as_str()?.to_owned();
        Some((name, PathBuf::from(message.get("executable")?.as_str()?)))
    });
    built.collect()
}

/// What so many decisions take, with the start.
fn instructions(benchmark: &Path, args: &[&str], decisions: u64) -> u64 {
    let mut count = Command::new("valgrind");
    count.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(benchmark);
    for arg in args {
        count.arg(if *arg == "N" { decisions.to_string() } else { (*arg).to_owned() });
    }
    // What is waited for is not counted, and need not be waited for.
    if Path::new("/dev/shm").is_dir() {
        count.env("TMPDIR", "/dev/shm");
    }
    let Output { status, stderr, .. } = count.output().expect(
        "valgrind counts instructions, and is not there: install it (Debian: valgrind; `make machine` does)",
    );
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, collected) = collected.unwrap_or_else(|| panic!("no count: {said}"));
    collected.trim().parse().unwrap_or_else(|_| panic!("no number: {collected}"))
}

/// What one decision takes.
fn each(benchmark: &Path, args: &[&str]) -> u64 {
    let count = |times| instructions(benchmark, args, times * DECISIONS);
    let (once, twice) = thread::scope(|scope| {
        let once = scope.spawn(|| count(1));
        let twice = count(2);
        (once.join().expect("a count"), twice)
    });
    (twice - once) / DECISIONS
}

/// Which compiler this is.
fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("--version").output().expect("rustc runs").stdout;
    String::from_utf8_lossy(&said).trim().to_owned()
}

/// What is wrong with a count. `None`: nothing.
fn verdict(what: &str, count: u64, measured: u64, ceiling: u64) -> Option<String> {
    if count > ceiling {
        return Some(format!(
            "{what}: a decision takes {count} instructions, more than {ceiling}; {measured} were measured before. Find what made it slower, or write the reason down with the new figure (INSTRUCTIONS=write)"
        ));
    }
    (count * 100 < measured * (100 - LESS)).then(|| {
        format!(
            "{what}: a decision takes {count} instructions, much less than the {measured} that were measured before: good. Write it down (INSTRUCTIONS=write), so that a slowdown shows"
        )
    })
}

/// Writes new figures below what the file says about them.
fn write_down(counts: &[(&str, u64)]) {
    let file = ceilings_file();
    let before = std::fs::read_to_string(&file).expect("the ceilings");
    let comment = before.lines().take_while(|line| line.starts_with('#'));
    let mut text: String = comment.map(|line| format!("{line}\n")).collect();
    writeln!(text, "\ncompiler = \"{}\"", compiler()).expect("a text");
    for (what, count) in counts {
        let ceiling = count * (100 + MORE) / 100;
        write!(text, "\n[{what}]\nmeasured = {count}\nceiling = {ceiling}\n").expect("a text");
    }
    std::fs::write(file, text).expect("written");
}

#[test]
fn a_decision_takes_no_more_instructions_than_its_ceiling() {
    let benchmarks = benchmarks();
    let counts = COUNTED.map(|(what, benchmark, args)| (what, each(&benchmarks[benchmark], args)));
    println!("instructions of a decision: {counts:?}");
    if std::env::var("INSTRUCTIONS").is_ok_and(|wish| wish == "write") {
        write_down(&counts);
    }
    let text = std::fs::read_to_string(ceilings_file()).expect("the ceilings");
    let ceilings: Table = text.parse().expect("TOML");
    let number = |what: &str, name: &str| {
        let number = ceilings.get(what).and_then(|one| one.get(name)).and_then(Value::as_integer);
        u64::try_from(number.unwrap_or_else(|| panic!("{what} has no {name}"))).expect("positive")
    };
    for (what, ..) in COUNTED {
        let (measured, ceiling) = (number(what, "measured"), number(what, "ceiling"));
        assert_eq!(
            ceiling,
            measured * (100 + MORE) / 100,
            "{what}: {MORE} % above what was measured"
        );
    }
    let wrong: Vec<String> = counts
        .iter()
        .filter_map(|(what, n)| {
            verdict(what, *n, number(what, "measured"), number(what, "ceiling"))
        })
        .collect();
    let measured_with = ceilings.get("compiler").and_then(Value::as_str).unwrap_or_default();
    assert!(
        wrong.is_empty(),
        "{}\nMeasured with {measured_with}; this is {}",
        wrong.join("\n"),
        compiler()
    );
    // That it would be noticed: one decision in twenty is judged twice.
    let wasteful = each(&benchmarks["decision"], &["--count", "judge", "N", "--wasteful"]);
    let judge = counts[0].1;
    let said = verdict("judge", wasteful, judge, judge * (100 + MORE) / 100);
    assert!(said.is_some(), "a twentieth more is not noticed: {judge} and then {wasteful}");
}

#[test]
fn a_count_is_wrong_above_the_ceiling_and_far_below_what_was_measured() {
    let verdict = |count| verdict("judge", count, 1000, 1030);
    assert_eq!([1030, 1000, 900].map(verdict), [None, None, None]);
    assert!(verdict(1031).is_some_and(|said| said.contains("1031 instructions, more than 1030")));
    assert!(verdict(899).is_some_and(|said| said.contains("much less")));
}

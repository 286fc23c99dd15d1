//! `bursar retain`: what it says, and what a kill of it leaves.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    letting_go::{is_settled, names, played_with},
    places::Place,
};

/// `bursar retain`, with a record a day.
fn bursar(data: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    command.arg("retain").arg("--data").arg(data).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Its exit code, and what it said.
fn said(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("it ran");
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    (output.status.code().unwrap_or(-1), said.concat())
}

const DAY: i64 = 24 * 60 * 60;

#[test]
fn the_command_says_what_goes_and_what_is_kept() {
    let mut play = played_with(DAY - 1);
    let data = play.place.path().to_owned();
    let (code, told) = said(&mut bursar(&data, &[]));
    assert!(code == 0 && told.contains("nothing to let go of"), "{told}");
    assert!(told.contains("Its oldest record, 1, is of 2026-02-03"), "{told}");
    let (code, told) = said(&mut bursar(&data, &["--keep-days", "150", "--dry-run"]));
    assert!(code == 0 && told.contains("would let go of"), "{told}");
    let (code, told) = said(&mut bursar(&data, &["--keep-days", "89"]));
    assert!(code == 2 && told.contains("90"), "{told}");
    play.verifies();
    let (code, told) = said(&mut bursar(&data, &["--keep-days", "150", "--json"]));
    assert_eq!(code, 0, "{told}");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let over = play.forget(told["gone"]["last_sequence"].as_u64().expect("a number"));
    assert_eq!(told["gone"]["payouts"], over);
    assert!(told["oldest_sequence"] == 1 && told["gone"]["bytes"].as_u64() > Some(1000), "{told}");
    let mut store = play.place.open();
    play.agrees(&mut store);
    let (code, told) = said(&mut bursar(&data, &[]));
    assert!(
        code == 1 && told.contains("nothing was let go of") && told.contains("locked"),
        "{told}"
    );
    drop(store);
    is_settled(&play);
    let (code, told) = said(&mut bursar(&data, &["--keep-days", "90"]));
    assert!(code == 0 && !told.contains("nothing") && told.contains("let go of"), "{told}");
    let (code, told) = said(&mut bursar(&data.join("nowhere"), &["--json"]));
    assert!(
        code == 1 && told.contains("holds no store") && told.contains("\"ok\":false"),
        "{told}"
    );
}

/// Starts `bursar retain` again and again and kills it after a while: each line says how
/// long, and where. By a shell, so that this process has no child that has its locks for
/// a moment.
const KILLER: &str = "while read pause data; do
    \"$0\" retain --keep-days 100 --data \"$data\" > /dev/null 2>&1 &
    sleep $pause; kill -9 $! 2> /dev/null; wait $! 2> /dev/null; echo $?
done";

#[test]
fn a_kill_at_any_moment_leaves_all_of_it_or_what_is_kept() {
    let before = played_with(DAY - 1);
    let mut killer = Command::new("sh");
    killer.args(["-c", KILLER, env!("CARGO_BIN_EXE_bursar")]);
    let mut killer = killer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
    let mut ask = killer.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(killer.stdout.take().expect("a pipe")).lines();
    let (mut untouched, mut finished) = (0, 0);
    let mut pause = Duration::ZERO;
    // Longer and longer, until it was not killed any more.
    for round in 0..400_u32 {
        let place = before.place.copy();
        writeln!(ask, "{} {}", pause.as_secs_f64(), place.path().display()).expect("asked");
        let ended = answers.next().expect("an answer").expect("a line") == "0";
        let mut play = before.at(place);
        let base = names(&play.place.path().join("base"));
        let base = base.iter().find_map(|name| name.parse::<u64>().ok());
        match base {
            Some(first) => drop(play.forget(first - 1)),
            None => untouched += 1,
        }
        let mut store = play.place.open();
        play.agrees(&mut store);
        drop(store);
        play.verifies();
        if ended {
            is_settled(&play);
            finished += 1;
            if finished == 3 {
                break;
            }
        }
        pause += Duration::from_micros(1000 + u64::from(round) * 50);
    }
    drop(ask);
    assert!(killer.wait().expect("it ends").success());
    assert!(untouched > 3 && finished == 3, "{untouched} {finished}");
}

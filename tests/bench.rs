//! `bursar bench`, the real binary, for a second in each of its modes: that it
//! measures and says so. How fast it was is nobody's business here.

use std::process::Output;

use serde_json::Value;

#[path = "process/mod.rs"]
mod process;

fn bench(args: &str) -> (Value, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = process::bursar();
    command.args(["bench", "--json", "--seconds", "1", "--warm-up-seconds", "0", "--shops", "4"]);
    command.args(args.split_whitespace());
    if !args.contains("--addr") {
        command.arg("--data").arg(folder.path());
    }
    let Output { status, stdout, stderr } = command.output().expect("it ran");
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{args}: {stderr}");
    let left = folder.path().read_dir().expect("a folder").count();
    assert_eq!(left, 0, "{args}: nothing is left in the folder");
    (serde_json::from_slice(&stdout).expect("one JSON object"), stderr)
}

/// Everything was answered, one in twenty by a no.
#[track_caller]
fn assert_sound(figures: &Value) {
    assert_eq!(figures["errors"], 0, "{figures}");
    let number = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name}: {figures}"));
    assert!(number("decided") > 0 && number("rate") > 0, "{figures}");
    let (decided, denied) = (number("decided"), number("denied"));
    assert!(denied * 25 >= decided.saturating_sub(20) && denied * 15 <= decided + 20, "{figures}");
    assert!(number("p50_us") <= number("p99_us"), "{figures}");
    assert!(number("reply_bytes") > 50, "{figures}");
}

#[test]
fn single_calls_are_measured_beside_a_server_that_does_nothing() {
    let (figures, _) = bench("--mode unary --in-flight 16 --hot 0.5 --baseline");
    assert_sound(&figures);
    assert_eq!(figures["mode"], "unary");
    assert!(figures["baseline_rate"].as_u64().expect("a rate") > 0);
    assert!(figures["ratio"].is_number(), "{figures}");
    assert!(figures["catching_up_ms"].is_number(), "{figures}");
    assert!(figures["fdatasync_us"].is_number(), "{figures}");
    assert!(figures["server_cpu_ns_each"].as_u64().expect("processor time") > 0);
}

#[test]
fn batches_are_measured_beside_a_server_that_does_nothing() {
    let (figures, _) = bench("--mode batch --in-flight 2 --baseline");
    assert_sound(&figures);
    assert_eq!(figures["mode"], "batch");
    assert!(figures["ratio"].is_number(), "{figures}");
}

#[test]
fn streams_are_measured_beside_a_server_that_does_nothing() {
    let (figures, _) = bench("--mode stream --in-flight 64 --baseline");
    assert_sound(&figures);
    assert_eq!(figures["mode"], "stream");
    assert!(figures["baseline_rate"].as_u64().expect("a rate") > 0);
    assert!(figures["ratio"].is_number(), "{figures}");
    assert_eq!(figures["baseline_errors"], 0, "{figures}");
}

#[test]
fn a_data_directory_grows_over_several_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let on = folder.path().join("grown");
    let run = |first: u64, requests: u64, more: &str| {
        let mut command = process::bursar();
        command.args(["bench", "--json", "--platform", "grown", "--shops", "2", "--mode", "batch"]);
        command.args(["--warm-up-seconds", "0", "--first", &first.to_string()]);
        command.args(["--requests", &requests.to_string(), "--hot", "1", "--on"]).arg(&on);
        let Output { status, stdout, stderr } =
            command.args(more.split_whitespace()).output().expect("it ran");
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert!(status.success(), "{stderr}");
        (serde_json::from_slice::<Value>(&stdout).expect("one JSON object"), stderr)
    };
    let (first, _) = run(0, 250, "");
    assert_sound(&first);
    assert_eq!(
        (&first["decided"], &first["next"], &first["replayed"]),
        (&250.into(), &250.into(), &0.into())
    );
    assert!(first["resident_kib"].as_u64() <= first["peak_kib"].as_u64(), "{first}");
    assert!(first["resident_kib"].as_u64().expect("memory") > 0, "{first}");
    // 50 of them again.
    let (second, said) = run(200, 150, "--pages 1000 --page-size 10");
    assert_sound(&second);
    assert_eq!((&second["next"], &second["replayed"]), (&350.into(), &50.into()));
    assert!(said.contains("50 requests were answered from what was decided before"), "{said}");
    let pages = &second["pages"];
    // Nineteen of twenty became payouts.
    assert_eq!((&pages["page"], &pages["rows"]), (&33.into(), &333.into()), "{pages}");
    assert!(pages["first_us"].is_number() && pages["deep_us"].is_number(), "{pages}");
    let left = folder.path().read_dir().expect("a folder").count();
    assert_eq!(left, 1, "nothing is left beside it");
    process::assert_clean(&on);
}

#[test]
fn an_open_loop_sends_what_is_due() {
    let (figures, _) = bench("--rate 200 --store memory");
    assert_sound(&figures);
    assert_eq!(figures["decided"], 200);
    assert_eq!(figures["ratio"], Value::Null);
}

#[test]
fn a_lone_request_is_measured_one_at_a_time() {
    let (figures, _) = bench("--lone");
    assert_sound(&figures);
    assert!(figures["fdatasync_us"].is_number(), "{figures}");
}

#[test]
fn a_server_that_runs_already_is_measured_again_and_again() {
    let mut server = process::Server::in_memory();
    for _ in 0..2 {
        let (figures, _) = bench(&format!("--addr {} --in-flight 8", server.address));
        assert_sound(&figures);
        assert_eq!(figures["catching_up_ms"], Value::Null);
    }
    assert!(!server.has_ended());
}

#[tokio::test]
async fn a_measurement_that_is_broken_off_leaves_no_server_and_no_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = || folder.path().read_dir().expect("a folder").count();
    let mut command = process::bursar();
    command.args(["bench", "--seconds", "600", "--shops", "1", "--data"]).arg(folder.path());
    let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("it starts");
    let processes = || {
        let path = folder.path().to_str().expect("a name").to_owned();
        let all = std::fs::read_dir("/proc").expect("processes").flatten();
        let lines = all.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
        lines.filter(|l| String::from_utf8_lossy(l).contains(&path)).count()
    };
    // The bench itself names the folder, too.
    while processes() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let told = std::process::Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    assert!(told.expect("a signal").success());
    assert!(!child.wait().expect("it ends").success());
    assert_eq!((processes(), count()), (0, 0));
}

//! What the process logs when nobody looks at a terminal, and how it refuses to
//! start.

use serde_json::Value;

use super::process::Server;

#[test]
fn every_line_of_the_log_is_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start("memory", folder.path());
    server.tell_to_stop();
    assert!(server.ended().success());
    assert!(server.log.len() >= 3, "{:?}", server.log);
    for line in &server.log {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for field in ["timestamp", "level", "message", "target"] {
            assert!(record.get(field).is_some_and(Value::is_string), "{field}: {line}");
        }
    }
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let first = Server::start("sled", &data);
    let mut second = Server::spawn("sled", &data);
    let status = second.ended();
    assert_eq!(status.code(), Some(1), "{:?}", second.log);
    let said = second.log.join("\n");
    assert!(said.contains("error"), "{said}");
    let named = data.to_str().expect("UTF-8");
    assert!(said.contains(named), "it names the directory: {said}");
    assert!(!said.contains("panicked"), "{said}");
    drop(first);
    // Killed, not stopped: what it held must not stay behind.
    let mut third = Server::start("sled", &data);
    third.tell_to_stop();
    assert!(third.ended().success());
}

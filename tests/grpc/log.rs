//! What the process logs when nobody looks at a terminal.

use serde_json::Value;

use super::process::Server;

#[tokio::test]
async fn every_line_of_the_log_is_json() {
    let mut server = Server::in_memory();
    server.tell_to_stop();
    assert!(server.ended().await.success());
    let log = server.log();
    assert!(log.lines().count() >= 3, "{log}");
    for line in log.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for field in ["timestamp", "level", "message", "target"] {
            assert!(record.get(field).is_some_and(Value::is_string), "{field}: {line}");
        }
    }
}

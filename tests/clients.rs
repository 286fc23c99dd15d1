//! Clients in other languages against the real binary: they prove the wire,
//! not our own code generation. Each prints its steps.

use std::{path::Path, process::Command};

#[path = "process/mod.rs"]
mod process;
#[path = "clients/python.rs"]
mod python;

#[tokio::test]
async fn a_shops_day_from_python() {
    let Some(interpreter) = python::interpreter() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = process::Server::start(&folder.path().join("data"));
    let day = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/day.py");
    let mut client = Command::new(interpreter);
    client.arg("-B").arg(day).arg(&server.address).env("PYTHONIOENCODING", "utf-8");
    let played = client.status().expect("Python starts");
    assert!(played.success(), "{played}; the server's log:\n{}", server.log());
    assert!(!server.has_ended(), "the server outlives the day");
    server.tell_to_stop();
    let status = server.ended().await;
    assert!(status.success(), "{status}; the server's log:\n{}", server.log());
}

//! Other commands of the binary: what they say to people, and to readers that
//! go away.

use std::{
    io::Read,
    process::{Command, Stdio},
};

use super::process::{Server, verify};

fn bursar() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bursar"))
}

#[test]
fn what_cannot_be_checked_is_not_called_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    for place in [folder.path().to_owned(), folder.path().join("nowhere")] {
        let (code, said) = verify(&place, &[]);
        assert!(code == 2 && said.contains("cannot check"), "{code}: {said}");
        assert!(!said.contains("DAMAGED") && said.contains("--data"), "{said}");
        let (code, said) = verify(&place, &["--json"]);
        assert!(code == 2 && said.contains("\"checked\":false"), "{code}: {said}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policies/trial.yaml");
    let mut check = bursar();
    // More lines than a pipe holds.
    check.args(["policy", "check"]).args(vec![policy; 1200]);
    let mut check = check.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut first = [0; 2];
    let mut pipe = check.stdout.take().expect("a pipe");
    pipe.read_exact(&mut first).expect("the first line begins");
    drop(pipe);
    let done = check.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "{}: {said}", done.status);
}

#[tokio::test]
async fn a_call_says_each_violation_once() {
    let server = Server::in_memory();
    let mut call = bursar();
    call.args(["call", "ShopService/CreateShop", "--addr", &server.address]);
    let refused = call.args(["-d", "{parent: platforms/p, shop_id: 'a:b'}"]).output();
    let refused = refused.expect("it ran");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    assert_eq!(said.matches("shop_id").count(), 1, "{said}");
    assert!(said.contains("FIELD_INVALID") && said.contains("(FIELD_MALFORMED)"), "{said}");
}

//! The commands, run as an operator runs them, and a directory to run them on.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    book::Book,
    client::Client,
    dice::Dice,
    load::Load,
    place::{Place, failing_disk},
    process::{PATIENCE, Server, bursar},
    world,
};

/// What a command exits with, and what it said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Runs one to its end.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("it ran");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    /// The one JSON object of a command that went well.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).expect("JSON")
    }

    /// That it gave up, naming all of this.
    #[track_caller]
    pub fn refuses(&self, words: &[&str]) {
        assert_eq!(self.code, 1, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
        assert_eq!(self.out, "");
    }
}

pub fn backup(data: &Path, to: &Path) -> Command {
    let mut command = bursar();
    command.arg("backup").arg("--data").arg(data).arg("--to").arg(to);
    command
}

pub fn restore(from: &Path, data: &Path) -> Command {
    let mut command = bursar();
    command.arg("restore").arg("--from").arg(from).arg("--data").arg(data);
    command
}

pub fn export(data: &Path) -> Command {
    let mut command = bursar();
    command.arg("export").arg("--data").arg(data);
    command
}

/// Makes a backup that has to come about; its note.
#[track_caller]
pub fn back_up(data: &Path, to: &Path) -> Value {
    Said::of(backup(data, to).arg("--json")).json()
}

/// Restores one that has to come back.
#[track_caller]
pub fn put_back(from: &Path, data: &Path) -> Value {
    Said::of(restore(from, data).arg("--json")).json()
}

/// Puts a disk that fails or waits below a command, for what it writes below a
/// path. The files `full` and `copy-gate` of the place tell it to.
pub fn with_a_failing_disk<'a>(
    command: &'a mut Command,
    place: &Place,
    below: &Path,
) -> &'a mut Command {
    let env: [(&str, &OsStr); 4] = [
        ("LD_PRELOAD", failing_disk().as_os_str()),
        ("BURSAR_TEST_DATA", below.as_os_str()),
        ("BURSAR_TEST_FULL", &place.file("full").into_os_string()),
        ("BURSAR_TEST_COPY_GATE", &place.file("copy-gate").into_os_string()),
    ];
    command.envs(env).stdin(Stdio::null())
}

/// What is below a folder: names, and what is in files.
pub fn everything(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a listing") {
            let path = entry.expect("an entry").path();
            let content = (!path.is_dir()).then(|| fs::read(&path).expect("a file"));
            if content.is_none() {
                folders.push(path.clone());
            }
            all.push((path, content));
        }
    }
    all.sort();
    all
}

/// The names in a folder, but for what a test keeps there itself.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a listing");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !["root", "full", "copy-gate"].contains(&name.as_str()));
    names.sort();
    names
}

/// A served directory on which some load was, and what was answered.
pub async fn busy(answers: usize) -> (Place, Server, Book) {
    let place = Place::new();
    let server = Server::start(&place.data());
    world::furnish(&Client::connect(&server).await).await.expect("a world");
    let mut dice = Dice::new(7);
    let mut load = Load::start(&server, Book::default(), 1, &mut dice, Arc::new(|| 0)).await;
    load.answers(answers, PATIENCE).await;
    let book = load.end().await;
    (place, server, book)
}

/// The same, stopped in order.
pub async fn stopped(answers: usize) -> (Place, Book) {
    let (place, server, book) = busy(answers).await;
    assert!(server.stop().await.success());
    (place, book)
}

//! Backups that are refused: targets that are there, sources that are damaged or
//! none, folders that are no backup.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::{
    commands::{Said, back_up, backup, everything, export, names, restore, stopped},
    place::Place,
    process::refusal,
};

/// The first file of a journal.
fn journal(data: &Path) -> PathBuf {
    data.join("journal/00000000000000000001.log")
}

/// Where the commits of a journal begin.
fn commits(bytes: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (Vec::new(), 4096);
    while bytes.get(at..at + 4) == Some(b"bJF1") {
        starts.push(at);
        let length = u32::from_be_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes"));
        at += 72 + length as usize + 4;
    }
    starts
}

/// Changes a byte of a commit in the middle, and gives its first record.
fn damage(data: &Path) -> u64 {
    let mut bytes = fs::read(journal(data)).expect("a file");
    let starts = commits(&bytes);
    let middle = starts[starts.len() / 2];
    let first = bytes[middle + 24..middle + 32].try_into().expect("eight bytes");
    bytes[middle + 90] ^= 1;
    fs::write(journal(data), bytes).expect("written");
    u64::from_be_bytes(first)
}

#[tokio::test]
async fn a_target_that_is_there_is_refused_and_stays_as_it_is() {
    let (place, _) = stopped(20).await;
    let [folder, file, link] = ["folder", "file", "link"].map(|name| place.file(name));
    fs::create_dir(&folder).expect("a directory");
    fs::write(&file, "mine").expect("written");
    symlink(place.file("nowhere"), &link).expect("a link");
    let data = place.data();
    let before = everything(&data);
    for target in [&folder, &file, &link] {
        Said::of(&mut backup(&data, target)).refuses(&["is there already", "Name a folder"]);
    }
    let inside = data.join("backup");
    Said::of(&mut backup(&data, &inside)).refuses(&["inside the data directory"]);
    assert_eq!(names(&place.file("")), ["file", "folder", "link"]);
    assert_eq!(names(&folder), [""; 0]);
    assert_eq!(fs::read(&file).expect("a file"), b"mine");
    assert_eq!(everything(&data), before, "what is backed up is not changed");
    // A folder that only has the name of what a killed backup leaves is somebody's.
    let draft = place.file(".backup.partial");
    fs::create_dir(&draft).expect("a directory");
    fs::write(draft.join("mine"), "mine").expect("written");
    let said = Said::of(&mut backup(&data, &place.file("backup")));
    said.refuses(&[".backup.partial is there already"]);
    assert_eq!(names(&draft), ["mine"]);
    fs::remove_dir_all(&draft).expect("removed");
    // Nor does one that comes about change anything.
    back_up(&data, &place.file("backup"));
    assert_eq!(everything(&data), before);
    Said::of(&mut backup(&data, &place.file("backup"))).refuses(&["is there already"]);
}

#[tokio::test]
async fn a_damaged_source_is_named_by_its_record_and_leaves_no_backup() {
    let (place, _) = stopped(60).await;
    let data = place.data();
    let sequence = damage(&data);
    let record = format!("record {sequence}");
    let target = place.file("backup");
    Said::of(&mut backup(&data, &target)).refuses(&[&record, "damaged", "checksum"]);
    let said = Said::of(backup(&data, &target).arg("--json"));
    let report: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((said.code, &report["ok"]), (1, &false.into()), "{said:?}");
    assert_eq!(report["sequence"], sequence);
    assert_eq!(names(&place.file("")), [""; 0], "nothing that looks like one");
    assert!(refusal(&data).await.contains(&record), "nor is it served");

    let said = Said::of(&mut export(&data));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("the export is not complete") && said.err.contains(&record));
    assert!(!said.out.contains(r#""type":"end""#), "no closing line");
    let file = place.file("export.jsonl");
    Said::of(export(&data).arg("--to").arg(&file)).refuses(&[&record]);
    assert_eq!(names(&place.file("")), [""; 0], "no file either");
}

#[tokio::test]
async fn a_journal_that_ends_too_early_is_not_backed_up() {
    let (place, _) = stopped(60).await;
    let data = place.data();
    let whole = fs::read(journal(&data)).expect("a file");
    let starts = commits(&whole);
    fs::write(journal(&data), &whole[..starts[starts.len() / 2]]).expect("written");
    let said = Said::of(&mut backup(&data, &place.file("backup")));
    said.refuses(&["record", "restore it from a backup"]);
    fs::remove_file(data.join("durable.fence")).expect("removed");
    let said = Said::of(&mut backup(&data, &place.file("backup")));
    said.refuses(&["durable.fence is missing", "--rebuild-fence"]);
    assert_eq!(names(&place.file("")), [""; 0]);
}

#[tokio::test]
async fn a_damaged_backup_is_named_by_its_record_and_leaves_nothing() {
    let (place, _) = stopped(60).await;
    let [copy, data] = ["backup", "restored"].map(|name| place.file(name));
    back_up(&place.data(), &copy);
    let sequence = damage(&copy);
    let words = [copy.to_str().expect("text"), &format!("record {sequence}"), "damaged"];
    Said::of(&mut restore(&copy, &data)).refuses(&words);
    assert_eq!(names(&place.file("")), ["backup"], "no directory was made");
    fs::create_dir(&data).expect("a directory");
    Said::of(&mut restore(&copy, &data)).refuses(&words);
    assert_eq!(names(&data), [""; 0]);
}

#[tokio::test]
async fn what_is_no_backup_is_not_restored() {
    let (place, _) = stopped(20).await;
    let data = place.file("restored");
    for folder in [place.data(), place.file("nowhere")] {
        let said = Said::of(&mut restore(&folder, &data));
        said.refuses(&["is not a finished backup", "backup.json"]);
    }
    let copy = place.file("backup");
    back_up(&place.data(), &copy);
    let note = fs::read_to_string(copy.join("backup.json")).expect("a note");
    let write = |text: &str| fs::write(copy.join("backup.json"), text).expect("written");
    // Hashes in the first form are others.
    for form in ["bursar-backup-1", "bursar-backup-3"] {
        write(&note.replace("bursar-backup-2", form));
        Said::of(&mut restore(&copy, &data)).refuses(&[form, "this version reads"]);
    }
    write(&note[..note.len() / 2]);
    Said::of(&mut restore(&copy, &data)).refuses(&["backup.json cannot be read"]);
    write(&note.replace("platforms/p1", "platforms/p2"));
    Said::of(&mut restore(&copy, &data)).refuses(&["the list of platforms is platforms/p1"]);
    assert!(!data.exists());
    write(&note);
    assert_eq!(Said::of(&mut restore(&copy, &data)).code, 0);
}

#[test]
fn a_directory_without_a_store_is_not_backed_up() {
    let place = Place::new();
    for data in [place.root(), place.file("nowhere")] {
        Said::of(&mut backup(&data, &place.file("backup"))).refuses(&["holds no store"]);
        let said = Said::of(&mut export(&data));
        assert!(said.code == 1 && said.err.contains("holds no store"), "{said:?}");
    }
    assert_eq!(names(&place.root()), [""; 0], "none was made");
    let nowhere = place.file("no/such/folder");
    Said::of(&mut backup(&place.root(), &nowhere)).refuses(&["No such file or directory"]);
}

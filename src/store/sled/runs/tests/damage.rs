//! What is damaged on disk, and a disk that fails.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::store::sled::sync::{Disk, Stage};

fn is_of_rows(damage: &Damage) -> bool {
    matches!(damage, Damage::Unreadable { .. })
}

/// A run of several blocks and the bytes of its file.
fn one_run(dir: &Path) -> (std::path::PathBuf, Vec<u8>) {
    let mut runs = open(dir);
    freeze(&mut runs, entries(0..400, b"a value of some length, so that there are blocks"), b"m")
        .unwrap();
    runs.close().unwrap();
    let path = run::path_of(dir, 0);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 3 * writer::BLOCK);
    (path, bytes)
}

#[test]
fn a_flipped_bit_of_a_run_is_damage_or_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let (path, good) = one_run(dir.path());
    let expected = all(&open(dir.path()));
    for at in (0..good.len()).step_by(37).chain(good.len() - footer::SIZE..good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        let found = verify(dir.path(), filtered).unwrap();
        assert!(!found.is_empty() && found.iter().all(is_of_rows), "byte {at}: {found:?}");
        assert!(found[0].to_string().contains("0000000000000000.run"), "{}", found[0]);
        match Runs::open(dir.path(), options()) {
            Err(damage) => assert!(is_of_rows(&damage), "byte {at}: {damage}"),
            Ok((runs, _)) => {
                let mut is_found = false;
                for (key, value) in &expected {
                    match runs.get(key) {
                        Ok(found) => assert_eq!(found.as_ref(), Some(value), "byte {at}"),
                        Err(damage) => {
                            assert!(is_of_rows(&damage));
                            is_found = true;
                        }
                    }
                }
                assert!(is_found, "byte {at}");
                let read = runs.range(&key(0), &key(400), false);
                let failed = read.is_err_and(|damage| is_of_rows(&damage));
                assert!(
                    failed
                        || runs.range(&key(0), &key(400), false).unwrap().any(|item| item.is_err())
                );
            }
        }
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(verify(dir.path(), filtered).unwrap().len(), 0);
}

#[test]
fn damage_that_a_merge_meets_ends_it_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut bytes) = one_run(dir.path());
    bytes[writer::BLOCK * 2] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut runs = open(dir.path());
    let mut end = Ok(());
    for mark in [b"2", b"3"] {
        end = end.and_then(|()| freeze(&mut runs, entries(0..400, b"new"), mark));
    }
    let end = end.and_then(|()| runs.settle());
    assert!(is_of_rows(&end.unwrap_err()));
    assert!(is_of_rows(&runs.poll().unwrap_err()));
    drop(runs);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(files(dir.path()).len(), 4);
}

#[test]
fn a_run_that_is_cut_or_missing_or_another_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (path, good) = one_run(dir.path());
    let other = tempfile::tempdir().unwrap();
    let mut runs = open(other.path());
    freeze(&mut runs, entries(0..400, b"a value of some Length, so that there are blocks"), b"m")
        .unwrap();
    drop(runs);
    let exchanged = fs::read(run::path_of(other.path(), 0)).unwrap();
    assert_eq!(exchanged.len(), good.len());
    let longer = [&*good, b"x"].concat();
    for bad in [&good[..good.len() - 1], &good[..10], &[], &exchanged, &longer] {
        fs::write(&path, bad).unwrap();
        assert!(is_of_rows(&Runs::open(dir.path(), options()).unwrap_err()));
        assert_eq!(verify(dir.path(), filtered).unwrap().len(), 1);
    }
    fs::remove_file(&path).unwrap();
    assert!(is_of_rows(&Runs::open(dir.path(), options()).unwrap_err()));
}

#[test]
fn a_manifest_that_is_damaged_or_missing_is_damage_and_no_run_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (run, _) = one_run(dir.path());
    let path = Manifest::path(dir.path());
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        assert!(is_of_rows(&Runs::open(dir.path(), options()).unwrap_err()), "byte {at}");
        fs::write(&path, &good[..at]).unwrap();
        assert!(is_of_rows(&Runs::open(dir.path(), options()).unwrap_err()), "cut at {at}");
    }
    fs::remove_file(&path).unwrap();
    assert!(is_of_rows(&Runs::open(dir.path(), options()).unwrap_err()));
    assert!(matches!(verify(dir.path(), filtered), Err(Damage::Nothing(_))));
    assert!(run.exists());
}

/// Fails the sync with this number, and counts.
#[derive(Debug)]
struct Failing {
    at: usize,
    syncs: AtomicUsize,
}

impl Disk for Failing {
    fn sync(&self, _: Stage, file: &File) -> io::Result<()> {
        if self.syncs.fetch_add(1, Ordering::SeqCst) == self.at {
            return Err(io::Error::from_raw_os_error(5));
        }
        file.sync_data()
    }
}

/// Three tables and their merge.
fn use_all(dir: &Path, disk: Arc<Failing>) -> Result<(), Damage> {
    let (mut runs, _) = Runs::open(dir, Options { disk, ..options() })?;
    for mark in [b"1", b"2", b"3"] {
        freeze(&mut runs, entries(0..300, mark), mark)?;
    }
    runs.settle()?;
    runs.close()
}

#[test]
fn an_error_of_any_sync_comes_out_and_what_was_told_to_be_at_rest_is() {
    let failing = |at| Arc::new(Failing { at, syncs: AtomicUsize::new(0) });
    let dir = tempfile::tempdir().unwrap();
    let counted = failing(usize::MAX);
    use_all(dir.path(), counted.clone()).unwrap();
    let syncs = counted.syncs.load(Ordering::SeqCst);
    // The directory: 4. A table, and the merge: its content, and its manifest with the
    // names before and after.
    assert_eq!(syncs, 4 + 4 * 4);
    for at in 0..syncs {
        let dir = tempfile::tempdir().unwrap();
        let disk = failing(at);
        let damage = use_all(dir.path(), disk.clone()).unwrap_err();
        assert!(matches!(damage, Damage::Io { .. }), "sync {at}: {damage}");
        assert_eq!(disk.syncs.load(Ordering::SeqCst), at + 1, "nothing is synced after an error");
        let (runs, mark) = Runs::open(dir.path(), options()).unwrap();
        let value = runs.get(&key(0)).unwrap();
        assert_eq!(&*mark, value.as_deref().unwrap_or_default(), "sync {at}");
        drop(runs);
        assert_eq!(verify(dir.path(), filtered).unwrap().len(), 0);
    }
}

#[test]
fn a_full_disk_is_an_error_and_not_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    // Everything that is written into it fails for want of space.
    std::os::unix::fs::symlink("/dev/full", Manifest::path_of_next(dir.path())).unwrap();
    let damage = freeze(&mut runs, entries(0..10, b"v"), b"1").unwrap_err();
    let Damage::Io { cause, .. } = damage else { panic!("{damage}") };
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
    let Err(Damage::Io { cause, .. }) = runs.get(b"k") else { panic!("it goes on") };
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
}

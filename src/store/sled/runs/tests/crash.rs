//! A kill, or a power failure, at every moment at which data is made durable.

use std::{
    collections::HashMap,
    fs::File,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use super::*;
use crate::store::sled::sync::{Disk, Stage};

/// What a machine would find after losing power: contents and names as they
/// were at the last sync of each.
#[derive(Debug, Default)]
struct Durable {
    contents: HashMap<u64, Vec<u8>>,
    names: Vec<(String, u64)>,
}

/// Copies the directory before and after each sync: as a kill would leave it,
/// and as a power failure would.
#[derive(Debug)]
struct Camera {
    dir: PathBuf,
    album: PathBuf,
    durable: Mutex<(Durable, usize)>,
}

impl Camera {
    fn shoot(&self, durable: &Durable, number: usize) {
        let (killed, dark) =
            (self.album.join(format!("{number}-kill")), self.album.join(format!("{number}-dark")));
        fs::create_dir(&killed).unwrap();
        for name in files(&self.dir) {
            fs::copy(self.dir.join(&name), killed.join(&name)).unwrap();
        }
        fs::create_dir(&dark).unwrap();
        for (name, inode) in &durable.names {
            let content = durable.contents.get(inode).cloned().unwrap_or_default();
            fs::write(dark.join(name), content).unwrap();
        }
    }
}

impl Disk for Camera {
    fn sync(&self, _: Stage, file: &File) -> io::Result<()> {
        let mut guard = self.durable.lock().unwrap();
        let (durable, number) = &mut *guard;
        self.shoot(durable, *number);
        let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        if path == self.dir {
            let named =
                files(&path).into_iter().map(|name| (name.clone(), inode(&path.join(name))));
            durable.names = named.collect();
        } else if path.is_file() {
            durable.contents.insert(inode(&path), fs::read(&path)?);
        }
        self.shoot(durable, *number + 1);
        *number += 2;
        Ok(())
    }
}

#[test]
fn a_kill_or_power_failure_at_any_moment_leaves_what_a_manifest_said() {
    let (dir, album) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = dir.path().canonicalize().unwrap();
    let camera = Arc::new(Camera {
        dir: path.clone(),
        album: album.path().to_owned(),
        durable: Mutex::default(),
    });
    let with_camera = Options { disk: camera.clone(), ..options() };
    let (mut runs, _) = Runs::open(&path, with_camera).unwrap();
    let mut states = vec![living(&Map::new())];
    let mut model = Map::new();
    let mut rested = vec![camera.durable.lock().unwrap().1];
    for round in 0..9_u8 {
        let changes: Vec<_> = (0..200)
            .map(|n| entry(key(n * usize::from(round + 1) % 331), (n % 5 > 0).then_some(&[round])))
            .collect();
        model.extend(changes.iter().map(|(key, value)| (key.to_vec(), value.clone())));
        freeze(&mut runs, changes, &[round]).unwrap();
        states.push(living(&model));
        rested.push(camera.durable.lock().unwrap().1);
    }
    runs.settle().unwrap();
    runs.close().unwrap();
    let shots = camera.durable.lock().unwrap().1;
    assert!(shots > 2 * 4 * 13, "{shots} shots");
    for number in 0..shots {
        for how in ["kill", "dark"] {
            let shot = album.path().join(format!("{number}-{how}"));
            let (runs, mark) = Runs::open(&shot, options()).unwrap();
            let state = mark.first().map_or(0, |round| usize::from(*round) + 1);
            assert_eq!(all(&runs), states[state], "{number}-{how}");
            let told = rested.iter().filter(|shots| **shots <= number).count();
            assert!(state + 1 >= told, "{number}-{how}: {state} but {told} were at rest");
            runs.settle().unwrap();
            assert_eq!(all(&runs), states[state], "{number}-{how}");
            runs.close().unwrap();
            assert_eq!(verify(&shot, filtered).unwrap().len(), 0);
            let named = Manifest::read(&shot).unwrap().unwrap().runs.len();
            assert_eq!(files(&shot).len(), named + 1, "nothing unnamed is left");
        }
    }
}

#[test]
fn what_no_manifest_names_is_removed_and_other_files_are_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = open(dir.path());
    freeze(&mut runs, entries(0..10, b"v"), b"1").unwrap();
    runs.close().unwrap();
    let before = files(dir.path());
    for name in ["00000000000000ff.run", "manifest.next"] {
        fs::write(dir.path().join(name), b"cut off").unwrap();
    }
    fs::write(dir.path().join("README"), b"of somebody").unwrap();
    let runs = open(dir.path());
    assert_eq!(all(&runs).len(), 10);
    let mut after = files(dir.path());
    after.retain(|name| name != "README");
    assert_eq!(after, before);
    assert!(dir.path().join("README").exists());
}

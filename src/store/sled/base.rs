//! `base/`: what is kept of records that the journal has let go of (`retain.rs`). Rows,
//! as they were after the last of them; all later ones are made of these and of the
//! records that are left.
//!
//! Each base is a folder of runs (`runs/`), named by the first record that is left. It
//! is made as `base/next`, gets its name when it is whole and durable, and never changes
//! after that. From then on the files of the journal before it count for nothing, and
//! the next start removes what a kill left of them.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    codec::decode,
    damage::Damage,
    journal::End,
    mark::Mark,
    rows, runs,
    sort_key::filtered,
    sync::{Disk, remove_folder, sync_all, sync_names},
};
use crate::{domain::row::Row, store::Tip};

/// What is kept of records that are no more.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Base {
    path: PathBuf,
    mark: Mark,
}

impl Base {
    /// Where bases are.
    pub(super) fn folder(dir: &Path) -> PathBuf {
        dir.join("base")
    }

    /// Where one is while it is made.
    pub(super) fn draft(dir: &Path) -> PathBuf {
        Self::folder(dir).join("next")
    }

    /// Where its rows are before they are one run.
    pub(super) fn parts(dir: &Path) -> PathBuf {
        Self::folder(dir).join("parts")
    }

    /// The one that counts. None, if nothing was ever let go of.
    ///
    /// # Errors
    /// There is one, and it cannot be used.
    pub(super) fn find(dir: &Path) -> Result<Self, Damage> {
        match bases(dir)?.pop() {
            None => Ok(Self::default()),
            Some(path) => Self::at(path),
        }
    }

    fn at(path: PathBuf) -> Result<Self, Damage> {
        let mark = runs::mark(&path).and_then(|mark| Mark::parse(&mark));
        let mark = mark.map_err(damaged(&path))?;
        let Mark { tip, end, base, .. } = mark;
        let is_it = path.file_name().is_some_and(|it| *it == *Self::name(base));
        if is_it && base > 0 && tip.sequence == base && end.sequence == base {
            Ok(Self { path, mark })
        } else {
            let why = "its mark does not fit its name".to_owned();
            Err(Damage::Base { path, why })
        }
    }

    /// The one that is in the making, up to this mark.
    pub(super) fn drafted(dir: &Path, mark: Mark) -> Self {
        Self { path: Self::draft(dir), mark }
    }

    /// The name of what is kept of records up to this one.
    fn name(base: u64) -> String {
        format!("{:020}", base + 1)
    }

    /// Where the journal ended with the last record that is no more; the beginning of
    /// everything, if all are there.
    pub(super) fn end(&self) -> End {
        self.mark.end
    }

    /// The last record that is no more.
    pub(super) fn tip(&self) -> Tip {
        self.mark.tip
    }

    /// Where its files are. `None`: nothing was let go of.
    pub(super) fn path(&self) -> Option<&Path> {
        (self.mark.base > 0).then_some(&self.path)
    }

    /// Entries in it, and how many. None: nothing was let go of.
    pub(super) fn entries(&self) -> Result<Option<(runs::Range, runs::Extent)>, Damage> {
        let Some(path) = self.path() else { return Ok(None) };
        let (entries, extent, _) = runs::read(path).map_err(damaged(path))?;
        Ok(Some((entries, extent)))
    }

    /// Gives every row in it, in the order of their keys.
    pub(super) fn rows<E: From<Damage>>(
        &self,
        mut each: impl FnMut(&[u8], Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((entries, _)) = self.entries()? else { return Ok(()) };
        for entry in entries {
            let (key, value) = entry.map_err(damaged(&self.path))?;
            let row = rows::whole(&value).unwrap_or_default();
            let row = decode("a row", row).map_err(damaged(&self.path))?;
            each(&key, row)?;
        }
        Ok(())
    }

    /// Reads all of it and checks every checksum.
    pub(super) fn check(&self) -> Result<(), Damage> {
        let Some(path) = self.path() else { return Ok(()) };
        let found = runs::verify(path, filtered).map_err(damaged(path))?;
        found.into_iter().next().map_or(Ok(()), |damage| Err(damaged(path)(damage)))
    }

    /// Begins rows at rest with it, where there are none.
    pub(super) fn begin_rows(&self, to: &Path) -> Result<(), Damage> {
        let Some(from) = self.path() else { return Ok(()) };
        copy(from, to, |from, to| {
            // Runs never change. The manifest is replaced by another file, so that even
            // that may be the same one at first.
            let linked = fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop));
            linked.map_err(Damage::io(to))
        })
    }

    /// Copies it to another directory, where it is checked.
    pub(super) fn copy_to(&self, dir: &Path) -> Result<(), Damage> {
        let (Some(from), Some(name)) = (self.path(), self.path.file_name()) else { return Ok(()) };
        let folder = Self::folder(dir);
        fs::create_dir(&folder).map_err(Damage::io(&folder))?;
        let to = folder.join(name);
        copy(from, &to, |from, to| {
            let mut target = fs::File::create_new(to).map_err(Damage::io(to))?;
            pour(from, &mut target, to)?;
            target.sync_all().map_err(Damage::io(to))
        })?;
        sync_all(&folder)?;
        Self::at(to)?.check()
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> Result<u64, Damage> {
        let Some(path) = self.path() else { return Ok(0) };
        let size = |file: PathBuf| Ok(fs::metadata(&file).map_err(Damage::io(&file))?.len());
        listed(path)?.into_iter().map(size).sum()
    }

    /// Gives a draft its name: from now on it counts, but it may not be durable yet.
    pub(super) fn publish(dir: &Path, base: u64, disk: &dyn Disk) -> Result<(), Damage> {
        let (folder, draft) = (Self::folder(dir), Self::draft(dir));
        for folder in [&*draft, &folder, dir] {
            sync_names(folder, disk)?;
        }
        let path = folder.join(Self::name(base));
        fs::rename(&draft, &path).map_err(Damage::io(&path))
    }

    /// Makes its name durable: before that, nothing may go that it stands for.
    pub(super) fn make_durable(&self, dir: &Path, disk: &dyn Disk) -> Result<(), Damage> {
        match self.path() {
            Some(_) => sync_names(&Self::folder(dir), disk),
            None => Ok(()),
        }
    }

    /// Removes what was not finished.
    pub(super) fn remove_drafts(dir: &Path) -> Result<(), Damage> {
        [Self::draft(dir), Self::parts(dir)].iter().try_for_each(|path| remove_folder(path))
    }

    /// Removes older ones.
    pub(super) fn remove_older(&self, dir: &Path) -> Result<(), Damage> {
        let older = bases(dir)?.into_iter().filter(|path| *path < self.path);
        older.into_iter().try_for_each(|path| remove_folder(&path))
    }
}

/// The bases of a directory, the newest last.
fn bases(dir: &Path) -> Result<Vec<PathBuf>, Damage> {
    let folder = Base::folder(dir);
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit())
    };
    Ok(listed(&folder)?.into_iter().filter(is_one).collect())
}

/// What is in a folder, in order; nothing if it is not there.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, Damage> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Damage::io(folder)(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>().map_err(Damage::io(folder))?;
    paths.sort_unstable();
    Ok(paths)
}

/// Copies the files of a folder into a new one.
fn copy(
    from: &Path,
    to: &Path,
    file: impl Fn(&Path, &Path) -> Result<(), Damage>,
) -> Result<(), Damage> {
    fs::create_dir(to).map_err(Damage::io(to))?;
    // The manifest comes last: without it, the rest is taken for damaged.
    for path in listed(from)? {
        let name = path.file_name().unwrap_or_default();
        file(&path, &to.join(name))?;
    }
    sync_all(to)
}

/// Copies the content of a file. A source that cannot be read is another trouble than a
/// disk that is full, and each is said of its own path.
fn pour(from: &Path, target: &mut impl io::Write, to: &Path) -> Result<(), Damage> {
    let mut source = fs::File::open(from).map_err(Damage::io(from))?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Damage::io(from))?,
        };
        match buffer.get(..read) {
            None | Some([]) => return Ok(()),
            Some(bytes) => target.write_all(bytes).map_err(Damage::io(to))?,
        }
    }
}

/// What is wrong with a base is nothing that can be made again.
fn damaged(path: &Path) -> impl Fn(Damage) -> Damage {
    let path = path.to_owned();
    move |damage| match damage {
        Damage::Unreadable { what, why } => {
            Damage::Base { path: path.clone(), why: format!("{what}: {why}") }
        }
        Damage::Nothing(_) => Damage::Base { path: path.clone(), why: "it is empty".to_owned() },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_called_what_cannot_be_written() {
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let dir = tempfile::TempDir::new().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let of = |copied: Result<(), Damage>| match copied {
            Ok(()) => None,
            Err(Damage::Io { path, .. }) => Some(path),
            Err(other) => panic!("{other}"),
        };
        let content = vec![7; 300 * 1024];
        fs::write(&from, &content).expect("written");
        let mut copied = Vec::new();
        assert_eq!(of(pour(&from, &mut copied, &to)), None);
        assert_eq!(copied, content);
        assert_eq!(of(pour(&from, &mut Full, &to)), Some(to.clone()));
        // A folder can be opened and not be read.
        assert_eq!(of(pour(dir.path(), &mut copied, &to)), Some(dir.path().to_owned()));
    }
}

//! A directory as a power failure may have left it: what was synced is there;
//! of everything else any part. Sectors of 512 bytes are whole, and hold what
//! they held at some moment since the last sync. Names that were not synced in
//! their directory may be there or not, whatever became of others.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use crate::{
    book::Mark,
    dice::hash,
    recording::{Act, Recording},
};

const SECTOR: u64 = 512;

/// How much of what was not synced is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// All.
    All,
    /// Of each file and of each directory all or nothing.
    Files,
    /// Of each sector all or nothing, of each name what it was before or after.
    Sectors,
    /// Of each sector what it was at some moment.
    Moments,
    /// The same, of one sector in eight.
    Few,
}

impl Kept {
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::All, Self::Files, Self::Sectors, Self::Moments, Self::Few];
}

/// A file or directory. Names may come and go.
#[derive(Default)]
struct Node {
    /// Of a file.
    content: Option<Vec<u8>>,
    writes: Vec<Change>,
    /// Of a directory.
    names: BTreeMap<String, usize>,
    moves: Vec<Rename>,
    /// How many of the writes, or moves, are durable.
    durable: usize,
}

enum Change {
    Write(u64, std::ops::Range<usize>),
    Length(u64),
}

/// What became of names: each with what it stands for from now on.
type Rename = Vec<(String, Option<usize>)>;

/// All that was done up to a moment.
struct Model<'a> {
    recording: &'a Recording,
    nodes: Vec<Node>,
    by_inode: HashMap<u64, usize>,
    /// The directories as they are without a failure, by path.
    now: BTreeMap<String, usize>,
    syncs: HashMap<u64, (usize, usize)>,
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl<'a> Model<'a> {
    fn new(recording: &'a Recording, by: Mark) -> Self {
        let mut model = Self {
            recording,
            nodes: Vec::new(),
            by_inode: HashMap::new(),
            now: BTreeMap::new(),
            syncs: HashMap::new(),
        };
        for old in &recording.base {
            let node = model.node(old.inode, old.content.clone());
            if !old.path.is_empty() {
                let (dir, name) = split(&old.path);
                let dir = model.now[dir];
                model.nodes[dir].names.insert(name.to_owned(), node);
            }
            model.now.insert(old.path.clone(), node);
        }
        let acts = recording.acts.iter().take_while(|(end, _)| *end <= by);
        acts.for_each(|(_, act)| model.act(act));
        model
    }

    fn node(&mut self, inode: u64, content: Option<Vec<u8>>) -> usize {
        self.nodes.push(Node { content, ..Default::default() });
        self.by_inode.insert(inode, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn file(&mut self, inode: u64) -> &mut Node {
        let node = self.by_inode[&inode];
        &mut self.nodes[node]
    }

    fn name(&mut self, path: &str, node: usize) {
        let (dir, name) = split(path);
        let dir = self.now[dir];
        self.nodes[dir].moves.push(vec![(name.to_owned(), Some(node))]);
        self.now.insert(path.to_owned(), node);
    }

    fn unname(&mut self, path: &str) {
        let (dir, name) = split(path);
        let dir = self.now[dir];
        self.nodes[dir].moves.push(vec![(name.to_owned(), None)]);
        self.now.remove(path);
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Write { inode, offset, data } => {
                let write = Change::Write(*offset, data.clone());
                self.file(*inode).writes.push(write);
            }
            Act::Size { inode, length } => {
                self.file(*inode).writes.push(Change::Length(*length));
            }
            Act::Create { path, inode } => {
                let node = self.node(*inode, Some(Vec::new()));
                self.name(path, node);
            }
            Act::MakeDir { path, inode } => {
                let node = self.node(*inode, None);
                self.name(path, node);
            }
            Act::Rename { from, to } => {
                let ((dir, old), (other, new)) = (split(from), split(to));
                assert_eq!(dir, other, "no model of a move to another directory");
                let node = self.now.remove(from).expect("a name");
                assert!(self.nodes[node].content.is_some(), "no model of a moved directory");
                self.now.insert(to.clone(), node);
                let dir = self.now[dir];
                let both = vec![(old.to_owned(), None), (new.to_owned(), Some(node))];
                self.nodes[dir].moves.push(both);
            }
            Act::Unlink { path } | Act::RemoveDir { path } => self.unname(path),
            Act::SyncBegins { inode, id } => {
                let node = self.by_inode[inode];
                let count = self.nodes[node].writes.len() + self.nodes[node].moves.len();
                self.syncs.insert(*id, (node, count));
            }
            Act::SyncEnded { id } => {
                if let Some((node, count)) = self.syncs.remove(id) {
                    let durable = &mut self.nodes[node].durable;
                    *durable = (*durable).max(count);
                }
            }
        }
    }

    /// Writes what is left of a directory.
    fn write(&self, dir: usize, path: &Path, seed: u64, kept: Kept) {
        let Node { names, moves, durable, .. } = &self.nodes[dir];
        let mut names = names.clone();
        for (at, change) in moves.iter().enumerate() {
            let place = (dir as u64) << 32 | at as u64;
            if at >= *durable && !keeps(kept, seed, dir as u64, place) {
                continue;
            }
            for (name, node) in change {
                match node {
                    Some(node) => names.insert(name.clone(), *node),
                    None => names.remove(name),
                };
            }
        }
        for (name, node) in names {
            let path = path.join(name);
            match self.content(node, seed, kept) {
                Some(content) => fs::write(path, content).expect("written"),
                None => {
                    fs::create_dir(&path).expect("a directory");
                    self.write(node, &path, seed, kept);
                }
            }
        }
    }

    fn content(&self, number: usize, seed: u64, kept: Kept) -> Option<Vec<u8>> {
        let node = &self.nodes[number];
        let mut content = node.content.clone()?;
        let (durable, open) = node.writes.split_at(node.durable);
        for change in durable {
            self.apply(&mut content, change, |_| true);
        }
        // How often each sector was written since, and how often it reached the disk.
        let mut counts: HashMap<u64, u64> = HashMap::new();
        for change in open {
            sectors(change).for_each(|sector| *counts.entry(sector).or_default() += 1);
        }
        let number = number as u64;
        let reached = |sector: u64| {
            let (count, place) = (counts[&sector], number << 40 | sector);
            match kept {
                Kept::Moments => hash(seed, place) % (count + 1),
                Kept::Few if hash(seed, !place).is_multiple_of(8) => {
                    hash(seed, place) % (count + 1)
                }
                Kept::Few => 0,
                _ if keeps(kept, seed, number, place) => count,
                _ => 0,
            }
        };
        let limits: HashMap<u64, u64> = counts.keys().map(|s| (*s, reached(*s))).collect();
        let mut seen: HashMap<u64, u64> = HashMap::new();
        for (at, change) in open.iter().enumerate() {
            if matches!(change, Change::Length(_)) {
                let place = !(number << 40 | at as u64);
                self.apply(&mut content, change, |_| keeps(kept, seed, number, place));
                continue;
            }
            for sector in sectors(change) {
                *seen.entry(sector).or_default() += 1;
            }
            self.apply(&mut content, change, |sector| seen[&sector] <= limits[&sector]);
        }
        Some(content)
    }

    fn apply(&self, content: &mut Vec<u8>, change: &Change, is_kept: impl Fn(u64) -> bool) {
        match change {
            Change::Length(length) if is_kept(0) => {
                content.resize(usize::try_from(*length).expect("small"), 0);
            }
            Change::Length(_) => {}
            Change::Write(offset, data) => {
                let mut data = &self.recording.log[data.clone()];
                let mut offset = *offset;
                while !data.is_empty() {
                    let room = usize::try_from(SECTOR - offset % SECTOR).expect("small");
                    let (part, rest) = data.split_at(room.min(data.len()));
                    if is_kept(offset / SECTOR) {
                        let start = usize::try_from(offset).expect("small");
                        let end = start + part.len();
                        content.resize(content.len().max(end), 0);
                        content[start..end].copy_from_slice(part);
                    }
                    (data, offset) = (rest, offset + part.len() as u64);
                }
            }
        }
    }
}

fn sectors(change: &Change) -> std::ops::RangeInclusive<u64> {
    match change {
        Change::Write(offset, data) => {
            let last = offset + (data.len() as u64).saturating_sub(1);
            offset / SECTOR..=last / SECTOR
        }
        Change::Length(_) => std::ops::RangeInclusive::new(1, 0),
    }
}

/// Whether something that was not synced is there.
fn keeps(kept: Kept, seed: u64, node: u64, place: u64) -> bool {
    match kept {
        Kept::Nothing => false,
        Kept::All => true,
        Kept::Files => hash(seed, node).is_multiple_of(2),
        Kept::Sectors | Kept::Moments => hash(seed, place).is_multiple_of(2),
        Kept::Few => hash(seed, place).is_multiple_of(8),
    }
}

/// Makes the directory as a power failure at a moment may have left it.
pub fn rebuild(recording: &Recording, by: Mark, seed: u64, kept: Kept, root: &Path) {
    let model = Model::new(recording, by);
    model.write(model.now[""], root, seed, kept);
}

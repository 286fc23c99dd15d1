//! Directories that are damaged while nothing serves them: whatever bit flips,
//! whatever is cut off or gone, a server serves everything or refuses.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    book::{Book, END},
    check::{self, Violation},
    client::Client,
    dice::Dice,
    figures::Figures,
    load::Load,
    place::{OFTEN, Place},
    process::{PATIENCE, Server, verify},
    world,
};

/// Longer than the fence may be behind.
const FENCE: Duration = Duration::from_millis(800);

/// A directory after a load and a kill, when the fence had caught up, and what
/// was answered.
pub async fn put_away(dice: &mut Dice, answers: usize) -> (Place, Book) {
    let place = Place::in_memory();
    let often = [("BURSAR_CHECKPOINT_RECORDS", OFTEN.as_ref())];
    let server = Server::try_start(&place.data(), &often).expect("it serves");
    world::furnish(&Client::connect(&server).await).await.expect("a world");
    let mut load = Load::start(&server, Book::default(), 0, dice, Arc::new(|| 0)).await;
    load.answers(answers, PATIENCE).await;
    let book = load.end().await;
    tokio::time::sleep(FENCE).await;
    server.kill();
    (place, book)
}

/// A copy, to be damaged.
pub fn copy(place: &Place) -> Place {
    let copy = Place::in_memory();
    copy_below(&place.root(), &copy.root());
    copy
}

fn copy_below(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a listing") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir(&target).expect("a directory");
            copy_below(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// The files below a directory that have anything in them.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a listing") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if fs::metadata(&path).expect("a status").len() > 0 {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip { byte: usize, bit: u8 },
    Cut { length: usize },
    Zero { from: usize, length: usize },
    Remove,
}

impl Harm {
    fn to(self, file: &Path) {
        let mut bytes = fs::read(file).expect("a file");
        match self {
            Self::Flip { byte, bit } => bytes[byte] ^= 1 << bit,
            Self::Cut { length } => bytes.truncate(length),
            Self::Zero { from, length } => {
                let end = bytes.len().min(from + length);
                bytes[from..end].fill(0);
            }
            Self::Remove => {
                fs::remove_file(file).expect("removed");
                return;
            }
        }
        fs::write(file, bytes).expect("written");
    }

    /// To the front, the middle and the end of what is in a file, and to places
    /// at random.
    fn all(content: &[u8], random: usize, dice: &mut Dice) -> Vec<Self> {
        let last = content.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        let places = [0, 1, 4, 8, 40, last / 4, last / 2, last / 4 * 3, last - last.min(3), last];
        let random = (0..random).map(|_| dice.below(last + 1)).collect::<Vec<_>>();
        let mut all = Vec::new();
        for byte in places.into_iter().chain(random).filter(|byte| *byte < content.len()) {
            all.push(Self::Flip { byte, bit: u8::try_from(dice.below(8)).expect("small") });
        }
        all.extend([0, last / 2, last].map(|length| Self::Cut { length }));
        all.extend([0, last / 2, last].map(|from| Self::Zero { from, length: 512 }));
        all.push(Self::Remove);
        all
    }
}

/// Serves everything, or refuses and says why. Whether it serves. Damage to rows
/// at rest is found by who reads them; the start after that makes them again.
async fn is_served(place: &Place, book: &Book) -> Result<bool, Violation> {
    let served = is_served_at_once(place, book).await;
    if served.is_err() && place.data().join("runs/damaged").exists() {
        return is_served_at_once(place, book).await;
    }
    served
}

async fn is_served_at_once(place: &Place, book: &Book) -> Result<bool, Violation> {
    match Server::try_start(&place.data(), &[]) {
        Ok(server) => {
            check::check(&Client::connect(&server).await, book, END).await?;
            server.kill();
            Ok(true)
        }
        Err(log) => {
            let names = ["record", "durable.fence", ".log", "journal"];
            if !names.iter().any(|name| log.contains(name)) {
                return Err(Violation(format!("a refusal that names nothing: {log}")));
            }
            let (code, said) = verify(&place.data(), &["--json"]);
            if code != 1 {
                return Err(Violation(format!("refused, and verify says {code}: {said}")));
            }
            Ok(false)
        }
    }
}

/// Harms every file in many places, each in a copy of its own. `random` is how
/// many places are drawn beside the fixed ones; every `step`th harm is done.
pub async fn rounds(random: usize, step: usize, seed: u64) -> Result<Figures, Violation> {
    let mut dice = Dice::new(seed);
    let (place, book) = put_away(&mut dice, 150).await;
    let mut figures = Figures::default();
    let mut harms = Vec::new();
    for file in files(&place.data()) {
        let content = fs::read(&file).expect("a file");
        let name = file.strip_prefix(place.data()).expect("below").to_owned();
        let of_file = Harm::all(&content, random, &mut dice);
        harms.extend(of_file.into_iter().map(|harm| (name.clone(), harm)));
    }
    let first = dice.below(step);
    for (name, harm) in harms.iter().skip(first).step_by(step) {
        let damaged = copy(&place);
        harm.to(&damaged.data().join(name));
        let served = is_served(&damaged, &book).await;
        let served = served.map_err(|v| Violation(format!("{name:?}, {harm:?}: {}", v.0)))?;
        figures.rounds += 1;
        figures.refused += usize::from(!served);
        figures.answers += if served { book.answers_by(END) } else { 0 };
    }
    Ok(figures)
}

/// A fence that was put back from an earlier moment costs nothing but what it
/// would have told.
pub async fn an_older_fence(seed: u64) -> Result<(), Violation> {
    let mut dice = Dice::new(seed);
    let place = Place::in_memory();
    let server = Server::try_start(&place.data(), &[]).map_err(Violation)?;
    world::furnish(&Client::connect(&server).await).await?;
    tokio::time::sleep(FENCE).await;
    let fence = place.data().join("durable.fence");
    let older = fs::read(&fence).expect("a fence");
    let mut load = Load::start(&server, Book::default(), 0, &mut dice, Arc::new(|| 0)).await;
    load.answers(100, PATIENCE).await;
    let book = load.end().await;
    tokio::time::sleep(FENCE).await;
    server.kill();
    let newer = fs::read(&fence).expect("a fence");
    check::same("the fence stood still".to_owned(), newer == older, false)?;
    fs::write(&fence, older).expect("written");
    match is_served(&place, &book).await? {
        true => Ok(()),
        false => Err(Violation("an older fence is refused".to_owned())),
    }
}

//! Rounds in which what was not synced is lost: a load is recorded once; then
//! for many moments the directory is made as a power failure at that moment may
//! have left it, opened by a server and asked for everything that was answered
//! by then.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{
    book::{Book, END, Mark},
    check::{self, Violation},
    client::Client,
    dice::Dice,
    figures::Figures,
    image::{Kept, rebuild},
    kill::assert_clean,
    load::Load,
    place::{OFTEN, Place},
    process::{PATIENCE, Server},
    recording::{Act, Recording, contents, look},
    world,
};

/// From which length on a file of the journal is followed by another.
const FULL: u64 = 64 * 1024 * 1024;
/// Less than a load writes, and more than is sent at a time.
const REST: u64 = 160 * 1024;
/// Large orders that are sent at a time, some 110 KiB.
const AT_ONCE: usize = 4;

/// A load that was recorded.
pub struct Story {
    pub recording: Recording,
    pub book: Book,
    /// From when on the world that it works in is there.
    furnished: Mark,
    fills: bool,
}

fn length(log: &PathBuf) -> Mark {
    fs::metadata(log).map_or(0, |status| status.len())
}

/// How a load is recorded.
#[derive(Clone, Copy, Default)]
pub struct Plan {
    /// About how many answers.
    pub answers: usize,
    /// A bug that the recorder makes.
    pub bug: Option<&'static str>,
    /// Whether the journal is nearly so long before that another file of it
    /// begins meanwhile.
    pub fills: bool,
}

/// Records a load over two lives of a server: the second opens what the first
/// left when it was killed.
pub async fn record(dice: &mut Dice, plan: Plan) -> Result<Story, Violation> {
    let Plan { answers, bug, fills } = plan;
    let place = Place::new();
    let base = look(&place.root());
    let checkpoints = if dice.percent(75) && !fills { OFTEN } else { "20000" };
    let log = place.file("log");
    let (mut book, mut furnished) = (Book::default(), 0);
    for life in 0..2 {
        let server = place.serve_noted(checkpoints, bug).map_err(Violation)?;
        if life == 0 {
            let client = Client::connect(&server).await;
            world::furnish(&client).await?;
            if fills {
                fill(&client, &place).await?;
            }
            furnished = length(&log);
        }
        let before = book.answers_by(END);
        let clock = log.clone();
        let clock = Arc::new(move || length(&clock));
        let mut load = Load::start(&server, book, life, dice, clock).await;
        load.answers(before + answers / 2, PATIENCE).await;
        place.kill_noted(server);
        book = load.end().await;
    }
    let recording = Recording::read(&log, base);
    if bug.is_none() {
        is_complete(&place, &recording)?;
    }
    if fills {
        let files = fs::read_dir(place.data().join("journal")).map_or(0, Iterator::count);
        check::same("files of a journal that was filled".to_owned(), files, 2)?;
    }
    Ok(Story { recording, book, furnished, fills })
}

/// How far the longest file of a journal is written: room after that is zeros.
fn written(journal: &Path) -> u64 {
    let files = fs::read_dir(journal).into_iter().flatten().flatten();
    let longest = files.max_by_key(|file| file.metadata().map_or(0, |file| file.len()));
    let content = longest.and_then(|file| fs::read(file.path()).ok()).unwrap_or_default();
    content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
}

/// Orders with as many facts as there may be, until the first file of the
/// journal is nearly full.
async fn fill(client: &Client, place: &Place) -> Result<(), Violation> {
    let mut number = 0;
    while written(&place.data().join("journal")) < FULL - REST {
        let mut asking = JoinSet::new();
        for _ in 0..AT_ONCE {
            number += 1;
            let (client, request) = (client.clone(), world::large_order(number));
            asking.spawn(async move { client.upsert_order(request).await });
        }
        while let Some(answer) = asking.join_next().await {
            answer.expect("no panic")?;
        }
    }
    Ok(())
}

/// Everything that was done went through the recorder: the log makes what is
/// there.
fn is_complete(place: &Place, recording: &Recording) -> Result<(), Violation> {
    let copy = Place::in_memory();
    rebuild(recording, END, 0, Kept::All, &copy.root());
    let (made, there) = (contents(&copy.root()), contents(&place.root()));
    if made.keys().ne(there.keys()) {
        let names = (made.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
        return Err(Violation(format!("the recorder misses files: {names:?}")));
    }
    match there.iter().find(|(name, content)| made[*name] != **content) {
        Some((name, _)) => Err(Violation(format!("the recorder misses writes to {name}"))),
        None => Ok(()),
    }
}

/// A moment for the power to fail: when an answer arrived, around a sync, or any.
fn moment(story: &Story, marks: &[Mark], dice: &mut Dice) -> Mark {
    // What fills a journal is of no interest by itself.
    let skipped = if story.fills { story.furnished } else { 0 };
    let acts = &story.recording.acts;
    let acts = &acts[acts.partition_point(|(end, _)| *end < skipped)..];
    match dice.below(10) {
        0..5 => *dice.pick(marks),
        5..8 => {
            let syncs = acts.iter().enumerate().filter_map(|(at, (_, act))| {
                matches!(act, Act::SyncBegins { .. } | Act::SyncEnded { .. }).then_some(at)
            });
            let syncs: Vec<usize> = syncs.collect();
            let at = *dice.pick(&syncs);
            acts[at.saturating_sub(dice.below(2))].0
        }
        _ => dice.pick(acts).0,
    }
}

/// So many failures of one recording.
pub async fn rounds(story: &Story, count: u64, dice: &mut Dice) -> Result<Figures, Violation> {
    let marks = story.book.marks();
    let mut figures = Figures::default();
    for _ in 0..count {
        let by = moment(story, &marks, dice);
        let kept = *dice.pick(&Kept::ALL);
        let seed = dice.next();
        let told = |violation: Violation| {
            let why = violation.0;
            Violation(format!("power fails at {by}, {kept:?} kept, chance {seed}: {why}"))
        };
        fail(story, by, kept, seed, &mut figures).await.map_err(told)?;
        figures.rounds += 1;
    }
    Ok(figures)
}

/// One failure; in some rounds the power fails again while the server opens
/// what is left.
async fn fail(
    story: &Story,
    by: Mark,
    kept: Kept,
    seed: u64,
    figures: &mut Figures,
) -> Result<(), Violation> {
    let mut dice = Dice::new(seed);
    let mut place = Place::in_memory();
    rebuild(&story.recording, by, seed, kept, &place.root());
    if dice.percent(20) {
        place = fail_again(&place, &mut dice)?;
        figures.twice += 1;
    }
    let server = Server::try_start(&place.data(), &[]);
    let server = server.map_err(|why| Violation(format!("does not open: {why}")))?;
    if by >= story.furnished {
        let client = Client::connect(&server).await;
        let mut book = story.book.clone();
        let seen = check::check(&client, &book, by).await?;
        figures.answers += seen.answers;
        figures.unanswered += seen.unanswered;
        figures.resent += check::resend(&client, &mut book, by).await?;
    }
    server.kill();
    figures.recomputed += assert_clean(&place.data())?;
    Ok(())
}

/// The power fails while a server opens a directory, or soon after.
fn fail_again(place: &Place, dice: &mut Dice) -> Result<Place, Violation> {
    let base = look(&place.root());
    let server = place.serve_noted(OFTEN, None);
    let server = server.map_err(|why| Violation(format!("does not open: {why}")))?;
    std::thread::sleep(Duration::from_micros(dice.next() % 300_000));
    place.kill_noted(server);
    let recording = Recording::read(&place.file("log"), base);
    let by = recording.acts.get(dice.below(recording.acts.len().max(1))).map_or(END, |act| act.0);
    let again = Place::in_memory();
    rebuild(&recording, by, dice.next(), *dice.pick(&Kept::ALL), &again.root());
    Ok(again)
}

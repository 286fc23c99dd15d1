//! Rounds in which a server is killed, or its disk fails, while clients are at
//! it; and what has to be there when it is opened again.

use std::{ffi::OsStr, fs, path::Path, sync::Arc, time::Duration};

use bursar::proto::v1::Event;

use crate::{
    book::{Book, END},
    check::{self, Violation},
    client::Client,
    dice::Dice,
    figures::Figures,
    gather,
    load::Load,
    place::{OFTEN, Place, failing_disk},
    process::{Opening, PATIENCE, Server, verify},
    progress, world,
};

/// Kills of one data directory at most.
const KILLS: usize = 6;

/// What fails, and what is written into the file that makes it so.
const FAILURES: [(&str, &str); 3] = [("sync-error", "5"), ("sync-error", "28"), ("full", "")];

/// A data directory over some kills.
struct Story {
    place: Place,
    book: Book,
    /// Everything that readers were told by the time of the last check.
    told: Vec<Event>,
}

impl Story {
    fn new() -> Self {
        Self { place: Place::new(), book: Book::default(), told: Vec::new() }
    }

    fn serve(&self, dice: &mut Dice, fails: bool) -> Result<Server, Violation> {
        let [error, full] = ["sync-error", "full"].map(|name| self.place.file(name));
        let data = self.place.data();
        let often: [(&str, &OsStr); 1] = [("BURSAR_CHECKPOINT_RECORDS", OsStr::new(OFTEN))];
        let failing: [(&str, &OsStr); 4] = [
            ("LD_PRELOAD", failing_disk().as_os_str()),
            ("BURSAR_TEST_SYNC_ERROR", error.as_os_str()),
            ("BURSAR_TEST_FULL", full.as_os_str()),
            ("BURSAR_TEST_DATA", data.as_os_str()),
        ];
        let mut env = Vec::new();
        if dice.percent(60) {
            env.extend(often);
        }
        if fails {
            env.extend(failing);
        }
        Server::try_start(&data, &env).map_err(|why| Violation(format!("does not open: {why}")))
    }

    /// A load that ends in the server's death.
    async fn round(
        &mut self,
        server: Server,
        number: u64,
        dice: &mut Dice,
        fails: bool,
    ) -> Result<(), Violation> {
        let book = std::mem::take(&mut self.book);
        let enough = book.answers_by(END) + 20 + dice.below(200);
        let mut load = Load::start(&server, book, number, dice, Arc::new(|| 0)).await;
        load.answers(enough, PATIENCE).await;
        tokio::time::sleep(Duration::from_micros(dice.next() % 150_000)).await;
        if fails {
            let (file, content) = *dice.pick(&FAILURES);
            fs::write(self.place.file(file), content)
                .map_err(|error| Violation(error.to_string()))?;
            // Until everybody was told that nothing can be kept any more.
            self.book = load.end_by_itself().await;
            self.unset(file);
            panicked(&server)?;
            server.kill();
        } else {
            panicked(&server)?;
            server.kill();
            self.book = load.end().await;
        }
        Ok(())
    }

    /// Kills servers while they open the directory.
    fn kill_while_opening(&self, dice: &mut Dice) {
        for _ in 0..dice.below(3) {
            let server = Opening::start(&self.place.data());
            std::thread::sleep(Duration::from_micros(dice.next() % 40_000));
            server.kill();
        }
    }

    fn unset(&self, file: &str) {
        fs::remove_file(self.place.file(file)).expect("removed");
    }

    /// Checks what is served, and that it goes on.
    async fn check(&mut self, server: &Server, figures: &mut Figures) -> Result<(), Violation> {
        let client = Client::connect(server).await;
        let seen = check::check(&client, &self.book, END).await?;
        figures.answers += seen.answers;
        figures.unanswered += seen.unanswered;
        figures.resent += check::resend(&client, &mut self.book, END).await?;
        let told = gather::events(&client, &[]).await?;
        if !told.starts_with(&self.told) {
            return Err(Violation("what readers were told before is told otherwise".to_owned()));
        }
        self.told = told;
        panicked(server)
    }

    fn verify(&self, figures: &mut Figures) -> Result<(), Violation> {
        figures.recomputed += assert_clean(&self.place.data())?;
        Ok(())
    }
}

fn panicked(server: &Server) -> Result<(), Violation> {
    let log = server.log();
    if log.contains("panicked") { Err(Violation(log)) } else { Ok(()) }
}

/// Whether a start applied only the end of the journal to rows at rest.
fn began_from_a_checkpoint(log: &str) -> bool {
    let line = log.lines().find(|line| line.contains("the store is open")).unwrap_or_default();
    let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    line["replayed"].as_u64() < line["sequence"].as_u64()
}

/// `bursar verify` finds nothing wrong; how many decisions it recomputed.
pub fn assert_clean(data: &Path) -> Result<usize, Violation> {
    let (code, said) = verify(data, &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
    let decisions = report["decisions"].as_u64();
    if code != 0 || report["ok"] != true || decisions != report["decisions_recomputed"].as_u64() {
        return Err(Violation(format!("verify: {said}")));
    }
    Ok(decisions.and_then(|number| number.try_into().ok()).unwrap_or_default())
}

/// So many rounds.
pub async fn rounds(count: u64, seed: u64) -> Result<Figures, Violation> {
    let mut dice = Dice::new(seed);
    let mut figures = Figures::default();
    let mut number = 0;
    while number < count {
        let mut story = Story::new();
        let mut server = story.serve(&mut dice, false)?;
        world::furnish(&Client::connect(&server).await).await?;
        for _ in 0..1 + dice.below(KILLS) {
            if number == count {
                break;
            }
            number += 1;
            let fails = dice.percent(15);
            if fails {
                // Only a server that was started so can have a failing disk.
                server.kill();
                server = story.serve(&mut dice, true)?;
                figures.disk_failures += 1;
            }
            story.round(server, number, &mut dice, fails).await?;
            let verified_first = dice.percent(50);
            if verified_first {
                story.verify(&mut figures)?;
            }
            story.kill_while_opening(&mut dice);
            server = story.serve(&mut dice, false)?;
            figures.from_checkpoint += usize::from(began_from_a_checkpoint(&server.log()));
            story.check(&server, &mut figures).await?;
            if !verified_first {
                server.kill();
                story.verify(&mut figures)?;
                server = story.serve(&mut dice, false)?;
            }
            figures.rounds += 1;
            if number.is_multiple_of(10) {
                progress("kills", number, count);
            }
        }
        server.kill();
    }
    Ok(figures)
}

//! What was done, for the table of `make crash`.

use std::time::Duration;

/// Figures of some rounds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Figures {
    pub rounds: usize,
    /// Answers that had to be there, over all rounds.
    pub answers: usize,
    /// Payouts that were there though their answer had not arrived.
    pub unanswered: usize,
    /// Requests that were sent again.
    pub resent: usize,
    /// Decisions that `bursar verify` recomputed.
    pub recomputed: usize,
    /// Rounds that ended by a failing disk.
    pub disk_failures: usize,
    /// Rounds in which the power failed a second time, during recovery.
    pub twice: usize,
    /// Starts that applied only the end of the journal to rows at rest.
    pub from_checkpoint: usize,
    /// Directories that were told to be damaged.
    pub refused: usize,
    pub took: Duration,
}

impl Figures {
    pub fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.answers += other.answers;
        self.unanswered += other.unanswered;
        self.resent += other.resent;
        self.recomputed += other.recomputed;
        self.disk_failures += other.disk_failures;
        self.twice += other.twice;
        self.from_checkpoint += other.from_checkpoint;
        self.refused += other.refused;
    }

    /// A row of the table, with its head.
    pub fn print(&self, what: &str) {
        let Self { rounds, answers, unanswered, resent, recomputed, .. } = self;
        let each = self.took.as_millis() / u128::try_from(*rounds).unwrap_or(1).max(1);
        println!(
            "| what | rounds | answers that had to be there | unanswered and there | sent again \
             | decisions recomputed | violations | time |\n|---|---|---|---|---|---|---|---|\n\
             | {what} | {rounds} | {answers} | {unanswered} | {resent} | {recomputed} | 0 \
             | {} s, {each} ms a round |",
            self.took.as_secs()
        );
    }
}

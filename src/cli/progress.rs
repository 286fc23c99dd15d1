//! Signs of life on a terminal, for what takes long. Nothing is shown anywhere
//! else.

use std::io::{IsTerminal, Write};

/// Records between two signs of life.
const RECORDS: u64 = 2048;
/// Bytes between two signs of life.
const BYTES: u64 = 8 * MEGABYTE;
const MEGABYTE: u64 = 1_000_000;

/// What was shown last.
#[derive(Debug)]
pub(super) struct Progress {
    on: bool,
    shown: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { on: std::io::stderr().is_terminal(), shown: 0 }
    }
}

impl Progress {
    /// This record is done.
    pub(super) fn record(&mut self, sequence: u64) {
        if self.is_due(sequence, RECORDS) {
            show(&format!("{sequence} records"));
        }
    }

    /// This record is done, for rows of this part of how many.
    pub(super) fn part(&mut self, part: u64, of: u64, sequence: u64) {
        // Each part begins from the front.
        self.shown = self.shown.min(sequence);
        if self.is_due(sequence, RECORDS) {
            let rows =
                if of > 1 { format!(", rows of part {part} of {of}") } else { String::new() };
            show(&format!("{sequence} records{rows}"));
        }
    }

    /// So many records are done, of so many.
    pub(super) fn of_records(&mut self, done: u64, all: u64) {
        if self.is_due(done, RECORDS) {
            show(&format!("{done} of {all} records"));
        }
    }

    /// So many bytes are done, of about so many.
    pub(super) fn bytes(&mut self, done: u64, all: u64) {
        if self.is_due(done, BYTES) {
            show(&format!("{} of {} MB", done / MEGABYTE, all.max(done) / MEGABYTE));
        }
    }

    fn is_due(&mut self, done: u64, every: u64) -> bool {
        let is_due = self.on && done >= self.shown + every;
        if is_due {
            self.shown = done;
        }
        is_due
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        if self.on && self.shown > 0 {
            show("");
        }
    }
}

fn show(text: &str) {
    eprint!("\r\x1b[K{text}");
    // A sign of life that does not show is no reason to stop.
    let _ = std::io::stderr().flush();
}

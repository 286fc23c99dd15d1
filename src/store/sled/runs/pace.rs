//! How fast the background thread writes. In one go it would take a processor
//! and the disk from those that somebody waits for, for long enough to be their
//! slowest hundredth (ADR 0095). So it works in short pieces, with a pause after
//! each, and is done shortly before the next table comes, if that comes as soon as
//! the last one did. Whether there is time for a pause, `shared.rs` says.

use std::time::{Duration, Instant};

/// Pieces and pauses.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A pause comes after work of this length, at the next good moment.
    pub piece: Duration,
    /// How much of the time from one table to the next work and pauses may take, in
    /// hundredths.
    pub share: u32,
    /// How many times as long as the work before it a pause is at most, in hundredths.
    pub most: u32,
    /// No pause is longer: a disk may be slow for once.
    pub longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            piece: Duration::from_millis(1),
            share: 75,
            most: 500,
            longest: Duration::from_millis(50),
        }
    }
}

impl Pace {
    /// How many times as long as work pauses are, in hundredths, where so much work was
    /// to be done from one table to the next.
    fn times(&self, worked: Duration, interval: Duration) -> u32 {
        let time = interval.as_nanos().saturating_mul(self.share.into());
        // Without work there is all the time there is.
        let spread = time.checked_div(worked.as_nanos()).unwrap_or(u128::MAX);
        u32::try_from(spread.saturating_sub(100)).unwrap_or(u32::MAX).min(self.most)
    }

    fn pause(&self, worked: Duration, times: u32) -> Duration {
        (worked.saturating_mul(times) / 100).min(self.longest)
    }
}

/// What was done, and when.
#[derive(Debug)]
pub(super) struct Pacing {
    pace: Pace,
    /// How many times as long as work pauses are now.
    times: u32,
    /// When the last table was taken up.
    table: Option<Instant>,
    /// Work since then, without the piece that has begun.
    worked: Duration,
    /// When that began.
    piece: Instant,
}

impl Pacing {
    /// Nothing was done yet.
    pub(super) fn begin(pace: Pace, now: Instant) -> Self {
        Self { pace, times: pace.most, table: None, worked: Duration::ZERO, piece: now }
    }

    /// Another table is taken up.
    pub(super) fn table(&mut self, now: Instant) {
        if let Some(last) = self.table {
            let interval = now.saturating_duration_since(last);
            self.times = self.pace.times(self.worked, interval);
        }
        self.table = Some(now);
        self.worked = Duration::ZERO;
        self.piece = now;
    }

    /// How long a pause is to be now, if a piece is done.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        let piece = now.saturating_duration_since(self.piece);
        if piece < self.pace.piece {
            return None;
        }
        self.rest(now);
        Some(self.pace.pause(piece, self.times))
    }

    /// A piece ends, however short it is.
    pub(super) fn rest(&mut self, now: Instant) {
        let piece = now.saturating_duration_since(self.piece);
        self.worked = self.worked.saturating_add(piece);
        self.piece = now;
    }

    /// The next piece begins.
    pub(super) fn go_on(&mut self, now: Instant) {
        self.piece = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const PACE: Pace = Pace {
        piece: Duration::from_millis(2),
        share: 50,
        most: 400,
        longest: Duration::from_millis(20),
    };

    #[test]
    fn work_and_pauses_take_a_share_of_the_time_from_one_table_to_the_next() {
        let times = |worked: u32| PACE.times(worked * MS, 100 * MS);
        assert_eq!(times(25), 100, "twice 25 is half of 100");
        assert_eq!(times(20), 150);
        assert_eq!(times(50), 0, "there is no time for pauses");
        assert_eq!(times(500), 0);
        assert_eq!(times(10), 400, "as many as there may be");
        assert_eq!(times(1), 400);
        assert_eq!(times(0), 400);
        assert_eq!(PACE.times(Duration::ZERO, Duration::ZERO), 400);
        assert_eq!(PACE.times(MS, Duration::ZERO), 0);
        assert_eq!(PACE.times(Duration::from_nanos(1), Duration::MAX), 400);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
    fn what_was_done_since_the_last_table_says_how_long_pauses_are() {
        let begin = Instant::now();
        let mut pacing = Pacing::begin(PACE, begin);
        pacing.table(begin);
        assert_eq!(pacing.pause(begin + MS), None, "no piece yet");
        assert_eq!(pacing.pause(begin + 4 * MS), Some(16 * MS), "nothing is known yet");
        pacing.go_on(begin + 20 * MS);
        pacing.rest(begin + 26 * MS);
        // 10 of work in 40 of the time, of which it may take twice as much.
        pacing.table(begin + 40 * MS);
        assert_eq!(pacing.pause(begin + 44 * MS), Some(4 * MS));
        // The time in which there was nothing to do is no work.
        pacing.table(begin + 1000 * MS);
        assert_eq!(pacing.pause(begin + 1003 * MS), Some(12 * MS));
    }

    #[test]
    fn a_pause_is_as_many_times_as_long_as_the_work_up_to_a_most() {
        assert_eq!(PACE.pause(2 * MS, 400), 8 * MS);
        assert_eq!(PACE.pause(2 * MS, 0), Duration::ZERO);
        assert_eq!(PACE.pause(100 * MS, 400), 20 * MS);
        assert_eq!(PACE.pause(Duration::MAX, u32::MAX), 20 * MS);
    }
}

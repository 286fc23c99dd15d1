//! Time as decisions see it: never before the last record, and not adopted
//! when the wall clock jumps ahead of the monotonic one (it would expire every
//! hold).

use std::{sync::Arc, time::Duration};

use super::clock::{Clock, Tick};
use crate::domain::instant::Instant;

/// How far the wall clock may run ahead of the monotonic one between two looks.
const TOLERATED_JUMP: Duration = Duration::from_secs(60);

/// What is unusual about the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Nothing.
    Usual,
    /// The wall clock stepped back; time stands still until it has caught up.
    SteppedBack,
    /// The wall clock jumped ahead; it is not believed.
    Jumped,
}

/// Keeps the time.
pub struct Timekeeper {
    clock: Arc<dyn Clock>,
    /// What was told when the wall clock was last believed, and when that was.
    /// Not moved while the wall clock is behind: a clock that was set back and
    /// then right again has not jumped.
    last: Option<Tick>,
    /// The latest time that was told to anybody. Readers were answered by it,
    /// so it is a floor as the last record is.
    told: Instant,
    stepped_back: bool,
}

impl std::fmt::Debug for Timekeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timekeeper").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Timekeeper {
    /// Believes the first reading: starting the service is believing its clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: None, told: Instant::MIN, stepped_back: false }
    }

    /// Time since some fixed point, which never steps.
    pub fn monotonic(&self) -> Duration {
        self.clock.now().monotonic
    }

    /// The time now, at least `floor` and at least what was told before. A
    /// notice of a step back comes once.
    pub fn now(&mut self, floor: Instant) -> (Instant, Notice) {
        let tick = self.clock.now();
        let floor = floor.max(self.told);
        if let Some(last) = self.last {
            let expected = last.wall.plus(tick.monotonic.saturating_sub(last.monotonic));
            if tick.wall > expected.plus(TOLERATED_JUMP) {
                // `last` stays: when the wall clock comes back, it is believed again.
                self.told = expected.max(floor);
                return (self.told, Notice::Jumped);
            }
        }
        let behind = tick.wall < floor;
        let news = behind && !self.stepped_back;
        self.stepped_back = behind;
        self.told = tick.wall.max(floor);
        if !behind || self.last.is_none() {
            self.last = Some(Tick { wall: self.told, ..tick });
        }
        (self.told, if news { Notice::SteppedBack } else { Notice::Usual })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::ManualClock;

    fn at(text: &str) -> Instant {
        Instant(text.parse().expect("an instant"))
    }

    fn keeper(start: &str) -> (ManualClock, Timekeeper) {
        let clock = ManualClock::new(at(start));
        (clock.clone(), Timekeeper::new(Arc::new(clock)))
    }

    #[test]
    fn time_stands_still_while_the_wall_clock_is_behind_and_says_so_once() {
        let (clock, mut keeper) = keeper("2026-01-01T00:00:10Z");
        let floor = at("2026-01-01T00:00:10Z");
        assert_eq!(keeper.now(floor), (floor, Notice::Usual));
        clock.set_wall(at("2026-01-01T00:00:05Z"));
        assert_eq!(keeper.now(floor), (floor, Notice::SteppedBack));
        assert_eq!(keeper.now(floor), (floor, Notice::Usual));
        clock.advance_to(at("2026-01-01T00:00:11Z"));
        assert_eq!(keeper.now(floor), (at("2026-01-01T00:00:11Z"), Notice::Usual));
    }

    #[test]
    fn a_jump_of_more_than_a_minute_is_not_adopted_until_the_clock_is_back() {
        let (clock, mut keeper) = keeper("2026-01-01T00:00:00Z");
        let floor = Instant::MIN;
        keeper.now(floor);
        clock.set_wall(at("2026-01-01T00:01:00.000000001Z"));
        assert_eq!(keeper.now(floor), (at("2026-01-01T00:00:00Z"), Notice::Jumped));
        clock.set_wall(at("2026-01-01T00:01:00Z"));
        assert_eq!(keeper.now(floor), (at("2026-01-01T00:01:00Z"), Notice::Usual));
    }

    #[test]
    fn waiting_is_not_a_jump() {
        let (clock, mut keeper) = keeper("2026-01-01T00:00:00Z");
        keeper.now(Instant::MIN);
        clock.advance_to(at("2027-01-01T00:00:00Z"));
        assert_eq!(keeper.now(Instant::MIN).1, Notice::Usual);
    }

    #[test]
    fn what_was_told_is_a_floor_though_nothing_was_recorded() {
        let (clock, mut keeper) = keeper("2026-01-01T00:10:00Z");
        keeper.now(Instant::MIN);
        clock.set_wall(at("2026-01-01T00:00:00Z"));
        let told = keeper.now(Instant::MIN);
        assert_eq!(told, (at("2026-01-01T00:10:00Z"), Notice::SteppedBack));
    }

    #[test]
    fn a_clock_that_was_set_back_and_is_right_again_has_not_jumped() {
        let (clock, mut keeper) = keeper("2026-01-01T02:00:00Z");
        keeper.now(Instant::MIN);
        clock.set_wall(at("2026-01-01T00:00:00Z"));
        assert_eq!(keeper.now(Instant::MIN).1, Notice::SteppedBack);
        clock.set_wall(at("2026-01-01T02:00:01Z"));
        assert_eq!(keeper.now(Instant::MIN), (at("2026-01-01T02:00:01Z"), Notice::Usual));
    }
}

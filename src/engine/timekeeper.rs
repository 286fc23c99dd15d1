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
    last: Option<Tick>,
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
        Self { clock, last: None, stepped_back: false }
    }

    /// The time now, at least `floor`. A notice of a step back comes once.
    pub fn now(&mut self, floor: Instant) -> (Instant, Notice) {
        let tick = self.clock.now();
        let Some(last) = self.last else {
            self.last = Some(tick);
            return self.floored(tick.wall, floor, false);
        };
        let passed = tick.monotonic.saturating_sub(last.monotonic);
        if tick.wall > last.wall.plus(passed).plus(TOLERATED_JUMP) {
            // `last` stays: when the wall clock comes back, it is believed again.
            return (last.wall.plus(passed).max(floor), Notice::Jumped);
        }
        self.last = Some(tick);
        self.floored(tick.wall, floor, tick.wall < last.wall)
    }

    fn floored(&mut self, wall: Instant, floor: Instant, stepped: bool) -> (Instant, Notice) {
        let behind = wall < floor;
        let news = (stepped || behind) && !self.stepped_back;
        self.stepped_back = behind;
        (wall.max(floor), if news { Notice::SteppedBack } else { Notice::Usual })
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
}

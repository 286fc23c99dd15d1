//! Durations, instants and windows of a policy.

use std::time::Duration;

use jiff::civil::Weekday;

use crate::{
    domain::{instant::Instant, window::Window},
    proto::{google::r#type::DayOfWeek, v1, v1::window::Kind},
};

use super::{
    checker::Checker,
    path::Path,
    problem::PolicyReason::{InvalidValue, Missing, Unreachable},
};

/// A duration above 0.
pub fn duration(c: &mut Checker, at: &Path, wire: &prost_types::Duration) -> Option<Duration> {
    let parts = (u64::try_from(wire.seconds).ok(), u32::try_from(wire.nanos).ok());
    let duration = match parts {
        (Some(seconds), Some(nanos)) if nanos < 1_000_000_000 => Duration::new(seconds, nanos),
        _ => Duration::ZERO,
    };
    if duration.is_zero() {
        return c.refuse(at, InvalidValue, "must be longer than 0");
    }
    Some(duration)
}

/// A duration above 0, if there is one.
pub fn optional(
    c: &mut Checker,
    at: &Path,
    wire: Option<&prost_types::Duration>,
) -> Option<Option<Duration>> {
    match wire {
        None => Some(None),
        Some(wire) => duration(c, at, wire).map(Some),
    }
}

/// When a rule is in force: from (inclusive), until (exclusive).
pub fn effective(
    c: &mut Checker,
    at: &Path,
    wire: Option<&v1::Effective>,
) -> Option<(Option<Instant>, Option<Instant>)> {
    let Some(wire) = wire else { return Some((None, None)) };
    let start = instant(c, &at.field("start_time"), wire.start_time.as_ref());
    let end = instant(c, &at.field("end_time"), wire.end_time.as_ref());
    let (start, end) = (start?, end?);
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        let text = format!("ends at {end}, which is not after its start, {start}");
        return c.refuse(&at.field("end_time"), Unreachable, text);
    }
    Some((start, end))
}

fn instant(
    c: &mut Checker,
    at: &Path,
    wire: Option<&prost_types::Timestamp>,
) -> Option<Option<Instant>> {
    let Some(wire) = wire else { return Some(None) };
    match Instant::from_parts(wire.seconds, wire.nanos) {
        Some(instant) if (0..1_000_000_000).contains(&wire.nanos) => Some(Some(instant)),
        _ => c.refuse(at, InvalidValue, "is not an instant that can be written"),
    }
}

/// The time a meter covers.
pub fn window(c: &mut Checker, at: &Path, wire: Option<&v1::Window>) -> Option<Window> {
    let Some(wire) = wire else { return c.refuse(at, Missing, "needs a window") };
    let kind = c.known(&at.field("kind"), wire.kind)?;
    let rolling_months = kind == Kind::RollingMonths;
    stray(c, &at.field("length"), wire.length.is_some() && kind != Kind::Rolling, "ROLLING");
    stray(
        c,
        &at.field("count"),
        wire.count != 0 && kind != Kind::Month && !rolling_months,
        "MONTH",
    );
    stray(c, &at.field("week_starts_on"), wire.week_starts_on != 0 && kind != Kind::Week, "WEEK");
    stray(c, &at.field("slots"), !wire.slots.is_empty() && kind != Kind::Slot, "SLOT");
    match kind {
        Kind::Unspecified => c.refuse(&at.field("kind"), Missing, "needs a kind"),
        Kind::Payout => Some(Window::Payout),
        Kind::Rolling => match &wire.length {
            Some(length) => duration(c, &at.field("length"), length).map(Window::Rolling),
            None => c.refuse(&at.field("length"), Missing, "a rolling window needs a length"),
        },
        Kind::Day => Some(Window::Day),
        Kind::Week => {
            weekday(c, &at.field("week_starts_on"), wire.week_starts_on).map(Window::Week)
        }
        Kind::Month => match u8::try_from(wire.count) {
            Ok(count @ 0..=12) => Some(Window::Months(count.max(1))),
            _ => c.refuse(&at.field("count"), InvalidValue, "must be from 1 to 12 months"),
        },
        Kind::Year => Some(Window::Year),
        Kind::Lifetime => Some(Window::Lifetime),
        Kind::RollingMonths | Kind::Slot => {
            c.unsupported(true, &at.field("kind"), "this kind of window is");
            None
        }
    }
}

fn stray(c: &mut Checker, at: &Path, there: bool, kind: &str) {
    if there {
        c.problem(at, InvalidValue, format!("goes with windows of kind {kind} only"));
    }
}

fn weekday(c: &mut Checker, at: &Path, wire: i32) -> Option<Weekday> {
    match c.known(at, wire)? {
        DayOfWeek::Unspecified => c.refuse(at, Missing, "a week needs its first day"),
        DayOfWeek::Monday => Some(Weekday::Monday),
        DayOfWeek::Tuesday => Some(Weekday::Tuesday),
        DayOfWeek::Wednesday => Some(Weekday::Wednesday),
        DayOfWeek::Thursday => Some(Weekday::Thursday),
        DayOfWeek::Friday => Some(Weekday::Friday),
        DayOfWeek::Saturday => Some(Weekday::Saturday),
        DayOfWeek::Sunday => Some(Weekday::Sunday),
    }
}

//! Durations and instants as protobuf JSON writes them, exact to the nanosecond.

use jiff::Timestamp;
use prost_reflect::prost_types;

/// ±10,000 years in seconds, the range of `google.protobuf.Duration`.
const MAX_DURATION_SECONDS: i64 = 315_576_000_000;
/// 0001-01-01T00:00:00Z, the first instant of `google.protobuf.Timestamp`.
const FIRST_SECOND: i64 = -62_135_596_800;

/// Reads `1800s`, `1.5s`, `-0.000000001s`. None for anything else.
#[must_use]
pub fn parse_duration(text: &str) -> Option<prost_types::Duration> {
    let number = text.strip_suffix('s')?;
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    if seconds > MAX_DURATION_SECONDS || (seconds == MAX_DURATION_SECONDS && nanos > 0) {
        return None;
    }
    Some(match negative {
        true => prost_types::Duration { seconds: -seconds, nanos: -nanos },
        false => prost_types::Duration { seconds, nanos },
    })
}

/// Reads an instant in RFC 3339 with any offset. None for anything else, also
/// for what other standards add to it.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let dated = text.get(..10)?.bytes().enumerate().all(|(i, b)| match i {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    });
    let timed = text.get(11..19)?.bytes().enumerate().all(|(i, b)| match i {
        2 | 5 => b == b':',
        _ => b.is_ascii_digit(),
    });
    if !dated || !timed || !matches!(text.get(10..11), Some("T" | "t")) {
        return None;
    }
    let tail = text.get(19..)?;
    let offset = match tail.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => tail,
    };
    let whole_offset = matches!(offset, "Z" | "z")
        || (offset.len() == 6 && offset.starts_with(['+', '-']) && offset.get(3..4) == Some(":"));
    if !whole_offset {
        return None;
    }
    text.parse::<Timestamp>().ok().filter(|instant| instant.as_second() >= FIRST_SECOND)
}

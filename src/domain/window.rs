//! Windows of time: where one starts and ends, in a policy's zone and across
//! its clock changes.

use std::time::Duration;

use jiff::{ToSpan, civil::Date, tz::TimeZone};

use super::instant::Instant;

/// The time a meter covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// One payout by itself; needs no meter.
    Payout,
    /// The last so long: an event at t0 counts while now < t0 + length.
    Rolling(Duration),
    /// A day.
    Day,
    /// A week from this weekday.
    Week(jiff::civil::Weekday),
    /// So many calendar months, aligned to January.
    Months(u8),
    /// A calendar year.
    Year,
    /// For ever.
    Lifetime,
}

impl Window {
    /// Whether it has a start and an end on the calendar.
    pub fn has_calendar(&self) -> bool {
        !matches!(self, Self::Payout | Self::Rolling(_) | Self::Lifetime)
    }

    /// Start (inclusive) and end (exclusive) of the calendar window an instant
    /// is in. `None` for windows without a calendar.
    pub fn bounds(&self, at: Instant, zone: &TimeZone) -> Option<(Instant, Instant)> {
        let date = at.0.to_zoned(zone.clone()).date();
        let (first, next) = match self {
            Self::Payout | Self::Rolling(_) | Self::Lifetime => return None,
            Self::Day => (date, date.checked_add(1.day()).ok()?),
            Self::Week(first_day) => {
                let back = date.weekday().since(*first_day);
                let first = date.checked_sub(i64::from(back).days()).ok()?;
                (first, first.checked_add(7.days()).ok()?)
            }
            Self::Months(count) => {
                let count = i8::try_from((*count).clamp(1, 12)).ok()?;
                let month = (date.month() - 1) / count * count + 1;
                let first = Date::new(date.year(), month, 1).ok()?;
                (first, first.checked_add(i64::from(count).months()).ok()?.min(next_year(date)?))
            }
            Self::Year => (Date::new(date.year(), 1, 1).ok()?, next_year(date)?),
        };
        Some((midnight(first, zone)?, midnight(next, zone)?))
    }
}

fn next_year(date: Date) -> Option<Date> {
    Date::new(date.year().checked_add(1)?, 1, 1).ok()
}

/// The first instant of a date in a zone (not always 00:00 on its clocks).
fn midnight(date: Date, zone: &TimeZone) -> Option<Instant> {
    date.to_zoned(zone.clone()).ok()?.start_of_day().ok().map(|z| Instant(z.timestamp()))
}

/// The first instant whose date is on or after the date `months` months before
/// the date of `now`, clamped to the month's end.
pub fn months_back(now: Instant, months: i32, zone: &TimeZone) -> Option<Instant> {
    let today = now.0.to_zoned(zone.clone()).date();
    midnight(today.checked_sub(i64::from(months).months()).ok()?, zone)
}

/// The first instant whose date is at most `days` days before the date of `now`.
pub fn days_back(now: Instant, days: i32, zone: &TimeZone) -> Option<Instant> {
    let today = now.0.to_zoned(zone.clone()).date();
    midnight(today.checked_sub(i64::from(days).days()).ok()?, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a bundled zone")
    }

    fn at(text: &str) -> Instant {
        Instant(text.parse().expect("an instant"))
    }

    #[test]
    fn a_day_begins_at_midnight_in_shanghai() {
        let zone = zone("Asia/Shanghai");
        let before = Window::Day.bounds(at("2026-03-02T15:59:59.999999999Z"), &zone);
        let after = Window::Day.bounds(at("2026-03-02T16:00:00Z"), &zone);
        assert_eq!(before, Some((at("2026-03-01T16:00:00Z"), at("2026-03-02T16:00:00Z"))));
        assert_eq!(after, Some((at("2026-03-02T16:00:00Z"), at("2026-03-03T16:00:00Z"))));
    }

    #[test]
    fn a_day_with_a_clock_change_is_shorter_or_longer() {
        let zone = zone("Europe/Paris");
        let (start, end) = Window::Day.bounds(at("2026-03-29T12:00:00Z"), &zone).expect("a day");
        assert_eq!(end.0.as_second() - start.0.as_second(), 23 * 3600);
        let (start, end) = Window::Day.bounds(at("2026-10-25T12:00:00Z"), &zone).expect("a day");
        assert_eq!(end.0.as_second() - start.0.as_second(), 25 * 3600);
    }

    #[test]
    fn weeks_months_and_years_are_aligned() {
        let zone = zone("UTC");
        let now = at("2026-11-22T10:00:00Z");
        let monday = Window::Week(jiff::civil::Weekday::Monday);
        assert_eq!(
            monday.bounds(now, &zone),
            Some((at("2026-11-16T00:00:00Z"), at("2026-11-23T00:00:00Z")))
        );
        assert_eq!(
            Window::Months(3).bounds(now, &zone),
            Some((at("2026-10-01T00:00:00Z"), at("2027-01-01T00:00:00Z")))
        );
        assert_eq!(
            Window::Year.bounds(now, &zone),
            Some((at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")))
        );
    }

    #[test]
    fn twelve_months_back_is_clamped_to_the_months_end() {
        let zone = zone("Asia/Shanghai");
        let leap_day = at("2028-02-29T04:00:00Z");
        assert_eq!(months_back(leap_day, 12, &zone), Some(at("2027-02-27T16:00:00Z")));
    }

    #[test]
    fn days_are_counted_by_dates() {
        let zone = zone("Asia/Shanghai");
        let now = at("2026-03-10T00:00:00Z");
        assert_eq!(days_back(now, 7, &zone), Some(at("2026-03-02T16:00:00Z")));
    }
}

//! Dates and windows, by the calendar's own words.

use bursar::proto::v1::{self, window::Kind};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// Whether something that happened then is in the same window as now.
pub fn has(window: &v1::Window, then: Timestamp, now: Timestamp, zone: &TimeZone) -> bool {
    let date = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let (a, b) = (date(then), date(now));
    match window.kind() {
        Kind::Rolling => {
            let length = window.length.as_ref().expect("a length");
            let nanos = i128::from(length.seconds) * 1_000_000_000 + i128::from(length.nanos);
            now.as_nanosecond() < then.as_nanosecond() + nanos
        }
        Kind::Day => a == b,
        Kind::Week => first_of_week(a, window) == first_of_week(b, window),
        Kind::Month => {
            let count = i32::from(i8::try_from(window.count.max(1)).expect("few months"));
            let place = |d: Date| (d.year(), (i32::from(d.month()) - 1) / count);
            place(a) == place(b)
        }
        Kind::Year => a.year() == b.year(),
        Kind::Lifetime => true,
        other => panic!("{other:?} has no window"),
    }
}

/// Steps back to the day the week starts on (1 is Monday, as in the contract).
fn first_of_week(mut date: Date, window: &v1::Window) -> Date {
    while i32::from(date.weekday().to_monday_one_offset()) != window.week_starts_on {
        date = date.yesterday().expect("a date");
    }
    date
}

/// The same day of the month so many months before, or the month's last.
pub fn months_back(date: Date, months: i32) -> Date {
    let index = i32::from(date.year()) * 12 + i32::from(date.month()) - 1 - months;
    let year = i16::try_from(index.div_euclid(12)).expect("a year");
    let month = i8::try_from(index.rem_euclid(12) + 1).expect("a month");
    let last = Date::new(year, month, 1).expect("a date").days_in_month();
    Date::new(year, month, date.day().min(last)).expect("a date")
}

/// Days from one date to another.
pub fn days_between(from: Date, to: Date) -> i32 {
    let mut days = 0;
    let mut date = from;
    while date < to {
        date = date.checked_add(1.day()).expect("a date");
        days += 1;
    }
    while date > to {
        date = date.checked_sub(1.day()).expect("a date");
        days -= 1;
    }
    days
}

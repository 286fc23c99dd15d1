//! The structure of Google's common types, which have no annotations: money
//! and instants. Not which currency, amount or time is right: policies and the
//! services say that.

use prost_types::Timestamp;

use super::{Contract, FieldPath, Violations, reason, shape};
use crate::proto::google::r#type::Money;

/// Nanos of a unit that money may have on either side of 0.
const MOST_NANOS: i32 = 999_999_999;
/// 0001-01-01T00:00:00Z, the first instant of a timestamp.
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-30T22:00:00Z, the last second that can be reckoned with in every
/// zone. Timestamps may be a day later; what would be left out of reckoning is
/// refused instead.
const LAST_SECOND: i64 = 253_402_207_200;

impl Contract for Money {
    fn check(&self, path: &FieldPath<'_>, out: &mut Violations) {
        if !shape::CURRENCY.is_match(&self.currency_code) {
            let reason = match self.currency_code.is_empty() {
                true => reason::REQUIRED,
                false => reason::MALFORMED,
            };
            let words = shape::CURRENCY.words;
            out.push(&path.field("currency_code"), reason, format_args!("{words}"));
        }
        let nanos = self.nanos;
        if !(-MOST_NANOS..=MOST_NANOS).contains(&nanos) {
            out.push(
                &path.field("nanos"),
                reason::OUT_OF_RANGE,
                format_args!("must be -{MOST_NANOS} to {MOST_NANOS}; it is {nanos}"),
            );
        } else if (self.units > 0 && nanos < 0) || (self.units < 0 && nanos > 0) {
            out.push(
                &path.field("nanos"),
                reason::SIGNS_DIFFER,
                format_args!("must have the sign of units, or be 0; it is {nanos}"),
            );
        }
    }
}

impl Contract for Timestamp {
    // One violation at the field itself: in JSON an instant is one text.
    fn check(&self, path: &FieldPath<'_>, out: &mut Violations) {
        let is_valid = (FIRST_SECOND..=LAST_SECOND).contains(&self.seconds)
            && (0..=MOST_NANOS).contains(&self.nanos);
        if !is_valid {
            out.push(
                path,
                reason::OUT_OF_RANGE,
                format_args!(
                    "must be from 0001-01-01T00:00:00Z to 9999-12-30T22:00:00Z with nanos of 0 to \
                     {MOST_NANOS}; it has {} seconds and {} nanos",
                    self.seconds, self.nanos
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::violations;

    fn money(currency_code: &str, units: i64, nanos: i32) -> Money {
        Money { currency_code: currency_code.to_owned(), units, nanos }
    }

    fn found(message: &impl Contract) -> Vec<(String, &'static str)> {
        violations(message).into_iter().map(|v| (v.field, v.reason)).collect()
    }

    #[test]
    fn money_of_either_sign_is_well_formed() {
        for (units, nanos) in [(0, 0), (1, MOST_NANOS), (-1, -MOST_NANOS), (0, -1), (i64::MIN, 0)] {
            assert_eq!(found(&money("CNY", units, nanos)), [], "{units} {nanos}");
        }
    }

    #[test]
    fn money_needs_a_currency_of_three_capital_letters() {
        assert_eq!(found(&money("", 1, 0)), [("currency_code".into(), reason::REQUIRED)]);
        for code in ["cny", "CN", "CNYX", "C1Y", "CNY\n", "元元元"] {
            assert_eq!(found(&money(code, 1, 0)), [("currency_code".into(), reason::MALFORMED)]);
        }
    }

    #[test]
    fn nanos_stay_below_one_unit_and_have_its_sign() {
        for nanos in [1_000_000_000, -1_000_000_000, i32::MIN, i32::MAX] {
            assert_eq!(found(&money("CNY", 1, nanos)), [("nanos".into(), reason::OUT_OF_RANGE)]);
        }
        for (units, nanos) in [(1, -1), (-1, 1)] {
            assert_eq!(
                found(&money("CNY", units, nanos)),
                [("nanos".into(), reason::SIGNS_DIFFER)]
            );
        }
    }

    #[test]
    fn instants_lie_where_they_can_be_reckoned_with() {
        for (seconds, nanos) in [(FIRST_SECOND, 0), (LAST_SECOND, MOST_NANOS), (0, 0)] {
            assert_eq!(found(&Timestamp { seconds, nanos }), []);
        }
        let outside = [(FIRST_SECOND - 1, 0), (LAST_SECOND + 1, 0), (0, -1), (0, MOST_NANOS + 1)];
        for (seconds, nanos) in outside {
            let found = found(&Timestamp { seconds, nanos });
            assert_eq!(found, [(String::new(), reason::OUT_OF_RANGE)], "{seconds} {nanos}");
        }
    }
}

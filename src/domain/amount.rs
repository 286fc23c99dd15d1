//! Exact decimals: amounts, counts, bounds, factors. Owns the checks that keep
//! them exact; never rounds. Currencies are ISO 4217.

use std::{cmp::Ordering, fmt};

use rust_decimal::Decimal;
/// Amounts at or above this are refused, so that sums and products of any
/// that are accepted stay exact: 10¹⁵ units.
const TOO_LARGE: i64 = 1_000_000_000_000_000;

/// An exact decimal with at most nine decimals, below 10¹⁵ when it comes from
/// outside. Counts are amounts without decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Amount(Decimal);

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of one scale, as nearly all are, they compare as whole numbers.
        let (one, another) = (self.0.scale(), other.0.scale());
        if one == another {
            return self.0.mantissa().cmp(&other.0.mantissa());
        }
        let short = |amount: &Self| i64::try_from(amount.0.mantissa()).ok().map(i128::from);
        let power = 10_i64.checked_pow(one.abs_diff(another)).map(i128::from);
        match (short(self), short(other), power) {
            (Some(digits), Some(others), Some(power)) if one < another => {
                (digits * power).cmp(&others)
            }
            (Some(digits), Some(others), Some(power)) => digits.cmp(&(others * power)),
            _ => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// One: the quantity of a payout in a count.
    pub const ONE: Self = Self(Decimal::ONE);

    /// Takes a decimal from outside: an optional minus, digits, at most nine
    /// decimals, below 10¹⁵.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str, most: usize| {
            !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit())
        };
        if !plain(whole, 18) || !plain(fraction, 9) {
            return None;
        }
        Self::bounded(Decimal::from_str_exact(text).ok()?)
    }

    /// From whole units and billionths of the same sign, as money is sent.
    pub fn from_units_nanos(units: i64, nanos: i32) -> Option<Self> {
        let whole = Decimal::from(units);
        let part = Decimal::new(i64::from(nanos), 9);
        Self::bounded(whole.checked_add(part)?)
    }

    /// From a count.
    pub fn from_count(count: u64) -> Self {
        Self(Decimal::from(count))
    }

    fn bounded(value: Decimal) -> Option<Self> {
        (value.abs() < Decimal::from(TOO_LARGE)).then(|| Self(value.normalize()))
    }

    /// Whole units and billionths of the same sign. `None` beyond 64 bits.
    pub fn to_units_nanos(self) -> Option<(i64, i32)> {
        let whole = self.0.trunc();
        let nanos = (self.0 - whole) * Decimal::from(1_000_000_000);
        Some((i64::try_from(whole).ok()?, i32::try_from(nanos.trunc()).ok()?))
    }

    /// Its digits with its sign, and how many of them are decimals.
    pub fn digits(self) -> (i128, u32) {
        (self.0.mantissa(), self.0.scale())
    }

    /// The reverse of [`Amount::digits`]. `None` beyond what can be kept.
    pub fn from_digits(digits: i128, decimals: u32) -> Option<Self> {
        Decimal::try_from_i128_with_scale(digits, decimals).ok().map(Self)
    }

    /// Its digits with so many decimals. `None`: it has more, or the digits are too
    /// many.
    pub fn digits_with(self, decimals: u32) -> Option<i128> {
        let (digits, own) = self.digits();
        digits.checked_mul(power_of_ten(decimals.checked_sub(own)?)?)
    }

    /// How many decimals it needs.
    pub fn decimals(self) -> u32 {
        self.0.normalize().scale()
    }

    /// The sum. Exact, because what enters is bounded: 28 digits hold some
    /// 10⁴ times the largest amount with nine decimals, and a meter that
    /// reached that would be a defect, not input.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("a sum of bounded amounts fits"))
    }

    /// The sum of what may not be bounded. `None`: it does not fit.
    pub fn checked_plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("a difference of bounded amounts fits"))
    }

    /// The same amount with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The amount, or nothing if it is negative.
    #[must_use]
    pub fn or_zero(self) -> Self {
        if self.is_negative() { Self::ZERO } else { self }
    }

    /// Below nothing.
    pub fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }

    /// More than nothing.
    pub fn is_positive(self) -> bool {
        self.0.is_sign_positive() && !self.0.is_zero()
    }

    /// Compares `self × left` with `other × right` exactly: never divides,
    /// never rounds. `None` only where factors of more than 2⁴⁰ meet amounts
    /// near the largest.
    pub fn compare_scaled(self, left: Factor, other: Self, right: Factor) -> Option<Ordering> {
        if left.is_one() && right.is_one() {
            return Some(self.cmp(&other));
        }
        let (a, a_scale) = product(self.0, left.0)?;
        let (b, b_scale) = product(other.0, right.0)?;
        let common = a_scale.max(b_scale);
        let a = a.checked_mul(power_of_ten(common - a_scale)?)?;
        let b = b.checked_mul(power_of_ten(common - b_scale)?)?;
        Some(a.cmp(&b))
    }

    /// The largest amount with `decimals` decimals that is at most
    /// `self × factor ÷ divisor`, for finding the places where an answer can
    /// change. Not used to compare.
    pub fn floor_of(self, factor: Factor, divisor: Factor, decimals: u32) -> Option<Self> {
        if factor.is_one() && divisor.is_one() && self.0.scale() <= decimals {
            return Some(self);
        }
        let (numerator, scale) = product(self.0, factor.0)?;
        let denominator = divisor.0.mantissa();
        if denominator == 0 {
            return None;
        }
        // numerator·10^-scale ÷ (denominator·10^-divisor_scale), in steps of 10^-decimals.
        let up = divisor.0.scale() + decimals;
        let (numerator, denominator) = if up >= scale {
            (numerator.checked_mul(power_of_ten(up - scale)?)?, denominator)
        } else {
            (numerator, denominator.checked_mul(power_of_ten(scale - up)?)?)
        };
        let steps = numerator.div_euclid(denominator);
        Decimal::try_from_i128_with_scale(steps, decimals).ok().map(|d| Self(d.normalize()))
    }

    /// The smallest amount more than nothing with this many decimals.
    pub fn smallest(decimals: u32) -> Self {
        Self(Decimal::new(1, decimals))
    }

    /// The largest amount with this many decimals that is accepted from
    /// outside.
    pub fn largest(decimals: u32) -> Self {
        Self(Decimal::from(TOO_LARGE)).minus(Self::smallest(decimals))
    }

    /// The decimal with exactly `decimals` decimals, or more if it needs them.
    pub fn text(self, decimals: u32) -> String {
        let mut value = self.0.normalize();
        if value.scale() < decimals {
            value.rescale(decimals);
        }
        value.to_string()
    }
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

/// Mantissa and scale of a product.
fn product(amount: Decimal, factor: Decimal) -> Option<(i128, u32)> {
    let mantissa = amount.mantissa().checked_mul(factor.mantissa())?;
    Some((mantissa, amount.scale() + factor.scale()))
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.normalize().fmt(f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A multiplier of a policy: more than 0, at most nine decimals, below 10⁵.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Factor(Decimal);

impl Factor {
    /// Changes nothing.
    pub const ONE: Self = Self(Decimal::ONE);

    /// Whether it changes nothing. Quicker than comparing.
    fn is_one(self) -> bool {
        self.0.scale() == 0 && self.0.mantissa() == 1
    }

    /// Takes a factor from outside. `None` if it is out of range.
    pub fn parse(text: &str) -> Option<Self> {
        let value = Amount::parse(text)?.0;
        (value > Decimal::ZERO && value < Decimal::from(100_000)).then_some(Self(value))
    }
}

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Takes a code such as "CNY". `None` if ISO 4217 has no such currency.
    pub fn parse(code: &str) -> Option<Self> {
        iso_currency::Currency::from_code(code).map(Self)
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals its amounts have.
    pub fn decimals(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// The smallest payable amount.
    pub fn smallest(self) -> Amount {
        Amount::smallest(self.decimals())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).expect("a decimal")
    }

    #[test]
    fn decimals_come_in_exactly_or_not_at_all() {
        assert_eq!(amount("500.00").text(2), "500.00");
        assert_eq!(amount("0.000000001").decimals(), 9);
        for bad in
            ["", "-", "1.", ".5", "1e3", "+1", "1,0", "0.0000000001", "1000000000000000", " 1"]
        {
            assert_eq!(Amount::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_largest_amount_is_the_last_one_that_comes_in() {
        for decimals in [0, 2, 9] {
            let largest = Amount::largest(decimals);
            assert_eq!(Amount::parse(&largest.text(decimals)), Some(largest));
            let more = largest.plus(Amount::smallest(decimals));
            assert_eq!(Amount::parse(&more.text(0)), None);
        }
    }

    #[test]
    fn amounts_compare_by_what_they_are_worth_whatever_their_scale() {
        let texts = ["-999999999999999.999999999", "-999999999999999.9", "-2", "-1.5", "-1.05"];
        let more = ["-0.1", "0", "0.01", "0.1", "1", "1.05", "1.5", "10", "999999999999999.9"];
        let texts = texts.into_iter().chain(more).chain(["999999999999999.999999999"]);
        let amounts: Vec<Amount> = texts.map(amount).collect();
        for (number, left) in amounts.iter().enumerate() {
            for (other, right) in amounts.iter().enumerate() {
                assert_eq!(left.cmp(right), number.cmp(&other), "{left:?} {right:?}");
                // The same worth with other decimals, as long as there is one.
                if right.text(0).len() > 10 {
                    continue;
                }
                let long = right.plus(Amount::smallest(9)).minus(Amount::smallest(9));
                assert_eq!(left.cmp(&long), number.cmp(&other), "{left:?} {long:?}");
            }
            assert_eq!(left.is_positive(), number > 6, "{left:?}");
            assert_eq!(left.is_negative(), number < 6, "{left:?}");
        }
        assert!(!amount("0").negated().is_positive());
    }

    #[test]
    fn money_parts_round_trip() {
        for (units, nanos) in
            [(0, 1), (12, 340_000_000), (-1, -500_000_000), (999_999_999_999_999, 0)]
        {
            let parsed = Amount::from_units_nanos(units, nanos).expect("in range");
            assert_eq!(parsed.to_units_nanos(), Some((units, nanos)));
        }
        assert_eq!(Amount::from_units_nanos(i64::MAX, 0), None);
    }

    #[test]
    fn comparisons_multiply_and_never_round() {
        let third = Factor::parse("0.333333333").expect("a factor");
        let one = Factor::ONE;
        assert_eq!(amount("3").compare_scaled(third, amount("1"), one), Some(Ordering::Less));
        assert_eq!(
            amount("150").compare_scaled(
                one,
                amount("100"),
                Factor::parse("1.5").expect("a factor")
            ),
            Some(Ordering::Equal)
        );
    }

    #[test]
    fn breakpoints_are_floored_to_the_currency() {
        let factor = Factor::parse("1.5").expect("a factor");
        assert_eq!(amount("100").floor_of(Factor::ONE, factor, 2), Some(amount("66.66")));
        assert_eq!(amount("-1").floor_of(Factor::ONE, factor, 2), Some(amount("-0.67")));
    }

    #[test]
    fn currencies_know_their_decimals() {
        let decimals = |code| Currency::parse(code).expect("a currency").decimals();
        assert_eq!((decimals("CNY"), decimals("JPY"), decimals("KWD")), (2, 0, 3));
        assert_eq!(Currency::parse("CNX"), None);
    }
}

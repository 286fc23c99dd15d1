//! Numbers that stand for something, as writer and reader both know them.

use std::sync::Arc;

use crate::domain::{named::Named, value::Value};

/// Facts that were sent with a request: in a payout and in its decision.
pub(super) type Sent = Arc<Named<Value>>;

/// A shop is the one of the name before.
pub(super) const SAME_SHOP: u8 = 1;
/// Its platform and its id follow.
pub(super) const OTHER_SHOP: u8 = 2;

/// How a payout counts: the lowest two bits; 0 is not at all.
pub(super) const EXPIRING: u8 = 1;
/// Held until it settles.
pub(super) const HELD: u8 = 2;
/// Confirmed.
pub(super) const USED: u8 = 3;
/// Its amount is 1, as in a count.
pub(super) const ONE: u8 = 1 << 2;
/// Its amount is that of the part before.
pub(super) const SAME_AMOUNT: u8 = 2 << 2;

/// Billionths of a second behind an instant's seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nanos {
    /// There are none.
    None = 0,
    /// As many as the first instant has.
    Same = 1,
    /// They follow.
    Other = 2,
}

/// In place of an amount's decimals: there is no amount.
pub(super) const ABSENT: u64 = 14;
/// In place of an amount's decimals: decimals and digits follow.
pub(super) const LONG: u64 = 15;

/// An amount as one number: four bits for its decimals, one for its sign, and
/// its digits. `None`: they do not fit.
#[inline]
pub(super) fn short(digits: i128, decimals: u32) -> Option<u64> {
    let sign = u64::from(digits < 0) << 4;
    let digits = u64::try_from(digits.unsigned_abs()).ok()?;
    (digits >> 59 == 0 && u64::from(decimals) < ABSENT)
        .then(|| digits << 5 | sign | u64::from(decimals))
}

/// Twice a number, or twice it and 1 less below zero.
#[inline]
pub(super) fn fold(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

/// The reverse of `fold`.
pub(super) fn unfold(folded: u64) -> i64 {
    (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
}

//! Ids for payouts and decisions: UUIDs of version 7 that sort in the order in
//! which they were made, also across restarts within one instant. The one
//! place that draws random numbers.

use uuid::{Builder, Uuid};

use crate::domain::{instant::Instant, minted::mint, name::Id};

/// An id for what record `sequence`, written at `now`, makes. The journal's
/// sequence stands behind the milliseconds: time never decreases and sequences
/// grow, so ids do too.
#[allow(clippy::disallowed_methods, reason = "this is the one place that draws random numbers")]
pub fn fresh(now: Instant, sequence: u64) -> Id {
    let millis = u64::try_from(now.0.as_millisecond()).unwrap_or(0);
    let [.., r0, r1, r2, r3] = Uuid::new_v4().into_bytes();
    mint(millis, sequence, [r0, r1, r2, r3])
}

/// Below every id that is made at or after an instant, not below those made
/// more than a millisecond before.
pub fn earliest(at: Instant) -> Id {
    let millis = u64::try_from(at.0.as_millisecond()).unwrap_or(0);
    let id = Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid();
    Id::parse(&id.to_string()).expect("a UUID's text is a well-formed id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_are_in_the_order_of_their_records() {
        let now = Instant::from_parts(1_700_000_000, 0).expect("in range");
        let around = [1, 2, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0xff_ffff_ffff];
        let ids: Vec<Id> = around.into_iter().map(|sequence| fresh(now, sequence)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }

    #[test]
    fn ids_are_found_between_the_instants_around_them() {
        let at = |nanos| Instant::from_parts(1_700_000_000, nanos).expect("in range");
        for sequence in [0, 1, 0x3fff_ffff, 0xff_ffff_ffff] {
            let id = fresh(at(5_900_000), sequence);
            assert!(earliest(at(5_900_000)) <= id && id < earliest(at(6_000_000)), "{id}");
        }
        assert!(earliest(Instant::MIN) <= fresh(at(0), 0));
    }

    #[test]
    fn later_instants_have_later_ids() {
        let early = Instant::from_parts(1_700_000_000, 0).expect("in range");
        let late = Instant::from_parts(1_700_000_000, 1_000_000).expect("in range");
        assert!(fresh(early, 9) < fresh(late, 1));
    }
}

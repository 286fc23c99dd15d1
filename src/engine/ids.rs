//! Ids for payouts and decisions: UUIDs of version 7, in the order they were
//! made, by the engine's time. The one place that draws random numbers.

use uuid::{Builder, Uuid};

use crate::domain::{instant::Instant, name::Id};

/// Makes ids.
#[derive(Debug, Default)]
pub struct IdSource {
    last: (u64, u16),
}

impl IdSource {
    /// An id that sorts after every one made before.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that draws random numbers")]
    pub fn fresh(&mut self, now: Instant) -> Id {
        let millis = u64::try_from(now.0.as_millisecond()).unwrap_or(0);
        let (last, count) = self.last;
        self.last = match (millis > last, count) {
            (true, _) => (millis, 0),
            // Twelve bits number the ids of a millisecond; after them borrow the next.
            (false, 0xfff) => (last + 1, 0),
            (false, count) => (last, count + 1),
        };
        let (millis, count) = self.last;
        let mut random = [0; 10];
        random.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
        let [high, low] = count.to_be_bytes();
        random[0] = high;
        random[1] = low;
        let id = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Id::parse(&id.to_string()).expect("a UUID's text is a well-formed id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_are_in_order_and_differ() {
        let mut source = IdSource::default();
        let now = Instant::from_parts(1_700_000_000, 0).expect("in range");
        let ids: Vec<Id> = (0..10_000).map(|_| source.fresh(now)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}

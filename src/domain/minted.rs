//! Ids of what a record makes: UUIDs of version 7 that say when it was made and by
//! which record of the journal, so that it is found without an index. They sort in
//! the order in which they were made, also across restarts within one instant.

use uuid::{Builder, Uuid};

use super::{name::Id, text::Text};

/// An id for what record `sequence` makes, so many milliseconds after 1970. The
/// sequence stands behind the milliseconds: time never decreases and sequences grow,
/// so ids do too.
pub fn mint(millis: u64, sequence: u64, random: [u8; 4]) -> Id {
    // 12 bits before the variant and 30 behind it: 4 × 10¹² records.
    let high = u16::try_from(sequence >> 30 & 0xfff).unwrap_or(0);
    let low = u32::try_from(sequence & 0x3fff_ffff).unwrap_or(0);
    let [h0, h1] = high.to_be_bytes();
    let [l0, l1, l2, l3] = low.to_be_bytes();
    let [r0, r1, r2, r3] = random;
    let tail = [h0, h1, l0, l1, l2, l3, r0, r1, r2, r3];
    let id = Builder::from_unix_timestamp_millis(millis, &tail).into_uuid();
    let mut room = Uuid::encode_buffer();
    // Hexadecimal digits and hyphens are an id.
    Id::kept(Text::new(&*id.hyphenated().encode_lower(&mut room)))
}

/// The record that an id says made it. `None`: it says nothing of the kind. Whoever
/// sent it may say anything.
pub fn record(id: &Id) -> Option<u64> {
    let id = Uuid::try_parse(id.as_str()).ok().filter(|id| id.get_version_num() == 7)?;
    let [_, _, _, _, _, _, h0, h1, l0, l1, l2, l3, ..] = id.into_bytes();
    let high = u64::from(u16::from_be_bytes([h0 & 0xf, h1]));
    let low = u64::from(u32::from_be_bytes([l0 & 0x3f, l1, l2, l3]));
    Some(high << 30 | low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_which_record_made_it() {
        for sequence in [0, 1, 2, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0xff_ffff_ffff] {
            let id = mint(1_790_000_000_123, sequence, [0xff; 4]);
            assert_eq!(record(&id), Some(sequence), "{id}");
            assert_eq!(Id::parse(id.as_str()), Some(id));
        }
        for other in ["d1", "payout", "01a0c5f1-5c1c-4000-8000-000000000000"] {
            assert_eq!(record(&Id::parse(other).expect("an id")), None, "{other}");
        }
    }
}

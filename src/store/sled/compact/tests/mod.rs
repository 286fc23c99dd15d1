//! Whatever a record may be is read as it was, and whatever else stands there is
//! told to be something else.

use proptest::prelude::*;

use super::{Compact, Unreadable, append, from_bytes};
use crate::domain::{amount::Amount, change::Record, instant::Instant, text::Text};

pub(in crate::store::sled) mod dice;
mod rows;
mod short;

use dice::Dice;

fn written(value: &impl Compact) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(&mut bytes, value);
    bytes
}

fn record(seed: u64) -> Record {
    Dice::new(seed).record()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_was_written_is_read_as_it_was(seed in any::<u64>()) {
        let record = record(seed);
        let bytes = written(&record);
        let read = from_bytes::<Record>(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&record));
        // Shared as it is read, it is written as it was.
        prop_assert_eq!(read.map(|read| written(&read)), Ok(bytes));
    }

    #[test]
    fn what_was_cut_off_is_not_read(seed in any::<u64>(), at in any::<prop::sample::Index>()) {
        let bytes = written(&record(seed));
        prop_assert!(from_bytes::<Record>(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn whatever_became_of_it_is_read_or_refused(
        seed in any::<u64>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = written(&record(seed));
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = from_bytes::<Record>(&bytes) {
            prop_assert_eq!(from_bytes::<Record>(&written(&read)), Ok(read));
        }
    }

    #[test]
    fn whatever_is_read_ends(bytes in any::<Vec<u8>>()) {
        let _ = from_bytes::<Record>(&bytes);
    }

    #[test]
    fn a_value_remembers_nothing_of_the_value_before(one in any::<u64>(), two in any::<u64>()) {
        let (one, two) = (record(one), record(two));
        let mut bytes = written(&one);
        let behind = bytes.len();
        append(&mut bytes, &two);
        prop_assert_eq!(&bytes[behind..], &written(&two)[..]);
    }
}

fn texts(texts: &[&str]) -> Vec<Text> {
    texts.iter().map(|text| Text::from(*text)).collect()
}

#[test]
fn what_was_written_before_is_written_as_its_place() {
    let once = written(&texts(&["a-name-of-some-length"])).len();
    let twice = written(&texts(&["a-name-of-some-length", "a-name-of-some-length"]));
    assert_eq!(twice.len(), once + 1);
    let at = Instant::from_parts(1_790_000_000, 5).expect("in range");
    let once = written(&vec![at]).len();
    assert_eq!(written(&vec![at, at]).len(), once + 1);
    let later = at.plus(std::time::Duration::from_secs(60));
    assert_eq!(written(&vec![at, later]).len(), once + 2);
}

#[test]
fn places_end_alike_for_writer_and_reader() {
    let most = usize::from(u16::MAX);
    let all: Vec<Text> = (0..most + 300).map(|n| format!("name-{n}").into()).collect();
    // The last that have a place, those without one, and each of them again.
    let mut twice = all.clone();
    twice.extend(all[most - 200..].iter().flat_map(|text| [text.clone(), text.clone()]));
    assert_eq!(from_bytes(&written(&twice)), Ok(twice));
}

#[test]
fn a_text_of_any_length_is_found_again() {
    for length in (0..70).chain([127, 128, 8191, 8192, 1 << 20, 1 << 21]) {
        let one = "x".repeat(length);
        // Alike at both ends.
        let mut two = one.clone().into_bytes();
        two.iter_mut().skip(8).take(length.saturating_sub(16)).for_each(|byte| *byte = b'z');
        let two = String::from_utf8(two).expect("letters");
        let all = texts(&[&one, &two, &one, &two, &two]);
        assert_eq!(from_bytes(&written(&all)), Ok(all), "{length}");
    }
}

#[test]
fn amounts_are_read_with_their_decimals() {
    for digits in [0, 1, -1, 99, -4096, 1 << 58, 1 << 59, (1 << 96) - 1, 1 - (1 << 96)] {
        for decimals in [0, 1, 2, 9, 13, 14, 15, 28] {
            let amount = Amount::from_digits(digits, decimals).expect("it fits");
            let read: Amount = from_bytes(&written(&amount)).expect("an amount");
            assert_eq!(read.digits(), (digits, decimals));
            assert_eq!(from_bytes(&written(&Some(amount))), Ok(Some(amount)));
        }
    }
    assert_eq!(from_bytes(&written(&None::<Amount>)), Ok(None::<Amount>));
    assert!(from_bytes::<Amount>(&written(&None::<Amount>)).is_err());
}

#[test]
fn lengths_that_are_not_there_take_no_memory() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert!(from_bytes::<Vec<Text>>(&huge).is_err());
    assert!(from_bytes::<Text>(&huge).is_err());
    assert!(from_bytes::<Record>(&huge).is_err());
    let more = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    assert!(from_bytes::<u64>(&more).is_err());
    assert_eq!(from_bytes::<u64>(&huge), Ok(u64::MAX));
}

#[test]
fn what_stands_behind_a_value_is_not_overlooked() {
    let mut bytes = written(&7_u64);
    bytes.push(0);
    assert_eq!(from_bytes::<u64>(&bytes), Err(Unreadable("something stands behind it")));
}

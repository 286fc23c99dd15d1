//! Values as few bytes: numbers as long as they need to be, fields and variants
//! without names, and a text or a number that was written before as its place.
//! A record says the same names and instants dozens of times over, in a payout,
//! in what it holds and in its events (docs/decisions/0063).
//!
//! | what | bytes |
//! |---|---|
//! | `bool`, an option's presence, 8 bits | one |
//! | number | as `VARINT`: twice it, or twice a place in the table and 1 |
//! | text | as `VARINT`: twice its length and the text, or twice a place and 1 |
//! | bytes, list, map | length as `VARINT`, then what is in it |
//! | struct | number of fields as `VARINT`, then the fields |
//! | tuple | what is in it |
//! | enum | the variant's number as `VARINT`, then what is in it |
//!
//! `VARINT` has seven bits a byte, the lowest first; a signed number is folded
//! to twice it, or to twice it and 1 less below zero. Numbers from
//! [`SMALL`] and texts from [`SHORT`] go into tables of their value, one each.
//!
//! Fields may be appended to a struct (with `serde(default)`) and variants to
//! an enum without a new version; anything else needs one.

mod read;
mod table;
mod write;

pub use self::{
    read::{Unreadable, from_bytes},
    write::{Encoder, Unwritable},
};

/// Numbers below, folded, are always written out.
const SMALL: u128 = 1 << 13;
/// Texts of fewer bytes are always written out.
const SHORT: usize = 2;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};
    use serde::{Deserialize, Serialize, de::DeserializeOwned};

    use super::*;
    use crate::domain::amount::Amount;

    fn written(value: &impl Serialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        Encoder::default().write(&mut bytes, value).expect("it can be written");
        bytes
    }

    fn back<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
        from_bytes(bytes).map_err(|unreadable| unreadable.to_string())
    }

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    enum Kind {
        Nothing,
        One(String),
        Two(u8, i64),
        Named { at: Option<i128>, texts: Vec<String> },
    }

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Everything {
        kinds: Vec<Kind>,
        map: BTreeMap<(i64, i32), String>,
        flag: bool,
        letter: char,
        maybe: Option<Option<u64>>,
        bytes: Vec<u8>,
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Nothing),
            "[a-c]{0,200}".prop_map(Kind::One),
            (any::<u8>(), any::<i64>()).prop_map(|(a, b)| Kind::Two(a, b)),
            (any::<Option<i64>>(), vec("[a-bä]{0,9}", 0..4)).prop_map(|(at, texts)| Kind::Named {
                at: at.map(|at| i128::from(at) * 1_000_000_007),
                texts
            }),
        ]
    }

    fn everything() -> impl Strategy<Value = Everything> {
        let map = proptest::collection::btree_map(any::<(i64, i32)>(), "[a-b]{0,3}", 0..5);
        let maybe = proptest::option::of(any::<Option<u64>>());
        let rest = (any::<bool>(), any::<char>(), maybe, any::<Vec<u8>>());
        (vec(kind(), 0..40), map, rest).prop_map(|(kinds, map, (flag, letter, maybe, bytes))| {
            Everything { kinds, map, flag, letter, maybe, bytes }
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_as_it_was(value in everything()) {
            prop_assert_eq!(back::<Everything>(&written(&value)), Ok(value));
        }

        #[test]
        fn what_was_cut_off_is_not_read(value in everything(), at in any::<prop::sample::Index>()) {
            let bytes = written(&value);
            let cut = &bytes[..at.index(bytes.len())];
            prop_assert!(back::<Everything>(cut).is_err());
        }

        #[test]
        fn whatever_is_read_ends(bytes in any::<Vec<u8>>()) {
            let _ = back::<Everything>(&bytes);
        }

        #[test]
        fn an_encoder_remembers_nothing_of_the_value_before(
            one in everything(), two in everything(),
        ) {
            let mut encoder = Encoder::default();
            let mut bytes = Vec::new();
            encoder.write(&mut bytes, &one).expect("written");
            let behind = bytes.len();
            encoder.write(&mut bytes, &two).expect("written");
            prop_assert_eq!(&bytes[behind..], &written(&two)[..]);
        }
    }

    #[test]
    fn what_was_written_before_is_written_as_its_place() {
        let long = "a-name-of-some-length".to_owned();
        let once = written(&vec![long.clone()]).len();
        assert_eq!(written(&vec![long.clone(), long]).len(), once + 1);
        let instant = 1_790_000_000_i64;
        let once = written(&vec![instant]).len();
        assert_eq!(written(&vec![instant, instant]).len(), once + 1);
        assert_eq!(written(&vec![-1_i64]), [1, 2]);
    }

    #[test]
    fn a_field_that_was_appended_is_read_as_absent() {
        #[derive(Serialize)]
        struct Old {
            one: u8,
        }
        #[derive(PartialEq, Debug, Serialize, Deserialize)]
        struct New {
            one: u8,
            #[serde(default)]
            two: Option<String>,
        }
        let bytes = written(&vec![Old { one: 1 }, Old { one: 2 }]);
        let read = back::<Vec<New>>(&bytes).expect("it is read");
        assert_eq!(read, [New { one: 1, two: None }, New { one: 2, two: None }]);
        let newer = written(&New { one: 1, two: Some("x".to_owned()) });
        #[derive(Debug, Deserialize)]
        struct Reads {
            #[allow(dead_code, reason = "it is never read")]
            one: u8,
        }
        let refused = back::<Reads>(&newer).expect_err("what is not known is not dropped");
        assert!(refused.contains("fields"), "{refused}");
    }

    #[test]
    fn places_end_alike_for_writer_and_reader() {
        let most = usize::from(u16::MAX);
        let texts: Vec<String> = (0..most + 300).map(|n| format!("name-{n}")).collect();
        // The last that have a place, those without one, and each of them again.
        let texts = [&texts[..], &texts[most - 200..]].concat();
        assert_eq!(back::<Vec<String>>(&written(&texts)).as_ref(), Ok(&texts));
        let numbers: Vec<u64> = (0..most as u64 + 300).map(|n| 1_000_000 + n).collect();
        let numbers = [&numbers[..], &numbers[most - 200..]].concat();
        assert_eq!(back::<Vec<u64>>(&written(&numbers)).as_ref(), Ok(&numbers));
    }

    #[test]
    fn a_long_text_is_found_again() {
        for length in [63, 64, 127, 128, 8191, 8192, 1 << 20, 1 << 21] {
            let text = "x".repeat(length);
            let once = written(&vec![text.clone()]).len();
            let twice = vec![text.clone(), text];
            assert_eq!(written(&twice).len(), once + 1, "{length}");
            assert_eq!(back::<Vec<String>>(&written(&twice)), Ok(twice));
        }
    }

    #[test]
    fn the_largest_and_smallest_amounts_are_read_as_they_were() {
        for text in ["0", "-0.01", "999999999999999.999999999", "-999999999999999.999999999"] {
            let amount = Amount::parse(text).expect("an amount");
            assert_eq!(back::<Amount>(&written(&amount)), Ok(amount), "{text}");
        }
    }

    #[test]
    fn what_stands_behind_a_value_is_not_overlooked() {
        let mut bytes = written(&7_u64);
        bytes.push(0);
        assert!(back::<u64>(&bytes).is_err());
    }
}

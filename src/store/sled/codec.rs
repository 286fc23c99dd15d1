//! Records and rows as bytes: the number of their form, then `compact/`'s form of them.

use super::{
    compact::{Commons, Compact, Unreadable, append, append_allowed, from_bytes, told_from_bytes},
    damage::Damage,
};
use crate::domain::{allowed::Allowed, change::Record, told::Told};

/// The form of records and rows. 1 was MessagePack; 2 had a row for each meter; 3
/// had the fields of each struct counted; 4 wrote each hold of a meter by itself;
/// 6 had no records in short; 7 wrote what templates have in common into each; 8
/// were chained by SHA-256.
pub(super) const FORM: u8 = 9;

/// Appends a value's bytes.
pub(super) fn encode(out: &mut Vec<u8>, value: &impl Compact) {
    out.push(FORM);
    append(out, value);
}

/// Appends the bytes of a record that is told in short.
pub(super) fn encode_allowed(out: &mut Vec<u8>, allowed: &Allowed<'_>) {
    out.push(FORM);
    append_allowed(out, allowed);
}

/// A value from its bytes; `what` names it in an error.
pub(super) fn decode<T: Compact>(what: &str, bytes: &[u8]) -> Result<T, Damage> {
    read(bytes, from_bytes).map_err(|why| Damage::Unreadable { what: what.to_owned(), why })
}

/// A record at length from its bytes.
pub(super) fn decode_record(sequence: u64, bytes: &[u8]) -> Result<Record, Damage> {
    read(bytes, from_bytes).map_err(|why| Damage::Record { sequence, why })
}

/// A record from its bytes, which was read lately with others.
/// Says why it is none.
pub(super) fn decode_told(bytes: &[u8], commons: &mut Commons) -> Result<Told, String> {
    read(bytes, |bytes| told_from_bytes(bytes, commons))
}

/// What is behind the number of the form, or why it cannot be had.
fn read<T>(bytes: &[u8], read: impl FnOnce(&[u8]) -> Result<T, Unreadable>) -> Result<T, String> {
    match bytes.split_first() {
        Some((&FORM, rest)) => read(rest).map_err(|why| why.to_string()),
        Some((form, _)) => Err(format!("it has form {form}")),
        None => Err("it is empty".to_owned()),
    }
}

/// Reads fixed-size fields off the front of a slice. `None`: too short.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// So many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// An array of bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// 32 bits, big-endian.
    pub(super) fn short(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// 64 bits, big-endian.
    pub(super) fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A length of 32 bits and that many bytes.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.short()?).ok()?;
        self.bytes(count)
    }
}

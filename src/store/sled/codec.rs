//! Records, rows and the checkpoint's head as bytes: a version, then
//! MessagePack.
//!
//! Structs are arrays and enum variants are named, so that fields may be
//! appended (with `serde(default)`) and variants added without a new version;
//! anything else needs one. Maps keep their structured keys: MessagePack
//! allows any. An option of an option would lose its inner `None`; the domain
//! has none.

use serde::{Serialize, de::DeserializeOwned};

use super::damage::Damage;

/// Version of the encoding.
const VERSION: u8 = 1;

/// Appends a value's bytes.
pub(super) fn encode(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Damage> {
    out.push(VERSION);
    rmp_serde::encode::write(out, value).map_err(|e| Damage::Defect(format!("encoding: {e}")))
}

/// A value from its bytes; `what` names it in an error.
pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Damage> {
    let unreadable = |why: String| Damage::Unreadable { what: what.to_owned(), why };
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            rmp_serde::from_slice(rest).map_err(|e| unreadable(e.to_string()))
        }
        Some((version, _)) => Err(unreadable(format!("it has version {version}"))),
        None => Err(unreadable("it is empty".to_owned())),
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

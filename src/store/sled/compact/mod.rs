//! Values as few bytes, in few steps: numbers as long as they need to be, fields
//! and variants without names, and what was written before as its place. A record
//! says the same names, instants and meters dozens of times over, in a payout, in
//! what it holds and in its events (docs/decisions/0071).
//!
//! | what | bytes |
//! |---|---|
//! | number | as `VARINT`: seven bits a byte, the lowest first |
//! | text | as `VARINT`: twice its length and the text, or twice a place and 1 |
//! | `bool`, an option's presence | one |
//! | list, map | how many as `VARINT`, then what is in it |
//! | struct, tuple | what is in it |
//! | enum | the variant's number, one byte, then what is in it |
//!
//! What stands in a record often has bytes of its own, at its place below:
//! instants are said by how far they are from the first one; amounts are one
//! number of digits, decimals and sign; a name of the same shop as the name before
//! does not say the shop; a meter is written once and then is its place; and what
//! a payout has of a meter says only in what it differs from what it has of the
//! one before. An authorization that every rule allowed is told in short: what it
//! has in common with others of its operator, and what those have in common with all
//! others, stands in front as it was written out once (docs/decisions/0082, 0085).
//!
//! Nothing may be added to a struct without another form (`codec.rs`); variants
//! may be appended to an enum. Whatever is a value can be written.

mod allowed;
mod codes;
mod ends;
mod fields;
mod meters;
mod names;
mod plain;
mod read;
mod rows;
mod values;
mod write;

#[cfg(test)]
pub(super) mod tests;

pub use self::{
    allowed::{Commons, append_allowed, told_from_bytes},
    read::{Reader, Unreadable, from_bytes},
    write::{Writer, append},
};

/// Texts of fewer bytes are always written out.
const SHORT: usize = 2;
/// Most texts that have a place; what comes later is written out each time.
const MOST: u16 = u16::MAX;
/// Most instants that have a place.
const INSTANTS: usize = 16;
/// Most cells that have a place.
const CELLS: usize = 8;
/// Most meters that have a place.
const KEYS: usize = 32;

/// What can be written and read.
pub trait Compact: Sized {
    /// Writes it.
    fn write<'a>(&'a self, to: &mut Writer<'a>);

    /// Reads it.
    ///
    /// # Errors
    /// If the bytes are not of one.
    fn read(from: &mut Reader<'_>) -> Result<Self, Unreadable>;

    /// Writes it as the key of a map, where it does not stand again.
    fn write_key<'a>(&'a self, to: &mut Writer<'a>) {
        self.write(to);
    }

    /// Reads it as the key of a map.
    ///
    /// # Errors
    /// If the bytes are not of one.
    fn read_key(from: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Self::read(from)
    }

    /// Writes it, or that there is none.
    fn write_option<'a>(option: Option<&'a Self>, to: &mut Writer<'a>) {
        match option {
            None => to.byte(0),
            Some(value) => {
                to.byte(1);
                value.write(to);
            }
        }
    }

    /// Reads it, or that there is none.
    ///
    /// # Errors
    /// If the bytes are not of one.
    fn read_option(from: &mut Reader<'_>) -> Result<Option<Self>, Unreadable> {
        match from.byte()? {
            0 => Ok(None),
            1 => Self::read(from).map(Some),
            _ => Err(Unreadable("it is neither there nor absent")),
        }
    }
}

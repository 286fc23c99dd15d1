//! Writes a value.

use std::fmt;

use serde::{
    Serialize,
    ser::{self, Serializer},
};

use super::{SMALL, table::Places};

/// Writes values, one after the other, each by itself.
#[derive(Debug, Default)]
pub struct Encoder {
    places: Places,
}

impl Encoder {
    /// Appends a value's bytes.
    ///
    /// # Errors
    /// If the value cannot be written: a list that does not know its length,
    /// or a number of more than 127 bits (signed: from 2¹²⁶ or below -2¹²⁶).
    pub fn write(&mut self, out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Unwritable> {
        self.places.clear();
        value.serialize(&mut Writer { out, places: &mut self.places })
    }
}

/// Why a value was not written.
#[derive(Debug)]
pub struct Unwritable(String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    places: &'a mut Places,
}

type Written = Result<(), Unwritable>;

impl Writer<'_> {
    fn long_varint(&mut self, number: u128) {
        let mut rest = number;
        while rest > 0x7f {
            self.out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push((rest & 0x7f) as u8);
    }

    fn varint(&mut self, number: u64) {
        // Nearly all numbers are short.
        match number {
            0..0x80 => self.out.push((number & 0x7f) as u8),
            0x80..0x4000 => {
                self.out
                    .extend_from_slice(&[(number & 0x7f) as u8 | 0x80, (number >> 7 & 0x7f) as u8]);
            }
            _ => self.long_varint(number.into()),
        }
    }

    fn length(&mut self, length: usize) {
        self.varint(length as u64);
    }

    /// What was written before, by its place.
    fn place(&mut self, place: u16) {
        self.varint(u64::from(place) << 1 | 1);
    }

    /// A number that is in no table.
    fn small(&mut self, number: u64) {
        self.varint(number << 1);
    }

    fn number(&mut self, number: u128) -> Written {
        if number < SMALL
            && let Ok(small) = u64::try_from(number)
        {
            self.small(small);
            return Ok(());
        }
        if number >> 127 != 0 {
            return Err(ser::Error::custom("a number is too large"));
        }
        match self.places.number(number) {
            Some(place) => self.place(place),
            None => self.long_varint(number << 1),
        }
        Ok(())
    }

    fn folded(&mut self, number: i128) -> Written {
        self.number((number << 1 ^ number >> 127).cast_unsigned())
    }

    fn text(&mut self, text: &str) {
        let length = (text.len() as u64) << 1;
        // As many bytes as the length takes stand before the text.
        let start = self.out.len() + 1 + usize::from(length >> 7 != 0);
        let start = start + usize::from(length >> 14 != 0) + usize::from(length >> 21 != 0);
        match self.places.text(text, self.out, start) {
            Some(place) => self.place(place),
            None => {
                self.varint(length);
                self.out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

impl<'a, 'b> Serializer for &'b mut Writer<'a> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Written {
        self.serialize_u8(u8::from(value))
    }

    fn serialize_i8(self, value: i8) -> Written {
        self.serialize_u8(value.cast_unsigned())
    }

    fn serialize_i16(self, value: i16) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Written {
        self.number((value << 1 ^ value >> 63).cast_unsigned().into())
    }

    fn serialize_i128(self, value: i128) -> Written {
        if value >> 126 != value >> 127 {
            return Err(ser::Error::custom("a number is too large"));
        }
        self.folded(value)
    }

    fn serialize_u8(self, value: u8) -> Written {
        self.out.push(value);
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> Written {
        self.number(value.into())
    }

    fn serialize_u32(self, value: u32) -> Written {
        self.number(value.into())
    }

    fn serialize_u64(self, value: u64) -> Written {
        self.number(value.into())
    }

    fn serialize_u128(self, value: u128) -> Written {
        self.number(value)
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.out.extend(value.to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Written {
        self.out.extend(value.to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Written {
        self.number(u32::from(value).into())
    }

    fn serialize_str(self, value: &str) -> Written {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.length(value.len());
        self.out.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.out.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Written {
        self.varint(index.into());
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Written {
        self.varint(index.into());
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Unwritable> {
        let length = length.ok_or_else(|| ser::Error::custom("a list of no known length"))?;
        self.length(length);
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Unwritable> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Unwritable> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Unwritable> {
        self.varint(index.into());
        Ok(self)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, Unwritable> {
        self.serialize_seq(length)
    }

    fn serialize_struct(self, _: &'static str, fields: usize) -> Result<Self, Unwritable> {
        self.length(fields);
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        fields: usize,
    ) -> Result<Self, Unwritable> {
        self.varint(index.into());
        self.length(fields);
        Ok(self)
    }
}

/// What is in a list, a tuple or a struct is written one after the other.
macro_rules! one_after_the_other {
    ($($trait:ident :: $method:ident),+) => {$(
        impl<'a, 'b> ser::$trait for &'b mut Writer<'a> {
            type Ok = ();
            type Error = Unwritable;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                value.serialize(&mut **self)
            }

            fn end(self) -> Written {
                Ok(())
            }
        }
    )+};
}

one_after_the_other!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// And so are fields, without their names.
macro_rules! without_names {
    ($($trait:ident),+) => {$(
        impl<'a, 'b> ser::$trait for &'b mut Writer<'a> {
            type Ok = ();
            type Error = Unwritable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Written {
                value.serialize(&mut **self)
            }

            fn end(self) -> Written {
                Ok(())
            }
        }
    )+};
}

without_names!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for &mut Writer<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}

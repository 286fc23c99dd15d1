//! Reads a value. Bytes come from a disk, so anything may be in them.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::table::Seen;

/// A value from all of these bytes.
///
/// # Errors
/// If they are no such value, or more than one.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let mut reader = Reader { rest: bytes, seen: Seen::default() };
    let value = T::deserialize(&mut reader)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(unreadable("something stands behind it")) }
}

/// Why bytes are no value.
#[derive(Debug)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

fn unreadable(why: &str) -> Unreadable {
    Unreadable(why.to_owned())
}

struct Reader<'de> {
    rest: &'de [u8],
    seen: Seen<'de>,
}

impl<'de> Reader<'de> {
    fn byte(&mut self) -> Result<u8, Unreadable> {
        let (byte, rest) = self.rest.split_first().ok_or_else(|| unreadable("it is cut off"))?;
        self.rest = rest;
        Ok(*byte)
    }

    fn flag(&mut self) -> Result<bool, Unreadable> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Unreadable(format!("{other} is neither yes nor no"))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (array, rest) =
            self.rest.split_first_chunk().ok_or_else(|| unreadable("it is cut off"))?;
        self.rest = rest;
        Ok(*array)
    }

    fn varint(&mut self) -> Result<u128, Unreadable> {
        let mut number = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(unreadable("a number is too long"))
    }

    fn length(&mut self) -> Result<usize, Unreadable> {
        usize::try_from(self.varint()?).map_err(|_| unreadable("a length is too large"))
    }

    fn bytes(&mut self, length: usize) -> Result<&'de [u8], Unreadable> {
        let (bytes, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| unreadable("it is cut off"))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Either what stands here, as half of this, or what stood at a place.
    fn head(&mut self) -> Result<Result<u128, usize>, Unreadable> {
        let head = self.varint()?;
        if head & 1 == 0 {
            return Ok(Ok(head >> 1));
        }
        usize::try_from(head >> 1).map(Err).map_err(|_| no_such_place())
    }

    fn number(&mut self) -> Result<u128, Unreadable> {
        match self.head()? {
            Ok(number) => {
                self.seen.saw_number(number);
                Ok(number)
            }
            Err(place) => self.seen.number(place).ok_or_else(no_such_place),
        }
    }

    fn folded(&mut self) -> Result<i128, Unreadable> {
        let folded = self.number()?;
        Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    fn text(&mut self) -> Result<&'de str, Unreadable> {
        match self.head()? {
            Ok(length) => {
                let length =
                    usize::try_from(length).map_err(|_| unreadable("a length is too large"))?;
                let text = std::str::from_utf8(self.bytes(length)?)
                    .map_err(|_| unreadable("a text is not UTF-8"))?;
                self.seen.saw_text(text);
                Ok(text)
            }
            Err(place) => self.seen.text(place).ok_or_else(no_such_place),
        }
    }

    fn counted<'a>(&'a mut self, left: usize) -> Counted<'a, 'de> {
        Counted { reader: self, left }
    }

    fn fields<V: Visitor<'de>>(
        &mut self,
        known: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let count = self.length()?;
        if count > known {
            return Err(Unreadable(format!("it has {count} fields, of which {known} are known")));
        }
        visitor.visit_seq(self.counted(count))
    }
}

fn no_such_place() -> Unreadable {
    unreadable("it refers to what is not there")
}

/// Numbers of so many bits.
macro_rules! numbers {
    ($($method:ident $visit:ident $read:ident $type:ty),+ $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            let number = self.$read()?;
            let number = <$type>::try_from(number)
                .map_err(|_| Unreadable(format!("{number} is out of range")))?;
            visitor.$visit(number)
        }
    )+};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unreadable;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        Err(unreadable("what it is does not stand in it"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_bool(self.flag()?)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_u8(self.byte()?)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_i8(self.byte()?.cast_signed())
    }

    numbers! {
        deserialize_u16 visit_u16 number u16,
        deserialize_u32 visit_u32 number u32,
        deserialize_u64 visit_u64 number u64,
        deserialize_u128 visit_u128 number u128,
        deserialize_i16 visit_i16 folded i16,
        deserialize_i32 visit_i32 folded i32,
        deserialize_i64 visit_i64 folded i64,
        deserialize_i128 visit_i128 folded i128,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_f32(f32::from_le_bytes(self.array()?))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_f64(f64::from_le_bytes(self.array()?))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let letter = u32::try_from(self.number()?).ok().and_then(char::from_u32);
        visitor.visit_char(letter.ok_or_else(|| unreadable("it is no character"))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let length = self.length()?;
        visitor.visit_borrowed_bytes(self.bytes(length)?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.flag()? { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let length = self.length()?;
        visitor.visit_seq(self.counted(length))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_seq(self.counted(length))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_seq(self.counted(length))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let length = self.length()?;
        visitor.visit_map(self.counted(length))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.fields(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_enum(self)
    }
}

/// So many that are still to come.
struct Counted<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: usize,
}

impl<'de> Counted<'_, 'de> {
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Unreadable> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> de::SeqAccess<'de> for Counted<'_, 'de> {
    type Error = Unreadable;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unreadable> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        // Each takes a byte at least, or nothing at all.
        Some(self.left.min(self.reader.rest.len()))
    }
}

impl<'de> de::MapAccess<'de> for Counted<'_, 'de> {
    type Error = Unreadable;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unreadable> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, Unreadable> {
        seed.deserialize(&mut *self.reader)
    }
}

impl<'de> de::EnumAccess<'de> for &mut Reader<'de> {
    type Error = Unreadable;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), Unreadable> {
        let number = u32::try_from(self.varint()?).map_err(|_| unreadable("no such variant"))?;
        let variant = seed.deserialize(number.into_deserializer())?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for &mut Reader<'de> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, Unreadable> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_seq(self.counted(length))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.fields(fields.len(), visitor)
    }
}

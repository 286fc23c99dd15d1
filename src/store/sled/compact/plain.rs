//! What types of the standard library are as bytes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Compact, Reader, Unreadable, Writer,
    codes::{fold, unfold},
    read::Read,
};
use crate::domain::{named::Named, text::Text};

/// Room that is made for a list before there is anything in it, at most: its
/// length may be wrong.
const ROOM: usize = 64;

impl Compact for bool {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.byte(u8::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable("it is neither yes nor no")),
        }
    }
}

/// Numbers of no sign.
macro_rules! numbers {
    ($($type:ident),+) => {$(
        impl Compact for $type {
            #[inline]
            fn write<'a>(&'a self, to: &mut Writer<'a>) {
                to.varint(*self as u64);
            }

            fn read(from: &mut Reader<'_>) -> Read<Self> {
                Self::try_from(from.varint()?).map_err(|_| Unreadable("a number is too large"))
            }
        }
    )+};
}

numbers!(u32, u64, usize);

impl Compact for i32 {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.varint(fold((*self).into()));
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let number = unfold(from.varint()?);
        Self::try_from(number).map_err(|_| Unreadable("a number is too large"))
    }
}

impl Compact for Duration {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.varint(self.as_secs());
        to.varint(self.subsec_nanos().into());
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let (seconds, nanos) = (from.varint()?, u32::read(from)?);
        let fits = nanos < 1_000_000_000;
        fits.then(|| Self::new(seconds, nanos)).ok_or(Unreadable("a second has 10⁹ parts"))
    }
}

impl<T: Compact> Compact for Option<T> {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        T::write_option(self.as_ref(), to);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        T::read_option(from)
    }
}

impl Compact for Arc<[u8]> {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.length(self.len());
        to.bytes(self);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let length = from.length()?;
        from.bytes(length).map(Self::from)
    }
}

impl<T: Compact> Compact for Vec<T> {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.length(self.len());
        self.iter().for_each(|one| one.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let length = from.length()?;
        let mut all = Self::with_capacity(length.min(ROOM));
        for _ in 0..length {
            all.push(T::read(from)?);
        }
        Ok(all)
    }
}

impl<K: Compact + Ord, V: Compact> Compact for BTreeMap<K, V> {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.length(self.len());
        for (key, value) in self {
            key.write_key(to);
            value.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let length = from.length()?;
        (0..length).map(|_| Ok((K::read_key(from)?, V::read(from)?))).collect()
    }
}

impl<V: Compact> Compact for Named<V> {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.length(self.len());
        for (name, value) in self.iter() {
            name.write_key(to);
            value.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let length = from.length()?;
        let mut all = Vec::with_capacity(length.min(ROOM));
        for _ in 0..length {
            all.push((Text::read_key(from)?, V::read(from)?));
        }
        Ok(all.into_iter().collect())
    }
}

impl<A: Compact, B: Compact> Compact for (A, B) {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        self.0.write(to);
        self.1.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        Ok((A::read(from)?, B::read(from)?))
    }
}

impl<A: Compact, B: Compact, C: Compact> Compact for (A, B, C) {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        self.0.write(to);
        self.1.write(to);
        self.2.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        Ok((A::read(from)?, B::read(from)?, C::read(from)?))
    }
}

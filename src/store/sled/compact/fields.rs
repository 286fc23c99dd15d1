//! Structs and enums that are written as what is in them.

/// Structs: their fields, one after the other. Names all of them, or it does not
/// compile.
macro_rules! fields {
    ($($type:ident { $($field:ident),+ $(,)? })+) => {$(
        impl $crate::store::sled::compact::Compact for $type {
            fn write<'a>(&'a self, to: &mut $crate::store::sled::compact::Writer<'a>) {
                let Self { $($field),+ } = self;
                $($crate::store::sled::compact::Compact::write($field, to);)+
            }

            fn read(
                from: &mut $crate::store::sled::compact::Reader<'_>,
            ) -> Result<Self, $crate::store::sled::compact::Unreadable> {
                $(let $field = $crate::store::sled::compact::Compact::read(from)?;)+
                Ok(Self { $($field),+ })
            }
        }
    )+};
}

/// Enums: a byte for the variant, then what is in it. A number belongs to its
/// variant for as long as the form does.
macro_rules! variants {
    ($($type:ident {
        $($number:literal $variant:ident $(($($part:ident),+))? $({$($named:ident),+})?,)+
    })+) => {$(
        impl $crate::store::sled::compact::Compact for $type {
            fn write<'a>(&'a self, to: &mut $crate::store::sled::compact::Writer<'a>) {
                match self {
                    $(Self::$variant $(($($part),+))? $({$($named),+})? => {
                        to.byte($number);
                        $($($crate::store::sled::compact::Compact::write($part, to);)+)?
                        $($($crate::store::sled::compact::Compact::write($named, to);)+)?
                    })+
                }
            }

            fn read(
                from: &mut $crate::store::sled::compact::Reader<'_>,
            ) -> Result<Self, $crate::store::sled::compact::Unreadable> {
                match from.byte()? {
                    $($number => {
                        $($(let $part = $crate::store::sled::compact::Compact::read(from)?;)+)?
                        $($(let $named = $crate::store::sled::compact::Compact::read(from)?;)+)?
                        Ok(Self::$variant $(($($part),+))? $({$($named),+})?)
                    })+
                    _ => Err($crate::store::sled::compact::Unreadable(
                        "it is none of the kinds that there are",
                    )),
                }
            }
        }
    )+};
}

/// What is shared in memory: as what it is.
macro_rules! shared {
    ($($type:ident),+ $(,)?) => {$(
        impl $crate::store::sled::compact::Compact for std::sync::Arc<$type> {
            #[inline]
            fn write<'a>(&'a self, to: &mut $crate::store::sled::compact::Writer<'a>) {
                $crate::store::sled::compact::Compact::write(&**self, to);
            }

            fn read(
                from: &mut $crate::store::sled::compact::Reader<'_>,
            ) -> Result<Self, $crate::store::sled::compact::Unreadable> {
                $crate::store::sled::compact::Compact::read(from).map(Self::new)
            }
        }
    )+};
}

pub(super) use {fields, shared, variants};

//! Instants, amounts, facts and what they are made of as bytes.

use super::{
    Compact, Reader, Unreadable, Writer,
    codes::{ABSENT, Sent},
    fields::fields,
    read::Read,
};
use crate::domain::{
    amount::{Amount, Currency},
    decision::Reading,
    instant::Instant,
    request::Fingerprint,
    value::{Fact, Value},
    who::RoleSet,
};

impl Compact for Instant {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.instant(*self);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        from.instant()
    }

    #[inline]
    fn write_option<'a>(option: Option<&'a Self>, to: &mut Writer<'a>) {
        match option {
            None => to.byte(0),
            Some(at) => to.instant(*at),
        }
    }

    fn read_option(from: &mut Reader<'_>) -> Read<Option<Self>> {
        from.instant_if_any()
    }
}

impl Compact for Amount {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.amount(*self);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        from.amount()
    }

    #[inline]
    fn write_option<'a>(option: Option<&'a Self>, to: &mut Writer<'a>) {
        match option {
            None => to.varint(ABSENT),
            Some(amount) => to.amount(*amount),
        }
    }

    fn read_option(from: &mut Reader<'_>) -> Read<Option<Self>> {
        from.amount_if_any()
    }
}

impl Compact for Currency {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.text(self.code());
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        Self::parse(&from.text()?).ok_or(Unreadable("there is no such currency"))
    }
}

impl Compact for RoleSet {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.byte(self.bits());
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        from.byte().map(Self::from_bits)
    }
}

/// Kinds of values; 0 is left for none.
mod kind {
    pub(super) const TEXT: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const TRUE: u8 = 3;
    pub(super) const DECIMAL: u8 = 4;
    pub(super) const TIME: u8 = 5;
    pub(super) const LIST: u8 = 6;
}

fn value(kind: u8, from: &mut Reader<'_>) -> Read<Value> {
    Ok(match kind {
        kind::TEXT => Value::Text(from.text()?),
        kind::FALSE => Value::Bool(false),
        kind::TRUE => Value::Bool(true),
        kind::DECIMAL => Value::Decimal(from.amount()?),
        kind::TIME => Value::Time(from.instant()?),
        kind::LIST => Value::List(Compact::read(from)?),
        _ => return Err(Unreadable("a value is of no known kind")),
    })
}

impl Compact for Value {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        match self {
            Self::Text(text) => {
                to.byte(kind::TEXT);
                to.text(text);
            }
            Self::Bool(false) => to.byte(kind::FALSE),
            Self::Bool(true) => to.byte(kind::TRUE),
            Self::Decimal(amount) => {
                to.byte(kind::DECIMAL);
                to.amount(*amount);
            }
            Self::Time(at) => {
                to.byte(kind::TIME);
                to.instant(*at);
            }
            Self::List(texts) => {
                to.byte(kind::LIST);
                texts.write(to);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let kind = from.byte()?;
        value(kind, from)
    }

    #[inline]
    fn write_option<'a>(option: Option<&'a Self>, to: &mut Writer<'a>) {
        match option {
            None => to.byte(0),
            Some(value) => value.write(to),
        }
    }

    fn read_option(from: &mut Reader<'_>) -> Read<Option<Self>> {
        match from.byte()? {
            0 => Ok(None),
            kind => value(kind, from).map(Some),
        }
    }
}

fields! {
    Fact { value, asserted_by }
}

/// A payout and its decision have the same.
impl Compact for Sent {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let same = to.sent == Some(self);
        to.byte(u8::from(same));
        if !same {
            to.sent = Some(self);
            (**self).write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        if bool::read(from)? {
            return from.sent.clone().ok_or(Unreadable("no facts were sent before"));
        }
        let sent = Self::new(Compact::read(from)?);
        from.sent = Some(Self::clone(&sent));
        Ok(sent)
    }
}

impl Compact for Fingerprint {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.length(self.0.len());
        for (number, hash) in &self.0 {
            to.varint((*number).into());
            // All of its bits are by chance: shorter is no way to write it.
            to.bytes(&hash.to_le_bytes());
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let length = from.length()?;
        let field = |_| Ok((u32::read(from)?, u64::from_le_bytes(from.array()?)));
        (0..length).map(field).collect::<Read<_>>().map(Self)
    }
}

/// What a reading has, a bit each: most have next to nothing. None is no reading.
mod has {
    pub(super) const USED: u8 = 1;
    pub(super) const HELD: u8 = 1 << 1;
    pub(super) const BY_AMOUNT: u8 = 1 << 2;
    pub(super) const FULL: u8 = 1 << 3;
    pub(super) const ROOM: u8 = 1 << 4;
    pub(super) const RELIEF: u8 = 1 << 5;
    pub(super) const WINDOW: u8 = 1 << 6;
    pub(super) const READING: u8 = 1 << 7;
}

fn reading(has: u8, from: &mut Reader<'_>) -> Read<Reading> {
    if has & has::READING == 0 {
        return Err(Unreadable("it is no reading"));
    }
    let mut reading = Reading { full: has & has::FULL != 0, ..Reading::default() };
    if has & has::USED != 0 {
        reading.used = from.amount()?;
    }
    if has & has::HELD != 0 {
        reading.held = from.amount()?;
    }
    if has & has::BY_AMOUNT != 0 {
        reading.by_amount = Compact::read(from)?;
    }
    if has & has::ROOM != 0 {
        reading.room = Some(from.instant()?);
    }
    if has & has::RELIEF != 0 {
        reading.relief = Compact::read(from)?;
    }
    if has & has::WINDOW != 0 {
        reading.window = Some(Compact::read(from)?);
    }
    Ok(reading)
}

impl Compact for Reading {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { used, held, by_amount, full, room, relief, window } = self;
        // Nothing is written as nothing only if it has no decimals either.
        let any = |amount: &Amount| amount.digits() != (0, 0);
        let bit = |bit: u8, is: bool| if is { bit } else { 0 };
        to.byte(
            has::READING
                | bit(has::USED, any(used))
                | bit(has::HELD, any(held))
                | bit(has::BY_AMOUNT, !by_amount.is_empty())
                | bit(has::FULL, *full)
                | bit(has::ROOM, room.is_some())
                | bit(has::RELIEF, !relief.is_empty())
                | bit(has::WINDOW, window.is_some()),
        );
        for amount in [used, held] {
            if any(amount) {
                to.amount(*amount);
            }
        }
        if !by_amount.is_empty() {
            by_amount.write(to);
        }
        if let Some(at) = room {
            to.instant(*at);
        }
        if !relief.is_empty() {
            relief.write(to);
        }
        if let Some(window) = window {
            window.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let has = from.byte()?;
        reading(has, from)
    }

    fn write_option<'a>(option: Option<&'a Self>, to: &mut Writer<'a>) {
        match option {
            None => to.byte(0),
            Some(reading) => reading.write(to),
        }
    }

    fn read_option(from: &mut Reader<'_>) -> Read<Option<Self>> {
        match from.byte()? {
            0 => Ok(None),
            has => reading(has, from).map(Some),
        }
    }
}

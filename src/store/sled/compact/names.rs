//! Names of resources and of rows as bytes. A name below a shop does not say the
//! shop again.

use super::{
    Compact, Reader, Unreadable, Writer,
    fields::{fields, variants},
    read::Read,
};
use crate::domain::{
    freeze::Target,
    key::Key,
    name::{
        AccountName, DecisionName, FreezeName, GrantName, Id, OperatorName, OrderName, PayoutName,
        PlatformName, ProgrammeName, RevisionName, ShopName,
    },
    request::RequestKey,
    text::Text,
};

impl Compact for Text {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.text(self);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        from.text()
    }

    #[inline]
    fn write_key<'a>(&'a self, to: &mut Writer<'a>) {
        to.plain(self);
    }

    fn read_key(from: &mut Reader<'_>) -> Read<Self> {
        from.plain().map(Self::new)
    }
}

impl Compact for Id {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.text(self.as_str());
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        from.id()
    }
}

impl Compact for ShopName {
    #[inline]
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        to.shop(&self.platform, &self.shop);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let code = from.byte()?;
        let (platform, shop) = from.shop(code)?;
        Ok(Self { platform, shop })
    }

    fn write_option<'a>(option: Option<&'a Self>, to: &mut Writer<'a>) {
        match option {
            None => to.byte(0),
            Some(name) => name.write(to),
        }
    }

    fn read_option(from: &mut Reader<'_>) -> Read<Option<Self>> {
        match from.byte()? {
            0 => Ok(None),
            code => from.shop(code).map(|(platform, shop)| Some(Self { platform, shop })),
        }
    }
}

/// Names below a shop, and what else is in them.
macro_rules! below_a_shop {
    ($($name:ident { $id:ident $(, $more:ident)* })+) => {$(
        impl Compact for $name {
            #[inline]
            fn write<'a>(&'a self, to: &mut Writer<'a>) {
                let Self { platform, shop, $id $(, $more)* } = self;
                to.below_shop(platform, shop, $id);
                $($more.write(to);)*
            }

            fn read(from: &mut Reader<'_>) -> Read<Self> {
                let (platform, shop, $id) = from.below_shop()?;
                $(let $more = Compact::read(from)?;)*
                Ok(Self { platform, shop, $id $(, $more)* })
            }
        }
    )+};
}

below_a_shop! {
    OrderName { order }
    OperatorName { operator }
    GrantName { operator, programme }
    AccountName { account }
    PayoutName { payout }
    DecisionName { decision }
}

/// The one before says it, nearly always.
impl Compact for ProgrammeName {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { platform, programme } = self;
        let same = to.programme == Some(self);
        to.byte(u8::from(same));
        if !same {
            to.programme = Some(self);
            platform.write(to);
            programme.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        if bool::read(from)? {
            return from.programme.clone().ok_or(Unreadable("no programme stands before"));
        }
        let name = Self { platform: from.id()?, programme: from.id()? };
        from.programme = Some(name.clone());
        Ok(name)
    }
}

fields! {
    PlatformName { platform }
    FreezeName { platform, freeze }
    RevisionName { programme, number }
    RequestKey { platform, parent, operation, id }
}

variants! {
    Target {
        0 Shop(name),
        1 Operator(name),
        2 Account(name),
    }
    Key {
        0 Platform(name),
        1 Shop(name),
        2 Operator(name),
        3 Grant(name),
        4 Account(name),
        5 Balance(name),
        6 Movement(name, reference),
        7 MovementNumber(name, number),
        8 Order(name),
        9 Payout(name),
        10 PayoutOfOrder(name, payout),
        11 Decision(name),
        12 Request(key),
        13 Programme(name),
        14 Revision(name),
        15 Freeze(name),
        16 Freezes(target),
        17 Cell(key),
        18 Due(at, name),
    }
}

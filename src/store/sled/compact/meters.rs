//! Meters, and what payouts have of them, as bytes. Which meter it is is written
//! once.

use super::{
    Compact, Reader, Unreadable, Writer,
    fields::{fields, variants},
    read::Read,
};
use crate::domain::{
    account::BalanceChange,
    amount::Amount,
    cell::{Cell, CellKey, Celled},
    instant::Instant,
    limit::OnReturn,
    meter::{Entry, Expiring, Meter, MeterChange, MeterKey, Metered, Phase, Shape, Tally},
    payout::{CountsWhile, Drawn, Holding},
    text::Text,
};

/// How a payout counts, if it does.
type Part = Option<(Phase, Amount)>;

/// What was not written before has 0 where the others have their place and 1.
fn place(from: &mut Reader<'_>) -> Read<Option<usize>> {
    let place = usize::read(from)?;
    Ok(place.checked_sub(1))
}

/// Of which cells that were not written before this is the number; with those that
/// were, their place and how many numbers there are.
const CELL: usize = 0;
const CELL_OF_AN_ORDER: usize = 1;
const CELL_BEFORE: usize = 2;

impl Compact for CellKey {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        if let Some(place) = to.cell(self) {
            to.length(place + CELL_BEFORE);
            return;
        }
        let Celled { programme, scope, window_start } = &**self;
        to.length(if self.is_of_an_order() { CELL_OF_AN_ORDER } else { CELL });
        programme.write(to);
        scope.write(to);
        window_start.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let number = usize::read(from)?;
        if let Some(place) = number.checked_sub(CELL_BEFORE) {
            return from.cell(place);
        }
        let (programme, scope) = (Compact::read(from)?, Compact::read(from)?);
        let window_start = Compact::read(from)?;
        let of = Celled { programme, scope, window_start };
        let is_of_an_order = number == CELL_OF_AN_ORDER;
        let key = if is_of_an_order { Self::of_an_order(of) } else { Self::from(of) };
        from.saw_cell(&key);
        Ok(key)
    }
}

/// What a meter's key has besides its cell.
fn write_inside<'a>(key: &'a MeterKey, to: &mut Writer<'a>) {
    let Metered { rule, scope, window_start } = &*key.within;
    rule.write(to);
    scope.write(to);
    window_start.write(to);
}

fn read_inside(cell: CellKey, from: &mut Reader<'_>) -> Read<MeterKey> {
    let (rule, scope): (Text, Vec<Text>) = (Compact::read(from)?, Compact::read(from)?);
    let window_start: Option<Instant> = Compact::read(from)?;
    Ok(MeterKey::new(cell, Metered { rule, scope, window_start }))
}

impl Compact for MeterKey {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        if let Some(place) = to.key(self) {
            to.length(place + 1);
            return;
        }
        to.length(0);
        self.cell.write(to);
        write_inside(self, to);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        if let Some(place) = place(from)? {
            return from.key(place);
        }
        let cell = CellKey::read(from)?;
        let key = read_inside(cell, from)?;
        from.saw_key(&key);
        Ok(key)
    }
}

/// A cell's meters are named by what they do not have in common.
impl Compact for Cell {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        self.key().write(to);
        to.length(self.meters().len());
        for (key, meter) in self.meters() {
            write_inside(key, to);
            meter.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let cell = CellKey::read(from)?;
        let length = from.length()?;
        let meter = |_| Ok((read_inside(cell.clone(), from)?, Meter::read(from)?));
        let meters = (0..length).map(meter).collect::<Read<_>>()?;
        Ok(Self::kept(cell, meters))
    }
}

impl Compact for Expiring {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let shelves = self.shelves();
        to.length(shelves.len());
        for shelf in shelves {
            to.length(shelf.len());
            to.bytes(shelf);
        }
        to.length(self.loose().count());
        for (at, amount) in self.loose() {
            to.instant(at);
            to.amount(amount);
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let count = from.length()?;
        let shelf = |_| {
            let length = from.length()?;
            from.bytes(length)
        };
        let shelves: Vec<&[u8]> = (0..count).map(shelf).collect::<Read<_>>()?;
        let loose: Vec<(Instant, Amount)> = Compact::read(from)?;
        let holds = Self::kept(shelves.into_iter(), loose);
        holds.ok_or(Unreadable("holds are not in order, or more than there can be"))
    }
}

fields! {
    Tally { used, held, expiring }
}

variants! {
    Meter {
        0 Fixed(tally),
        1 Rolling(entries),
        2 ByAmount(tallies),
    }
    CountsWhile {
        0 Live,
        1 Always,
        2 InStates(states),
    }
}

/// It is there, which only its reader knows.
fn there(part: Part) -> Read<(Phase, Amount)> {
    part.ok_or(Unreadable("a part is missing"))
}

impl Compact for Entry {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { at, payout, phase, quantity } = self;
        at.write(to);
        payout.write(to);
        to.part(Some(&(*phase, *quantity)));
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let (at, payout) = (Compact::read(from)?, Compact::read(from)?);
        let (phase, quantity) = there(from.part()?)?;
        Ok(Self { at, payout, phase, quantity })
    }
}

/// What else stands in the byte of a shape, which has its lowest two bits.
mod has {
    /// Of a change: payout, instant and amount are those of the change before.
    pub(super) const SAME: u8 = 1 << 2;
    /// Of a change: the payout counted before.
    pub(super) const BEFORE: u8 = 1 << 3;
    /// Of a change: entries leave a rolling window.
    pub(super) const FORGET: u8 = 1 << 4;
    /// Of a holding: the window rolls.
    pub(super) const ROLLING: u8 = 1 << 2;
    /// Of a holding: its amount is added up.
    pub(super) const ADDS_AMOUNT: u8 = 1 << 3;
    /// Of a holding: a return restores.
    pub(super) const RESTORE: u8 = 1 << 4;
    /// Of a holding: it counts while the payout is live.
    pub(super) const LIVE: u8 = 1 << 5;
}

fn bit(bit: u8, is: bool) -> u8 {
    if is { bit } else { 0 }
}

fn shape_bits(shape: Shape) -> u8 {
    match shape {
        Shape::Fixed => 0,
        Shape::Rolling => 1,
        Shape::ByAmount => 2,
    }
}

fn shape(code: u8) -> Read<Shape> {
    match code & 3 {
        0 => Ok(Shape::Fixed),
        1 => Ok(Shape::Rolling),
        2 => Ok(Shape::ByAmount),
        _ => Err(Unreadable("a meter is of no known shape")),
    }
}

impl Compact for MeterChange {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { key, shape, payout, at, amount, before, after, forget_until } = self;
        let same = to.same_counted(payout, *at, *amount);
        to.byte(
            shape_bits(*shape)
                | bit(has::SAME, same)
                | bit(has::BEFORE, before.is_some())
                | bit(has::FORGET, forget_until.is_some()),
        );
        key.write(to);
        if !same {
            payout.write(to);
            at.write(to);
            amount.write(to);
        }
        if before.is_some() {
            to.part(before.as_ref());
        }
        to.part(after.as_ref());
        if let Some(until) = forget_until {
            until.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let code = from.byte()?;
        let shape = shape(code)?;
        let key = Compact::read(from)?;
        let (payout, at, amount) = from.counted(code & has::SAME != 0)?;
        let before = if code & has::BEFORE != 0 { Some(there(from.part()?)?) } else { None };
        let after = from.part()?;
        let forget_until = if code & has::FORGET != 0 { Some(from.instant()?) } else { None };
        Ok(Self { key, shape, payout, at, amount, before, after, forget_until })
    }
}

impl Compact for Holding {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { key, shape, rolling, adds_amount, counts, on_return, now } = self;
        let live = *counts == CountsWhile::Live;
        to.byte(
            shape_bits(*shape)
                | bit(has::ROLLING, rolling.is_some())
                | bit(has::ADDS_AMOUNT, *adds_amount)
                | bit(has::RESTORE, *on_return == OnReturn::Restore)
                | bit(has::LIVE, live),
        );
        key.write(to);
        if let Some(length) = rolling {
            length.write(to);
        }
        if !live {
            counts.write(to);
        }
        to.part(now.as_ref());
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let code = from.byte()?;
        let shape = shape(code)?;
        let key = Compact::read(from)?;
        let rolling = if code & has::ROLLING != 0 { Some(Compact::read(from)?) } else { None };
        let adds_amount = code & has::ADDS_AMOUNT != 0;
        let live = code & has::LIVE != 0;
        let counts = if live { CountsWhile::Live } else { Compact::read(from)? };
        let on_return = if code & has::RESTORE != 0 { OnReturn::Restore } else { OnReturn::Keep };
        let now = from.part()?;
        Ok(Self { key, shape, rolling, adds_amount, counts, on_return, now })
    }
}

impl Compact for Drawn {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { account, amount, now } = self;
        account.write(to);
        amount.write(to);
        to.part(now.as_ref());
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let (account, amount) = (Compact::read(from)?, Compact::read(from)?);
        let now = from.part()?;
        Ok(Self { account, amount, now })
    }
}

impl Compact for BalanceChange {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { account, credit, movement, before, after } = self;
        account.write(to);
        credit.write(to);
        movement.write(to);
        to.part(before.as_ref());
        to.part(after.as_ref());
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let (account, credit) = (Compact::read(from)?, Compact::read(from)?);
        let movement = Compact::read(from)?;
        let (before, after) = (from.part()?, from.part()?);
        Ok(Self { account, credit, movement, before, after })
    }
}

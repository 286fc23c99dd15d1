//! Reads a value. Bytes come from a disk, so anything may be in them: no number
//! among them makes it take more memory than there are bytes to fill it.

use std::{fmt, sync::Arc};

use smol_str::format_smolstr;

use super::{
    CELLS, Compact, INSTANTS, KEYS, MOST, SHORT,
    codes::{self, Nanos},
};
use crate::domain::{
    amount::Amount,
    cell::CellKey,
    instant::Instant,
    meter::{MeterKey, Phase},
    name::{Id, MAX_ID, ProgrammeName},
    payout::Payout,
    text::Text,
};

/// A value from all of these bytes.
///
/// # Errors
/// If they are no such value, or more than one.
pub fn from_bytes<T: Compact>(bytes: &[u8]) -> Result<T, Unreadable> {
    read_all(bytes, T::read)
}

/// What is read of all of these bytes.
pub(super) fn read_all<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Read<T>,
) -> Read<T> {
    let mut reader = Reader {
        rest: bytes,
        texts: Vec::new(),
        instants: Vec::new(),
        base: (0, 0),
        cells: Vec::new(),
        keys: Vec::new(),
        shop: None,
        part: Amount::ZERO,
        until: None,
        counted: None,
        sent: None,
        programme: None,
        payout: None,
    };
    let value = read(&mut reader)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(Unreadable("something stands behind it")) }
}

/// Why bytes are no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreadable(pub(super) &'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unreadable {}

/// What a read gives.
pub(super) type Read<T> = Result<T, Unreadable>;

const CUT_OFF: Unreadable = Unreadable("it is cut off");
const NO_PLACE: Unreadable = Unreadable("what it refers to was not written before");
const NOT_UTF8: Unreadable = Unreadable("a text is not UTF-8");
const TOO_LARGE: Unreadable = Unreadable("a number is too large");

/// Reads what is in a value.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Shared with what is read, so that a place costs no memory.
    texts: Vec<Text>,
    instants: Vec<Instant>,
    base: (i64, i32),
    cells: Vec<CellKey>,
    keys: Vec<MeterKey>,
    shop: Option<(Id, Id)>,
    part: Amount,
    until: Option<Instant>,
    counted: Option<(Id, Instant, Amount)>,
    pub(super) sent: Option<codes::Sent>,
    pub(super) programme: Option<ProgrammeName>,
    pub(super) payout: Option<Arc<Payout>>,
}

impl<'a> Reader<'a> {
    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        let (byte, rest) = self.rest.split_first().ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Read<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn varint(&mut self) -> Read<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(TOO_LARGE)
    }

    /// How many follow, each of which takes a byte or more.
    pub(super) fn length(&mut self) -> Read<usize> {
        let length = usize::try_from(self.varint()?).map_err(|_| TOO_LARGE)?;
        if length > self.rest.len() { Err(CUT_OFF) } else { Ok(length) }
    }

    pub(super) fn text(&mut self) -> Read<Text> {
        let head = self.varint()?;
        self.headed(head)
    }

    /// A text with a flag in its head.
    pub(super) fn flagged(&mut self) -> Read<(Text, bool)> {
        let head = self.varint()?;
        Ok((self.headed(head >> 1)?, head & 1 == 1))
    }

    /// A text that is hardly written again.
    pub(super) fn plain(&mut self) -> Read<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| NOT_UTF8)
    }

    fn headed(&mut self, head: u64) -> Read<Text> {
        let number = usize::try_from(head >> 1).map_err(|_| TOO_LARGE)?;
        if head & 1 == 1 {
            if let Some(place) = number.checked_sub(1) {
                return self.texts.get(place).cloned().ok_or(NO_PLACE);
            }
            let rest = self.plain()?;
            let (platform, shop) = self.shop.as_ref().ok_or(NO_PLACE)?;
            if platform.as_str().len() > MAX_ID || shop.as_str().len() > MAX_ID {
                return Err(Unreadable("a shop has no such name"));
            }
            let text = format_smolstr!("platforms/{platform}/shops/{shop}{rest}");
            self.saw_text(&text);
            return Ok(text);
        }
        let text = std::str::from_utf8(self.bytes(number)?).map_err(|_| NOT_UTF8)?;
        let text = Text::new(text);
        self.saw_text(&text);
        Ok(text)
    }

    fn saw_text(&mut self, text: &Text) {
        // The first place is the shop's.
        if text.len() >= SHORT && self.texts.len() + 1 < usize::from(MOST) {
            self.texts.push(text.clone());
        }
    }

    pub(super) fn id(&mut self) -> Read<Id> {
        self.text().map(Id::kept)
    }

    fn other_shop(&mut self) -> Read<(Id, Id)> {
        let shop = (self.id()?, self.id()?);
        self.shop = Some(shop.clone());
        Ok(shop)
    }

    /// A shop, by the code before it.
    pub(super) fn shop(&mut self, code: u8) -> Read<(Id, Id)> {
        match code {
            codes::SAME_SHOP => self.shop.clone().ok_or(NO_PLACE),
            codes::OTHER_SHOP => self.other_shop(),
            _ => Err(Unreadable("it names no shop")),
        }
    }

    /// Platform, shop, and what is below it.
    pub(super) fn below_shop(&mut self) -> Read<(Id, Id, Id)> {
        let (id, same) = self.flagged()?;
        let (platform, shop) =
            if same { self.shop.clone().ok_or(NO_PLACE)? } else { self.other_shop()? };
        Ok((platform, shop, Id::kept(id)))
    }

    /// An instant. `None`: the writer wrote that there is none.
    pub(super) fn instant_if_any(&mut self) -> Read<Option<Instant>> {
        let code = self.varint()?;
        if code == 0 {
            return Ok(None);
        }
        let number = code >> 1;
        if code & 1 == 1 {
            let place = usize::try_from(number).map_err(|_| TOO_LARGE)?;
            return self.instants.get(place).copied().ok_or(NO_PLACE).map(Some);
        }
        // It is 1 more, so that it is never 0.
        let number = number - 1;
        let (base, base_nanos) = self.base;
        let seconds = base.checked_add(codes::unfold(number >> 2)).ok_or(TOO_LARGE)?;
        let nanos = match number & 3 {
            n if n == Nanos::None as u64 => 0,
            n if n == Nanos::Same as u64 => base_nanos,
            n if n == Nanos::Other as u64 => {
                i32::try_from(self.varint()?).map_err(|_| TOO_LARGE)?
            }
            _ => return Err(Unreadable("an instant is of no known kind")),
        };
        let out_of_range = Unreadable("an instant is out of range");
        let at = Instant::from_parts(seconds, nanos).ok_or(out_of_range)?;
        if self.instants.is_empty() {
            self.base = at.to_parts();
        }
        if self.instants.len() < INSTANTS {
            self.instants.push(at);
        }
        Ok(Some(at))
    }

    pub(super) fn instant(&mut self) -> Read<Instant> {
        self.instant_if_any()?.ok_or(Unreadable("an instant is missing"))
    }

    /// An amount. `None`: the writer wrote that there is none.
    pub(super) fn amount_if_any(&mut self) -> Read<Option<Amount>> {
        let code = self.varint()?;
        let (digits, decimals) = match code & 0xf {
            codes::ABSENT if code == codes::ABSENT => return Ok(None),
            codes::ABSENT => return Err(Unreadable("an amount is of no known kind")),
            codes::LONG => {
                let decimals = u32::try_from(self.varint()?).map_err(|_| TOO_LARGE)?;
                let digits = u128::from_le_bytes(self.array()?);
                (i128::try_from(digits).map_err(|_| TOO_LARGE)?, decimals)
            }
            decimals => (i128::from(code >> 5), (decimals & 0xf) as u32),
        };
        let digits = if code & 1 << 4 == 0 { digits } else { -digits };
        Amount::from_digits(digits, decimals).map(Some).ok_or(TOO_LARGE)
    }

    pub(super) fn amount(&mut self) -> Read<Amount> {
        self.amount_if_any()?.ok_or(Unreadable("an amount is missing"))
    }

    /// How a payout counts.
    pub(super) fn part(&mut self) -> Read<Option<(Phase, Amount)>> {
        let code = self.byte()?;
        if code == 0 {
            return Ok(None);
        }
        let no_part = Unreadable("a part is of no known kind");
        let known = code & 1 << 4 != 0;
        let phase = match code & 3 {
            codes::EXPIRING => {
                if !known {
                    self.until = Some(self.instant()?);
                }
                Phase::Expiring(self.until.ok_or(NO_PLACE)?)
            }
            codes::HELD if !known => Phase::Held,
            codes::USED if !known => Phase::Used,
            _ => return Err(no_part),
        };
        let amount = match code & 0b1110_1100 {
            0 => {
                self.part = self.amount()?;
                self.part
            }
            codes::ONE => Amount::ONE,
            codes::SAME_AMOUNT => self.part,
            _ => return Err(no_part),
        };
        Ok(Some((phase, amount)))
    }

    /// Payout, instant and amount of a change of a meter, which are those of the
    /// change before if they are the same.
    pub(super) fn counted(&mut self, same: bool) -> Read<(Id, Instant, Amount)> {
        if !same {
            self.counted = Some((self.id()?, self.instant()?, self.amount()?));
        }
        self.counted.clone().ok_or(NO_PLACE)
    }

    /// The cell at a place.
    pub(super) fn cell(&self, place: usize) -> Read<CellKey> {
        self.cells.get(place).cloned().ok_or(NO_PLACE)
    }

    pub(super) fn saw_cell(&mut self, key: &CellKey) {
        if self.cells.len() < CELLS {
            self.cells.push(key.clone());
        }
    }

    /// The meter at a place.
    pub(super) fn key(&self, place: usize) -> Read<MeterKey> {
        self.keys.get(place).cloned().ok_or(NO_PLACE)
    }

    pub(super) fn saw_key(&mut self, key: &MeterKey) {
        if self.keys.len() < KEYS {
            self.keys.push(key.clone());
        }
    }
}

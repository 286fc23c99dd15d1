//! Writes a value. What it remembers of it are references into it, on the stack:
//! nothing is copied, and nothing has to be forgotten afterwards.

use super::{
    CELLS, Compact, INSTANTS, KEYS, MOST, SHORT,
    codes::{self, Nanos},
    ends::Ends,
};
use crate::domain::{
    amount::Amount,
    cell::CellKey,
    instant::Instant,
    meter::{MeterKey, Phase},
    name::{Id, MAX_ID, ProgrammeName},
    payout::Payout,
};

/// Places of texts that the writer remembers. One that falls on another's is
/// written out again.
const TEXTS: usize = 128;

/// Bytes that the name of a shop has more than.
const LONG_NAME: usize = "platforms//shops/".len();

/// Appends a value's bytes.
pub fn append<T: Compact>(out: &mut Vec<u8>, value: &T) {
    let mut writer = Writer::new(std::mem::take(out));
    value.write(&mut writer);
    *out = writer.out;
}

/// Writes what is in a value.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(super) out: Vec<u8>,
    /// Texts that were written out, where their bytes say, and their places.
    texts: [Option<&'a str>; TEXTS],
    places: [u16; TEXTS],
    text_count: u16,
    instants: Few<Instant, INSTANTS>,
    /// The first instant: others are said by how far they are from it.
    base: (i64, i32),
    cells: Few<Option<&'a CellKey>, CELLS>,
    keys: Few<Option<&'a MeterKey>, KEYS>,
    /// Platform and shop of the name before.
    shop: Option<(&'a Id, &'a Id)>,
    /// The amount of a part that was written out last, by its digits.
    part: (i128, u32),
    /// Until when the part before is held.
    until: Option<Instant>,
    /// Payout, instant and amount of the change of a meter before.
    counted: Option<(&'a Id, Instant, (i128, u32))>,
    /// Facts that were sent with a request, and were written out last.
    pub(super) sent: Option<&'a codes::Sent>,
    /// The programme before.
    pub(super) programme: Option<&'a ProgrammeName>,
    /// The payout before: its decision says the same.
    pub(super) payout: Option<&'a Payout>,
}

impl<'a> Writer<'a> {
    /// Writes behind these bytes.
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self {
            out,
            texts: [None; TEXTS],
            places: [0; TEXTS],
            text_count: 1,
            instants: Few::new(Instant::MIN),
            base: (0, 0),
            cells: Few::new(None),
            keys: Few::new(None),
            shop: None,
            part: (0, 0),
            until: None,
            counted: None,
            sent: None,
            programme: None,
            payout: None,
        }
    }

    /// A byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// Bytes, without their number.
    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A number, seven bits a byte.
    #[inline]
    pub(super) fn varint(&mut self, number: u64) {
        // Nearly all numbers are short.
        match number {
            0..0x80 => self.out.push((number & 0x7f) as u8),
            0x80..0x4000 => {
                let bytes = [(number & 0x7f) as u8 | 0x80, (number >> 7 & 0x7f) as u8];
                self.out.extend_from_slice(&bytes);
            }
            _ => self.long(number),
        }
    }

    #[inline(never)]
    fn long(&mut self, number: u64) {
        let mut rest = number;
        while rest > 0x7f {
            self.out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push((rest & 0x7f) as u8);
    }

    /// How many of something follow.
    #[inline]
    pub(super) fn length(&mut self, length: usize) {
        self.varint(length as u64);
    }

    /// A text, or its place.
    #[inline]
    pub(super) fn text(&mut self, text: &'a str) {
        if text.is_empty() {
            self.byte(0);
        } else {
            self.headed(text, 0, 0);
        }
    }

    /// A text that is hardly written again.
    #[inline]
    pub(super) fn plain(&mut self, text: &str) {
        self.length(text.len());
        Ends::of(text.as_bytes()).append(text.as_bytes(), &mut self.out);
    }

    /// What a name has behind the shop that the name before was of.
    #[inline(never)]
    fn behind_shop(&self, text: &'a str) -> Option<&'a str> {
        let (platform, shop) = self.shop?;
        let rest = text.strip_prefix("platforms/")?.strip_prefix(platform.as_str())?;
        let rest = rest.strip_prefix("/shops/")?.strip_prefix(shop.as_str())?;
        // Longer ones are no ids, and the reader takes none.
        (platform.as_str().len() <= MAX_ID && shop.as_str().len() <= MAX_ID).then_some(rest)
    }

    /// A text with a flag in its head.
    #[inline]
    pub(super) fn flagged(&mut self, text: &'a str, flag: bool) {
        self.headed(text, 1, u64::from(flag));
    }

    #[inline(never)]
    fn headed(&mut self, text: &'a str, flags: u32, flag: u64) {
        let ends = Ends::of(text.as_bytes());
        if text.len() >= SHORT {
            let slot = ends.slot(text.len());
            if let (Some(seen), Some(place)) = (self.texts.get_mut(slot), self.places.get_mut(slot))
            {
                if seen.is_some_and(|seen| ends.are_all_of(text, seen)) {
                    let head = u64::from(*place) << 1 | 1;
                    self.varint(head << flags | flag);
                    return;
                }
                if self.text_count < MOST {
                    (*seen, *place) = (Some(text), self.text_count);
                    self.text_count += 1;
                }
            }
        }
        if text.len() > LONG_NAME
            && let Some(rest) = self.behind_shop(text)
        {
            self.varint(1 << flags | flag);
            self.plain(rest);
            return;
        }
        self.varint((text.len() as u64) << 1 << flags | flag);
        ends.append(text.as_bytes(), &mut self.out);
    }

    /// Whether a name is of the same shop as the name before.
    #[inline]
    fn same_shop(&mut self, platform: &'a Id, shop: &'a Id) -> bool {
        let same = self.shop.is_some_and(|(p, s)| s == shop && p == platform);
        self.shop = Some((platform, shop));
        same
    }

    /// A shop; 0 is left for none.
    pub(super) fn shop(&mut self, platform: &'a Id, shop: &'a Id) {
        if self.same_shop(platform, shop) {
            self.byte(codes::SAME_SHOP);
        } else {
            self.byte(codes::OTHER_SHOP);
            self.text(platform.as_str());
            self.text(shop.as_str());
        }
    }

    /// What is below a shop.
    pub(super) fn below_shop(&mut self, platform: &'a Id, shop: &'a Id, id: &'a Id) {
        let same = self.same_shop(platform, shop);
        self.flagged(id.as_str(), same);
        if !same {
            self.text(platform.as_str());
            self.text(shop.as_str());
        }
    }

    /// An instant, or its place; 0 is left for none.
    #[inline(never)]
    pub(super) fn instant(&mut self, at: Instant) {
        if let Some(place) = self.instants.find(|seen| seen == at) {
            self.varint((place as u64) << 1 | 1);
            return;
        }
        let (seconds, nanos) = at.to_parts();
        let (base, base_nanos) = self.base;
        if self.instants.is_empty() {
            self.base = (seconds, nanos);
        }
        self.instants.push(at);
        let kind = match nanos {
            0 => Nanos::None,
            _ if nanos == base_nanos => Nanos::Same,
            _ => Nanos::Other,
        };
        // Both are within ten thousand years, and 1 more than 0.
        let far = codes::fold(seconds - base);
        self.varint(((far << 2 | kind as u64) + 1) << 1);
        if let Nanos::Other = kind {
            self.varint(u64::from(nanos.unsigned_abs()));
        }
    }

    /// An amount.
    #[inline]
    pub(super) fn amount(&mut self, amount: Amount) {
        self.digits(amount.digits());
    }

    #[inline]
    fn digits(&mut self, (digits, decimals): (i128, u32)) {
        match codes::short(digits, decimals) {
            Some(code) => self.varint(code),
            None => self.long_digits(digits, decimals),
        }
    }

    #[cold]
    fn long_digits(&mut self, digits: i128, decimals: u32) {
        self.varint(codes::LONG | u64::from(digits < 0) << 4);
        self.varint(decimals.into());
        let digits = digits.unsigned_abs();
        self.bytes(&digits.to_le_bytes());
    }

    /// How a payout counts, or that it does not.
    pub(super) fn part(&mut self, part: Option<&(Phase, Amount)>) {
        let Some((phase, amount)) = part else {
            self.byte(0);
            return;
        };
        let (kind, until) = match phase {
            Phase::Expiring(at) => (codes::EXPIRING, Some(*at)),
            Phase::Held => (codes::HELD, None),
            Phase::Used => (codes::USED, None),
        };
        let digits = amount.digits();
        let much = match digits {
            (1, 0) => codes::ONE,
            _ if digits == self.part => codes::SAME_AMOUNT,
            _ => 0,
        };
        let known = until.is_some() && until == self.until;
        self.byte(kind | much | u8::from(known) << 4);
        if let (Some(at), false) = (until, known) {
            self.until = until;
            self.instant(at);
        }
        if much == 0 {
            self.part = digits;
            self.digits(digits);
        }
    }

    /// Whether a change is of the same payout, instant and amount as that before.
    pub(super) fn same_counted(&mut self, payout: &'a Id, at: Instant, amount: Amount) -> bool {
        let now = Some((payout, at, amount.digits()));
        let same = self.counted == now;
        self.counted = now;
        same
    }

    /// The place of a cell. `None`: it is to be written out.
    #[inline]
    pub(super) fn cell(&mut self, key: &'a CellKey) -> Option<usize> {
        let place = self.cells.find(|seen| seen == Some(key));
        if place.is_none() {
            self.cells.push(Some(key));
        }
        place
    }

    /// The place of a meter. `None`: it is to be written out.
    #[inline]
    pub(super) fn key(&mut self, key: &'a MeterKey) -> Option<usize> {
        let place = self.keys.find(|seen| seen == Some(key));
        if place.is_none() {
            self.keys.push(Some(key));
        }
        place
    }
}

/// The first few of something: looking through them takes less than hashing.
#[derive(Debug)]
struct Few<T, const N: usize> {
    all: [T; N],
    count: usize,
}

impl<T: Copy, const N: usize> Few<T, N> {
    /// None yet; `filler` is what stands where there is none.
    fn new(filler: T) -> Self {
        Self { all: [filler; N], count: 0 }
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[inline]
    fn find(&self, same: impl Fn(T) -> bool) -> Option<usize> {
        self.all.get(..self.count)?.iter().position(|seen| same(*seen))
    }

    /// Takes in another, if there is room.
    fn push(&mut self, another: T) {
        if let Some(slot) = self.all.get_mut(self.count) {
            *slot = another;
            self.count += 1;
        }
    }
}

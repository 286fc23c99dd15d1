//! What was written of a value so far, so that it is not written again. Writer
//! and reader fill it alike; only the writer looks in it for a place.

use super::{SHORT, SMALL};

/// Places that the writer remembers, of texts and of numbers each. One that
/// falls on another's is written out again.
const REMEMBERED: usize = 256;
/// Most entries of a table; what comes later has no place.
const MOST: usize = u16::MAX as usize;

/// Texts and numbers by place, for reading.
#[derive(Debug, Default)]
pub(super) struct Seen<'a> {
    texts: Vec<&'a str>,
    numbers: Vec<u128>,
}

impl<'a> Seen<'a> {
    /// Takes in a text that was written out.
    pub(super) fn saw_text(&mut self, text: &'a str) {
        if text.len() >= SHORT && self.texts.len() < MOST {
            self.texts.push(text);
        }
    }

    /// Takes in a number that was written out.
    pub(super) fn saw_number(&mut self, number: u128) {
        if number >= SMALL && self.numbers.len() < MOST {
            self.numbers.push(number);
        }
    }

    /// The text at a place.
    pub(super) fn text(&self, place: usize) -> Option<&'a str> {
        self.texts.get(place).copied()
    }

    /// The number at a place.
    pub(super) fn number(&self, place: usize) -> Option<u128> {
        self.numbers.get(place).copied()
    }
}

/// Where texts and numbers were written, for writing.
#[derive(Debug)]
pub(super) struct Places {
    texts: Box<[Text; REMEMBERED]>,
    numbers: Box<[Number; REMEMBERED]>,
    text_count: u16,
    number_count: u16,
    /// Which value this is of: places of others are stale.
    turn: u32,
}

/// A text: where in the bytes it is, and its place. Small, so that both tables
/// stay in the fastest memory.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    turn: u32,
    start: u32,
    length: u32,
    place: u16,
}

/// A number and its place.
#[derive(Clone, Copy, Debug, Default)]
struct Number {
    number: u64,
    turn: u32,
    place: u16,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            texts: Box::new([Text::default(); REMEMBERED]),
            numbers: Box::new([Number::default(); REMEMBERED]),
            text_count: 0,
            number_count: 0,
            turn: 0,
        }
    }
}

impl Places {
    /// Forgets everything: another value begins.
    pub(super) fn clear(&mut self) {
        (self.text_count, self.number_count) = (0, 0);
        self.turn = self.turn.wrapping_add(1);
        if self.turn == 0 {
            *self = Self { turn: 1, ..Self::default() };
        }
    }

    /// Where a text was written, or `None`: then it is to be written out at
    /// `start` of the bytes.
    pub(super) fn text(&mut self, text: &str, written: &[u8], start: usize) -> Option<u16> {
        if text.len() < SHORT {
            return None;
        }
        let slot = self.texts.get_mut(slot(mixed(text.as_bytes())))?;
        if slot.turn == self.turn && slot.length as usize == text.len() {
            let start = slot.start as usize;
            if written.get(start..start + text.len()) == Some(text.as_bytes()) {
                return Some(slot.place);
            }
        }
        if usize::from(self.text_count) < MOST {
            let place = self.text_count;
            self.text_count += 1;
            // One that is further behind than can be said is written out again.
            if let (Ok(start), Ok(length)) = (u32::try_from(start), u32::try_from(text.len())) {
                *slot = Text { turn: self.turn, start, length, place };
            }
        }
        None
    }

    /// Where a number was written, or `None`: then it is to be written out.
    pub(super) fn number(&mut self, number: u128) -> Option<u16> {
        if number < SMALL {
            return None;
        }
        let place = self.number_count;
        // One that is larger has a place and is written out all the same.
        if let Ok(number) = u64::try_from(number) {
            let slot = self.numbers.get_mut(slot(number.wrapping_mul(SPREAD)))?;
            if slot.turn == self.turn && slot.number == number {
                return Some(slot.place);
            }
            if usize::from(place) < MOST {
                *slot = Number { number, turn: self.turn, place };
            }
        }
        if usize::from(place) < MOST {
            self.number_count += 1;
        }
        None
    }
}

/// Spreads bits over 64: an odd number of no pattern.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both ends and the length of a text, spread over 64 bits: names differ there.
fn mixed(bytes: &[u8]) -> u64 {
    let (front, back) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(front), Some(back)) => (u64::from_le_bytes(*front), u64::from_le_bytes(*back)),
        _ => (bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
    };
    (front ^ back.rotate_left(29) ^ bytes.len() as u64).wrapping_mul(SPREAD)
}

/// The highest eight bits: as many slots as are remembered.
fn slot(mixed: u64) -> usize {
    usize::from((mixed >> 56) as u8)
}

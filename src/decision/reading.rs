//! Reads meters and accounts at an instant: what a decision is judged on, and
//! as much of the future as its reasons need.

use std::collections::BTreeMap;

use super::{facts::Held, loaded::Loaded};
use crate::domain::{
    account::Position,
    amount::Amount,
    cell::{CellKey, Celled},
    decision::{Funds, Reading},
    freeze::{Freezes, Target},
    instant::Instant,
    key::Key,
    limit::Counting,
    meter::{Entry, Meter, MeterKey, Metered, Phase, Tally, Within},
    name::ProgrammeName,
    policy::{Field, Origin, Policy},
    scope::scope_text,
    text::Text,
    value::Value,
    window::Window,
};

/// The values that meters are counted over, each written once.
#[derive(Debug)]
pub struct Scopes<'a> {
    programme: &'a ProgrammeName,
    policy: &'a Policy,
    facts: &'a [Option<Value>],
    shop: &'a str,
    now: Instant,
    /// By the fact's position.
    texts: Vec<Option<Text>>,
    /// Of the meters so far.
    cells: Vec<CellKey>,
}

impl<'a> Scopes<'a> {
    /// For these facts at this instant.
    pub fn new(
        programme: &'a ProgrammeName,
        policy: &'a Policy,
        facts: &'a [Option<Value>],
        shop: &'a str,
        now: Instant,
    ) -> Self {
        Self {
            programme,
            policy,
            facts,
            shop,
            now,
            texts: vec![None; facts.len()],
            cells: Vec::new(),
        }
    }

    /// Which meter a limit or measure counts in. `None` for a limit over a
    /// single payout.
    pub fn meter(&mut self, rule: &Text, counting: &Counting) -> Option<MeterKey> {
        if counting.window == Window::Payout {
            return None;
        }
        if let Some(order) = self.order(counting).filter(|order| self.has(*order)) {
            let within = self.within(rule, counting, order);
            return Some(self.of_order(order, within.into()));
        }
        let window_start = self.start(counting);
        let cell = self.cell(&counting.scope, window_start, false);
        Some(MeterKey { cell, within: self.policy.within(rule) })
    }

    /// The fact of a scope, if any, that is the id of an order.
    pub fn order(&self, counting: &Counting) -> Option<usize> {
        let is_order = |index: &usize| {
            let origin = self.policy.facts.get(*index).map(|fact| &fact.origin);
            matches!(origin, Some(Origin::Field(Field::OrderId)))
        };
        counting.scope.iter().copied().find(is_order)
    }

    /// Whether a fact has a value.
    pub fn has(&self, index: usize) -> bool {
        self.facts.get(index).is_some_and(Option::is_some)
    }

    /// What a meter in the cell of an order, whose id is this fact, has besides.
    pub fn within(&mut self, rule: &Text, counting: &Counting, order: usize) -> Metered {
        let rest = counting.scope.iter().copied().filter(|index| *index != order);
        let mut scope = Vec::with_capacity(counting.scope.len() - 1);
        for index in rest {
            self.write_out(index);
            scope.push(self.written(index).clone());
        }
        Metered { rule: rule.clone(), scope, window_start: self.start(counting) }
    }

    /// The meter in the cell of the order whose id is this fact.
    pub fn of_order(&mut self, order: usize, within: Within) -> MeterKey {
        MeterKey { cell: self.cell(&[order], None, true), within }
    }

    fn start(&self, counting: &Counting) -> Option<Instant> {
        self.policy.bounds(&counting.window, self.now).map(|(start, _)| start)
    }

    /// The cell over these facts: the same for all meters that share it.
    fn cell(
        &mut self,
        indices: &[usize],
        window_start: Option<Instant>,
        of_an_order: bool,
    ) -> CellKey {
        indices.iter().for_each(|index| self.write_out(*index));
        let texts = indices.iter().map(|index| self.written(*index));
        let same = |cell: &&CellKey| {
            cell.is_of_an_order() == of_an_order
                && cell.window_start == window_start
                && cell.scope.iter().eq(texts.clone())
        };
        if let Some(cell) = self.cells.iter().find(same) {
            return cell.clone();
        }
        let (programme, scope) = (self.programme.clone(), texts.cloned().collect());
        let of = Celled { programme, scope, window_start };
        let cell = if of_an_order { CellKey::of_an_order(of) } else { of.into() };
        self.cells.push(cell.clone());
        cell
    }

    /// Writes out the value of a fact, unless that was done before.
    fn write_out(&mut self, index: usize) {
        let (fact, value) = (self.policy.facts.get(index), self.facts.get(index));
        if let Some(place @ None) = self.texts.get_mut(index) {
            *place = Some(scope_text(fact, value.and_then(Option::as_ref), self.shop));
        }
    }

    /// The value of a fact that was written out.
    fn written(&self, index: usize) -> &Text {
        const ABSENT: &Text = &Text::new_static("");
        self.texts.get(index).and_then(Option::as_ref).unwrap_or(ABSENT)
    }
}

/// The rows that meters are in, each once.
pub fn cells<'a>(meters: impl Iterator<Item = &'a MeterKey>) -> impl Iterator<Item = Key> {
    let mut cells: Vec<&CellKey> = Vec::new();
    for meter in meters {
        if !cells.contains(&&meter.cell) {
            cells.push(&meter.cell);
        }
    }
    cells.into_iter().cloned().map(Key::Cell)
}

/// What an entry of a rolling window counts at an instant.
fn counts(entry: &Entry, at: Instant, length: std::time::Duration) -> bool {
    let expired = matches!(entry.phase, Phase::Expiring(expiry) if expiry <= at);
    !expired && at < entry.at.plus(length)
}

/// Reads a meter at an instant. With `relief`, also how use falls later: of a
/// meter over amounts, the use of that amount.
pub fn read(
    meter: Option<&Meter>,
    counting: &Counting,
    max_entries: usize,
    policy: &Policy,
    now: Instant,
    relief: Option<Amount>,
) -> Reading {
    let window = policy.bounds(&counting.window, now);
    let mut reading = Reading { window, ..Reading::default() };
    match (meter, &counting.window) {
        (None, _) => {}
        (Some(Meter::Fixed(tally)), _) => {
            reading.used = tally.used;
            reading.held = tally.held_at(now);
            if relief.is_some() {
                reading.relief = falls(tally, now);
            }
        }
        (Some(Meter::ByAmount(tallies)), _) => {
            for (amount, tally) in tallies {
                let held = tally.held_at(now);
                if tally.used.plus(held).is_positive() {
                    reading.by_amount.insert(*amount, (tally.used, held));
                }
            }
            if let Some(tally) = relief.and_then(|amount| tallies.get(&amount)) {
                reading.relief = falls(tally, now);
            }
        }
        (Some(Meter::Rolling(entries)), Window::Rolling(length)) => {
            let live: Vec<&Entry> = entries.iter().filter(|e| counts(e, now, *length)).collect();
            for entry in &live {
                match entry.phase {
                    Phase::Used => reading.used = reading.used.plus(entry.quantity),
                    _ => reading.held = reading.held.plus(entry.quantity),
                }
            }
            reading.full = live.len() >= max_entries;
            if relief.is_some() {
                leave(&live, *length, max_entries, &mut reading);
            }
        }
        (Some(Meter::Rolling(_)), _) => {
            unreachable!("a limit's window does not change under its id")
        }
    }
    if relief.is_some()
        && let Some((_, end)) = window
    {
        reading.relief.retain(|(at, _)| *at < end);
        reading.relief.push((end, Amount::ZERO));
    }
    reading
}

/// What is used and held of a meter at an instant, where there is no more to say of
/// it: [`read`] says no more either. `None`: it is full, or counts by amount.
pub(super) fn plain(
    meter: Option<&Meter>,
    counting: &Counting,
    max_entries: usize,
    now: Instant,
) -> Option<(Amount, Amount)> {
    let nothing = (Amount::ZERO, Amount::ZERO);
    match (meter, &counting.window) {
        (None, _) => Some(nothing),
        (Some(Meter::Fixed(tally)), _) => Some((tally.used, tally.held_at(now))),
        (Some(Meter::ByAmount(tallies)), _) => {
            let is_in_use = |tally: &Tally| tally.used.plus(tally.held_at(now)).is_positive();
            (!tallies.values().any(is_in_use)).then_some(nothing)
        }
        (Some(Meter::Rolling(entries)), Window::Rolling(length)) => {
            let (mut live, (mut used, mut held)) = (0, nothing);
            for entry in entries.iter().filter(|entry| counts(entry, now, *length)) {
                live += 1;
                match entry.phase {
                    Phase::Used => used = used.plus(entry.quantity),
                    _ => held = held.plus(entry.quantity),
                }
            }
            (live < max_entries).then_some((used, held))
        }
        (Some(Meter::Rolling(_)), _) => None,
    }
}

/// How use falls, and when there is room, as entries leave a rolling window.
fn leave(live: &[&Entry], length: std::time::Duration, max_entries: usize, reading: &mut Reading) {
    let leaves = |entry: &Entry| match entry.phase {
        Phase::Expiring(expiry) => expiry.min(entry.at.plus(length)),
        _ => entry.at.plus(length),
    };
    let mut leaving: Vec<(Instant, Amount)> =
        live.iter().map(|entry| (leaves(entry), entry.quantity)).collect();
    leaving.sort_unstable();
    let mut total = reading.used.plus(reading.held);
    let mut entries = leaving.len();
    for together in leaving.chunk_by(|(a, _), (b, _)| a == b) {
        for (_, quantity) in together {
            total = total.minus(*quantity);
        }
        entries -= together.len();
        if let [(at, _), ..] = together {
            reading.relief.push((*at, total));
            if reading.full && reading.room.is_none() && entries < max_entries {
                reading.room = Some(*at);
            }
        }
    }
}

/// How use falls as holds expire.
fn falls(tally: &Tally, now: Instant) -> Vec<(Instant, Amount)> {
    let mut total = tally.used.plus(tally.held_at(now));
    let falls = tally.expiring.after(now).map(|(at, quantity)| {
        total = total.minus(quantity);
        (at, total)
    });
    falls.collect()
}

/// Freezes on a target that was loaded; none if it has none.
pub fn freezes<'a>(loaded: &Loaded<'a>, target: &Target) -> Option<&'a Freezes> {
    loaded.freezes(target)
}

/// Reads an account at an instant. With `relief`, also how more becomes
/// available later.
pub fn funds(held: &Held<'_>, now: Instant, relief: bool) -> Funds {
    let exists = held.account.is_some();
    let Some(position) = held.position(now).filter(|_| exists) else {
        return Funds { exists, ..Funds::default() };
    };
    let mut funds = Funds { exists, position, relief: Vec::new() };
    if relief {
        let positions = positions(held, now).into_iter();
        funds.relief = positions.map(|(at, position)| (at, position.available())).collect();
    }
    funds
}

/// The numbers of an account at each later instant at which they change by
/// themselves: holds expire, freezes end.
pub fn positions(account: &Held<'_>, now: Instant) -> Vec<(Instant, Position)> {
    let Some(balance) = account.balance else { return Vec::new() };
    let mut falls: BTreeMap<Instant, Amount> = BTreeMap::new();
    let ends = account.freezes.into_iter().flat_map(|f| f.ends(now));
    falls.extend(ends.map(|at| (at, Amount::ZERO)));
    falls.extend(balance.holds.expiring.after(now));
    let mut held = balance.holds.held_at(now);
    let positions = falls.into_iter().map(|(at, falls)| {
        held = held.minus(falls);
        (at, Position { balance: balance.balance, held, freeze: account.freeze_at(at) })
    });
    positions.collect()
}

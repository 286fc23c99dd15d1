//! The rows that an operator's payouts come back to: balances, and the meters that not
//! only their orders have. Where each of them is among those is worked out once, so that
//! nobody looks for them by their keys.

use smallvec::SmallVec;

use super::{Counted, Profile, balance, cell, freezes};
use crate::{
    decision::loaded::Loaded,
    domain::{
        account::Position,
        allowed,
        amount::Amount,
        cell::{Cell, CellKey},
        instant::Instant,
        key::Key,
        layout::{Known, Layout},
        limit::Draw,
        name::Id,
        policy::Policy,
        template::Common,
    },
};

impl Profile {
    /// What is the same for most others, with what is known of rules.
    pub(super) fn layout(&self, known: Known) -> Layout {
        let Some(template) = &self.template else { return Layout { known, ..Layout::default() } };
        let Common { draws, .. } = &*template.common;
        let counted = |counted: &Counted| match counted {
            Counted::In(Some(meter)) => Some((self.place(&meter.cell), meter.within.clone())),
            _ => None,
        };
        Layout {
            known,
            counted: self.meters.iter().map(counted).collect(),
            meters: template.meters.iter().map(|meter| self.place(&meter.cell)).collect(),
            draws: draws.iter().map(|account| self.balance_of(account)).collect(),
        }
    }

    /// What freezes ask of the accounts that are drawn from.
    pub(super) fn freezes_of(
        &self,
        policy: &Policy,
        now: Instant,
    ) -> SmallVec<[Option<Amount>; 2]> {
        let of = |draw: &Draw| {
            let mut rows = self.accounts.iter().flatten();
            let rows = rows.find(|rows| rows.name.account == draw.account)?;
            freezes(rows.freezes.as_ref()).map_or(Some(Amount::ZERO), |it| it.amount(now))
        };
        policy.draws.iter().map(of).collect()
    }

    /// Which of the running rows is a cell; past them all, if none.
    fn place(&self, cell: &CellKey) -> usize {
        let is_it = |key: &Key| matches!(key, Key::Cell(other) if other == cell);
        self.running.iter().position(is_it).unwrap_or(self.running.len())
    }

    /// Which of them is the balance of an account; past them all, if none.
    fn balance_of(&self, id: &Id) -> usize {
        // The balances are the first of them.
        let mut rows = self.accounts.iter().flatten();
        rows.position(|rows| rows.name.account == *id).unwrap_or(self.running.len())
    }

    /// Keys of the rows that payouts about a new order come back to: all but those of
    /// the order.
    pub fn running(&self) -> &[Key] {
        &self.running
    }

    /// In which of them a payout counts.
    pub fn running_row(&self, counted: allowed::Counted) -> Option<usize> {
        let place = match counted {
            allowed::Counted::Meter(place) => self.layout.meters.get(place),
            allowed::Counted::Draw(place) => self.layout.draws.get(place),
        };
        place.copied()
    }

    /// One of them, which is a cell.
    pub(in crate::decision) fn cell<'a>(
        &self,
        place: usize,
        loaded: &Loaded<'a>,
    ) -> Option<&'a Cell> {
        let key = self.running.get(place)?;
        cell(loaded.seated(place, key))
    }

    /// What an account stands at that a payout draws from. Only with a template, and
    /// then the account is there.
    pub(in crate::decision) fn position(
        &self,
        draw: usize,
        loaded: &Loaded<'_>,
        now: Instant,
    ) -> Option<Position> {
        let place = *self.layout.draws.get(draw)?;
        let freeze = *self.freezes_of_draws.get(draw)?;
        let balance = balance(loaded.seated(place, self.running.get(place)?));
        Some(balance.map(|it| it.position(now, freeze)).unwrap_or_default())
    }
}

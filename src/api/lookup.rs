//! Reading what is registered: only what is durable, as it is now. What is
//! not there is refused with the same words as in a decision.

use super::page::{self, Filling, Listing};
use crate::{
    decision::Loaded,
    domain::{
        account::{Balance, Position},
        amount::Amount,
        change::Rows,
        freeze::{Freezes, Target},
        instant::Instant,
        key::Key,
        name::{AccountName, Id, PlatformName, ShopName},
        refusal::Refusal,
        row::Row,
    },
    engine::View,
    store::Scan,
};

/// Rows under keys, to be looked at like those of a decision.
pub fn rows(view: &mut View<'_>, keys: &[Key]) -> Result<Rows, Refusal> {
    keys.iter().map(|key| Ok((key.clone(), view.row(key)?))).collect()
}

/// That a platform is there.
pub fn the_platform(view: &mut View<'_>, name: &PlatformName) -> Result<(), Refusal> {
    let rows = rows(view, &[Key::Platform(name.clone())])?;
    Loaded::new(&rows).the_platform(name).map(|_| ())
}

/// That a shop is there, and its platform.
pub fn the_shop(view: &mut View<'_>, name: &ShopName) -> Result<(), Refusal> {
    let rows = rows(view, &[Key::Platform(name.platform()), Key::Shop(name.clone())])?;
    Loaded::new(&rows).the_shop(name).map(|_| ())
}

/// Which page of a listing is asked for.
#[derive(Clone, Debug)]
pub struct Page {
    /// Which listing.
    pub listing: Listing,
    /// Where it begins: just after the page before.
    pub from: Id,
    /// Most rows on it.
    pub size: usize,
}

impl Page {
    /// As a request asks for it.
    ///
    /// # Errors
    /// If the token is not one that a page of the listing gave.
    pub fn asked(listing: Listing, page_size: i32, page_token: &str) -> Result<Self, Refusal> {
        let from = match listing.place(page_token)? {
            None => Id::before_all(),
            Some(last) => Id::parse(last).ok_or_else(page::not_a_token)?.just_after(),
        };
        Ok(Self { listing, from, size: page::size(page_size) })
    }

    /// Its rows, of a listing whose keys differ in an id, and the token of the
    /// page after it. `pick` gives a row's id, its size, and what it becomes.
    pub fn read<T>(
        self,
        view: &mut View<'_>,
        key: impl Fn(Id) -> Key,
        pick: impl Fn(&Row) -> Option<(Id, usize, T)>,
    ) -> Result<(Vec<T>, String), Refusal> {
        let mut page = Filling::new(self.size);
        let mut from = self.from;
        loop {
            let limit = page.wanted();
            let to = key(Id::after_all());
            let rows = view.scan(&Scan { from: key(from.clone()), to, reverse: false, limit })?;
            for row in &rows {
                // There is nothing else under such keys.
                let Some((id, bytes, picked)) = pick(row) else {
                    return Ok(page.end(&self.listing));
                };
                if !page.push(&id, bytes, picked) {
                    return Ok(page.end(&self.listing));
                }
                from = id.just_after();
            }
            if rows.len() < limit {
                return Ok(page.end(&self.listing));
            }
        }
    }
}

/// The money of an account that is there, now.
pub fn position(view: &mut View<'_>, account: &AccountName) -> Result<Position, Refusal> {
    let balance = view.row(&Key::Balance(account.clone()))?;
    let freezes = view.row(&Key::Freezes(Target::Account(account.clone())))?;
    Ok(position_of(balance.as_deref(), freezes.as_deref(), account, view.now))
}

/// The money of accounts, now.
pub fn positions(view: &mut View<'_>, accounts: &[AccountName]) -> Result<Vec<Position>, Refusal> {
    accounts.iter().map(|account| position(view, account)).collect()
}

fn position_of(
    balance: Option<&Row>,
    freezes: Option<&Row>,
    account: &AccountName,
    now: Instant,
) -> Position {
    let freeze = match freezes {
        Some(Row::Freezes(freezes)) => Freezes::amount(freezes, now),
        _ => Some(Amount::ZERO),
    };
    match balance {
        Some(Row::Balance(balance)) => balance.position(now, freeze),
        _ => Balance::new(account.clone()).position(now, freeze),
    }
}

//! The rows a command asked for. Asking for a row that was not loaded is a
//! defect, never "not found".

use std::{fmt::Debug, sync::Arc};

use crate::domain::{
    account::{Account, Balance},
    cell::{Cell, CellKey},
    change::Rows,
    freeze::{Freezes, Target},
    key::Key,
    meter::{Meter, MeterKey},
    name::{
        AccountName, GrantName, OperatorName, OrderName, PayoutName, PlatformName, ProgrammeName,
        ShopName,
    },
    operator::{Grant, Operator},
    order::Order,
    payout::Payout,
    refusal::{Reason, Refusal},
    request::{Request, RequestKey},
    row::{Programme, Row},
    shop::{Platform, Shop},
};

/// Where rows are that were loaded.
pub trait Find: Debug {
    /// What is under a key. `None` if it was not loaded.
    fn find(&self, key: &Key) -> Option<&Option<Arc<Row>>>;

    /// The row in this place of those that the payouts of one operator come back to
    /// ([`Profile::running`](super::profile::Profile::running)). `None`: nobody had
    /// them put there, and they are found by their keys.
    fn seated(&self, place: usize) -> Option<&Option<Arc<Row>>> {
        let _ = place;
        None
    }
}

impl Find for Rows {
    fn find(&self, key: &Key) -> Option<&Option<Arc<Row>>> {
        self.get(key)
    }
}

/// Rows by key, as loaded.
#[derive(Debug, Clone, Copy)]
pub struct Loaded<'a> {
    rows: &'a dyn Find,
}

/// Looks a cell up once for meters of it that are asked for one after the other.
#[derive(Debug)]
pub struct Cells<'a, 'k> {
    loaded: Loaded<'a>,
    last: Option<(&'k CellKey, Option<&'a Cell>)>,
}

impl<'a, 'k> Cells<'a, 'k> {
    /// The running use of a limit.
    pub fn meter(&mut self, key: &'k MeterKey) -> Option<&'a Meter> {
        let cell = match self.last {
            Some((last, cell)) if *last == key.cell => cell,
            _ => self.loaded.cell(&key.cell),
        };
        self.last = Some((&key.cell, cell));
        cell?.meter(&key.within)
    }
}

/// Declares an accessor that knows which kind of row is under a key.
macro_rules! accessor {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),+) = $key:expr => $variant:ident -> $row:ty) => {
        $(#[$doc])*
        pub fn $name(&self, $($arg: $type),+) -> Option<&'a $row> {
            match self.row(&$key)?.as_ref() {
                Row::$variant(row) => Some(row),
                other => unreachable!("another kind of row under {:?}", other.key()),
            }
        }
    };
}

impl<'a> Loaded<'a> {
    /// Looks at rows that were loaded.
    pub fn new(rows: &'a dyn Find) -> Self {
        Self { rows }
    }

    /// The row under a key.
    ///
    /// # Panics
    /// If the key was not loaded: a command's footprint is wrong.
    pub fn row(&self, key: &Key) -> Option<&'a Arc<Row>> {
        let Some(row) = self.rows.find(key) else {
            panic!("judged a row that was not loaded: {key:?}");
        };
        row.as_ref()
    }

    /// The row under a key that has this place among those that an operator's payouts
    /// come back to.
    ///
    /// # Panics
    /// As [`Loaded::row`].
    pub fn seated(&self, place: usize, key: &Key) -> Option<&'a Arc<Row>> {
        match self.rows.seated(place) {
            Some(row) => {
                debug_assert!(
                    row.as_ref().is_none_or(|row| row.key() == *key),
                    "another row than {key:?} is in its place"
                );
                row.as_ref()
            }
            None => self.row(key),
        }
    }

    /// Whether a key was loaded.
    pub fn has(&self, key: &Key) -> bool {
        self.rows.find(key).is_some()
    }

    accessor!(
        /// A platform.
        platform(name: &PlatformName) = Key::Platform(name.clone()) => Platform -> Platform);
    accessor!(
        /// A shop.
        shop(name: &ShopName) = Key::Shop(name.clone()) => Shop -> Shop);
    accessor!(
        /// An operator.
        operator(name: &OperatorName) = Key::Operator(name.clone()) => Operator -> Operator);
    accessor!(
        /// A grant.
        grant(name: &GrantName) = Key::Grant(name.clone()) => Grant -> Grant);
    accessor!(
        /// An account as configured.
        account(name: &AccountName) = Key::Account(name.clone()) => Account -> Account);
    accessor!(
        /// The money on an account.
        balance(name: &AccountName) = Key::Balance(name.clone()) => Balance -> Balance);
    accessor!(
        /// An order.
        order(name: &OrderName) = Key::Order(name.clone()) => Order -> Order);
    accessor!(
        /// A payout.
        payout(name: &PayoutName) = Key::Payout(name.clone()) => Payout -> Payout);
    accessor!(
        /// A programme.
        programme(name: &ProgrammeName) = Key::Programme(name.clone()) => Programme -> Programme);
    accessor!(
        /// Freezes on a target.
        freezes(target: &Target) = Key::Freezes(target.clone()) => Freezes -> Freezes);
    accessor!(
        /// A request that was answered.
        request(key: &RequestKey) = Key::Request(key.clone()) => Request -> Request);

    accessor!(
        /// The meters of a cell.
        cell(key: &CellKey) = Key::Cell(key.clone()) => Cell -> Cell);

    /// The running use of a limit.
    pub fn meter(&self, key: &MeterKey) -> Option<&'a Meter> {
        self.cell(&key.cell)?.meter(&key.within)
    }

    /// For the running use of several limits, one after the other.
    pub fn cells<'k>(&self) -> Cells<'a, 'k> {
        Cells { loaded: *self, last: None }
    }

    /// A platform that has to be there.
    pub fn the_platform(&self, name: &PlatformName) -> Result<&'a Platform, Refusal> {
        self.platform(name).ok_or_else(|| {
            Refusal::new(Reason::PlatformNotFound, format!("There is no platform {name}."))
                .at(name.to_string(), "Create it with ShopService.CreatePlatform.")
        })
    }

    /// A shop that has to be there, on a platform that has to be there.
    pub fn the_shop(&self, name: &ShopName) -> Result<&'a Shop, Refusal> {
        self.the_platform(&name.platform())?;
        self.shop(name).ok_or_else(|| {
            Refusal::new(Reason::ShopNotFound, format!("There is no shop {name}."))
                .at(name.to_string(), "Create it with ShopService.CreateShop.")
        })
    }

    /// An operator that has to be there.
    pub fn the_operator(&self, name: &OperatorName) -> Result<&'a Operator, Refusal> {
        self.operator(name).ok_or_else(|| {
            Refusal::new(Reason::OperatorNotFound, format!("There is no operator {name}."))
                .at(name.to_string(), "Create it with QuotaService.CreateOperator.")
        })
    }

    /// An account that has to be there.
    pub fn the_account(&self, name: &AccountName) -> Result<&'a Account, Refusal> {
        self.account(name).ok_or_else(|| {
            Refusal::new(Reason::AccountNotFound, format!("There is no account {name}."))
                .at(name.to_string(), "Open it with ShopService.CreateAccount.")
        })
    }

    /// A payout that has to be there.
    pub fn the_payout(&self, name: &PayoutName) -> Result<&'a Payout, Refusal> {
        self.payout(name).ok_or_else(|| {
            Refusal::new(Reason::PayoutNotFound, format!("There is no payout {name}."))
                .at(name.to_string(), "Payouts are made by PayoutService.AuthorizePayout.")
        })
    }
}

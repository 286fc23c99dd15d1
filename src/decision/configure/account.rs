//! Accounts and what moves on them other than payouts.

use super::{
    super::{context::Context, loaded::Loaded, out::Out, reply::Reply, spec::check_amount},
    CHANGE_IT,
    edit::{Edit, check_etag},
    exists, put, shop_keys,
};
use crate::domain::{
    account::{
        Account, AccountKind, Balance, BalanceChange, Direction, Movement, MovementKind, Position,
    },
    amount::{Amount, Currency},
    change::Change,
    event::EventKind,
    freeze::Target,
    instant::Instant,
    key::Key,
    name::{AccountName, OrderName},
    refusal::{Reason, Refusal},
    row::Row,
    shop::Stamp,
    text::Text,
    value::Facts,
};

/// The alert for a movement that drives what is available below 0.
pub const OVERDRAWN: &str = "ACCOUNT_OVERDRAWN";

/// An account to open.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name.
    pub name: AccountName,
    /// What it holds.
    pub kind: AccountKind,
    /// Its currency.
    pub currency: Currency,
    /// Registered facts.
    pub facts: Facts,
}

/// A movement to record.
#[derive(Clone, Debug)]
pub struct NewMovement {
    /// The account.
    pub account: AccountName,
    /// Its reference there.
    pub reference: Text,
    /// Which way.
    pub direction: Direction,
    /// Why.
    pub kind: MovementKind,
    /// How much.
    pub amount: (Amount, Currency),
    /// The order it belongs to.
    pub order: Option<OrderName>,
    /// When, by its source.
    pub occur_time: Option<Instant>,
}

/// The rows that any change of an account needs.
pub fn keys(name: &AccountName) -> Vec<Key> {
    let mut keys = shop_keys(&name.shop());
    keys.push(Key::Account(name.clone()));
    keys.push(Key::Balance(name.clone()));
    keys.push(Key::Freezes(Target::Account(name.clone())));
    keys
}

impl NewAccount {
    pub(super) fn keys(&self) -> Vec<Key> {
        keys(&self.name)
    }

    pub(super) fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        let shop = self.name.shop();
        loaded.the_shop(&shop)?;
        let name = self.name.to_string();
        if loaded.account(&self.name).is_some() {
            return Err(exists(&name, CHANGE_IT));
        }
        out.changes.push(Change::put(Row::Balance(Balance::new(self.name.clone()))));
        let row = Account {
            name: self.name.clone(),
            kind: self.kind,
            currency: self.currency,
            facts: self.facts.clone(),
            stamp: Stamp::made_by(&context.fresh, context.now),
        };
        put(Row::Account(row.clone()), Some(shop), &name, context, out);
        Ok(reply(row, loaded, context))
    }
}

pub fn update(
    name: &AccountName,
    edit: &Edit,
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    out: &mut Out,
) -> Result<Reply, Refusal> {
    let shop = name.shop();
    loaded.the_shop(&shop)?;
    let old = loaded.the_account(name)?;
    check_etag(&edit.etag, &old.stamp)?;
    let row = Account {
        facts: edit.facts.apply(&old.facts)?,
        stamp: old.stamp.changed(context.now),
        ..old.clone()
    };
    put(Row::Account(row.clone()), Some(shop), &name.to_string(), context, out);
    Ok(reply(row, loaded, context))
}

impl NewMovement {
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys = keys(&self.account);
        keys.push(Key::Movement(self.account.clone(), self.reference.clone()));
        keys
    }

    /// The field in which it differs from one recorded under its reference.
    fn difference(&self, recorded: &Movement) -> Option<&'static str> {
        if recorded.direction != self.direction {
            Some("movement.direction")
        } else if recorded.kind != self.kind {
            Some("movement.kind")
        } else if recorded.amount != self.amount.0 {
            Some("movement.amount")
        } else if recorded.order != self.order {
            Some("movement.order")
        } else if recorded.occur_time != self.occur_time {
            Some("movement.occur_time")
        } else {
            None
        }
    }

    pub(super) fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        let shop = self.account.shop();
        loaded.the_shop(&shop)?;
        let account = loaded.the_account(&self.account)?;
        let (amount, currency) = self.amount;
        check_amount(amount, currency, account.currency, "movement.amount")?;
        let balance = balance(loaded, &self.account);
        let key = Key::Movement(self.account.clone(), self.reference.clone());
        if let Some(Row::Movement(recorded)) = loaded.row(&key).map(AsRef::as_ref) {
            if let Some(field) = self.difference(recorded) {
                let message = format!("{:?} was recorded with another {field}.", &*self.reference);
                return Err(Refusal::new(Reason::ReferenceReused, message)
                    .at(field, "Each credit or debit needs a reference of its own."));
            }
            return Ok(Reply::Moved {
                movement: Box::new(recorded.clone()),
                position: position(&balance, loaded, context),
                account: Box::new(account.clone()),
                replayed: true,
            });
        }
        let credit = if self.direction == Direction::Debit { amount.negated() } else { amount };
        let change = BalanceChange {
            account: self.account.clone(),
            credit,
            movement: true,
            before: None,
            after: None,
        };
        let mut after = balance;
        after.apply(&change);
        let overdrawn = credit.is_negative()
            && after.balance.minus(after.holds.held_at(context.now)).is_negative();
        let movement = Movement {
            account: self.account.clone(),
            reference: self.reference.clone(),
            number: after.movements,
            direction: self.direction,
            kind: self.kind,
            amount,
            order: self.order.clone(),
            occur_time: self.occur_time,
            record_time: context.now,
            overdrawn,
        };
        let name = self.account.to_string();
        out.changes.push(Change::Balance(change));
        let number =
            Row::MovementNumber(self.account.clone(), movement.number, self.reference.clone());
        out.changes.push(Change::put(number));
        out.changes.push(Change::put(Row::Movement(movement.clone())));
        out.tell(context.now, Some(shop.clone()), EventKind::Movement(name.clone().into()));
        if overdrawn {
            out.alert(context.now, &shop, OVERDRAWN, &name);
        }
        Ok(Reply::Moved {
            movement: Box::new(movement),
            position: position(&after, loaded, context),
            account: Box::new(account.clone()),
            replayed: false,
        })
    }
}

fn balance(loaded: &Loaded<'_>, account: &AccountName) -> Balance {
    loaded.balance(account).cloned().unwrap_or_else(|| Balance::new(account.clone()))
}

fn position(balance: &Balance, loaded: &Loaded<'_>, context: &Context<'_>) -> Position {
    let freezes = loaded.freezes(&Target::Account(balance.account.clone()));
    let freeze = freezes.map_or(Some(Amount::ZERO), |freezes| freezes.amount(context.now));
    balance.position(context.now, freeze)
}

/// An account with the money that is on it now.
pub fn reply(account: Account, loaded: &Loaded<'_>, context: &Context<'_>) -> Reply {
    let position = position(&balance(loaded, &account.name), loaded, context);
    Reply::Account { account: Box::new(account), position }
}

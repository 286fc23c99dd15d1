//! Freezes: setting and lifting them.

use std::sync::Arc;

use super::{
    super::{context::Context, loaded::Loaded, out::Out, reply::Reply, spec::check_amount},
    exists, shop_keys,
};
use crate::domain::{
    amount::Currency,
    change::Change,
    event::EventKind,
    freeze::{Freeze, Freezes, Scope, Standing, Target},
    instant::Instant,
    key::Key,
    name::FreezeName,
    refusal::{Reason, Refusal},
    row::Row,
    text::Text,
};

/// A freeze to set.
#[derive(Clone, Debug)]
pub struct NewFreeze {
    /// Its name.
    pub name: FreezeName,
    /// What it is on.
    pub target: Target,
    /// What it stops.
    pub scope: Scope,
    /// Currency of its amount, if it has one.
    pub currency: Option<Currency>,
    /// Why.
    pub reason: Text,
    /// When it ends by itself.
    pub end_time: Option<Instant>,
}

/// A freeze to lift.
#[derive(Clone, Debug)]
pub struct Lift {
    /// Which.
    pub name: FreezeName,
    /// Why.
    pub reason: Text,
}

impl NewFreeze {
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys = shop_keys(&self.target.shop());
        keys.push(Key::Freeze(self.name.clone()));
        keys.push(Key::Freezes(self.target.clone()));
        match &self.target {
            Target::Shop(_) => {}
            Target::Operator(name) => keys.push(Key::Operator(name.clone())),
            Target::Account(name) => keys.push(Key::Account(name.clone())),
        }
        keys
    }

    pub(super) fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        let shop = self.target.shop();
        loaded.the_shop(&shop)?;
        match &self.target {
            Target::Shop(_) => {}
            Target::Operator(name) => {
                loaded.the_operator(name)?;
            }
            Target::Account(name) => {
                let account = loaded.the_account(name)?;
                if let (Scope::BalancePart(amount), Some(currency)) = (self.scope, self.currency) {
                    check_amount(amount, currency, account.currency, "freeze.amount")?;
                }
            }
        }
        let name = self.name.to_string();
        if loaded.row(&Key::Freeze(self.name.clone())).is_some() {
            return Err(exists(
                &name,
                "Lift it with CaseService.LiftFreeze, or choose another id.",
            ));
        }
        if let Some(end) = self.end_time.filter(|end| *end <= context.now) {
            let message = format!("The freeze would end at {end}; it is {} now.", context.now);
            return Err(Refusal::new(Reason::FieldInvalid, message)
                .at("freeze.end_time", "Must be later than now, or be left out."));
        }
        let freeze = Freeze {
            name: self.name.clone(),
            target: self.target.clone(),
            scope: self.scope,
            currency: self.currency,
            reason: self.reason.clone(),
            create_time: context.now,
            end_time: self.end_time,
            lift_time: None,
            lift_reason: "".into(),
            caller: context.author.caller.clone(),
        };
        let mut standing =
            loaded.freezes(&self.target).map_or_else(Vec::new, |f| f.standing.clone());
        // Ended ones never come back: time does not decrease.
        standing.retain(|s| s.end_time.is_none_or(|end| context.now < end));
        standing.push(Standing {
            freeze: self.name.clone(),
            scope: self.scope,
            end_time: self.end_time,
        });
        Ok(keep(freeze, standing, context, out))
    }
}

impl Lift {
    pub(super) fn keys(&self) -> Vec<Key> {
        vec![Key::Freeze(self.name.clone())]
    }

    pub(super) fn further(&self, loaded: &Loaded<'_>) -> Vec<Key> {
        match self.freeze(loaded) {
            Some(freeze) => vec![Key::Freezes(freeze.target.clone())],
            None => Vec::new(),
        }
    }

    fn freeze<'a>(&self, loaded: &Loaded<'a>) -> Option<&'a Freeze> {
        match loaded.row(&Key::Freeze(self.name.clone()))?.as_ref() {
            Row::Freeze(freeze) => Some(freeze),
            _ => None,
        }
    }

    pub(super) fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        let Some(freeze) = self.freeze(loaded) else {
            let message = format!("There is no freeze {}.", self.name);
            return Err(Refusal::new(Reason::FreezeNotFound, message)
                .at(self.name.to_string(), "List freezes with CaseService.ListFreezes."));
        };
        if freeze.lift_time.is_some() {
            return Ok(Reply::Row(Arc::new(Row::Freeze(freeze.clone()))));
        }
        let mut standing =
            loaded.freezes(&freeze.target).map_or_else(Vec::new, |f| f.standing.clone());
        standing.retain(|s| s.freeze != self.name);
        let lifted = Freeze {
            lift_time: Some(context.now),
            lift_reason: self.reason.clone(),
            ..freeze.clone()
        };
        Ok(keep(lifted, standing, context, out))
    }
}

fn keep(freeze: Freeze, standing: Vec<Standing>, context: &Context<'_>, out: &mut Out) -> Reply {
    let shop = freeze.target.shop();
    out.tell(context.now, Some(shop), EventKind::Freeze(freeze.name.to_string().into()));
    out.changes
        .push(Change::put(Row::Freezes(Freezes { target: freeze.target.clone(), standing })));
    out.changes.push(Change::put(Row::Freeze(freeze.clone())));
    Reply::Row(Arc::new(Row::Freeze(freeze)))
}

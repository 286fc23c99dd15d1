//! Changing what is configured: platforms, shops, operators, grants, orders,
//! accounts, movements, freezes, policies. Each all or nothing, each once per
//! request id.

mod account;
mod edit;
mod freeze;
mod history;
mod operator;
mod policy;
mod shop;

pub use account::{NewAccount, NewMovement};
pub use edit::{Edit, FactEdit};
pub use freeze::{Lift, NewFreeze};
pub use operator::{GrantField, NewOperator, SetGrant};
pub use policy::{Activate, NewRevision};

use std::sync::Arc;

use super::{
    context::Context,
    life,
    loaded::Loaded,
    out::{Judgement, Out},
    replay::{self, Seen},
    reply::Reply,
};
use crate::domain::{
    change::Change,
    event::EventKind,
    key::Key,
    name::{AccountName, GrantName, OperatorName, PlatformName, ShopName},
    operator::OperatorKind,
    order::Order,
    refusal::{Reason, Refusal},
    request::{Answered, RequestIdentity},
    row::Row,
    shop::{Platform, Shop},
};

/// A change of what is configured.
#[derive(Clone, Debug)]
pub struct Configure {
    /// What to change.
    pub what: What,
    /// Which request, if its sender gave it an id.
    pub identity: Option<RequestIdentity>,
    /// Set for callers that are a shop's back office only: they need a main
    /// account behind them.
    pub needs_main: bool,
}

/// What to change.
#[derive(Clone, Debug)]
pub enum What {
    /// Register a marketplace.
    CreatePlatform(Platform),
    /// Change one.
    UpdatePlatform(PlatformName, Edit),
    /// Register a shop.
    CreateShop(Shop),
    /// Change one.
    UpdateShop(ShopName, Edit),
    /// Record an order.
    UpsertOrder(Order),
    /// Open an account.
    CreateAccount(NewAccount),
    /// Change one.
    UpdateAccount(AccountName, Edit),
    /// Record money that came or left.
    RecordMovement(NewMovement),
    /// Register an operator.
    CreateOperator(NewOperator),
    /// Change one.
    UpdateOperator(OperatorName, Edit),
    /// Set a grant.
    SetGrant(SetGrant),
    /// Take a grant away.
    DeleteGrant(GrantName, String),
    /// Set a freeze.
    CreateFreeze(NewFreeze),
    /// Lift one.
    LiftFreeze(Lift),
    /// Store a policy.
    CreateRevision(NewRevision),
    /// Put one in force.
    ActivateRevision(Activate),
}

impl Configure {
    /// What it is called in records and events.
    pub fn operation(&self) -> &'static str {
        match &self.what {
            What::CreatePlatform(_) => "CreatePlatform",
            What::UpdatePlatform(..) => "UpdatePlatform",
            What::CreateShop(_) => "CreateShop",
            What::UpdateShop(..) => "UpdateShop",
            What::UpsertOrder(_) => "UpsertOrder",
            What::CreateAccount(_) => "CreateAccount",
            What::UpdateAccount(..) => "UpdateAccount",
            What::RecordMovement(_) => "RecordMovement",
            What::CreateOperator(_) => "CreateOperator",
            What::UpdateOperator(..) => "UpdateOperator",
            What::SetGrant(_) => "UpdateGrant",
            What::DeleteGrant(..) => "DeleteGrant",
            What::CreateFreeze(_) => "CreateFreeze",
            What::LiftFreeze(_) => "LiftFreeze",
            What::CreateRevision(_) => "CreateRevision",
            What::ActivateRevision(_) => "ActivateRevision",
        }
    }

    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        let mut keys = match &self.what {
            What::CreatePlatform(platform) => vec![Key::Platform(platform.name.clone())],
            What::UpdatePlatform(name, _) => vec![Key::Platform(name.clone())],
            What::CreateShop(shop) => shop_keys(&shop.name),
            What::UpdateShop(name, _) => shop_keys(name),
            What::UpsertOrder(order) => {
                with(shop_keys(&order.name.shop()), Key::Order(order.name.clone()))
            }
            What::CreateAccount(new) => new.keys(),
            What::UpdateAccount(name, _) => account::keys(name),
            What::RecordMovement(new) => new.keys(),
            What::CreateOperator(new) => {
                with(shop_keys(&new.name.shop()), Key::Operator(new.name.clone()))
            }
            What::UpdateOperator(name, _) => {
                with(shop_keys(&name.shop()), Key::Operator(name.clone()))
            }
            What::SetGrant(set) => operator::grant_keys(&set.name),
            What::DeleteGrant(name, _) => operator::grant_keys(name),
            What::CreateFreeze(new) => new.keys(),
            What::LiftFreeze(lift) => lift.keys(),
            What::CreateRevision(new) => new.keys(),
            What::ActivateRevision(activate) => activate.keys(),
        };
        keys.extend(self.identity.iter().map(|identity| Key::Request(identity.key.clone())));
        keys
    }

    /// The rows it needs further.
    pub fn second(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Vec<Key> {
        let mut keys: Vec<Key> = context.author.actor.iter().cloned().map(Key::Operator).collect();
        if let What::LiftFreeze(lift) = &self.what {
            keys.extend(lift.further(loaded));
        }
        if let (What::CreateRevision(new), Some(identity)) = (&self.what, &self.identity) {
            keys.extend(new.earlier(loaded, identity));
        }
        keys
    }

    /// The row it answers with: also what a repeat is answered with.
    fn subject(&self) -> Option<Key> {
        Some(match &self.what {
            What::CreatePlatform(platform) => Key::Platform(platform.name.clone()),
            What::UpdatePlatform(name, _) => Key::Platform(name.clone()),
            What::CreateShop(shop) => Key::Shop(shop.name.clone()),
            What::UpdateShop(name, _) => Key::Shop(name.clone()),
            What::UpsertOrder(order) => Key::Order(order.name.clone()),
            What::CreateOperator(new) => Key::Operator(new.name.clone()),
            What::UpdateOperator(name, _) => Key::Operator(name.clone()),
            What::SetGrant(set) => Key::Grant(set.name.clone()),
            What::CreateFreeze(new) => Key::Freeze(new.name.clone()),
            What::LiftFreeze(lift) => Key::Freeze(lift.name.clone()),
            What::ActivateRevision(activate) => Key::Programme(activate.revision.programme.clone()),
            What::CreateAccount(new) => Key::Account(new.name.clone()),
            What::UpdateAccount(name, _) => Key::Account(name.clone()),
            What::RecordMovement(_) | What::DeleteGrant(..) | What::CreateRevision(_) => {
                return None;
            }
        })
    }

    /// Judges it.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        if let Some(identity) = &self.identity {
            match replay::seen(loaded, identity, context.now) {
                Err(refusal) => return Judgement::only(Err(refusal)),
                Ok(Seen::Before(_)) => return Judgement::only(self.again(loaded, context)),
                Ok(Seen::New) => {}
            }
        }
        let mut out = Out::default();
        match self.apply(loaded, context, &mut out) {
            Err(refusal) => Judgement::only(Err(refusal)),
            Ok(reply) => {
                if let Some(identity) = &self.identity {
                    let forget = Some(context.now.plus(context.remember));
                    let answered = match &reply {
                        Reply::Row(row) => match row.as_ref() {
                            Row::Revision(revision) => Answered::Revision(revision.name.number),
                            _ => Answered::Resource,
                        },
                        _ => Answered::Resource,
                    };
                    let request = replay::remember(identity, answered, context.now, forget);
                    out.changes.push(Change::put(Row::Request(request)));
                }
                out.answer(Ok(reply))
            }
        }
    }

    /// A repeat changes nothing and is answered with the resource as it stands.
    fn again(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Result<Reply, Refusal> {
        match (&self.what, self.subject()) {
            (What::RecordMovement(new), _) => new.apply(loaded, context, &mut Out::default()),
            (What::CreateRevision(new), _) => {
                let key = self.identity.as_ref().and_then(|identity| new.earlier(loaded, identity));
                match key.and_then(|key| loaded.row(&key)) {
                    Some(row) => Ok(Reply::Row(row.clone())),
                    None => {
                        Err(Refusal::new(Reason::Internal, "A remembered revision is missing."))
                    }
                }
            }
            (What::DeleteGrant(..), _) => Ok(Reply::Deleted),
            (_, Some(key)) => match loaded.row(&key) {
                Some(row) => match row.as_ref() {
                    Row::Account(found) => Ok(account::reply(found.clone(), loaded, context)),
                    _ => Ok(Reply::Row(row.clone())),
                },
                None => Err(Refusal::new(
                    Reason::GrantNotFound,
                    "What this request made is gone since.",
                )),
            },
            (_, None) => Ok(Reply::Done),
        }
    }

    fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        match &self.what {
            What::CreatePlatform(platform) => shop::create_platform(platform, loaded, context, out),
            What::UpdatePlatform(name, edit) => {
                shop::update_platform(name, edit, loaded, context, out)
            }
            What::CreateShop(shop) => shop::create(shop, loaded, context, out),
            What::UpdateShop(name, edit) => shop::update(name, edit, loaded, context, out),
            What::UpsertOrder(order) => shop::upsert_order(order, loaded, context, out),
            What::CreateAccount(new) => new.apply(loaded, context, out),
            What::UpdateAccount(name, edit) => account::update(name, edit, loaded, context, out),
            What::RecordMovement(new) => new.apply(loaded, context, out),
            What::CreateOperator(new) => {
                self.check_actor(&new.name.shop(), loaded, context)?;
                new.apply(loaded, context, out)
            }
            What::UpdateOperator(name, edit) => {
                self.check_actor(&name.shop(), loaded, context)?;
                operator::update(name, edit, loaded, context, out)
            }
            What::SetGrant(set) => {
                self.check_actor(&set.name.shop(), loaded, context)?;
                set.apply(loaded, context, out)
            }
            What::DeleteGrant(name, etag) => {
                self.check_actor(&name.shop(), loaded, context)?;
                operator::delete_grant(name, etag, loaded, context, out)
            }
            What::CreateFreeze(new) => new.apply(loaded, context, out),
            What::LiftFreeze(lift) => lift.apply(loaded, context, out),
            What::CreateRevision(new) => new.apply(loaded, context, out),
            What::ActivateRevision(activate) => activate.apply(loaded, context, out),
        }
    }

    /// An actor has to exist; behind a shop's back office it has to be a main
    /// account of that shop.
    fn check_actor(
        &self,
        shop: &ShopName,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Result<(), Refusal> {
        let Some(actor) = &context.author.actor else {
            return if self.needs_main {
                Err(Refusal::new(Reason::ActorRequired, "Name the operator this is done for.")
                    .at("actor", "The shop's main account, platforms/*/shops/*/operators/*."))
            } else {
                Ok(())
            };
        };
        if actor.shop() != *shop || loaded.operator(actor).is_none() {
            return Err(life::no_such_actor(actor, shop));
        }
        let is_main = actor.shop() == *shop
            && loaded.operator(actor).is_some_and(|o| o.kind == OperatorKind::Main);
        if self.needs_main && !is_main {
            let message = format!("{actor} is not a main account of {shop}.");
            return Err(Refusal::new(Reason::ActorNotMain, message)
                .at("actor", "Only a main account makes operators and sets grants."));
        }
        Ok(())
    }
}

fn with(mut keys: Vec<Key>, key: Key) -> Vec<Key> {
    keys.push(key);
    keys
}

fn shop_keys(name: &ShopName) -> Vec<Key> {
    vec![Key::Platform(name.platform()), Key::Shop(name.clone())]
}

/// Keeps a row, tells readers, and answers with it.
fn put(
    row: Row,
    shop: Option<ShopName>,
    name: &str,
    context: &Context<'_>,
    out: &mut Out,
) -> Reply {
    out.tell(context.now, shop, EventKind::Configured(name.into()));
    let row = Arc::new(row);
    out.changes.push(Change::Put(row.clone()));
    Reply::Row(row)
}

/// What to do about something that is there and can be changed.
const CHANGE_IT: &str = "Change it with its Update method, or choose another id.";

fn exists(name: &str, advice: &str) -> Refusal {
    Refusal::new(Reason::AlreadyExists, format!("There is {name} already.")).at(name, advice)
}

//! What is the same for all payouts of an operator under a programme, until
//! something of it is configured anew or a day, a freeze or a revision ends:
//! worked out once, and then at hand for the next payout. It is a function of
//! configured rows and of nothing else, so that having it changes no answer.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use smallvec::SmallVec;

use super::{
    context::{Context, Meters},
    facts::{self, Held, Sources},
    judge,
    loaded::Loaded,
    looked_at,
    reading::{self, Scopes},
    spec::{Spec, not_active, the_programme},
};
use crate::domain::{
    account::{Account, Balance},
    amount::Amount,
    cell::Cell,
    decision::Inputs,
    freeze::{Freezes, Target},
    instant::Instant,
    key::Key,
    layout::Layout,
    limit::Counting,
    meter::{MeterKey, Within},
    name::{AccountName, Id, RevisionName},
    operator::{Grant, Operator},
    order::Order,
    plan::Looks,
    policy::Policy,
    refusal::Refusal,
    row::Row,
    shop::{Platform, Shop},
    template::{Constants, Template},
    text::Text,
    value::Value,
    window::Window,
};

/// Whose payouts: of an operator of a shop, under a programme of its platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whose {
    /// The platform.
    pub platform: Id,
    /// The shop.
    pub shop: Id,
    /// The operator. `None`: nobody is named.
    pub operator: Option<Id>,
    /// The programme.
    pub programme: Id,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Profile {
    whose: Option<Whose>,
    /// Holds from here (inclusive) to there (exclusive).
    valid: (Instant, Instant),
    /// The revision in force.
    pub(super) revision: RevisionName,
    /// Its policy.
    pub(super) policy: Arc<Policy>,
    /// When the next revision comes into force.
    pub(super) next_revision: Option<Instant>,
    platform: Option<Arc<Row>>,
    shop: Option<Arc<Row>>,
    operator: Option<Arc<Row>>,
    grant: Option<Arc<Row>>,
    shop_freezes: Option<Arc<Row>>,
    operator_freezes: Option<Arc<Row>>,
    /// Accounts that the policy draws from or looks at, once they were loaded.
    accounts: Option<Vec<AccountRows>>,
    /// Values of facts that do not vary from payout to payout, by position.
    pub(super) facts: Arc<Constants>,
    /// Where limits and then measures count, by position.
    pub(super) meters: Vec<Counted>,
    /// What is known of the rules for all of the payouts, and where they count: that
    /// only with a template.
    pub(super) layout: Arc<Layout>,
    /// What records of its payouts have in common, if that can be told beforehand.
    pub(super) template: Option<Arc<Template>>,
    /// Rows that payouts about a new order need further: all but those of the order.
    /// Only with a template.
    pub(super) running: Vec<Key>,
    /// What freezes ask of the accounts that a payout draws from. `None`: all of it.
    /// None of them ends while it is valid. Only with a template.
    freezes_of_draws: SmallVec<[Option<Amount>; 2]>,
}

mod running;

/// What is known of the meter of a limit or measure.
#[derive(Clone, Debug)]
pub(super) enum Counted {
    /// It is this one, or none is needed.
    In(Option<MeterKey>),
    /// If there is an order, whose id is this fact, all but that.
    OfOrder(usize, Within),
    /// Nothing: it is worked out for each payout.
    Unknown,
}

/// An account as it is configured.
#[derive(Clone, Debug)]
struct AccountRows {
    name: AccountName,
    account: Option<Arc<Row>>,
    freezes: Option<Arc<Row>>,
}

/// Declares what a row under a key is looked at as.
macro_rules! as_row {
    ($($name:ident: $variant:ident -> $row:ty),+ $(,)?) => {$(
        fn $name(row: Option<&Arc<Row>>) -> Option<&$row> {
            match row?.as_ref() {
                Row::$variant(row) => Some(row),
                other => unreachable!("another kind of row under {:?}", other.key()),
            }
        }
    )+};
}

as_row! {
    platform: Platform -> Platform,
    shop: Shop -> Shop,
    operator: Operator -> Operator,
    grant: Grant -> Grant,
    account: Account -> Account,
    freezes: Freezes -> Freezes,
    balance: Balance -> Balance,
    cell: Cell -> Cell,
}

/// Only of what tells most apart: there are few platforms and programmes.
impl Hash for Whose {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.shop.as_str().as_bytes());
        state.write(self.operator.as_ref().map_or(&[], |it| it.as_str().as_bytes()));
    }
}

impl Whose {
    /// Whose payout is asked about. `None`: names of several places, for which
    /// nothing is remembered.
    pub fn of(spec: &Spec) -> Option<Self> {
        let shop = &spec.shop;
        let of_shop = |it: &crate::domain::name::OperatorName| {
            it.platform == shop.platform && it.shop == shop.shop
        };
        let fits =
            spec.programme.platform == shop.platform && spec.operator.as_ref().is_none_or(of_shop);
        fits.then(|| Self {
            platform: shop.platform.clone(),
            shop: shop.shop.clone(),
            operator: spec.operator.as_ref().map(|it| it.operator.clone()),
            programme: spec.programme.programme.clone(),
        })
    }

    fn is_of(&self, spec: &Spec) -> bool {
        self.shop == spec.shop.shop
            && self.operator.as_ref() == spec.operator.as_ref().map(|it| &it.operator)
            && self.programme == spec.programme.programme
            && self.platform == spec.shop.platform
    }
}

impl Profile {
    /// The one at hand, or else a new one. Refused if there is no such shop,
    /// operator or programme, or no revision is in force. Accounts are in it once
    /// they were loaded, see [`Profile::complete`].
    pub(super) fn of(
        spec: &Spec,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Result<Arc<Self>, Refusal> {
        if let Some(profile) = Self::at_hand(spec, context) {
            return Ok(profile);
        }
        let profile = Arc::new(Self::work_out(spec, loaded, context)?);
        *context.profile.borrow_mut() = Some(profile.clone());
        Ok(profile)
    }

    /// The one that is at hand.
    pub(super) fn at_hand(spec: &Spec, context: &Context<'_>) -> Option<Arc<Self>> {
        let profile = context.profile.borrow();
        profile.as_ref().filter(|profile| profile.is_of(spec, context.now)).cloned()
    }

    /// Whether one is at hand.
    pub(super) fn is_at_hand(spec: &Spec, context: &Context<'_>) -> bool {
        context.profile.borrow().as_ref().is_some_and(|it| it.is_of(spec, context.now))
    }

    /// Whether it is about this payout, at an instant.
    pub(super) fn is_of(&self, spec: &Spec, now: Instant) -> bool {
        self.holds_at(now) && self.whose.as_ref().is_some_and(|whose| whose.is_of(spec))
    }

    /// Whether it holds at an instant.
    pub fn holds_at(&self, now: Instant) -> bool {
        self.valid.0 <= now && now < self.valid.1
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Whether all of it is there, so that it can be used for other payouts.
    pub fn is_complete(&self) -> bool {
        self.accounts.is_some()
    }

    /// Whose payouts it is about.
    pub fn whose(&self) -> Option<&Whose> {
        self.whose.as_ref()
    }

    fn work_out(spec: &Spec, loaded: &Loaded<'_>, context: &Context<'_>) -> Result<Self, Refusal> {
        let name = &spec.shop;
        loaded.the_shop(name)?;
        if let Some(operator) = &spec.operator {
            loaded.the_operator(operator)?;
        }
        let programme = the_programme(loaded, &spec.programme)?;
        let revision = programme.active(context.now).ok_or_else(|| not_active(programme))?;
        let policy = context.policy(&revision);
        let next_revision = programme.next_activation(context.now);
        let row = |key: Key| loaded.row(&key).cloned();
        let operator = spec.operator.as_ref();
        let mut profile = Self {
            whose: Whose::of(spec),
            valid: (context.now, next_revision.unwrap_or(Instant::MAX)),
            revision,
            policy: policy.clone(),
            next_revision,
            platform: row(Key::Platform(name.platform())),
            shop: row(Key::Shop(name.clone())),
            operator: operator.and_then(|it| row(Key::Operator(it.clone()))),
            grant: operator.and_then(|it| row(Key::Grant(it.grant(&spec.programme.programme)))),
            shop_freezes: row(Key::Freezes(Target::Shop(name.clone()))),
            operator_freezes: operator
                .and_then(|it| row(Key::Freezes(Target::Operator(it.clone())))),
            accounts: None,
            facts: Arc::default(),
            meters: Vec::new(),
            layout: Arc::default(),
            template: None,
            running: Vec::new(),
            freezes_of_draws: SmallVec::new(),
        };
        let on = [&profile.shop_freezes, &profile.operator_freezes];
        let ends = on.map(|row| first_end(freezes(row.as_ref()), context.now));
        ends.into_iter().flatten().for_each(|end| profile.ends_by(end));
        let looks = looked_at::looks(&policy);
        let sources = profile.sources_of_scopes(spec, None, loaded, context);
        let constant = facts::constant(&policy, &sources, |fact| fact.origin.account().is_none());
        profile.facts = Arc::new(constant);
        profile.meters = profile.known_meters(spec, looks, context.now);
        Ok(profile)
    }

    fn ends_by(&mut self, end: Instant) {
        self.valid.1 = self.valid.1.min(end);
    }

    /// What is known of meters by facts that do not vary.
    fn known_meters(&mut self, spec: &Spec, looks: &Looks, now: Instant) -> Vec<Counted> {
        let policy = self.policy.clone();
        let mut until = self.valid.1;
        let mut scopes =
            Scopes::new(&spec.programme, &policy, &self.facts, spec.shop.shop.as_str(), now);
        let meter = |(id, counting): (&Text, &Counting)| {
            let order = scopes.order(counting);
            let mut rest = counting.scope.iter().filter(|index| Some(**index) != order);
            if counting.window.has_calendar() {
                // Beyond the calendar nothing is remembered.
                let end = policy.bounds(&counting.window, now).map_or(now, |(_, end)| end);
                until = until.min(end);
            }
            if counting.window != Window::Payout && rest.any(|index| looks.varies(*index)) {
                return Counted::Unknown;
            }
            match order {
                Some(order) if counting.window != Window::Payout => {
                    Counted::OfOrder(order, scopes.within(id, counting, order).into())
                }
                _ => Counted::In(scopes.meter(id, counting)),
            }
        };
        let meters = countings(&policy).map(meter).collect();
        self.valid.1 = until;
        meters
    }

    /// Adds the accounts, which are loaded by now.
    pub(super) fn complete(
        self: Arc<Self>,
        spec: &Spec,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Arc<Self> {
        if self.is_complete() {
            return self;
        }
        // Nobody else keeps one that is not complete.
        drop(context.profile.take());
        let mut profile = Arc::unwrap_or_clone(self);
        let policy = profile.policy.clone();
        let row = |key: Key| loaded.row(&key).cloned();
        let rows = |id: &Id| {
            let name = spec.shop.account(id.clone());
            AccountRows {
                account: row(Key::Account(name.clone())),
                freezes: row(Key::Freezes(Target::Account(name.clone()))),
                name,
            }
        };
        let accounts: Vec<AccountRows> =
            looked_at::looks(&policy).accounts.iter().map(rows).collect();
        for account in &accounts {
            if let Some(end) = first_end(freezes(account.freezes.as_ref()), context.now) {
                profile.ends_by(end);
            }
        }
        profile.accounts = Some(accounts);
        let sources = profile.sources(spec, None, loaded, context);
        let of_accounts =
            facts::constant(&policy, &sources, |fact| fact.origin.account().is_some());
        let mut constants = Arc::unwrap_or_clone(std::mem::take(&mut profile.facts));
        for (fact, value) in constants.iter_mut().zip(of_accounts) {
            if value.is_some() {
                *fact = value;
            }
        }
        profile.facts = Arc::new(constants);
        let inputs = profile.inputs_of_constants(spec, context.now);
        let known = judge::known(&policy, &inputs);
        profile.template = profile.template(spec, loaded, context).map(Arc::new);
        if profile.template.is_some() {
            let balances = profile.accounts.iter().flatten();
            let balances = balances.map(|rows| Key::Balance(rows.name.clone()));
            let known = profile.meters.iter().filter_map(|known| match known {
                Counted::In(meter) => meter.as_ref(),
                _ => None,
            });
            profile.running = balances.chain(reading::cells(known)).collect();
        }
        let freezes = profile.freezes_of(&policy, context.now);
        profile.freezes_of_draws = freezes;
        profile.layout = policy.layout(profile.layout(known));
        let profile = Arc::new(profile);
        *context.profile.borrow_mut() = Some(profile.clone());
        profile
    }

    /// Inputs of which what is configured is known, and nothing else.
    pub(super) fn inputs_of_constants(&self, spec: &Spec, now: Instant) -> Inputs {
        Inputs {
            now,
            stage: spec.stage,
            amount: None,
            facts: self.facts.to_vec(),
            fact_changes: Vec::new(),
            limits: Vec::new(),
            measures: Vec::new(),
            funds: Vec::new(),
            next_revision: None,
        }
    }

    /// Where a payout's facts are looked up.
    pub(super) fn sources<'a>(
        &'a self,
        spec: &'a Spec,
        registered: Option<&'a Order>,
        loaded: &Loaded<'a>,
        context: &Context<'_>,
    ) -> Sources<'a> {
        let sources = self.sources_of_scopes(spec, registered, loaded, context);
        let held = |rows: &'a AccountRows| Held {
            name: &rows.name,
            account: account(rows.account.as_ref()),
            balance: loaded.balance(&rows.name),
            freezes: freezes(rows.freezes.as_ref()),
        };
        Sources { accounts: self.accounts.iter().flatten().map(held).collect(), ..sources }
    }

    /// The same before accounts are loaded: nothing is counted over those.
    pub(super) fn sources_of_scopes<'a>(
        &'a self,
        spec: &'a Spec,
        registered: Option<&'a Order>,
        loaded: &Loaded<'a>,
        context: &Context<'_>,
    ) -> Sources<'a> {
        Sources {
            spec,
            loaded: *loaded,
            platform: platform(self.platform.as_ref()),
            shop: shop(self.shop.as_ref()),
            accounts: Vec::new(),
            shop_freezes: freezes(self.shop_freezes.as_ref()),
            operator_freezes: freezes(self.operator_freezes.as_ref()),
            order: spec.the_order(registered),
            operator: operator(self.operator.as_ref()),
            grant: grant(self.grant.as_ref()),
            roles: context.roles,
            currency: self.policy.currency,
            now: context.now,
        }
    }

    /// Meters of the limits and then the measures, by position, for a payout with
    /// these facts.
    pub(super) fn meters(&self, spec: &Spec, facts: &[Option<Value>], now: Instant) -> Meters {
        let shop = spec.shop.shop.as_str();
        let mut scopes = Scopes::new(&spec.programme, &self.policy, facts, shop, now);
        let meter = |((id, counting), known): ((&Text, &Counting), &Counted)| match known {
            Counted::In(meter) => meter.clone(),
            Counted::OfOrder(order, within) if scopes.has(*order) => {
                Some(scopes.of_order(*order, within.clone()))
            }
            Counted::OfOrder(..) | Counted::Unknown => scopes.meter(id, counting),
        };
        let mut meters = Vec::with_capacity(self.meters.len());
        meters.extend(countings(&self.policy).zip(&self.meters).map(meter));
        meters
    }
}

/// Ids of limits and then of measures, with what they count.
pub(super) fn countings(policy: &Policy) -> impl Iterator<Item = (&Text, &Counting)> {
    let limits = policy.limits.iter().map(|l| (&l.rule.id, &l.counting));
    limits.chain(policy.measures.iter().map(|m| (&m.id, &m.counting)))
}

fn first_end(freezes: Option<&Freezes>, now: Instant) -> Option<Instant> {
    freezes?.ends(now).min()
}

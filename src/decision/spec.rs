//! What is asked about a payout, and everything that can refuse the asking, in
//! the order of docs/REFUSALS.md. What passes is judged and can no longer be
//! refused.

use std::sync::Arc;

use super::{
    context::{Context, Meters},
    facts::{self, Held, Sources},
    judge::{self, Largest, Wanted},
    loaded::Loaded,
    looked_at,
    out::Judgement,
    profile::{Counted, Profile},
    reading,
    reply::{Check, Reply},
};
use crate::domain::{
    amount::{Amount, Currency},
    decision::{Funds, Inputs, Verdict},
    freeze::Target,
    key::Key,
    limit::{Counting, Stage},
    meter::MeterKey,
    name::{OperatorName, OrderName, ProgrammeName, ShopName},
    named::Named,
    order::Order,
    policy::Policy,
    refusal::{Reason, Refusal},
    row::Programme,
    text::Text,
    value::Value,
};

/// What a payout is about, and what is asked of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Spec {
    /// The shop.
    pub shop: ShopName,
    /// The programme.
    pub programme: ProgrammeName,
    /// How much.
    pub amount: Option<(Amount, Currency)>,
    /// Who asks.
    pub operator: Option<OperatorName>,
    /// The order.
    pub order: Option<OrderName>,
    /// The order's data, sent along.
    pub inline_order: Option<Box<Order>>,
    /// Who gets it.
    pub payee: Text,
    /// What it is for.
    pub purpose: Text,
    /// Facts sent along.
    pub facts: Arc<Named<Value>>,
    /// The stage asked about.
    pub stage: Stage,
    /// Also list what passed, and work out the largest amount.
    pub full: bool,
}

/// Everything that was found out before judging.
pub(super) struct Prepared {
    pub profile: Arc<Profile>,
    pub inputs: Inputs,
    /// What was judged of them without what passes.
    pub verdict: Verdict,
    /// Meters of the limits and then the measures, as far as they were needed.
    pub meters: Option<Meters>,
    /// The order to record, if one was sent along and is newer.
    pub order: Option<Order>,
}

impl Spec {
    /// The rows it needs first: what is configured only if no profile is at hand.
    pub fn first(&self, context: &Context<'_>) -> Vec<Key> {
        let mut keys = Vec::with_capacity(9);
        if Profile::is_at_hand(self, context) {
            keys.extend(self.order.iter().map(|order| Key::Order(order.clone())));
            return keys;
        }
        keys.extend([
            Key::Platform(self.shop.platform()),
            Key::Shop(self.shop.clone()),
            Key::Programme(self.programme.clone()),
            Key::Freezes(Target::Shop(self.shop.clone())),
        ]);
        keys.extend(self.order.iter().map(|order| Key::Order(order.clone())));
        if let Some(operator) = &self.operator {
            keys.push(Key::Operator(operator.clone()));
            keys.push(Key::Grant(operator.grant(&self.programme.programme)));
            keys.push(Key::Freezes(Target::Operator(operator.clone())));
        }
        keys
    }

    /// The rows it needs further: accounts, and the meters of its limits; or those
    /// that it [comes back to](Context::comes_back).
    pub fn second(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Vec<Key> {
        let Ok(profile) = Profile::of(self, loaded, context) else { return Vec::new() };
        let policy = &profile.policy;
        let registered = self.registered(loaded);
        let is_new = registered.is_none() && self.order.is_some();
        context.order_is_new.set(is_new);
        if context.alone && self.reads_fresh(&profile, registered) {
            context.comes_back.set(true);
            return Vec::new();
        }
        let accounts = &looked_at::looks(policy).accounts;
        let mut keys = Vec::with_capacity(3 * accounts.len() + 6);
        for account in accounts {
            let name = self.shop.account(account.clone());
            if !profile.is_complete() {
                keys.push(Key::Account(name.clone()));
                keys.push(Key::Freezes(Target::Account(name.clone())));
            }
            keys.push(Key::Balance(name));
        }
        // The same values that the decision will be judged with, so that the meters
        // it needs are the meters that are loaded.
        let sources = profile.sources_of_scopes(self, registered, loaded, context);
        let facts = facts::countable(policy, &sources, &profile.facts);
        let meters = profile.meters(self, &facts, context.now);
        keys.extend(reading::cells(meters.iter().flatten()));
        context.meters.set(Some(meters));
        keys
    }

    /// The order as it was recorded, if it was.
    pub(super) fn registered<'a>(&self, loaded: &Loaded<'a>) -> Option<&'a Order> {
        self.order.as_ref().and_then(|name| loaded.order(name))
    }

    /// Whether all meters that differ from payout to payout are of an order that is
    /// new, so that nothing is in them.
    fn reads_fresh(&self, profile: &Profile, registered: Option<&Order>) -> bool {
        let comes_along = self.order.is_some() && self.inline_order.is_some();
        comes_along && registered.is_none() && profile.template.is_some()
    }

    /// The order that counts: of the registered and the inline one the newer.
    pub(super) fn the_order<'a>(&'a self, registered: Option<&'a Order>) -> Option<&'a Order> {
        match (registered, self.inline_order.as_deref()) {
            (Some(registered), Some(inline)) if !registered.yields_to(inline) => Some(registered),
            (_, Some(inline)) => Some(inline),
            (registered, None) => registered,
        }
    }

    /// Everything that can refuse the call, in this order; after that it is
    /// judged and can no longer be refused.
    pub(super) fn prepare(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Result<Prepared, Refusal> {
        let profile = Profile::of(self, loaded, context)?;
        self.check_amount(&profile.policy)?;
        let registered = self.registered(loaded);
        let newer = self.check_order(registered)?;
        let profile = profile.complete(self, loaded, context);
        let policy = &profile.policy;
        let sources = profile.sources(self, registered, loaded, context);
        check_accounts(policy, &sources.accounts)?;
        let facts = facts::gather(policy, &sources, &profile.facts)?;
        // The same facts give the same meters.
        let mut meters = context.meters.take();
        if meters.is_none() && !self.reads_fresh(&profile, registered) {
            meters = Some(profile.meters(self, &facts, context.now));
        }
        let mut inputs = Inputs {
            now: sources.now,
            stage: self.stage,
            amount: self.amount.map(|(amount, _)| amount),
            facts,
            fact_changes: Vec::new(),
            limits: Vec::new(),
            measures: Vec::new(),
            funds: Vec::new(),
            next_revision: profile.next_revision,
        };
        let counted = match &meters {
            Some(meters) => In::These(meters),
            None => In::Fresh(&profile.meters),
        };
        let verdict = read_and_judge(&profile, &sources, counted, &mut inputs);
        let order = newer.then(|| self.inline_order.as_deref().cloned()).flatten();
        drop(sources);
        Ok(Prepared { profile, inputs, verdict, meters, order })
    }

    fn check_amount(&self, policy: &Policy) -> Result<(), Refusal> {
        let Some((amount, currency)) = self.amount else { return Ok(()) };
        check_amount(amount, currency, policy.currency, "payout.amount")
    }

    /// Whether the inline order is to be recorded.
    fn check_order(&self, registered: Option<&Order>) -> Result<bool, Refusal> {
        let Some(name) = &self.order else { return Ok(false) };
        match (registered, self.inline_order.as_deref()) {
            (None, None) => {
                Err(Refusal::new(Reason::OrderNotFound, format!("There is no order {name}.")).at(
                    "payout.order",
                    "Register it with ShopService.UpsertOrder, or send it as inline_order.",
                ))
            }
            (Some(_), None) => Ok(false),
            (None, Some(_)) => Ok(true),
            (Some(old), Some(new)) => newer_order(old, new, "payout.inline_order"),
        }
    }

    /// Judges a check: the same as an authorization, and nothing is kept.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        Judgement::only(self.prepare(loaded, context).map(|prepared| {
            let wanted = Wanted { passes: self.full, largest: Largest::Always };
            let policy = &prepared.profile.policy;
            let verdict = judge::judge(policy, &prepared.inputs, wanted);
            Reply::Checked(Box::new(Check {
                expire_time: policy.execute_within.map(|within| context.now.plus(within)),
                inputs: prepared.inputs,
                verdict,
                revision: prepared.profile.revision.clone(),
                currency: policy.currency,
                order: self.order.clone(),
                operator: self.operator.clone(),
            }))
        }))
    }
}

/// A policy and the accounts it draws from or looks at have one currency:
/// an amount of one says nothing about a balance in another.
pub(super) fn check_accounts(policy: &Policy, accounts: &[Held<'_>]) -> Result<(), Refusal> {
    let differs = |held: &&Held<'_>| held.account.is_some_and(|a| a.currency != policy.currency);
    let mut wrong = accounts.iter().filter(differs).peekable();
    if wrong.peek().is_none() {
        return Ok(());
    }
    let message = format!("The policy is in {}; its account is not.", policy.currency.code());
    let refusal = Refusal::new(Reason::CurrencyMismatch, message);
    Err(wrong.filter_map(|held| held.account).fold(refusal, |refusal, account| {
        let field = format!("accounts[{}].currency_code", account.name.account);
        refusal.at(field, format!("{} is in {}.", account.name, account.currency.code()))
    }))
}

/// Where limits and then measures count.
#[derive(Clone, Copy)]
enum In<'a> {
    /// In these meters.
    These(&'a [Option<MeterKey>]),
    /// In those that are known; all others are of an order that is new.
    Fresh(&'a [Counted]),
}

/// The meter of a limit or measure.
enum Meter<'a> {
    /// It needs none.
    None,
    /// One that nothing is in.
    Empty,
    /// This one.
    Of(&'a MeterKey),
}

impl<'a> In<'a> {
    fn meter(self, number: usize) -> Meter<'a> {
        let known = match self {
            Self::These(meters) => meters.get(number).and_then(Option::as_ref),
            Self::Fresh(counted) => match counted.get(number) {
                Some(Counted::In(meter)) => meter.as_ref(),
                Some(Counted::OfOrder(..) | Counted::Unknown) => return Meter::Empty,
                None => None,
            },
        };
        known.map_or(Meter::None, Meter::Of)
    }
}

/// Reads meters and accounts, and judges. The future is read only for what
/// fails now: its reasons state when they end.
fn read_and_judge(
    profile: &Profile,
    sources: &Sources<'_>,
    counted: In<'_>,
    inputs: &mut Inputs,
) -> Verdict {
    let (policy, known) = (&profile.policy, &profile.layout.known);
    let wanted = Wanted { passes: false, largest: Largest::Never };
    read(policy, sources, counted, inputs, |_| false);
    let verdict = judge::judge_rest(policy, inputs, wanted, known);
    if verdict.findings.is_empty() {
        return verdict;
    }
    inputs.fact_changes = facts::changes(policy, sources);
    read(policy, sources, counted, inputs, |id| match id {
        Some(rule) => verdict.findings.iter().any(|f| f.rule == *rule),
        None => true,
    });
    let wanted = Wanted { largest: Largest::UnlessAllowed, ..wanted };
    judge::judge_rest(policy, inputs, wanted, known)
}

/// Reads meters and accounts; of which rules also the future, and with no
/// rule, whether that of measures.
fn read(
    policy: &Policy,
    sources: &Sources<'_>,
    counted: In<'_>,
    inputs: &mut Inputs,
    future: impl Fn(Option<&Text>) -> bool,
) {
    let now = sources.now;
    let asked = inputs.amount.unwrap_or_else(|| policy.currency.smallest());
    let mut numbers = 0..;
    let mut cells = sources.loaded.cells();
    let mut read = |counting: &Counting, most: usize, future: bool| {
        let meter = match counted.meter(numbers.next()?) {
            Meter::None => return None,
            Meter::Empty => None,
            Meter::Of(key) => cells.meter(key),
        };
        Some(reading::read(meter, counting, most, policy, now, future.then_some(asked)))
    };
    let limits = policy.limits.iter();
    let limits = limits.map(|l| read(&l.counting, l.max_entries, future(Some(&l.rule.id))));
    inputs.limits = limits.collect();
    let measures = policy.measures.iter();
    inputs.measures = measures.map(|m| read(&m.counting, usize::MAX, future(None))).collect();
    let funds = policy.draws.iter().map(|draw| {
        let held = sources.held(&draw.account);
        held.map_or_else(Funds::default, |held| {
            reading::funds(held, now, future(Some(&draw.rule.id)))
        })
    });
    inputs.funds = funds.collect();
}

/// A programme that has to be there.
pub fn the_programme<'a>(
    loaded: &Loaded<'a>,
    name: &ProgrammeName,
) -> Result<&'a Programme, Refusal> {
    loaded.programme(name).ok_or_else(|| {
        Refusal::new(Reason::ProgrammeNotFound, format!("There is no programme {name}."))
            .at(name.to_string(), "Make it with PolicyService.CreateRevision.")
    })
}

/// That no revision of a programme is in force.
pub fn not_active(programme: &Programme) -> Refusal {
    let message = format!("No revision of {} is in force yet.", programme.name);
    Refusal::new(Reason::ProgrammeNotActive, message)
        .at(programme.name.to_string(), "Activate one with PolicyService.ActivateRevision.")
}

/// Whether an order that was sent is newer than the one recorded.
pub fn newer_order(old: &Order, new: &Order, field: &str) -> Result<bool, Refusal> {
    if old.precedence() != new.precedence() {
        return Ok(old.yields_to(new));
    }
    match old.difference(new) {
        None => Ok(false),
        Some(different) => Err(Refusal::new(
            Reason::FactConflict,
            format!(
                "Order {} was recorded for {} with another {different}.",
                old.name, old.source_time
            ),
        )
        .at(format!("{field}.{different}"), "Send the newer version with a later source_time.")),
    }
}

/// Whether an amount can be paid or moved in this currency.
pub fn check_amount(
    amount: Amount,
    currency: Currency,
    expected: Currency,
    field: &str,
) -> Result<(), Refusal> {
    if currency != expected {
        let message =
            format!("The amount is in {}; this is in {}.", currency.code(), expected.code());
        return Err(Refusal::new(Reason::CurrencyMismatch, message)
            .at(format!("{field}.currency_code"), format!("Must be {}.", expected.code())));
    }
    let problem = if !amount.is_positive() {
        "Must be more than 0.".to_owned()
    } else if amount.decimals() > expected.decimals() {
        format!(
            "{} has {} decimals; amounts are never rounded.",
            expected.code(),
            expected.decimals()
        )
    } else {
        return Ok(());
    };
    Err(Refusal::new(Reason::AmountInvalid, "The amount cannot be paid.").at(field, problem))
}

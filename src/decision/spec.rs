//! What is asked about a payout, and everything that can refuse the asking, in
//! the order of docs/REFUSALS.md. What passes is judged and can no longer be
//! refused.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    context::Context,
    facts::{self, Held, Sources},
    judge::{self, Largest, Wanted},
    loaded::Loaded,
    looked_at,
    out::Judgement,
    profile::Profile,
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
    name::{OperatorName, OrderName, ProgrammeName, RevisionName, ShopName},
    order::Order,
    policy::Policy,
    refusal::{Reason, Refusal},
    row::Programme,
    template::Template,
    text::Text,
    value::Value,
};

/// What a payout is about, and what is asked of it.
#[derive(Clone, Debug)]
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
    pub facts: Arc<BTreeMap<Text, Value>>,
    /// The stage asked about.
    pub stage: Stage,
    /// Also list what passed, and work out the largest amount.
    pub full: bool,
}

/// Everything that was found out before judging.
pub(super) struct Prepared {
    pub policy: Arc<Policy>,
    pub revision: RevisionName,
    pub inputs: Inputs,
    /// What was judged of them without what passes.
    pub verdict: Verdict,
    /// Meters of the limits and then the measures, by position. `None`: needs none.
    pub meters: Vec<Option<MeterKey>>,
    /// The order to record, if one was sent along and is newer.
    pub order: Option<Order>,
    /// Nobody recorded it before.
    pub order_is_new: bool,
    /// What records of such payouts have in common.
    pub template: Option<Arc<Template>>,
}

impl Spec {
    /// The rows it needs first: what is configured only if no profile is at hand.
    pub fn first(&self, context: &Context<'_>) -> Vec<Key> {
        let mut keys = Vec::with_capacity(9);
        if Profile::at_hand(self, context).is_some() {
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

    /// The rows it needs further: accounts, and the meters of its limits.
    pub fn second(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Vec<Key> {
        let Ok(profile) = Profile::of(self, loaded, context) else { return Vec::new() };
        let policy = &profile.policy;
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
        let sources = profile.sources_of_scopes(self, loaded, context);
        let facts = facts::countable(policy, &sources, &profile.facts);
        let meters = profile.meters(self, &facts, context.now);
        let is_new = |order| loaded.order(order).is_none();
        context.order_is_new.set(self.order.as_ref().is_some_and(is_new));
        keys.extend(reading::cells(meters.iter().flatten()));
        context.meters.set(Some(meters));
        keys
    }

    /// The order that counts: of the registered and the inline one the newer.
    pub(super) fn the_order<'a>(&'a self, loaded: &Loaded<'a>) -> Option<&'a Order> {
        let registered = self.order.as_ref().and_then(|name| loaded.order(name));
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
        let policy = profile.policy.clone();
        self.check_amount(&policy)?;
        let newer = self.check_order(loaded)?;
        let profile = profile.complete(self, loaded, context);
        let sources = profile.sources(self, loaded, context);
        check_accounts(&policy, &sources.accounts)?;
        let facts = facts::gather(&policy, &sources, &profile.facts)?;
        // The same facts give the same meters.
        let known = context.meters.take();
        let meters = known.unwrap_or_else(|| profile.meters(self, &facts, context.now));
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
        let verdict = read_and_judge(&profile, &sources, &meters, &mut inputs);
        let order = newer.then(|| self.inline_order.as_deref().cloned()).flatten();
        let revision = profile.revision.clone();
        let order_is_new = self.order.as_ref().is_some_and(|name| loaded.order(name).is_none());
        let template = profile.template.clone();
        Ok(Prepared { policy, revision, inputs, verdict, meters, order, order_is_new, template })
    }

    fn check_amount(&self, policy: &Policy) -> Result<(), Refusal> {
        let Some((amount, currency)) = self.amount else { return Ok(()) };
        check_amount(amount, currency, policy.currency, "payout.amount")
    }

    /// Whether the inline order is to be recorded.
    fn check_order(&self, loaded: &Loaded<'_>) -> Result<bool, Refusal> {
        let Some(name) = &self.order else { return Ok(false) };
        let registered = loaded.order(name);
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
            let verdict = judge::judge(&prepared.policy, &prepared.inputs, wanted);
            Reply::Checked(Box::new(Check {
                expire_time: prepared.policy.execute_within.map(|within| context.now.plus(within)),
                inputs: prepared.inputs,
                verdict,
                revision: prepared.revision,
                currency: prepared.policy.currency,
                order: self.order.clone(),
                operator: self.operator.clone(),
            }))
        }))
    }
}

/// A policy and the accounts it draws from or looks at have one currency:
/// an amount of one says nothing about a balance in another.
fn check_accounts(policy: &Policy, accounts: &[Held<'_>]) -> Result<(), Refusal> {
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

/// Reads meters and accounts, and judges. The future is read only for what
/// fails now: its reasons state when they end.
fn read_and_judge(
    profile: &Profile,
    sources: &Sources<'_>,
    meters: &[Option<MeterKey>],
    inputs: &mut Inputs,
) -> Verdict {
    let Profile { policy, known_to_hold, .. } = profile;
    let wanted = Wanted { passes: false, largest: Largest::Never };
    read(policy, sources, meters, inputs, |_| false);
    let verdict = judge::judge_rest(policy, inputs, wanted, known_to_hold);
    if verdict.findings.is_empty() {
        return verdict;
    }
    inputs.fact_changes = facts::changes(policy, sources);
    read(policy, sources, meters, inputs, |id| match id {
        Some(rule) => verdict.findings.iter().any(|f| f.rule == *rule),
        None => true,
    });
    let wanted = Wanted { largest: Largest::UnlessAllowed, ..wanted };
    judge::judge_rest(policy, inputs, wanted, known_to_hold)
}

/// Reads meters and accounts; of which rules also the future, and with no
/// rule, whether that of measures.
fn read(
    policy: &Policy,
    sources: &Sources<'_>,
    meters: &[Option<MeterKey>],
    inputs: &mut Inputs,
    future: impl Fn(Option<&Text>) -> bool,
) {
    let now = sources.now;
    let asked = inputs.amount.unwrap_or_else(|| policy.currency.smallest());
    let mut meters = meters.iter();
    let mut cells = sources.loaded.cells();
    let mut read = |counting: &Counting, most: usize, future: bool| {
        let meter = cells.meter(meters.next()?.as_ref()?);
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

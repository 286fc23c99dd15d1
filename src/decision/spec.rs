//! What is asked about a payout, and everything that can refuse the asking, in
//! the order of docs/REFUSALS.md. What passes is judged and can no longer be
//! refused.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    context::Context,
    facts::{self, Sources},
    judge::{self, Wanted},
    loaded::Loaded,
    out::Judgement,
    reading,
    reply::{Check, Reply},
};
use crate::domain::{
    amount::{Amount, Currency},
    decision::{Inputs, Reading},
    freeze::Target,
    instant::Instant,
    key::Key,
    limit::{Counting, Stage},
    meter::MeterKey,
    name::{Id, OperatorName, OrderName, ProgrammeName, RevisionName, ShopName},
    operator::Operator,
    order::Order,
    policy::Policy,
    refusal::{Reason, Refusal},
    row::Programme,
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
    pub payee: Arc<str>,
    /// What it is for.
    pub purpose: Arc<str>,
    /// Facts sent along.
    pub facts: BTreeMap<Arc<str>, Value>,
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
    /// The order to record, if one was sent along and is newer.
    pub order: Option<Order>,
}

impl Spec {
    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        let mut keys = vec![
            Key::Platform(self.shop.platform()),
            Key::Shop(self.shop.clone()),
            Key::Programme(self.programme.clone()),
            Key::Freezes(Target::Shop(self.shop.clone())),
        ];
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
        let Some((_, policy)) = self.governing(loaded, context) else { return Vec::new() };
        let mut keys = Vec::new();
        for account in accounts(&policy) {
            let name = self.shop.account(account);
            keys.push(Key::Account(name.clone()));
            keys.push(Key::Balance(name.clone()));
            keys.push(Key::Freezes(Target::Account(name)));
        }
        let facts = self.scope_facts(&policy, loaded, context);
        keys.extend(self.meters(&policy, &facts, context.now).into_iter().map(Key::Meter));
        keys
    }

    fn governing(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Option<(RevisionName, Arc<Policy>)> {
        let revision = loaded.programme(&self.programme)?.active(context.now)?;
        let policy = context.policy(&revision);
        Some((revision, policy))
    }

    /// The values that scopes are made of: the same that the decision will be
    /// judged with, so that the meters it needs are the meters that are loaded.
    fn scope_facts(
        &self,
        policy: &Policy,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Vec<Option<Value>> {
        let operator = self.operator.as_ref().and_then(|name| loaded.operator(name));
        facts::countable(policy, &self.sources(policy, loaded, context, operator))
    }

    /// Where its facts are looked up.
    pub fn sources<'a>(
        &'a self,
        policy: &Policy,
        loaded: &Loaded<'a>,
        context: &Context<'_>,
        operator: Option<&'a Operator>,
    ) -> Sources<'a> {
        let grant = operator.map(|o| o.name.grant(&self.programme.programme));
        Sources {
            spec: self,
            loaded: *loaded,
            order: self.the_order(loaded),
            operator,
            grant: grant.and_then(|name| loaded.grant(&name)),
            roles: context.roles,
            currency: policy.currency,
            now: context.now,
        }
    }

    /// The order that counts: of the registered and the inline one the newer.
    fn the_order<'a>(&'a self, loaded: &Loaded<'a>) -> Option<&'a Order> {
        let registered = self.order.as_ref().and_then(|name| loaded.order(name));
        match (registered, self.inline_order.as_deref()) {
            (Some(registered), Some(inline)) if !registered.yields_to(inline) => Some(registered),
            (_, Some(inline)) => Some(inline),
            (registered, None) => registered,
        }
    }

    fn meters(&self, policy: &Policy, facts: &[Option<Value>], now: Instant) -> Vec<MeterKey> {
        let shop = self.shop.shop.as_str();
        let key = |id: &Arc<str>, counting: &Counting| {
            reading::meter_key(&self.programme, id, counting, policy, facts, shop, now)
        };
        let limits = policy.limits.iter().filter_map(|l| key(&l.rule.id, &l.counting));
        let measures = policy.measures.iter().filter_map(|m| key(&m.id, &m.counting));
        limits.chain(measures).collect()
    }

    /// Everything that can refuse the call, in this order; after that it is
    /// judged and can no longer be refused.
    pub(super) fn prepare(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Result<Prepared, Refusal> {
        loaded.the_shop(&self.shop)?;
        let operator = self.operator.as_ref().map(|name| loaded.the_operator(name)).transpose()?;
        let programme = the_programme(loaded, &self.programme)?;
        let (revision, policy) =
            self.governing(loaded, context).ok_or_else(|| not_active(programme))?;
        self.check_amount(&policy)?;
        let newer = self.check_order(loaded)?;
        self.check_accounts(&policy, loaded)?;
        let sources = self.sources(&policy, loaded, context, operator);
        let facts = facts::gather(&policy, &sources)?;
        let next_revision = programme.next_activation(context.now);
        let inputs = Inputs { next_revision, ..self.inputs(&policy, facts, &sources) };
        let order = newer.then(|| self.inline_order.as_deref().cloned()).flatten();
        Ok(Prepared { policy, revision, inputs, order })
    }

    fn check_amount(&self, policy: &Policy) -> Result<(), Refusal> {
        let Some((amount, currency)) = self.amount else { return Ok(()) };
        check_amount(amount, currency, policy.currency, "payout.amount")
    }

    /// A policy and the accounts it draws from or looks at have one currency:
    /// an amount of one says nothing about a balance in another.
    fn check_accounts(&self, policy: &Policy, loaded: &Loaded<'_>) -> Result<(), Refusal> {
        let message = format!("The policy is in {}; its account is not.", policy.currency.code());
        let mut refusal = Refusal::new(Reason::CurrencyMismatch, message);
        for id in accounts(policy) {
            let field = format!("accounts[{id}].currency_code");
            let Some(account) = loaded.account(&self.shop.account(id)) else { continue };
            if account.currency != policy.currency {
                let what = format!("{} is in {}.", account.name, account.currency.code());
                refusal = refusal.at(field, what);
            }
        }
        if refusal.details.is_empty() { Ok(()) } else { Err(refusal) }
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

    /// What is judged. The future is read only for what fails now: its reasons
    /// state when they end.
    fn inputs(&self, policy: &Policy, facts: Vec<Option<Value>>, sources: &Sources<'_>) -> Inputs {
        let mut inputs = Inputs {
            now: sources.now,
            stage: self.stage,
            amount: self.amount.map(|(amount, _)| amount),
            facts,
            fact_changes: Vec::new(),
            limits: Vec::new(),
            measures: Vec::new(),
            funds: Vec::new(),
            next_revision: None,
        };
        self.read(policy, sources, &mut inputs, |_| false);
        let verdict = judge::judge(policy, &inputs, Wanted { passes: false, largest: false });
        if !verdict.findings.is_empty() {
            inputs.fact_changes = facts::changes(policy, sources);
            self.read(policy, sources, &mut inputs, |id| match id {
                Some(rule) => verdict.findings.iter().any(|f| f.rule == *rule),
                None => true,
            });
        }
        inputs
    }

    /// Reads meters and accounts; of which rules also the future, and with no
    /// rule, whether that of measures.
    fn read(
        &self,
        policy: &Policy,
        sources: &Sources<'_>,
        inputs: &mut Inputs,
        future: impl Fn(Option<&Arc<str>>) -> bool,
    ) {
        let (now, loaded) = (sources.now, &sources.loaded);
        let shop = self.shop.shop.as_str();
        let asked = inputs.amount.unwrap_or_else(|| policy.currency.smallest());
        let facts = &inputs.facts;
        let read = |id: &Arc<str>, counting: &Counting, most: usize, future: bool| {
            let key = reading::meter_key(&self.programme, id, counting, policy, facts, shop, now)?;
            let relief = future.then_some(asked);
            Some(reading::read(loaded.meter(&key), counting, most, policy, now, relief))
        };
        let measures = policy.measures.iter();
        let measures = measures.map(|m| read(&m.id, &m.counting, usize::MAX, future(None)));
        let measures: Vec<Option<Reading>> = measures.collect();
        let limits = policy.limits.iter().map(|l| {
            let id = &l.rule.id;
            read(id, &l.counting, l.max_entries, future(Some(id)))
        });
        let limits: Vec<Option<Reading>> = limits.collect();
        let funds = policy.draws.iter().map(|draw| {
            let account = self.shop.account(draw.account.clone());
            reading::funds(loaded, &account, now, future(Some(&draw.rule.id)))
        });
        let funds = funds.collect();
        (inputs.measures, inputs.limits, inputs.funds) = (measures, limits, funds);
    }

    /// Judges a check: the same as an authorization, and nothing is kept.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        Judgement::only(self.prepare(loaded, context).map(|prepared| {
            let wanted = Wanted { passes: self.full, largest: true };
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

/// Accounts a policy draws from or looks at.
pub fn accounts(policy: &Policy) -> Vec<Id> {
    let mut ids: Vec<Id> = policy.draws.iter().map(|d| d.account.clone()).collect();
    ids.extend(policy.facts.iter().filter_map(|fact| fact.origin.account().cloned()));
    ids.sort_unstable();
    ids.dedup();
    ids
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

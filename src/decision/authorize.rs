//! Authorizing and checking payouts. Reads from top to bottom like
//! docs/REFUSALS.md: what can refuse a call, in order, then the judgement.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    command::{Check, Context, Reply},
    evaluate::Situation,
    facts::{self, Sources},
    judge::{self, Wanted},
    life,
    loaded::Loaded,
    out::{Judgement, Out},
    reading,
    replay::{self, Seen},
};
use crate::domain::{
    amount::{Amount, Currency},
    change::Change,
    decision::{Answer, DECISION_VERSION, Decision, Inputs, Reading, Verdict},
    event::EventKind,
    freeze::Target,
    instant::Instant,
    key::Key,
    limit::{Counting, Counts, Quantity, Stage},
    meter::MeterKey,
    name::{Id, OperatorName, OrderName, ProgrammeName, RevisionName, ShopName},
    order::Order,
    payout::{CountsWhile, Drawn, Holding, Payout, State},
    policy::Policy,
    refusal::{Reason, Refusal},
    request::{Answered, RequestIdentity},
    row::{Programme, Row},
    value::Value,
    window::Window,
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

/// A payout to decide and hold.
#[derive(Clone, Debug)]
pub struct Authorize {
    /// What it is about.
    pub spec: Spec,
    /// Which request.
    pub identity: RequestIdentity,
}

/// Everything that was found out before judging.
struct Prepared {
    policy: Arc<Policy>,
    revision: RevisionName,
    inputs: Inputs,
    /// The order to record, if one was sent along and is newer.
    order: Option<Order>,
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

    /// The values that scopes are made of, before anything is checked: enough
    /// to know which meters to load. Judging uses the same values or refuses.
    fn scope_facts(
        &self,
        policy: &Policy,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Vec<Option<Value>> {
        facts::countable(policy, &self.sources(policy, loaded, context))
    }

    /// Where its facts are looked up.
    fn sources<'a>(
        &'a self,
        policy: &Policy,
        loaded: &Loaded<'a>,
        context: &Context<'_>,
    ) -> Sources<'a> {
        let operator = self.operator.as_ref().and_then(|name| loaded.operator(name));
        let grant = operator.map(|o| o.name.grant(&self.programme.programme));
        Sources {
            spec: self,
            loaded: *loaded,
            order: self.the_order(loaded),
            operator,
            grant: grant.as_ref().and_then(|name| loaded.grant(name)),
            roles: context.roles,
            currency: policy.currency,
            now: context.now,
        }
    }

    /// The order that counts: of the registered and the inline one the newer.
    fn the_order<'a>(&'a self, loaded: &Loaded<'a>) -> Option<&'a Order> {
        let registered = self.order.as_ref().and_then(|name| loaded.order(name));
        match (registered, self.inline_order.as_deref()) {
            (Some(registered), Some(inline)) if inline.source_time <= registered.source_time => {
                Some(registered)
            }
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
    fn prepare(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Result<Prepared, Refusal> {
        loaded.the_shop(&self.shop)?;
        self.operator.as_ref().map(|name| loaded.the_operator(name)).transpose()?;
        let programme = the_programme(loaded, &self.programme)?;
        let (revision, policy) =
            self.governing(loaded, context).ok_or_else(|| not_active(programme))?;
        self.check_amount(&policy)?;
        let newer = self.check_order(loaded)?;
        let sources = self.sources(&policy, loaded, context);
        let facts = facts::gather(&policy, &sources)?;
        let inputs = self.inputs(&policy, facts, &sources);
        let order = newer.then(|| self.inline_order.as_deref().cloned()).flatten();
        Ok(Prepared { policy, revision, inputs, order })
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
            reading::funds(loaded, &account, policy, now, future(Some(&draw.rule.id)))
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

impl Authorize {
    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        let mut keys = self.spec.first();
        keys.push(Key::Request(self.identity.key.clone()));
        keys
    }

    /// The rows it needs further; of a repeat also what it was answered with.
    pub fn second(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Vec<Key> {
        let mut keys = self.spec.second(loaded, context);
        if let Some(request) = loaded.request(&self.identity.key)
            && let Answered::Decision(id) = &request.answered
        {
            keys.push(Key::Decision(self.spec.shop.decision(id.clone())));
            keys.push(Key::Payout(self.spec.shop.payout(id.clone())));
        }
        keys
    }

    /// Judges it: a repeat is answered from the record, a new one is decided,
    /// and held unless denied.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        let seen = loaded
            .the_shop(&self.spec.shop)
            .and_then(|_| replay::seen(loaded, &self.identity, context.now));
        match seen {
            Err(refusal) => return Judgement::only(Err(refusal)),
            Ok(Seen::Before(answered)) => return Judgement::only(self.again(loaded, &answered)),
            Ok(Seen::New) => {}
        }
        match self.spec.prepare(loaded, context) {
            Err(refusal) => Judgement::only(Err(refusal)),
            // From here on it can no longer be refused.
            Ok(prepared) => self.decide(prepared, context),
        }
    }

    fn again(&self, loaded: &Loaded<'_>, answered: &Answered) -> Result<Reply, Refusal> {
        let Answered::Decision(id) = answered else {
            return Err(Refusal::new(
                Reason::Internal,
                "The request id belongs to another operation.",
            ));
        };
        let shop = &self.spec.shop;
        match loaded.row(&Key::Decision(shop.decision(id.clone()))).map(AsRef::as_ref) {
            Some(Row::Decision(decision)) => Ok(Reply::Decided {
                decision: decision.clone(),
                payout: loaded.payout(&shop.payout(id.clone())).map(|p| Box::new(p.clone())),
                replayed: true,
            }),
            _ => Err(Refusal::new(
                Reason::Internal,
                "The decision of a remembered request is missing.",
            )),
        }
    }

    fn decide(&self, prepared: Prepared, context: &Context<'_>) -> Judgement {
        let Prepared { policy, revision, inputs, order } = prepared;
        let spec = &self.spec;
        let verdict = judge::judge(&policy, &inputs, Wanted { passes: false, largest: false });
        let held = verdict.answer != Answer::Deny;
        let expire_time = policy.execute_within.filter(|_| held).map(|w| context.now.plus(w));
        let id = context.fresh.clone();
        let decision = Decision {
            name: spec.shop.decision(id.clone()),
            revision: revision.clone(),
            request_id: self.identity.key.id.clone(),
            author: context.author.clone(),
            order: spec.order.clone(),
            operator: spec.operator.clone(),
            sent_facts: spec.facts.clone(),
            payout: held.then(|| id.clone()),
            expire_time,
            decision_version: DECISION_VERSION,
            inputs,
            verdict,
        };
        let mut out = Out::default();
        let shop = Some(spec.shop.clone());
        if let Some(order) = order {
            out.tell(
                context.now,
                shop.clone(),
                EventKind::Configured(order.name.to_string().into()),
            );
            out.changes.push(Change::Put(Row::Order(Order { update_time: context.now, ..order })));
        }
        let forget = (!held).then(|| context.now.plus(context.remember));
        let request =
            replay::remember(&self.identity, Answered::Decision(id.clone()), context.now, forget);
        out.changes.push(Change::Put(Row::Request(request)));
        out.tell(context.now, shop, EventKind::Decided(decision.name.clone()));
        let payout = held.then(|| Box::new(self.hold(&decision, &policy, context, &mut out)));
        out.changes.push(Change::Put(Row::Decision(Box::new(decision.clone()))));
        out.answer(Ok(Reply::Decided { decision: Box::new(decision), payout, replayed: false }))
    }

    /// Makes the payout and holds its amount everywhere.
    fn hold(
        &self,
        decision: &Decision,
        policy: &Policy,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Payout {
        let spec = &self.spec;
        let inputs = &decision.inputs;
        let amount = inputs.amount.expect("an authorization states its amount");
        let mut payout = Payout {
            name: spec.shop.payout(decision.name.decision.clone()),
            revision: decision.revision.clone(),
            request_id: self.identity.key.id.clone(),
            order: spec.order.clone(),
            operator: spec.operator.clone(),
            payee: spec.payee.clone(),
            purpose: spec.purpose.clone(),
            currency: policy.currency,
            amount,
            net_amount: amount,
            settled: None,
            returned: None,
            facts: spec.facts.clone(),
            dimensions: facts::dimensions(policy, &inputs.facts),
            create_time: context.now,
            update_time: context.now,
            state_time: context.now,
            expire_time: decision.expire_time,
            state: match decision.verdict.answer {
                Answer::Review => State::PendingApproval,
                _ => State::Authorized,
            },
            execution_id: None,
            execute_time: None,
            settle_time: None,
            reason: "".into(),
            flags: Vec::new(),
            settlements: Vec::new(),
            returns: Vec::new(),
            holdings: holdings(spec, policy, inputs),
            draws: draws(spec, policy, inputs),
            caller: context.author.caller.clone(),
            fired: Vec::new(),
        };
        if let Some(order) = &spec.order {
            let row = Row::PayoutOfOrder(order.clone(), payout.name.payout.clone());
            out.changes.push(Change::Put(row));
        }
        life::place(&mut payout, context.now, out);
        life::announce(&payout, None, context.now, policy, out);
        out.changes.push(Change::Put(Row::Payout(Box::new(payout.clone()))));
        payout
    }
}

/// A payout's parts of meters, by what applies to it now. Fixed for its life.
fn holdings(spec: &Spec, policy: &Policy, inputs: &Inputs) -> Vec<Holding> {
    let situation = Situation::new(policy, inputs);
    let shop = spec.shop.shop.as_str();
    let part = |id: &Arc<str>, counting: &Counting| {
        let key = reading::meter_key(
            &spec.programme,
            id,
            counting,
            policy,
            &inputs.facts,
            shop,
            inputs.now,
        )?;
        Some(Holding {
            key,
            shape: counting.shape(),
            rolling: if let Window::Rolling(length) = counting.window {
                Some(length)
            } else {
                None
            },
            adds_amount: counting.quantity == Quantity::Amount,
            counts: match &counting.counts {
                Counts::Live => CountsWhile::Live,
                Counts::Attempts => CountsWhile::Always,
                Counts::InStates(states) => CountsWhile::InStates(states.clone()),
            },
            on_return: counting.on_return,
            now: None,
        })
    };
    let limits = policy.limits.iter().filter(|l| situation.holds(&l.rule.when));
    let measures = policy.measures.iter().filter(|m| situation.holds(&m.when));
    limits
        .filter_map(|l| part(&l.rule.id, &l.counting))
        .chain(measures.filter_map(|m| part(&m.id, &m.counting)))
        .collect()
}

fn draws(spec: &Spec, policy: &Policy, inputs: &Inputs) -> Vec<Drawn> {
    let amount = inputs.amount.unwrap_or_default();
    let account = |draw: &crate::domain::limit::Draw| spec.shop.account(draw.account.clone());
    policy.draws.iter().map(|draw| Drawn { account: account(draw), amount, now: None }).collect()
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
    if new.source_time != old.source_time {
        return Ok(new.source_time > old.source_time);
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

/// Recomputes a recorded decision from its inputs.
pub fn recompute(decision: &Decision, policy: &Policy) -> Verdict {
    judge::judge(policy, &decision.inputs, Wanted { passes: false, largest: false })
}

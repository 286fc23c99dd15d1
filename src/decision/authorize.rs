//! Authorizing payouts: a repeat is answered from the record; a new one is
//! decided and, unless denied, held everywhere in the same step.

use std::sync::Arc;

use super::{
    context::{Context, Meters},
    due,
    evaluate::Situation,
    facts::{self},
    judge::{self, Largest, Wanted},
    life,
    loaded::Loaded,
    out::{Judgement, Out, Outcome},
    profile::Profile,
    replay::{self, Seen},
    reply::Reply,
    spec::{Prepared, Spec},
    view::View,
};
use crate::domain::{
    change::Change,
    condition::Predicate,
    decision::{Answer, DECISION_VERSION, Decision, Inputs, Verdict},
    event::EventKind,
    instant::Instant,
    key::Key,
    limit::Counting,
    meter::MeterKey,
    order::Order,
    payout::{Drawn, Holding, Payout, State},
    placing::place,
    policy::Policy,
    refusal::{Reason, Refusal},
    request::{Answered, RequestIdentity},
    row::Row,
    template::{Part, PartOf},
};

/// A payout to decide and hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Authorize {
    /// What it is about.
    pub spec: Spec,
    /// Which request.
    pub identity: RequestIdentity,
}

impl Authorize {
    /// The rows it needs first.
    pub fn first(&self, context: &Context<'_>) -> Vec<Key> {
        let mut keys = self.spec.first(context);
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
        match self.is_new(loaded, context) {
            Ok(()) => self.judge_new(loaded, context),
            Err(judgement) => *judgement,
        }
    }

    /// The same; told in short where that can be done.
    pub fn outcome<'a>(
        self: &'a Arc<Self>,
        loaded: &Loaded<'_>,
        context: &'a Context<'_>,
    ) -> Outcome<'a> {
        if let Err(judgement) = self.is_new(loaded, context) {
            return Outcome::Judged(*judgement);
        }
        if let Some((allowed, reply)) = self.allow(loaded, context) {
            return Outcome::Allowed(Box::new(allowed), reply);
        }
        Outcome::Judged(self.judge_new(loaded, context))
    }

    /// That it is no repeat, or how it is answered; behind it, a refusal is of what
    /// is asked.
    fn is_new(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Result<(), Box<Judgement>> {
        let there = match Profile::is_at_hand(&self.spec, context) {
            true => Ok(()),
            false => loaded.the_shop(&self.spec.shop).map(drop),
        };
        let answer = |answer| Box::new(Judgement::only(answer));
        match there.and_then(|()| replay::seen(loaded, &self.identity, context.now)) {
            Err(refusal) => Err(answer(Err(refusal))),
            Ok(Seen::Before(answered)) => Err(answer(self.again(loaded, &answered, context.now))),
            Ok(Seen::New) => Ok(()),
        }
    }

    fn judge_new(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        match self.spec.prepare(loaded, context) {
            // It can no longer be refused.
            Ok(prepared) => self.decide(prepared, context),
            Err(refusal) => Judgement::only(Err(refusal)),
        }
    }

    fn again(
        &self,
        loaded: &Loaded<'_>,
        answered: &Answered,
        now: Instant,
    ) -> Result<Reply, Refusal> {
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
                state: loaded.payout(&shop.payout(id.clone())).map(|it| it.state_at(now)),
                replayed: true,
            }),
            _ => Err(Refusal::new(
                Reason::Internal,
                "The decision of a remembered request is missing.",
            )),
        }
    }

    fn decide(&self, prepared: Prepared, context: &Context<'_>) -> Judgement {
        let Prepared { profile, inputs, verdict, meters, order, .. } = prepared;
        let spec = &self.spec;
        let Profile { policy, revision, .. } = &*profile;
        let wanted = Wanted { passes: false, largest: Largest::UnlessAllowed };
        let held = verdict.answer != Answer::Deny;
        let meters = if held {
            meters.unwrap_or_else(|| profile.meters(spec, &inputs.facts, context.now))
        } else {
            Meters::new()
        };
        let inputs = judge::needed(policy, inputs, &verdict, wanted);
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
        // Order, request, order's payout, meters, balances, payout, decision.
        let mut out = Out::with_room(5 + meters.len() + policy.draws.len(), 3);
        let shop = Some(spec.shop.clone());
        if let Some(order) = order {
            out.tell(context.now, shop.clone(), EventKind::Configured(order.name.text().into()));
            out.changes.push(Change::put(Row::Order(Order { update_time: context.now, ..order })));
        }
        let forget = (!held).then(|| context.now.plus(context.remember));
        let request =
            replay::remember(&self.identity, Answered::Decision(id.clone()), context.now, forget);
        out.changes.push(Change::put(Row::Request(request)));
        out.tell(context.now, shop, EventKind::Decided(decision.name.clone()));
        let state = held.then(|| self.hold(&decision, policy, meters, context, &mut out));
        let decision = Arc::new(decision);
        out.changes.push(Change::put(Row::Decision(decision.clone())));
        out.answer(Ok(Reply::Decided { decision, state, replayed: false }))
    }

    /// Makes the payout and holds its amount everywhere. Its state.
    fn hold(
        &self,
        decision: &Decision,
        policy: &Policy,
        meters: Vec<Option<MeterKey>>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> State {
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
            holdings: holdings(policy, inputs, meters),
            draws: draws(spec, policy, inputs),
            caller: context.author.caller.clone(),
            fired: Vec::new(),
            due: None,
        };
        payout.due = due::next(&payout, policy);
        if let Some(order) = &spec.order {
            let row = Row::PayoutOfOrder(order.clone(), payout.name.payout.clone());
            out.changes.push(Change::put(row));
        }
        place(&mut payout, context.now, &mut out.changes);
        life::announce(&payout, None, context.now, policy, out);
        let state = payout.state_at(context.now);
        out.changes.push(Change::put(Row::Payout(Arc::new(payout))));
        state
    }
}

/// A payout's parts of meters, by what applies to it now. Fixed for its life.
fn holdings(policy: &Policy, inputs: &Inputs, meters: Vec<Option<MeterKey>>) -> Vec<Holding> {
    let situation = Situation::new(policy, inputs);
    let limits = policy.limits.iter().map(|l| (&l.counting, &l.rule.when));
    let counted = limits.chain(policy.measures.iter().map(|m| (&m.counting, &m.when)));
    let part = |((counting, when), key): ((&Counting, &Predicate), Option<MeterKey>)| {
        let key = key.filter(|_| situation.holds(when))?;
        // Which meter it is of says the key.
        Some(Part::new(PartOf::Meter(0), counting).holding(key))
    };
    let mut holdings = Vec::with_capacity(meters.len());
    holdings.extend(counted.zip(meters).filter_map(part));
    holdings
}

fn draws(spec: &Spec, policy: &Policy, inputs: &Inputs) -> Vec<Drawn> {
    let amount = inputs.amount.unwrap_or_default();
    let account = |draw: &crate::domain::limit::Draw| spec.shop.account(draw.account.clone());
    policy.draws.iter().map(|draw| Drawn { account: account(draw), amount, now: None }).collect()
}

/// Recomputes a recorded decision from its inputs.
pub fn recompute(decision: &Decision, policy: &Policy) -> Verdict {
    judge::judge(
        policy,
        &decision.inputs,
        Wanted { passes: false, largest: Largest::UnlessAllowed },
    )
}

//! Authorizations that every rule allows, about an order that came along and is
//! new: nearly all there are. What such a record says beyond its template is told
//! in short, so that payout, decision and rows need not be made for it. Whatever
//! does not fit is told at length; both say the same.

use std::sync::Arc;

use super::{
    authorize::Authorize,
    context::Context,
    evaluate::Situation,
    looked_at,
    profile::{Counted, Profile, countings},
    reading::Scopes,
    reply::Reply,
    spec::{Prepared, Spec},
};
use crate::domain::{
    allowed::Allowed,
    amount::Amount,
    decision::{Answer, Inputs, Reading},
    instant::Instant,
    limit::{Counting, Stage},
    order::Order,
    payout::State,
    policy::Policy,
    scope::is_id_of_shop,
    template::{Common, Over, Part, PartOf, Read, Template, Written},
    text::Text,
};

impl Profile {
    /// What records of its payouts have in common, if that can be told beforehand.
    pub(super) fn template(&self, spec: &Spec, now: Instant) -> Option<Template> {
        let policy = &*self.policy;
        let looks = looked_at::looks(policy);
        let authorized = State::Authorized;
        let tells_more = policy.timers.iter().any(|timer| timer.state == authorized)
            || policy.alerts.iter().any(|alert| alert.on_states.contains(&authorized));
        if tells_more || self.whose().is_none() {
            return None;
        }
        let sources = looks.sources.clone()?;
        let inputs = self.inputs_of_constants(spec, now);
        let situation = Situation::new(policy, &inputs);
        let whens = policy.limits.iter().map(|limit| &limit.rule.when);
        let whens = whens.chain(policy.measures.iter().map(|measure| &measure.when));
        let shop = spec.shop.shop.as_str();
        let scopes = Scopes::new(&spec.programme, policy, &self.facts, shop, now);
        let (mut reads, mut parts, mut meters) = (Vec::new(), Vec::new(), Vec::new());
        for (((id, counting), known), when) in countings(policy).zip(&self.meters).zip(whens) {
            if !looks.stands(when) {
                return None;
            }
            let window = policy.bounds(&counting.window, now);
            let (read, part) = match known {
                Counted::In(None) => (Read::Nothing, None),
                Counted::In(Some(_)) => (Read::Numbers(window), Some(PartOf::Meter(meters.len()))),
                Counted::OfOrder(order, _) => {
                    (Read::Empty(window), Some(of_order(policy, id, counting, *order, window)))
                }
                Counted::Unknown => {
                    let order = scopes.order(counting)?;
                    (Read::Empty(window), Some(of_order(policy, id, counting, order, window)))
                }
            };
            reads.push(read);
            if let Some(of) = part.filter(|_| situation.holds(when)) {
                if let (PartOf::Meter(_), Counted::In(Some(key))) = (&of, known) {
                    meters.push(key.clone());
                }
                parts.push(Part::new(of, counting));
            }
        }
        let measures = reads.split_off(policy.limits.len().min(reads.len()));
        let dimensions = policy.facts.iter().enumerate().filter(|(_, fact)| fact.dimension);
        let common = Common {
            currency: policy.currency,
            hold: policy.execute_within,
            next_revision: self.next_revision,
            sources,
            dimensions: dimensions.map(|(index, fact)| (fact.name.clone(), index)).collect(),
            limits: reads,
            measures,
            parts,
            draws: policy.draws.iter().map(|draw| draw.account.clone()).collect(),
            written: Written::default(),
        };
        Some(Template {
            shop: spec.shop.clone(),
            operator: spec.operator.clone(),
            revision: self.revision.clone(),
            facts: self.facts.clone(),
            meters,
            common: policy.common(common),
            written: Written::default(),
        })
    }
}

/// The meter of an order whose id is this fact. Which order, and of which shop, is not
/// said: it is the same for all.
fn of_order(
    policy: &Policy,
    rule: &Text,
    counting: &Counting,
    order: usize,
    window: Option<(Instant, Instant)>,
) -> PartOf {
    let over = |index: usize| match is_id_of_shop(policy.facts.get(index)) {
        true => Over::IdOfShop(index),
        false => Over::Fact(index),
    };
    let rest = counting.scope.iter().copied().filter(|index| *index != order);
    let window_start = window.map(|(start, _)| start);
    PartOf::Order { rule: rule.clone(), scope: rest.map(over).collect(), window_start }
}

impl Authorize {
    /// What was decided in short, with the answer. `None`: it is told at length.
    pub(super) fn allow<'a>(
        &'a self,
        prepared: &Prepared,
        context: &'a Context<'_>,
    ) -> Option<(Allowed<'a>, Reply)> {
        let Self { spec, identity } = self;
        let Prepared { inputs, verdict, .. } = prepared;
        let plain = verdict.answer == Answer::Allow && verdict.findings.is_empty();
        let asked = inputs.stage == Stage::Confirm && !spec.full;
        // A draw on an account that is not there does not pass.
        let plain = plain && inputs.funds.iter().all(|it| it.exists && it.relief.is_empty());
        if !plain || !asked || !prepared.order_is_new || !prepared.all_count {
            return None;
        }
        let (order, template) = (spec.inline_order.as_deref()?, prepared.profile.template.clone()?);
        let is_of_shop = |order: &Order| {
            order.name.shop == template.shop.shop && order.name.platform == template.shop.platform
        };
        if !is_of_shop(order) || spec.order.as_ref() != Some(&order.name) {
            return None;
        }
        let allowed = Allowed {
            numbers: numbers(&template, inputs)?.into(),
            positions: inputs.funds.iter().map(|funds| funds.position).collect(),
            template,
            sequence: 0,
            at: context.now,
            author: &context.author,
            id: &context.fresh,
            request: &identity.key,
            content: &identity.content,
            order,
            payee: &spec.payee,
            purpose: &spec.purpose,
            facts: &spec.facts,
            amount: inputs.amount?,
        };
        let mut facts = inputs.facts.iter().enumerate();
        debug_assert!(
            facts.all(|(index, value)| allowed.fact(index).as_deref() == value.as_ref()),
            "a fact is not what its source says"
        );
        let decision = Arc::new(allowed.decision());
        let state = Some(State::Authorized);
        Some((allowed, Reply::Decided { decision, state, replayed: false }))
    }
}

/// The numbers that limits and then measures read. `None`: one of them read
/// something else.
fn numbers(template: &Template, inputs: &Inputs) -> Option<Vec<(Amount, Amount)>> {
    let Common { limits, measures, .. } = &*template.common;
    if limits.len() != inputs.limits.len() || measures.len() != inputs.measures.len() {
        return None;
    }
    let reads = limits.iter().chain(measures);
    let readings = inputs.limits.iter().chain(&inputs.measures);
    let mut numbers = Vec::with_capacity(reads.clone().count());
    for (read, reading) in reads.zip(readings) {
        match (read, reading) {
            (Read::Nothing, None) => {}
            (Read::Empty(window), Some(reading)) => {
                let empty = Reading { window: *window, ..Reading::default() };
                (*reading == empty).then_some(())?;
            }
            (Read::Numbers(window), Some(reading)) => {
                let Reading { used, held, by_amount, full, room, relief, window: of } = reading;
                let plain = by_amount.is_empty() && !full && room.is_none() && relief.is_empty();
                (plain && of == window).then_some(())?;
                numbers.push((*used, *held));
            }
            _ => return None,
        }
    }
    Some(numbers)
}

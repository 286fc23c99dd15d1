//! Authorizations that every rule allows, about an order that came along and is
//! new: nearly all there are. What such a record says beyond its template is told
//! in short, so that payout, decision and rows need not be made for it. Whatever
//! does not fit is told at length; both say the same.

use std::sync::Arc;

use super::{
    authorize::Authorize,
    context::Context,
    evaluate::Situation,
    facts, judge,
    loaded::Loaded,
    looked_at,
    plain::{self, Plain},
    profile::{Counted, Profile, countings},
    reading::Scopes,
    reply::{Granted, Reply},
    spec::{Spec, check_accounts, check_amount},
    view::View,
};
use crate::domain::{
    account::Position,
    allowed::Allowed,
    instant::Instant,
    limit::{Counting, Draw, Stage},
    payout::State,
    policy::Policy,
    scope::is_id_of_shop,
    template::{Common, Over, Part, PartOf, Read, Template, Written},
    text::Text,
};

impl Profile {
    /// What records of its payouts have in common, if that can be told beforehand.
    pub(super) fn template(
        &self,
        spec: &Spec,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
    ) -> Option<Template> {
        let (policy, now) = (&*self.policy, context.now);
        let looks = looked_at::looks(policy);
        let authorized = State::Authorized;
        let tells_more = policy.timers.iter().any(|timer| timer.state == authorized)
            || policy.alerts.iter().any(|alert| alert.on_states.contains(&authorized));
        if tells_more || self.whose().is_none() {
            return None;
        }
        let sources = self.sources(spec, None, loaded, context);
        let there = |draw: &Draw| sources.held(&draw.account)?.account;
        let all_there = policy.draws.iter().all(|draw| there(draw).is_some());
        if !all_there || check_accounts(policy, &sources.accounts).is_err() {
            return None;
        }
        if !facts::all_of_use(policy, &sources, &self.facts) {
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
    /// What was decided in short, with the answer, if every rule allows it. `None`: it
    /// has to be judged at length.
    pub(super) fn allow<'a>(
        self: &'a Arc<Self>,
        loaded: &Loaded<'_>,
        context: &'a Context<'_>,
    ) -> Option<(Allowed<'a>, Reply)> {
        let Self { spec, identity } = &**self;
        let order = spec.inline_order.as_deref()?;
        let asked = spec.stage == Stage::Confirm && !spec.full && context.alone;
        if !asked || spec.order.as_ref() != Some(&order.name) || spec.registered(loaded).is_some() {
            return None;
        }
        let profile = Profile::of(spec, loaded, context).ok()?.complete(spec, loaded, context);
        let template = profile.template.as_ref()?;
        let (policy, (amount, currency)) = (&*profile.policy, spec.amount?);
        let shop = &template.shop;
        if order.name.shop != shop.shop || order.name.platform != shop.platform {
            return None;
        }
        check_amount(amount, currency, policy.currency, "payout.amount").ok()?;
        let own = plain::own_values(policy, template, spec, order, context.now)?;
        let (numbers, read) = plain::read(&profile, template, loaded, context.now)?;
        let position = |draw: usize| profile.position(draw, loaded, context.now);
        let draws = 0..policy.draws.len();
        let positions: Vec<Position> = draws.map(position).collect::<Option<_>>()?;
        let view = Plain {
            policy,
            now: context.now,
            amount,
            constants: &template.facts,
            facts: plain::gather(policy, template, spec, order, context.roles, &own)?,
            measures: read.measures(),
        };
        let total = |index: usize| Some(read.limits().get(index)?.unwrap_or_default());
        let available = |index: usize| positions.get(index).map(Position::available);
        if !judge::all_pass(&view, &profile.layout.known, total, available) {
            return None;
        }
        let allowed = Allowed {
            numbers: numbers.into(),
            positions: positions.into(),
            template: template.clone(),
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
            amount,
        };
        debug_assert!(
            (0..policy.facts.len()).all(|index| {
                looked_at::looks(policy).supplies(index) || allowed.fact(index) == view.fact(index)
            }),
            "a fact is not what its source says"
        );
        let granted = Granted {
            asked: self.clone(),
            template: template.clone(),
            id: context.fresh.clone(),
            at: context.now,
            author: context.author.clone(),
        };
        Some((allowed, Reply::Granted(Box::new(granted))))
    }
}

//! Reads the use of a programme's limits for a shop, operator and order.

use std::collections::BTreeMap;

use super::{
    context::Context,
    facts,
    loaded::Loaded,
    looked_at,
    out::Judgement,
    profile::Profile,
    reading::{self, Scopes},
    reply::{LimitUsage, Reply, Usage},
    spec::Spec,
    view::View,
};
use crate::domain::{
    amount::Factor,
    decision::{Inputs, Reading},
    finding::Unit,
    key::Key,
    limit::{Limit, Quantity},
    policy::{Field, Origin, Policy},
    refusal::Refusal,
    window::Window,
};

/// What use to read: a spec with just shop, programme, operator and order.
#[derive(Clone, Debug)]
pub struct ReadUsage {
    /// What is asked about.
    pub spec: Spec,
}

impl ReadUsage {
    /// The rows it needs first.
    pub fn first(&self, context: &Context<'_>) -> Vec<Key> {
        self.spec.first(context)
    }

    /// The rows it needs further.
    pub fn second(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Vec<Key> {
        self.spec.second(loaded, context)
    }

    /// Reads it.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        Judgement::only(self.read(loaded, context).map(|usage| Reply::Usage(Box::new(usage))))
    }

    fn read(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Result<Usage, Refusal> {
        let spec = &self.spec;
        let profile = Profile::of(spec, loaded, context)?.complete(spec, loaded, context);
        let policy = profile.policy.clone();
        let revision = profile.revision.clone();
        let sources = profile.sources(spec, spec.registered(loaded), loaded, context);
        let facts = facts::known(&policy, &sources);
        let inputs = Inputs {
            now: context.now,
            stage: spec.stage,
            amount: None,
            facts,
            fact_changes: Vec::new(),
            limits: Vec::new(),
            measures: Vec::new(),
            funds: Vec::new(),
            next_revision: None,
        };
        let limits = policy.limits.iter().enumerate();
        let rows =
            limits.filter_map(|(index, limit)| self.row(index, limit, &policy, &inputs, loaded));
        Ok(Usage { limits: rows.collect(), read_time: context.now, revision })
    }

    /// A limit's row, if the request names all of what it is counted over.
    fn row(
        &self,
        index: usize,
        limit: &Limit,
        policy: &Policy,
        inputs: &Inputs,
        loaded: &Loaded<'_>,
    ) -> Option<LimitUsage> {
        let counting = &limit.counting;
        let mut scope = BTreeMap::new();
        for fact in &counting.scope {
            let declared = policy.facts.get(*fact)?;
            let value = inputs.facts.get(*fact)?.as_ref()?;
            scope.insert(declared.name.clone(), value.to_text());
        }
        let situation = super::evaluate::Situation::new(policy, inputs);
        let about_the_payout = counting.by_amount || !applies(limit, policy, &situation);
        if counting.window == Window::Payout || about_the_payout {
            return None;
        }
        let shop = self.spec.shop.shop.as_str();
        let mut scopes = Scopes::new(&self.spec.programme, policy, &inputs.facts, shop, inputs.now);
        let key = scopes.meter(&limit.rule.id, counting)?;
        let reading: Reading = reading::read(
            loaded.meter(&key),
            counting,
            limit.max_entries,
            policy,
            inputs.now,
            Some(situation.amount),
        );
        let (unit, decimals) = match counting.quantity {
            Quantity::Amount => (Unit::Money, policy.currency.decimals()),
            Quantity::Count => (Unit::Count, 0),
        };
        let bound = situation.operand(&limit.bound);
        let bound =
            bound.and_then(|(amount, factor)| amount.floor_of(factor, Factor::ONE, decimals));
        let reset_time = match counting.window {
            Window::Rolling(_) => reading.relief.first().map(|(at, _)| *at),
            _ => reading.window.map(|(_, end)| end),
        };
        Some(LimitUsage {
            limit: index,
            scope,
            bound,
            used: reading.used,
            held: reading.held,
            unit,
            window: reading.window,
            reset_time,
        })
    }
}

/// Whether a limit concerns what is asked about. A filter that looks at the
/// payout itself cannot be known here and is taken to hold.
fn applies(limit: &Limit, policy: &Policy, situation: &super::evaluate::Situation<'_>) -> bool {
    let mut looks_at_payout = false;
    looked_at::each_fact(&limit.rule.when, &mut |index| {
        let origin = policy.facts.get(index).map(|f| &f.origin);
        looks_at_payout |= matches!(
            origin,
            Some(Origin::Request(_) | Origin::Field(Field::Amount | Field::Payee | Field::Purpose))
        );
    });
    looks_at_payout || situation.holds(&limit.rule.when)
}

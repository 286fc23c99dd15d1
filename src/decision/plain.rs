//! What nearly all authorizations are judged on: a new order that came along, facts
//! that all count, meters that only add up. It is looked at where it stands, and
//! nothing is copied for it; what is not that plain is judged on
//! [`Inputs`](crate::domain::decision::Inputs), and comes to the same.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{facts, loaded::Loaded, looked_at, profile::Profile, reading, spec::Spec, view::View};
use crate::domain::{
    amount::Amount,
    condition::Number,
    instant::Instant,
    limit::Stage,
    order::Order,
    plan::Supplied,
    policy::Policy,
    template::{FactSource, Read, Template},
    text::Text,
    value::{Fact, Value},
    who::RoleSet,
};

/// A plain authorization as rules look at it, at its confirmation.
#[derive(Debug)]
pub(super) struct Plain<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// The decision's time.
    pub now: Instant,
    /// How much.
    pub amount: Amount,
    /// Values of the facts that are configured, by position. Each operator has his own,
    /// and rules look at few of them when the rest is known.
    pub constants: &'a [Option<Value>],
    /// Values of the others, by position; what is supplied included.
    pub facts: Values<'a>,
    /// Use and holds of the measures, by position.
    pub measures: &'a [Option<Amount>],
}

impl View for Plain<'_> {
    fn policy(&self) -> &Policy {
        self.policy
    }

    fn stage(&self) -> Stage {
        Stage::Confirm
    }

    fn instant(&self) -> Instant {
        self.now
    }

    fn requested(&self) -> Amount {
        self.amount
    }

    fn fact(&self, index: usize) -> Option<Cow<'_, Value>> {
        let own = self.facts.get(index).copied().flatten();
        own.or_else(|| self.constants.get(index)?.as_ref()).map(Cow::Borrowed)
    }

    fn measure(&self, index: usize) -> Option<Amount> {
        self.measures.get(index).copied().flatten()
    }

    fn number(&self, _: Number) -> Option<Amount> {
        // Only variants look at those, which name why something did not pass.
        None
    }
}

/// What was used and is held, of each limit and then measure that reads numbers.
pub(super) type Numbers = Vec<(Amount, Amount)>;

/// Values of facts by position: without memory of their own for as many as policies
/// mostly have.
pub(super) type Values<'a> = SmallVec<[Option<&'a Value>; 48]>;
/// Values that stand nowhere else, with the positions of their facts.
pub(super) type Own = SmallVec<[(usize, Value); 8]>;

/// Both together of each limit and then measure. `None`: it reads nothing.
#[derive(Debug)]
pub(super) struct Totals {
    totals: SmallVec<[Option<Amount>; 24]>,
    /// How many of them are of limits.
    limits: usize,
}

impl Totals {
    /// Of the limits, by position.
    pub fn limits(&self) -> &[Option<Amount>] {
        self.totals.split_at_checked(self.limits).map_or(&[], |(limits, _)| limits)
    }

    /// Of the measures, by position.
    pub fn measures(&self) -> &[Option<Amount>] {
        self.totals.split_at_checked(self.limits).map_or(&[], |(_, measures)| measures)
    }
}

/// Reads the meters of limits and measures, of an order that is new. `None`: one of
/// them is full, or counts by amount.
pub(super) fn read(
    profile: &Profile,
    template: &Template,
    loaded: &Loaded<'_>,
    now: Instant,
) -> Option<(Numbers, Totals)> {
    let (policy, common) = (&*profile.policy, &*template.common);
    let limits = policy.limits.iter().map(|limit| (&limit.counting, limit.max_entries));
    let measures = policy.measures.iter().map(|measure| (&measure.counting, usize::MAX));
    let reads = common.limits.iter().chain(&common.measures);
    let mut last = None;
    let mut cell = |place: usize| match last {
        Some((of, cell)) if of == place => cell,
        _ => {
            let cell = profile.cell(place, loaded);
            last = Some((place, cell));
            cell
        }
    };
    let mut numbers = Vec::with_capacity(template.meters.len());
    let mut totals = SmallVec::new();
    let counted = &profile.layout.counted;
    for (((counting, most), of), counted) in limits.chain(measures).zip(reads).zip(counted) {
        let total = match of {
            Read::Nothing => None,
            Read::Empty(_) => Some(Amount::ZERO),
            Read::Numbers(_) => {
                let (place, within) = counted.as_ref()?;
                let meter = cell(*place).and_then(|cell| cell.meter(within));
                let (used, held) = reading::plain(meter, counting, most, now)?;
                numbers.push((used, held));
                Some(used.plus(held))
            }
        };
        totals.push(total);
    }
    let all_read = totals.len() == policy.limits.len() + policy.measures.len();
    all_read.then_some((numbers, Totals { totals, limits: common.limits.len() }))
}

/// Values of the facts that are the payout's own and stand nowhere as such, with
/// their positions. `None`: something is wrong with one, or it does not count.
pub(super) fn own_values(
    policy: &Policy,
    template: &Template,
    spec: &Spec,
    order: &Order,
    now: Instant,
) -> Option<Own> {
    let looks = looked_at::looks(policy);
    let text = |text: &Text| (!text.is_empty()).then(|| Value::Text(text.clone()));
    let mut own = Own::new();
    for &index in &looks.others {
        let fact = policy.facts.get(index)?;
        let of_order = || facts::counts(fact, order.asserted_by);
        let value = match (looks.supplied.get(index)?, template.common.sources.get(index)?) {
            (Supplied::Amount, _) => spec.amount.map(|(amount, _)| Value::Decimal(amount)),
            (Supplied::Time, _) => Some(Value::Time(now)),
            (_, FactSource::Payee) => text(&spec.payee),
            (_, FactSource::Purpose) => text(&spec.purpose),
            (_, FactSource::OrderId) => Some(Value::Text(order.name.order.shared())),
            (_, FactSource::OrderExists) => Some(Value::Bool(true)),
            (_, FactSource::OrderPaid) => {
                of_order().then_some(())?;
                let paid = order.paid.map(|(amount, currency)| {
                    (currency == policy.currency).then_some(Value::Decimal(amount))
                });
                match paid {
                    Some(None) => return None,
                    paid => paid.flatten(),
                }
            }
            (_, FactSource::OrderPlaceTime) => {
                of_order().then_some(())?;
                order.place_time.map(Value::Time)
            }
            (_, FactSource::Configured | FactSource::Order(_) | FactSource::Request(_)) => {
                return None;
            }
        };
        if let Some(value) = value {
            facts::fits(fact, &value).then_some(())?;
            own.push((index, value));
        }
    }
    Some(own)
}

/// The values of all facts that are not configured: that are the payout's own, that
/// were sent, and that the order has. What was sent and what the order has is gone
/// through once, instead of looked up fact by fact. `None`: something is wrong with
/// one, does not count, or is missing.
pub(super) fn gather<'a>(
    policy: &Policy,
    template: &Template,
    spec: &'a Spec,
    order: &'a Order,
    roles: RoleSet,
    own: &'a [(usize, Value)],
) -> Option<Values<'a>> {
    let looks = looked_at::looks(policy);
    if !looks.keys_differ || template.facts.len() != policy.facts.len() {
        return None;
    }
    let mut values: Values<'_> = SmallVec::from_elem(None, policy.facts.len());
    for (index, value) in own {
        *values.get_mut(*index)? = Some(value);
    }
    let mut known = looks.sent.iter().peekable();
    for (key, value) in spec.facts.iter() {
        while known.next_if(|(other, _)| other < key).is_some() {}
        // One that the policy does not declare is refused.
        let (_, index) = known.next_if(|(other, _)| other == key)?;
        let fact = policy.facts.get(*index)?;
        (facts::counts(fact, roles) && facts::fits(fact, value)).then_some(())?;
        *values.get_mut(*index)? = Some(value);
    }
    let mut known = looks.of_order.iter().peekable();
    for (key, Fact { value, asserted_by }) in order.facts.iter() {
        while known.next_if(|(other, _)| other < key).is_some() {}
        let Some((_, index)) = known.next_if(|(other, _)| other == key) else { continue };
        let fact = policy.facts.get(*index)?;
        (facts::counts(fact, *asserted_by) && facts::fits(fact, value)).then_some(())?;
        *values.get_mut(*index)? = Some(value);
    }
    let is_there = |index: &usize| values.get(*index).is_some_and(Option::is_some);
    looks.must_have.iter().all(is_there).then_some(values)
}

//! A decision's inputs as rules look at them, also for another amount or at another
//! instant.

use std::{borrow::Cow, collections::BTreeMap};

use super::{looked_at, view::View};
use crate::domain::{
    amount::Amount,
    condition::{Check, Left, Number, Operand, Predicate, Right, Source},
    decision::{Inputs, Reading},
    instant::Instant,
    limit::Stage,
    plan::Supplied,
    policy::Policy,
    text::Text,
    value::Value,
};

/// The numbers of the rule that is being judged, for its variants.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnNumbers {
    /// A limit's bound.
    pub limit: Amount,
    /// Confirmed use.
    pub used: Amount,
    /// Held.
    pub held: Amount,
    /// Asked for.
    pub requested: Amount,
    /// Left.
    pub remaining: Amount,
    /// An account's balance.
    pub balance: Amount,
    /// Available if nothing were held.
    pub unfrozen: Amount,
    /// What may be taken.
    pub available: Amount,
}

/// What a condition is evaluated against: a decision's inputs, with an amount
/// and an instant that may differ from theirs (to ask "how much would pass"
/// and "when").
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// What was loaded and sent.
    pub inputs: &'a Inputs,
    /// The amount asked about.
    pub amount: Amount,
    /// The instant asked about.
    pub at: Instant,
    /// The rule's own numbers, for variants.
    pub own: Option<OwnNumbers>,
    /// What is filled in for which fact.
    supplied: &'a [Supplied],
}

impl<'a> Situation<'a> {
    /// As the inputs have it.
    pub fn new(policy: &'a Policy, inputs: &'a Inputs) -> Self {
        let amount = inputs.amount.unwrap_or_else(|| policy.currency.smallest());
        let supplied = &looked_at::looks(policy).supplied;
        Self { policy, inputs, amount, at: inputs.now, own: None, supplied }
    }

    /// The same with another amount.
    #[must_use]
    pub fn with_amount(self, amount: Amount) -> Self {
        Self { amount, ..self }
    }

    /// The same at another instant.
    #[must_use]
    pub fn at(self, at: Instant) -> Self {
        Self { at, ..self }
    }

    /// The same inside a rule that has numbers.
    #[must_use]
    pub fn inside(self, own: OwnNumbers) -> Self {
        Self { own: Some(own), ..self }
    }

    /// A fact's value, if it is there.
    pub fn fact(&self, index: usize) -> Option<Cow<'a, Value>> {
        match self.supplied.get(index)? {
            Supplied::Amount => return Some(Cow::Owned(Value::Decimal(self.amount))),
            Supplied::Time => return Some(Cow::Owned(Value::Time(self.at))),
            Supplied::Nothing => {}
        }
        let changed = self.inputs.fact_changes.iter().rev();
        let mut changed = changed.filter(|(when, fact, _)| *fact == index && *when <= self.at);
        let value = match changed.next() {
            Some((_, _, value)) => value,
            None => self.inputs.facts.get(index)?,
        };
        value.as_ref().map(Cow::Borrowed)
    }

    /// Use and holds of a reading at the instant and amount asked about.
    pub fn total(&self, reading: &Reading, by_amount: bool) -> Amount {
        // Later instants are asked about for the amount of the inputs only.
        let later = reading.relief.partition_point(|(when, _)| *when <= self.at);
        if let Some((_, total)) = later.checked_sub(1).and_then(|last| reading.relief.get(last)) {
            return *total;
        }
        let (used, held) = if by_amount {
            reading.by_amount.get(&self.amount).copied().unwrap_or_default()
        } else {
            (reading.used, reading.held)
        };
        used.plus(held)
    }

    /// Whether a condition may answer otherwise for another amount.
    pub fn looks_at_amount(&self, predicate: &Predicate) -> bool {
        match predicate {
            Predicate::All(parts) | Predicate::Any(parts) | Predicate::Nothing(parts) => {
                parts.iter().any(|part| self.looks_at_amount(part))
            }
            Predicate::Test(test) => {
                let left = match test.left {
                    Left::Fact(index) => self.is_amount(index),
                    // May count by amount.
                    Left::Measure(_) | Left::Number(_) => true,
                };
                let right = match &test.check {
                    Check::Compare(_, Right::Operand(operand)) => match operand.of {
                        Source::Fact(index) => self.is_amount(index),
                        Source::Literal(_) => false,
                        Source::Measure(_) | Source::Number(_) => true,
                    },
                    Check::OneOfFact(_, index) => self.is_amount(*index),
                    Check::Present
                    | Check::Absent
                    | Check::Compare(_, Right::Literal(_))
                    | Check::OneOf(..)
                    | Check::Contains(_)
                    | Check::WithinMonths(_)
                    | Check::WithinDays(_) => false,
                };
                left || right
            }
        }
    }

    /// Whether a fact is the amount asked about.
    pub fn is_amount(&self, index: usize) -> bool {
        self.supplied.get(index) == Some(&Supplied::Amount)
    }

    /// Facts that a condition looks at, with their values, for its finding.
    pub fn observed(&self, predicate: &Predicate, into: &mut BTreeMap<Text, Text>) {
        match predicate {
            Predicate::All(parts) | Predicate::Any(parts) | Predicate::Nothing(parts) => {
                parts.iter().for_each(|part| self.observed(part, into));
            }
            Predicate::Test(test) => {
                if let Left::Fact(index) = test.left {
                    self.observe(index, into);
                }
                match &test.check {
                    Check::OneOfFact(_, index)
                    | Check::Compare(_, Right::Operand(Operand { of: Source::Fact(index), .. })) => {
                        self.observe(*index, into);
                    }
                    _ => {}
                }
            }
        }
    }

    fn observe(&self, index: usize, into: &mut BTreeMap<Text, Text>) {
        if let (Some(fact), Some(value)) = (self.policy.facts.get(index), self.fact(index)) {
            into.insert(fact.name.clone(), value.to_text());
        }
    }
}

impl View for Situation<'_> {
    fn policy(&self) -> &Policy {
        self.policy
    }

    fn stage(&self) -> Stage {
        self.inputs.stage
    }

    fn instant(&self) -> Instant {
        self.at
    }

    fn requested(&self) -> Amount {
        self.amount
    }

    fn fact(&self, index: usize) -> Option<Cow<'_, Value>> {
        Situation::fact(self, index)
    }

    fn measure(&self, index: usize) -> Option<Amount> {
        let reading = self.inputs.measures.get(index)?.as_ref()?;
        let by_amount = self.policy.measures.get(index)?.counting.by_amount;
        Some(self.total(reading, by_amount))
    }

    fn number(&self, number: Number) -> Option<Amount> {
        let own = self.own.as_ref()?;
        Some(match number {
            Number::Limit => own.limit,
            Number::Used => own.used,
            Number::Held => own.held,
            Number::Requested => own.requested,
            Number::Remaining => own.remaining,
            Number::Balance => own.balance,
            Number::Unfrozen => own.unfrozen,
            Number::Available => own.available,
        })
    }
}

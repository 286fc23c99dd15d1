//! The largest amount that would pass. Amounts are compared only with literals
//! and factors of facts, so answers change at finitely many places; the
//! largest passing amount is at or beside one of them, also where passing is
//! not monotone.

use super::{evaluate::Situation, judge};
use crate::domain::{
    amount::{Amount, Factor},
    condition::{Check, Left, Operand, Predicate, Right, Source, Test},
    decision::{Answer, Reading},
    limit::Quantity,
    value::Value,
};

/// The largest amounts answered ALLOW or REVIEW, and ALLOW. 0 if none is.
pub fn amounts(situation: &Situation<'_>) -> (Amount, Amount) {
    let mut any = None;
    let answers = judge::ForAmounts::new(situation);
    for candidate in candidates(situation) {
        match answers.answer(&situation.with_amount(candidate)) {
            Answer::Deny => {}
            Answer::Review => any = any.or(Some(candidate)),
            Answer::Allow => return (any.unwrap_or(candidate), candidate),
        }
    }
    (any.unwrap_or_default(), Amount::ZERO)
}

/// Amounts at and beside every place where an answer can change, largest first.
fn candidates(situation: &Situation<'_>) -> Vec<Amount> {
    let policy = situation.policy;
    let mut places =
        Places { situation, decimals: policy.currency.decimals(), amounts: Vec::new() };
    for condition in &policy.conditions {
        places.predicate(&condition.rule.when);
        places.predicate(&condition.require);
    }
    for (index, limit) in policy.limits.iter().enumerate() {
        places.predicate(&limit.rule.when);
        let reading = situation.inputs.limits.get(index).and_then(Option::as_ref);
        if limit.counting.quantity == Quantity::Amount {
            places.bound(&limit.bound, reading);
        }
        places.by_amount(reading);
    }
    for (index, _) in policy.draws.iter().enumerate() {
        if let Some(funds) = situation.inputs.funds.get(index) {
            places.at(funds.position.available());
        }
    }
    for reading in &situation.inputs.measures {
        places.by_amount(reading.as_ref());
    }
    let smallest = policy.currency.smallest();
    let largest = Amount::largest(policy.currency.decimals());
    places.at(largest);
    places.at(smallest);
    let mut amounts = places.amounts;
    amounts.retain(|a| *a >= smallest && *a <= largest);
    amounts.sort_unstable_by(|a, b| b.cmp(a));
    amounts.dedup();
    amounts
}

struct Places<'a> {
    situation: &'a Situation<'a>,
    decimals: u32,
    amounts: Vec<Amount>,
}

impl Places<'_> {
    fn at(&mut self, amount: Amount) {
        let step = Amount::smallest(self.decimals);
        let floor = amount.floor_of(Factor::ONE, Factor::ONE, self.decimals).unwrap_or(amount);
        self.amounts.extend([floor.minus(step), floor, floor.plus(step)]);
    }

    fn bound(&mut self, bound: &Operand, reading: Option<&Reading>) {
        // A bound that is a factor of the amount itself has its place at 0.
        let Some((amount, factor)) = self.situation.operand(bound) else { return };
        let Some(bound) = amount.floor_of(factor, Factor::ONE, self.decimals) else { return };
        self.at(bound);
        if let Some(reading) = reading {
            self.at(bound.minus(reading.used).minus(reading.held));
            for (used, held) in reading.by_amount.values() {
                self.at(bound.minus(*used).minus(*held));
            }
        }
    }

    fn by_amount(&mut self, reading: Option<&Reading>) {
        let amounts: Vec<Amount> =
            reading.into_iter().flat_map(|r| r.by_amount.keys().copied()).collect();
        amounts.into_iter().for_each(|amount| self.at(amount));
    }

    fn predicate(&mut self, predicate: &Predicate) {
        match predicate {
            Predicate::All(parts) | Predicate::Any(parts) | Predicate::Nothing(parts) => {
                parts.iter().for_each(|part| self.predicate(part));
            }
            Predicate::Test(test) => self.test(test),
        }
    }

    fn test(&mut self, test: &Test) {
        let left_is_amount =
            matches!(test.left, Left::Fact(index) if self.situation.is_amount(index));
        match &test.check {
            Check::Compare(_, Right::Literal(Value::Decimal(literal))) if left_is_amount => {
                self.scaled(*literal, Factor::ONE, test.factor);
            }
            Check::Compare(_, Right::Operand(operand)) if left_is_amount => {
                if let Some((amount, factor)) = self.situation.operand(operand) {
                    self.scaled(amount, factor, test.factor);
                }
            }
            Check::OneOf(_, values) if left_is_amount => {
                let amounts: Vec<Amount> = values
                    .iter()
                    .filter_map(|v| if let Value::Decimal(a) = v { Some(*a) } else { None })
                    .collect();
                amounts.into_iter().for_each(|amount| self.at(amount));
            }
            Check::Compare(_, Right::Operand(operand)) => {
                // The amount may stand on the right: left × factor against amount × factor.
                if let Source::Fact(index) = operand.of
                    && self.situation.is_amount(index)
                {
                    let left = Operand {
                        of: match test.left {
                            Left::Fact(index) => Source::Fact(index),
                            Left::Measure(index) => Source::Measure(index),
                            Left::Number(number) => Source::Number(number),
                        },
                        factor: test.factor,
                    };
                    if let Some((amount, factor)) = self.situation.operand(&left) {
                        self.scaled(amount, factor, operand.factor);
                    }
                }
            }
            _ => {}
        }
    }

    fn scaled(&mut self, amount: Amount, factor: Factor, divisor: Factor) {
        if let Some(place) = amount.floor_of(factor, divisor, self.decimals) {
            self.at(place);
        }
    }
}

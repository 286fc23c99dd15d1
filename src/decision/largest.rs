//! The largest amount that would pass. Amounts are compared only with literals
//! and factors of facts, so answers change at finitely many places; the
//! largest passing amount is at or beside one of them, also where passing is
//! not monotone.

use super::{
    evaluate::Situation,
    judge::{answer, asked, available, bound, funds, of_condition, of_draw, of_limit, reading},
    view::View,
};
use crate::domain::{
    amount::{Amount, Factor},
    condition::{Check, Left, Operand, Predicate, Right, Source, Test},
    decision::{Answer, Reading},
    limit::{Condition, OnFailure, Quantity, Rule},
    value::Value,
};

/// The largest amounts answered ALLOW or REVIEW, and ALLOW. 0 if none is.
pub fn amounts(situation: &Situation<'_>) -> (Amount, Amount) {
    let mut any = None;
    let answers = ForAmounts::new(situation);
    for candidate in candidates(situation, answers.most) {
        match answers.answer(&situation.with_amount(candidate)) {
            Answer::Deny => {}
            Answer::Review => any = any.or(Some(candidate)),
            Answer::Allow => return (any.unwrap_or(candidate), candidate),
        }
    }
    (any.unwrap_or_default(), Amount::ZERO)
}

/// Answers for other amounts, without findings.
#[derive(Debug)]
pub struct ForAmounts<'a> {
    /// Of the conditions that do not look at the amount.
    fixed: Answer,
    /// The others.
    conditions: Vec<&'a Condition>,
    /// Above it a limit or draw says no, whatever else there is. `None`: none does.
    most: Option<Amount>,
}

impl<'a> ForAmounts<'a> {
    /// For amounts in this situation.
    pub fn new(situation: &Situation<'a>) -> Self {
        let looks = |condition: &&Condition| {
            let Condition { rule, require, .. } = condition;
            situation.looks_at_amount(&rule.when) || situation.looks_at_amount(require)
        };
        let conditions = situation.policy.conditions.iter();
        let (conditions, fixed): (Vec<&Condition>, Vec<&Condition>) = conditions.partition(looks);
        let answer =
            |condition: &Condition| answer(of_condition(situation, condition), &condition.rule);
        let fixed = fixed.into_iter().map(answer).max().unwrap_or(Answer::Allow);
        Self { fixed, conditions, most: Self::most(situation) }
    }

    /// Of limits and draws that deny, and that ask of the amount only that it is not
    /// above something: the lowest of those.
    fn most(situation: &Situation<'_>) -> Option<Amount> {
        let policy = situation.policy;
        let denies = |rule: &Rule| {
            rule.on_failure == OnFailure::Deny
                && !situation.looks_at_amount(&rule.when)
                && asked(situation, rule)
        };
        let limits = policy.limits.iter().enumerate().filter_map(|(index, limit)| {
            let counting = &limit.counting;
            let plain = counting.quantity == Quantity::Amount && !counting.by_amount;
            let of_amount = matches!(limit.bound.of, Source::Fact(it) if situation.is_amount(it));
            let of_measure = matches!(limit.bound.of, Source::Measure(_));
            if !plain || of_amount || of_measure || !denies(&limit.rule) {
                return None;
            }
            let total = reading(situation, index, limit).map(|it| situation.total(it, false));
            Some(bound(situation, limit)?.minus(total.unwrap_or_default()))
        });
        let draws = policy.draws.iter().enumerate().filter(|(_, draw)| denies(&draw.rule));
        let draws = draws.map(|(index, _)| {
            let funds = funds(situation, index).filter(|funds| funds.exists);
            funds.map_or(Amount::ZERO, |funds| available(situation, funds))
        });
        limits.chain(draws).min()
    }

    /// The answer for the situation's amount.
    pub fn answer(&self, situation: &Situation<'_>) -> Answer {
        if self.most.is_some_and(|most| most < situation.amount) {
            return Answer::Deny;
        }
        let policy = situation.policy;
        // What fails most often comes first.
        let limits = policy
            .limits
            .iter()
            .enumerate()
            .map(|(index, limit)| answer(of_limit(situation, index, limit), &limit.rule));
        let draws = policy
            .draws
            .iter()
            .enumerate()
            .map(|(index, draw)| answer(of_draw(situation, index, draw), &draw.rule));
        let conditions = self
            .conditions
            .iter()
            .map(|condition| answer(of_condition(situation, condition), &condition.rule));
        let mut worst = self.fixed;
        for answer in limits.chain(draws).chain(conditions) {
            if worst == Answer::Deny {
                break;
            }
            worst = worst.max(answer);
        }
        worst
    }
}

/// Amounts at and beside every place where an answer can change, largest first; but those
/// above `most`, to which the answer is no.
fn candidates(situation: &Situation<'_>, most: Option<Amount>) -> Vec<Amount> {
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
    let most = most.map_or(largest, |most| most.min(largest));
    places.at(largest);
    places.at(smallest);
    let mut amounts = places.amounts;
    amounts.retain(|a| *a >= smallest && *a <= most);
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

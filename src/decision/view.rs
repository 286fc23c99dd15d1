//! What rules are evaluated against, however it is kept, and evaluating it. Total,
//! exact, and a function of its arguments: a comparison with something absent does
//! not hold.

use std::{borrow::Cow, cmp::Ordering};

use crate::domain::{
    amount::{Amount, Factor},
    condition::{Check, Comparison, Left, Number, Operand, Predicate, Right, Source, Test},
    instant::Instant,
    limit::Stage,
    policy::Policy,
    value::Value,
};

/// See the module.
pub trait View {
    /// The rules.
    fn policy(&self) -> &Policy;

    /// The stage asked about.
    fn stage(&self) -> Stage;

    /// The instant asked about.
    fn instant(&self) -> Instant;

    /// The amount asked about.
    fn requested(&self) -> Amount;

    /// A fact's value, if it is there.
    fn fact(&self, index: usize) -> Option<Cow<'_, Value>>;

    /// Use and holds of a measure.
    fn measure(&self, index: usize) -> Option<Amount>;

    /// A number of the rule that is being judged.
    fn number(&self, number: Number) -> Option<Amount>;

    /// A number with its factor, if it is there.
    fn operand(&self, operand: &Operand) -> Option<(Amount, Factor)> {
        let amount = match operand.of {
            Source::Literal(amount) => amount,
            Source::Fact(index) => match *self.fact(index)? {
                Value::Decimal(amount) => amount,
                _ => return None,
            },
            Source::Measure(index) => self.measure(index)?,
            Source::Number(number) => self.number(number)?,
        };
        Some((amount, operand.factor))
    }

    /// Whether a condition holds.
    fn holds(&self, predicate: &Predicate) -> bool {
        match predicate {
            Predicate::All(parts) => parts.iter().all(|part| self.holds(part)),
            Predicate::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Predicate::Nothing(parts) => !parts.iter().any(|part| self.holds(part)),
            Predicate::Test(test) => self.test(test),
        }
    }

    /// Whether one comparison holds.
    fn test(&self, test: &Test) -> bool {
        let left = match test.left {
            Left::Fact(index) => self.fact(index),
            Left::Measure(index) => self.measure(index).map(Value::Decimal).map(Cow::Owned),
            Left::Number(number) => self.number(number).map(Value::Decimal).map(Cow::Owned),
        };
        match (&test.check, left.as_deref()) {
            (Check::Present, left) => left.is_some(),
            (Check::Absent, left) => left.is_none(),
            (_, None) => false,
            (Check::Compare(comparison, right), Some(left)) => {
                self.compare(left, test.factor, *comparison, right)
            }
            (Check::OneOf(wanted, values), Some(left)) => values.contains(left) == *wanted,
            (Check::OneOfFact(wanted, list), Some(Value::Text(text))) => {
                match self.fact(*list).as_deref() {
                    Some(Value::List(values)) => values.contains(text) == *wanted,
                    _ => false,
                }
            }
            (Check::Contains(Value::Text(text)), Some(Value::List(values))) => {
                values.contains(text)
            }
            (Check::WithinMonths(months), Some(Value::Time(time))) => {
                let earliest = self.policy().months_back(*months, self.instant());
                earliest.is_some_and(|earliest| *time >= earliest)
            }
            (Check::WithinDays(days), Some(Value::Time(time))) => {
                let earliest = self.policy().days_back(*days, self.instant());
                earliest.is_some_and(|earliest| *time >= earliest)
            }
            // Types are checked when a policy is loaded and when facts are gathered.
            (
                Check::OneOfFact(..)
                | Check::Contains(_)
                | Check::WithinMonths(_)
                | Check::WithinDays(_),
                Some(_),
            ) => false,
        }
    }

    /// Whether a value compares so with another.
    fn compare(&self, left: &Value, factor: Factor, comparison: Comparison, right: &Right) -> bool {
        let ordering = match right {
            Right::Literal(Value::Decimal(right)) => scaled(left, factor, *right, Factor::ONE),
            Right::Literal(right) => same_type(left, right),
            Right::Operand(operand) => match (left, operand.of) {
                (Value::Decimal(_), _) => self
                    .operand(operand)
                    .and_then(|(right, right_factor)| scaled(left, factor, right, right_factor)),
                (_, Source::Fact(index)) => {
                    self.fact(index).and_then(|right| same_type(left, &right))
                }
                _ => None,
            },
        };
        ordering.is_some_and(|ordering| comparison.holds(ordering))
    }
}

fn scaled(
    left: &Value,
    left_factor: Factor,
    right: Amount,
    right_factor: Factor,
) -> Option<Ordering> {
    match left {
        Value::Decimal(left) => left.compare_scaled(left_factor, right, right_factor),
        _ => None,
    }
}

fn same_type(left: &Value, right: &Value) -> Option<Ordering> {
    (left.kind() == right.kind()).then(|| left.cmp(right))
}

//! Conditions over facts, measures and a rule's own numbers, compiled: facts
//! and measures are positions in their policy, literals are typed.

use super::{
    amount::{Amount, Factor},
    value::Value,
};

/// A condition, as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// All hold. Of none: true.
    All(Vec<Predicate>),
    /// At least one holds.
    Any(Vec<Predicate>),
    /// None holds.
    Nothing(Vec<Predicate>),
    /// One comparison.
    Test(Test),
}

impl Predicate {
    /// Always holds.
    pub const TRUE: Self = Self::All(Vec::new());
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Left side.
    pub left: Left,
    /// Multiplies the left side.
    pub factor: Factor,
    /// How, and with what.
    pub check: Check,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// A fact, by position in the policy.
    Fact(usize),
    /// A measure, by position in the policy.
    Measure(usize),
    /// One of the rule's own numbers.
    Number(Number),
}

/// One of a rule's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// A limit's bound.
    Limit,
    /// Confirmed use.
    Used,
    /// Held.
    Held,
    /// Asked for.
    Requested,
    /// Left.
    Remaining,
    /// An account's balance.
    Balance,
    /// What would be available if nothing were held.
    Unfrozen,
    /// What may be taken now.
    Available,
}

/// How two values are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// There.
    Present,
    /// Not there.
    Absent,
    /// Compared by order or equality with one thing.
    Compare(Comparison, Right),
    /// One of these, or (false) none of these.
    OneOf(bool, Vec<Value>),
    /// One of a list fact's values, or (false) none of them.
    OneOfFact(bool, usize),
    /// A list that contains this.
    Contains(Value),
    /// A time whose date is at most so many months back.
    WithinMonths(i32),
    /// A time whose date is at most so many days back.
    WithinDays(i32),
}

/// An order or equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Not the same.
    NotEqual,
    /// Below.
    Less,
    /// Below or equal.
    AtMost,
    /// Above.
    More,
    /// Above or equal.
    AtLeast,
}

impl Comparison {
    /// Whether it holds for two things so ordered.
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::More => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// A literal of the left side's type.
    Literal(Value),
    /// A number, or a fact of the left side's type.
    Operand(Operand),
}

/// A number with a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Which number.
    pub of: Source,
    /// Multiplies it.
    pub factor: Factor,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A literal.
    Literal(Amount),
    /// A fact, by position in the policy.
    Fact(usize),
    /// A measure, by position in the policy.
    Measure(usize),
    /// One of the rule's own numbers.
    Number(Number),
}

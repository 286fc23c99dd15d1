//! What is known while a policy is compiled: names that were declared, who
//! looked at them, and the problems found so far.
//!
//! A part that cannot be compiled is `None`, and that is always accompanied by
//! a problem; the rest is compiled all the same, so that an author sees every
//! problem at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    domain::{
        condition::{Left, Source},
        finding::Unit,
        limit::{Counting, Quantity},
        policy::{FactDeclaration, Field, Origin},
        text::Text,
        value::{Value, ValueType},
    },
    proto::v1,
};

use super::{
    field, nearest,
    path::Path,
    problem::{PolicyReason, Problem},
};

/// Longest id or fact name.
const MAX_ID: usize = 64;
/// Problems that are listed; of more than these only the number is told.
const MOST_PROBLEMS: usize = 100;
/// Comparisons of values that looking for what always comes out the same may
/// take in one policy: what is not found then is let through.
const EFFORT: usize = 5_000_000;

/// A fact as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct KnownFact {
    /// Its name.
    pub name: String,
    /// Its compiled declaration, if that had no fault.
    pub declaration: Option<FactDeclaration>,
    /// Its type, if that is known.
    pub kind: Option<ValueType>,
    /// Whether rules may not look at it.
    pub label: bool,
    /// Whether anything looks at it.
    pub used: bool,
    /// The values it may have. Empty: any.
    pub allowed: Arc<BTreeSet<Value>>,
}

/// A measure as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct KnownMeasure {
    /// Its id.
    pub id: String,
    /// What it counts, if that had no fault.
    pub counting: Option<Counting>,
    /// Whether anything reads it.
    pub used: bool,
}

/// An alert as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct KnownAlert {
    /// Its id.
    pub id: String,
    /// Whether a timer raises it.
    pub raised: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Checker {
    /// Every problem so far.
    pub problems: Vec<Problem>,
    /// Facts, by position in the policy.
    pub facts: Vec<KnownFact>,
    /// Measures, by position in the policy.
    pub measures: Vec<KnownMeasure>,
    /// Alerts, by position in the policy.
    pub alerts: Vec<KnownAlert>,
    /// Decimals of the currency.
    pub decimals: u32,
    /// Comparisons of values that are left to be made.
    pub effort: usize,
    /// Problems beyond those that are listed.
    more: usize,
    /// The first fact of each name.
    by_name: HashMap<String, usize>,
    /// Facts that the rule at hand looks at.
    looked_at: BTreeSet<usize>,
    /// Ids given so far, and where.
    ids: BTreeMap<String, Path>,
}

impl Checker {
    /// Knows the names that a policy declares, and nothing else yet.
    pub fn new(policy: &v1::Policy) -> Self {
        let fact = |f: &v1::FactDeclaration| KnownFact { name: f.name.clone(), ..<_>::default() };
        let measure = |m: &v1::Measure| KnownMeasure { id: m.id.clone(), ..<_>::default() };
        let alert = |a: &v1::Alert| KnownAlert { id: a.id.clone(), ..<_>::default() };
        let mut by_name = HashMap::new();
        for (position, fact) in policy.facts.iter().enumerate() {
            by_name.entry(fact.name.clone()).or_insert(position);
        }
        Self {
            effort: EFFORT,
            by_name,
            facts: policy.facts.iter().map(fact).collect(),
            measures: policy.measures.iter().map(measure).collect(),
            alerts: policy.alerts.iter().map(alert).collect(),
            ..Self::default()
        }
    }

    /// Notes a problem.
    pub fn problem(&mut self, at: &Path, reason: PolicyReason, description: impl Into<String>) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        let description = description.into();
        self.problems.push(Problem { field: at.to_string(), reason, description });
    }

    /// No more problems are listed.
    fn is_full(&self) -> bool {
        self.problems.len() >= MOST_PROBLEMS
    }

    /// Every problem, and how many more there are, under the last one's path.
    pub fn all_problems(&mut self) -> Vec<Problem> {
        let mut problems = std::mem::take(&mut self.problems);
        if let Some(last) = problems.last_mut().filter(|_| self.more > 0) {
            last.description.push_str(&format!(" (and {} more problems)", self.more));
        }
        problems
    }

    /// The first fact of a name.
    pub fn first_fact(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Notes a problem and gives nothing, for use as a tail expression.
    pub fn refuse<T>(
        &mut self,
        at: &Path,
        reason: PolicyReason,
        description: impl Into<String>,
    ) -> Option<T> {
        self.problem(at, reason, description);
        None
    }

    /// Notes a construct that is not carried out yet, if it is there.
    pub fn unsupported(&mut self, there: bool, at: &Path, what: &str) {
        if there {
            let text = format!("{what} not carried out by this version of Bursar");
            self.problem(at, PolicyReason::UnsupportedConstruct, text);
        }
    }

    /// A value of an enum; a number that the enum does not have is a problem.
    pub fn known<E: TryFrom<i32>>(&mut self, at: &Path, number: i32) -> Option<E> {
        match E::try_from(number) {
            Ok(value) => Some(value),
            Err(_) => self.refuse(at, PolicyReason::InvalidValue, format!("no value {number}")),
        }
    }

    /// An id of the author's, well-formed and given once in the policy.
    pub fn id(&mut self, at: &Path, text: &str) -> Option<Text> {
        self.spelling(at, text)?;
        if let Some(first) = self.ids.get(text) {
            let text = format!("`{text}` is the id at {first} already");
            return self.refuse(at, PolicyReason::DuplicateId, text);
        }
        self.ids.insert(text.to_owned(), at.clone());
        Some(text.into())
    }

    /// Checks how an id or name is spelt.
    pub fn spelling(&mut self, at: &Path, text: &str) -> Option<()> {
        if text.is_empty() {
            return self.refuse(at, PolicyReason::Missing, "needs an id");
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.len() > MAX_ID || text.starts_with('-') || !text.bytes().all(plain) {
            let rule = format!("at most {MAX_ID} lower-case letters, digits and hyphens");
            return self.refuse(at, PolicyReason::InvalidValue, format!("`{text}` is not {rule}"));
        }
        Some(())
    }

    /// From here on, another rule looks at facts.
    pub fn begin_rule(&mut self) {
        self.looked_at.clear();
    }

    /// Whether the rule at hand looks at a fact.
    pub fn looks_at(&self, fact: usize) -> bool {
        self.looked_at.contains(&fact)
    }

    /// The fact of a name, without looking at it.
    pub fn find_fact(&mut self, at: &Path, name: &str) -> Option<usize> {
        let found = self.first_fact(name).filter(|_| !name.is_empty());
        if found.is_none() {
            let hint = match self.is_full() {
                true => String::new(),
                false => nearest::hint(name, self.facts.iter().map(|f| &*f.name)),
            };
            self.problem(
                at,
                PolicyReason::UnknownReference,
                format!("the policy declares no fact `{name}`{hint}"),
            );
        }
        found
    }

    /// The fact of a name, looked at by the rule at hand.
    pub fn fact(&mut self, at: &Path, name: &str) -> Option<usize> {
        let position = self.find_fact(at, name)?;
        self.looked_at.insert(position);
        let fact = self.facts.get_mut(position)?;
        fact.used = true;
        if fact.label {
            let text = format!("`{name}` is a label: kept for reading, rules may not look at it");
            return self.refuse(at, PolicyReason::WrongType, text);
        }
        Some(position)
    }

    /// The measure of an id, read by the rule at hand.
    pub fn measure(&mut self, at: &Path, id: &str) -> Option<usize> {
        let found = self.measures.iter().position(|m| !id.is_empty() && m.id == id);
        match found.and_then(|position| self.measures.get_mut(position)) {
            Some(measure) => measure.used = true,
            None => {
                let hint = nearest::hint(id, self.measures.iter().map(|m| &*m.id));
                self.problem(
                    at,
                    PolicyReason::UnknownReference,
                    format!("the policy has no measure `{id}`{hint}"),
                );
            }
        }
        found
    }

    /// The alert of an id, raised by a timer.
    pub fn alert(&mut self, at: &Path, id: &str) -> Option<usize> {
        let found = self.alerts.iter().position(|a| !id.is_empty() && a.id == id);
        match found.and_then(|position| self.alerts.get_mut(position)) {
            Some(alert) => alert.raised = true,
            None if id.is_empty() => {
                self.problem(at, PolicyReason::Missing, "needs the id of the alert to raise");
            }
            None => {
                let hint = nearest::hint(id, self.alerts.iter().map(|a| &*a.id));
                self.problem(
                    at,
                    PolicyReason::UnknownReference,
                    format!("the policy has no alert `{id}`{hint}"),
                );
            }
        }
        found
    }

    /// What Bursar itself knows a fact as.
    pub fn field(&self, fact: usize) -> Option<&Field> {
        match &self.facts.get(fact)?.declaration.as_ref()?.origin {
            Origin::Field(field) => Some(field),
            _ => None,
        }
    }

    /// Whether a fact is one of an account.
    pub fn is_of_account(&self, fact: usize) -> bool {
        let declaration = self.facts.get(fact).and_then(|f| f.declaration.as_ref());
        declaration.is_some_and(|d| d.origin.account().is_some())
    }

    /// A fact's type.
    pub fn kind(&self, fact: usize) -> Option<ValueType> {
        self.facts.get(fact)?.kind
    }

    /// The only values that a fact may have; empty: any.
    pub fn allowed(&self, fact: usize) -> Arc<BTreeSet<Value>> {
        self.facts.get(fact).map(|f| f.allowed.clone()).unwrap_or_default()
    }

    /// Whether this is the request's amount.
    pub fn is_amount(&self, fact: usize) -> bool {
        self.field(fact) == Some(&Field::Amount)
    }

    /// Whether a number follows the request's amount.
    pub fn follows_amount(&self, source: Source) -> bool {
        match source {
            Source::Fact(fact) => self.is_amount(fact),
            Source::Measure(measure) => self.counting(measure).is_some_and(|c| c.by_amount),
            Source::Literal(_) | Source::Number(_) => false,
        }
    }

    /// What a measure counts.
    pub fn counting(&self, measure: usize) -> Option<&Counting> {
        self.measures.get(measure)?.counting.as_ref()
    }

    /// What a number counts, as far as Bursar knows.
    pub fn unit(&self, left: Left) -> Option<Unit> {
        match left {
            Left::Fact(fact) => field::unit(self.field(fact)?),
            Left::Measure(measure) => Some(match self.counting(measure)?.quantity {
                Quantity::Amount => Unit::Money,
                Quantity::Count => Unit::Count,
            }),
            Left::Number(_) => None,
        }
    }
}

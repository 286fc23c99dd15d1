//! Which facts rules look at.

use std::{collections::BTreeSet, sync::Arc};

use crate::domain::{
    condition::{Check, Left, Operand, Predicate, Right, Source, Test},
    limit::{Rule, Stage},
    name::Id,
    plan::{Looks, Supplied},
    policy::{Field, Origin, Policy},
    template::FactSource,
    text::Text,
};

/// Visits the facts a condition looks at.
pub fn each_fact(predicate: &Predicate, visit: &mut impl FnMut(usize)) {
    match predicate {
        Predicate::All(parts) | Predicate::Any(parts) | Predicate::Nothing(parts) => {
            parts.iter().for_each(|part| each_fact(part, visit));
        }
        Predicate::Test(test) => {
            if let Left::Fact(index) = test.left {
                visit(index);
            }
            match &test.check {
                Check::OneOfFact(_, index)
                | Check::Compare(_, Right::Operand(Operand { of: Source::Fact(index), .. })) => {
                    visit(*index);
                }
                _ => {}
            }
        }
    }
}

/// What the rules of a policy look at; worked out once.
pub fn looks(policy: &Policy) -> &Looks {
    policy.looks(|policy| {
        let stages = [Stage::Initiate, Stage::FillIn, Stage::Confirm];
        let limits = policy.limits.iter().map(|limit| &limit.counting);
        let measures = policy.measures.iter().map(|measure| &measure.counting);
        let counted = limits.chain(measures).flat_map(|counting| &counting.scope);
        let counted: BTreeSet<usize> = counted.copied().collect();
        let of_order = keyed(policy, |origin| match origin {
            Origin::Order(key) => Some(key),
            _ => None,
        });
        let others = policy.facts.iter().enumerate().filter(|(_, fact)| {
            varies(&fact.origin) && !matches!(fact.origin, Origin::Order(_) | Origin::Request(_))
        });
        let sent = keyed(policy, |origin| match origin {
            Origin::Request(key) => Some(key),
            _ => None,
        });
        let each_once = |keyed: &[(Text, usize)]| {
            keyed.iter().zip(keyed.iter().skip(1)).all(|((one, _), (other, _))| one != other)
        };
        let needed = stages.map(|stage| needed(policy, stage));
        let [.., confirmed] = &needed;
        let must_have = policy.facts.iter().zip(confirmed).enumerate();
        let must_have = must_have
            .filter(|(_, (fact, needed))| **needed && fact.required && varies(&fact.origin));
        Looks {
            must_have: must_have.map(|(index, _)| index).collect(),
            others: others.map(|(index, _)| index).collect(),
            keys_differ: each_once(&of_order) && each_once(&sent),
            of_order,
            needed,
            counted: counted.into_iter().collect(),
            varying: policy.facts.iter().map(|fact| varies(&fact.origin)).collect(),
            sources: policy
                .facts
                .iter()
                .map(|fact| source(&fact.origin))
                .collect::<Option<_>>()
                .map(Arc::new),
            supplied: policy.facts.iter().map(|fact| supplied(&fact.origin)).collect(),
            sent: of_one_key(sent),
            accounts: accounts(policy),
        }
    })
}

impl Looks {
    /// Whether the rules of a stage look at a fact.
    pub fn needs(&self, stage: Stage, index: usize) -> bool {
        let [initiate, fill_in, confirm] = &self.needed;
        let needed = match stage {
            Stage::Initiate => initiate,
            Stage::FillIn => fill_in,
            Stage::Confirm => confirm,
        };
        needed.get(index).copied().unwrap_or(false)
    }

    /// Whether a fact differs from payout to payout of one operator, or changes
    /// without anything being configured.
    pub fn varies(&self, index: usize) -> bool {
        self.varying.get(index).copied().unwrap_or(true)
    }

    /// Whether evaluating fills a fact in.
    pub fn supplies(&self, index: usize) -> bool {
        self.supplied.get(index).is_some_and(|supplied| *supplied != Supplied::Nothing)
    }

    /// Whether a condition is about configured facts alone, so that it stands as
    /// long as they do.
    pub fn stands(&self, predicate: &Predicate) -> bool {
        match predicate {
            Predicate::All(parts) | Predicate::Any(parts) | Predicate::Nothing(parts) => {
                parts.iter().all(|part| self.stands(part))
            }
            Predicate::Test(Test { left, check, .. }) => {
                let left = matches!(left, Left::Fact(index) if !self.varies(*index));
                left && match check {
                    Check::OneOfFact(_, index) => !self.varies(*index),
                    Check::Compare(_, Right::Operand(operand)) => match operand.of {
                        Source::Fact(index) => !self.varies(index),
                        Source::Literal(_) => true,
                        Source::Measure(_) | Source::Number(_) => false,
                    },
                    Check::Present
                    | Check::Absent
                    | Check::Compare(_, Right::Literal(_))
                    | Check::OneOf(..)
                    | Check::Contains(_) => true,
                    // Days pass.
                    Check::WithinMonths(_) | Check::WithinDays(_) => false,
                }
            }
        }
    }

    /// The fact of a request with this key.
    pub fn sent(&self, key: &str) -> Option<usize> {
        let place = self.sent.binary_search_by(|(other, _)| other.as_str().cmp(key)).ok()?;
        self.sent.get(place).map(|(_, index)| *index)
    }
}

/// Whether a fact is of the payout or of running use, and not configured.
fn varies(origin: &Origin) -> bool {
    match origin {
        Origin::Request(_) | Origin::Order(_) => true,
        Origin::Shop(_) | Origin::Operator(_) | Origin::Platform(_) | Origin::Account(..) => false,
        Origin::Field(field) => match field {
            Field::Amount
            | Field::Payee
            | Field::Purpose
            | Field::Time
            | Field::OrderId
            | Field::OrderExists
            | Field::OrderPaid
            | Field::OrderPlaceTime
            | Field::AccountBalance(_)
            | Field::AccountHeld(_)
            | Field::AccountAvailable(_) => true,
            Field::ShopId
            | Field::ShopFrozen
            | Field::ShopProceedsFrozen
            | Field::OperatorId
            | Field::OperatorKind
            | Field::OperatorFrozen
            | Field::GrantExists
            | Field::GrantEnabled
            | Field::GrantPerPayout
            | Field::GrantDaily
            | Field::GrantMonthly
            | Field::GrantDailyCount
            | Field::GrantTier
            | Field::AccountExists(_)
            | Field::AccountKind(_)
            | Field::AccountFrozen(_) => false,
        },
    }
}

/// Where the value of a fact comes from, if it is not what payouts have held.
fn source(origin: &Origin) -> Option<FactSource> {
    Some(match origin {
        origin if !varies(origin) => FactSource::Configured,
        Origin::Request(key) => FactSource::Request(key.clone()),
        Origin::Order(key) => FactSource::Order(key.clone()),
        Origin::Field(field) => match field {
            Field::Payee => FactSource::Payee,
            Field::Purpose => FactSource::Purpose,
            Field::OrderId => FactSource::OrderId,
            Field::OrderExists => FactSource::OrderExists,
            Field::OrderPaid => FactSource::OrderPaid,
            Field::OrderPlaceTime => FactSource::OrderPlaceTime,
            // Filled in by whoever evaluates.
            Field::Amount | Field::Time => FactSource::Configured,
            _ => return None,
        },
        _ => return None,
    })
}

fn supplied(origin: &Origin) -> Supplied {
    match origin {
        Origin::Field(Field::Amount) => Supplied::Amount,
        Origin::Field(Field::Time) => Supplied::Time,
        _ => Supplied::Nothing,
    }
}

/// Facts by their key, in order of it and then of the facts.
fn keyed(policy: &Policy, key: impl Fn(&Origin) -> Option<&Text>) -> Vec<(Text, usize)> {
    let facts = policy.facts.iter().enumerate();
    let keyed = facts.filter_map(|(index, fact)| Some((key(&fact.origin)?.clone(), index)));
    let mut keyed: Vec<(Text, usize)> = keyed.collect();
    keyed.sort();
    keyed
}

/// Of two with one key the first.
fn of_one_key(mut keyed: Vec<(Text, usize)>) -> Vec<(Text, usize)> {
    keyed.dedup_by(|(later, _), (first, _)| later == first);
    keyed
}

/// Accounts a policy draws from or looks at.
fn accounts(policy: &Policy) -> Vec<Id> {
    let mut ids: Vec<Id> = policy.draws.iter().map(|d| d.account.clone()).collect();
    ids.extend(policy.facts.iter().filter_map(|fact| fact.origin.account().cloned()));
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Which facts the rules of a stage look at.
fn needed(policy: &Policy, stage: Stage) -> Vec<bool> {
    let mut needed = vec![false; policy.facts.len()];
    let mut measures = vec![false; policy.measures.len()];
    let mut mark = Mark { facts: &mut needed, measures: &mut measures };
    for condition in policy.conditions.iter().filter(|c| c.rule.stages.has(stage)) {
        mark.rule(&condition.rule);
        mark.predicate(&condition.require);
    }
    for limit in policy.limits.iter().filter(|l| l.rule.stages.has(stage)) {
        mark.rule(&limit.rule);
        mark.source(limit.bound.of);
        limit.counting.scope.iter().for_each(|index| mark.fact(*index));
    }
    for draw in policy.draws.iter().filter(|d| d.rule.stages.has(stage)) {
        mark.rule(&draw.rule);
    }
    for (index, measure) in policy.measures.iter().enumerate() {
        if mark.measures.get(index).copied().unwrap_or(false) {
            mark.predicate(&measure.when);
            measure.counting.scope.iter().for_each(|index| mark.fact(*index));
        }
    }
    needed
}

struct Mark<'a> {
    facts: &'a mut Vec<bool>,
    measures: &'a mut Vec<bool>,
}

impl Mark<'_> {
    fn fact(&mut self, index: usize) {
        if let Some(slot) = self.facts.get_mut(index) {
            *slot = true;
        }
    }

    fn source(&mut self, source: Source) {
        match source {
            Source::Fact(index) => self.fact(index),
            Source::Measure(index) => {
                if let Some(slot) = self.measures.get_mut(index) {
                    *slot = true;
                }
            }
            Source::Literal(_) | Source::Number(_) => {}
        }
    }

    fn rule(&mut self, rule: &Rule) {
        self.predicate(&rule.when);
        rule.variants.iter().for_each(|v| self.predicate(&v.when));
    }

    fn predicate(&mut self, predicate: &Predicate) {
        match predicate {
            Predicate::All(parts) | Predicate::Any(parts) | Predicate::Nothing(parts) => {
                parts.iter().for_each(|p| self.predicate(p));
            }
            Predicate::Test(Test { left, check, .. }) => {
                match left {
                    Left::Fact(index) => self.fact(*index),
                    Left::Measure(index) => self.source(Source::Measure(*index)),
                    Left::Number(_) => {}
                }
                match check {
                    Check::OneOfFact(_, index) => self.fact(*index),
                    Check::Compare(_, Right::Operand(Operand { of, .. })) => self.source(*of),
                    _ => {}
                }
            }
        }
    }
}

//! Gathers the values of a policy's facts: from the request, from registered
//! resources, and from what Bursar knows itself. Refuses what is undeclared,
//! mistyped, not allowed, missing or not the caller's to say — all at once.

use std::collections::BTreeMap;

use super::{
    fact_problems::{Problems, path},
    loaded::Loaded,
    looked_at, reading,
    spec::Spec,
};
use crate::domain::{
    account::{Account, Balance, Position},
    amount::{Amount, Currency},
    freeze::Freezes,
    instant::Instant,
    limit::Stage,
    name::{AccountName, Id},
    operator::{Grant, Operator},
    order::Order,
    plan::Supplied,
    policy::{FactDeclaration, Field, Origin, Policy},
    refusal::{Reason, Refusal},
    shop::{Platform, Shop},
    text::Text,
    value::{Facts, Value},
    who::RoleSet,
};

/// How facts change by waiting alone: at an instant, a fact's new value.
pub type Changes = Vec<(Instant, usize, Option<Value>)>;

/// Where facts are looked up.
#[derive(Debug)]
pub struct Sources<'a> {
    /// What was asked.
    pub spec: &'a Spec,
    /// Loaded rows.
    pub loaded: Loaded<'a>,
    /// The platform.
    pub platform: Option<&'a Platform>,
    /// The shop.
    pub shop: Option<&'a Shop>,
    /// The accounts that the policy draws from or looks at.
    pub accounts: Vec<Held<'a>>,
    /// Freezes on the shop.
    pub shop_freezes: Option<&'a Freezes>,
    /// Freezes on the operator.
    pub operator_freezes: Option<&'a Freezes>,
    /// The order, the inline one included.
    pub order: Option<&'a Order>,
    /// Who asks.
    pub operator: Option<&'a Operator>,
    /// Its grant.
    pub grant: Option<&'a Grant>,
    /// The caller's roles.
    pub roles: RoleSet,
    /// The policy's currency.
    pub currency: Currency,
    /// The decision's time.
    pub now: Instant,
}

/// An account of the shop, with its money.
#[derive(Debug)]
pub struct Held<'a> {
    /// Its name.
    pub name: &'a AccountName,
    /// The account. `None`: the shop has none.
    pub account: Option<&'a Account>,
    /// Its money.
    pub balance: Option<&'a Balance>,
    /// Freezes on it.
    pub freezes: Option<&'a Freezes>,
}

impl Held<'_> {
    /// What freezes ask of it at an instant. `None`: all of it.
    pub fn freeze_at(&self, at: Instant) -> Option<Amount> {
        self.freezes.map_or(Some(Amount::ZERO), |freezes| freezes.amount(at))
    }

    /// Its numbers at an instant.
    pub fn position(&self, at: Instant) -> Option<Position> {
        Some(self.balance?.position(at, self.freeze_at(at)))
    }
}

impl<'a> Sources<'a> {
    /// An account by its id.
    pub fn held(&self, id: &Id) -> Option<&Held<'a>> {
        self.accounts.iter().find(|held| held.name.account == *id)
    }
}

/// Gathers the facts of a policy; `constant` are those that do not vary, as far as
/// they have a value, see [`constant`].
pub fn gather(
    policy: &Policy,
    sources: &Sources<'_>,
    constant: &[Option<Value>],
) -> Result<Vec<Option<Value>>, Refusal> {
    let looks = looked_at::looks(policy);
    let mut problems = Problems::default();
    check_sent(policy, sources, &mut problems);
    let mut facts = Vec::with_capacity(policy.facts.len());
    for (index, fact) in policy.facts.iter().enumerate() {
        let looked_at = looks.needs(sources.spec.stage, index);
        let known = constant.get(index).and_then(Option::as_ref);
        let value = match known {
            Some(known) => Some(known.clone()),
            // Nothing can be wrong with what nobody looks at.
            None if !looked_at && !looks.varies(index) => None,
            None => value(fact, sources, looked_at, &mut problems),
        };
        let is_supplied = match looks.supplied.get(index) {
            Some(Supplied::Amount) => sources.spec.amount.is_some(),
            Some(Supplied::Time) => true,
            _ => false,
        };
        if value.is_none() && fact.required && looked_at && !is_supplied {
            problems.missing(fact, sources);
        }
        facts.push(value);
    }
    problems.into_result().map(|()| facts)
}

/// Whether what is configured and looked at when a payout is confirmed is of use: it
/// is there, unless it need not be.
pub(super) fn all_of_use(
    policy: &Policy,
    sources: &Sources<'_>,
    constant: &[Option<Value>],
) -> bool {
    let looks = looked_at::looks(policy);
    let mut problems = Problems::default();
    let facts = policy.facts.iter().zip(constant).enumerate();
    let mut missing = facts.filter(|(index, (_, value))| {
        value.is_none() && !looks.varies(*index) && looks.needs(Stage::Confirm, *index)
    });
    missing
        .all(|(_, (fact, _))| !fact.required && value(fact, sources, true, &mut problems).is_none())
        && problems.is_none()
}

/// Whether the word of somebody in these roles counts.
pub(super) fn counts(fact: &FactDeclaration, by: RoleSet) -> bool {
    fact.asserted_by.is_empty() || fact.asserted_by.meets(by)
}

/// How the facts of a policy will change by waiting alone, by instant.
pub fn changes(policy: &Policy, sources: &Sources<'_>) -> Changes {
    let mut changes = Changes::new();
    for (index, fact) in policy.facts.iter().enumerate() {
        fact_changes(index, fact, sources, &mut changes);
    }
    changes.sort_unstable_by_key(|(at, index, _)| (*at, *index));
    changes
}

/// The values that are known, without asking for more: for reading usage.
pub fn known(policy: &Policy, sources: &Sources<'_>) -> Vec<Option<Value>> {
    let mut ignored = Problems::default();
    policy.facts.iter().map(|fact| value(fact, sources, false, &mut ignored)).collect()
}

/// The values that do not vary from payout to payout of one operator, of some
/// facts; a value that cannot be used is none.
pub fn constant(
    policy: &Policy,
    sources: &Sources<'_>,
    wanted: impl Fn(&FactDeclaration) -> bool,
) -> Vec<Option<Value>> {
    let mut ignored = Problems::default();
    let looks = looked_at::looks(policy);
    let mut value = |(index, fact): (usize, &FactDeclaration)| {
        let known = !looks.varies(index) && wanted(fact);
        known.then(|| value(fact, sources, false, &mut ignored)).flatten()
    };
    policy.facts.iter().enumerate().map(&mut value).collect()
}

/// The values that something may be counted over, as [`gather`] gives them,
/// before accounts are loaded: nothing is counted over facts of those.
pub fn countable(
    policy: &Policy,
    sources: &Sources<'_>,
    constant: &[Option<Value>],
) -> Vec<Option<Value>> {
    let mut ignored = Problems::default();
    let looks = looked_at::looks(policy);
    let mut values = vec![None; policy.facts.len()];
    for &index in &looks.counted {
        let (Some(fact), Some(slot)) = (policy.facts.get(index), values.get_mut(index)) else {
            continue;
        };
        *slot = if fact.origin.account().is_some() {
            None
        } else if looks.varies(index) {
            value(fact, sources, false, &mut ignored)
        } else {
            constant.get(index).cloned().flatten()
        };
    }
    values
}

fn check_sent(policy: &Policy, sources: &Sources<'_>, problems: &mut Problems) {
    let looks = looked_at::looks(policy);
    for (key, value) in sources.spec.facts.iter() {
        let field = || format!("payout.facts[{key:?}]");
        let declared = looks.sent(key).and_then(|index| policy.facts.get(index));
        let Some(fact) = declared else {
            let known = policy.facts.iter().filter_map(|f| match &f.origin {
                Origin::Request(key) => Some(&**key),
                _ => None,
            });
            let known: Vec<&str> = known.collect();
            let advice = format!(
                "The policy declares no such fact of a request. It has: {}.",
                known.join(", ")
            );
            problems.add(Reason::FactUndeclared, field(), advice);
            continue;
        };
        if let Some(problem) = misfit(fact, value) {
            let reason = if value.kind() == fact.kind {
                Reason::FactValueNotAllowed
            } else {
                Reason::FactTypeMismatch
            };
            problems.add(reason, field(), problem);
        } else if !counts(fact, sources.roles) {
            problems.add(
                Reason::FactNotAssertable,
                field(),
                "Leave it to a caller whose role may assert it.".to_owned(),
            );
        }
    }
}

/// Whether a value is what the policy declares its fact to be.
pub(super) fn fits(fact: &FactDeclaration, value: &Value) -> bool {
    if value.kind() != fact.kind {
        return false;
    }
    match value {
        _ if fact.values.is_empty() => true,
        Value::List(texts) => {
            texts.iter().all(|text| fact.values.contains(&Value::Text(text.clone())))
        }
        value => fact.values.contains(value),
    }
}

/// What is wrong with a value as the policy declares its fact.
fn misfit(fact: &FactDeclaration, value: &Value) -> Option<String> {
    if value.kind() != fact.kind {
        return Some(format!(
            "The policy declares {} as {:?}; this is {:?}.",
            fact.name,
            fact.kind,
            value.kind()
        ));
    }
    if !fits(fact, value) {
        let allowed: Vec<String> = fact.values.iter().map(ToString::to_string).collect();
        return Some(format!("Must be one of: {}.", allowed.join(", ")));
    }
    None
}

fn value(
    fact: &FactDeclaration,
    sources: &Sources<'_>,
    looked_at: bool,
    problems: &mut Problems,
) -> Option<Value> {
    let spec = sources.spec;
    let from = |facts: Option<&Facts>, key: &Text, problems: &mut Problems| {
        registered(fact, facts, key, sources, looked_at, problems)
    };
    match &fact.origin {
        Origin::Request(key) => spec.facts.get(key).cloned(),
        Origin::Order(key) => from(sources.order.map(|o| &*o.facts), key, problems),
        Origin::Shop(key) => from(sources.shop.map(|s| &s.facts), key, problems),
        Origin::Operator(key) => from(sources.operator.map(|o| &o.facts), key, problems),
        Origin::Platform(key) => from(sources.platform.map(|p| &p.facts), key, problems),
        Origin::Account(id, key) => {
            let account = sources.held(id).and_then(|held| held.account);
            from(account.map(|a| &a.facts), key, problems)
        }
        Origin::Field(field) => {
            let value = field_value(fact, field, sources, looked_at, problems)?;
            match misfit(fact, &value) {
                // Only payee, purpose and tier can be held to a list of values.
                Some(problem) if looked_at => {
                    let (path, _) = path(&fact.origin, sources);
                    let reason = match field {
                        Field::Payee | Field::Purpose => Reason::FactValueNotAllowed,
                        _ => Reason::FactUnusable,
                    };
                    problems.add(reason, path, problem);
                    None
                }
                Some(_) => {
                    problems.not_counted = true;
                    None
                }
                None => Some(value),
            }
        }
    }
}

fn registered(
    fact: &FactDeclaration,
    facts: Option<&Facts>,
    key: &Text,
    sources: &Sources<'_>,
    looked_at: bool,
    problems: &mut Problems,
) -> Option<Value> {
    let registered = facts?.get(key)?;
    if !counts(fact, registered.asserted_by) {
        problems.not_counted = true;
        return None;
    }
    if let Some(problem) = misfit(fact, &registered.value) {
        problems.not_counted = true;
        if looked_at {
            let (path, is_registered) = path(&fact.origin, sources);
            let reason = match (is_registered, registered.value.kind() == fact.kind) {
                (true, _) => Reason::FactUnusable,
                (false, true) => Reason::FactValueNotAllowed,
                (false, false) => Reason::FactTypeMismatch,
            };
            problems.add(reason, path, problem);
        }
        return None;
    }
    Some(registered.value.clone())
}

fn field_value(
    fact: &FactDeclaration,
    field: &Field,
    sources: &Sources<'_>,
    looked_at: bool,
    problems: &mut Problems,
) -> Option<Value> {
    let spec = sources.spec;
    let text = |t: &Text| (!t.is_empty()).then(|| Value::Text(t.clone()));
    let frozen = |freezes: Option<&Freezes>, stops: fn(&Freezes, Instant) -> bool| {
        Some(Value::Bool(freezes.is_some_and(|f| stops(f, sources.now))))
    };
    let position = |id: &Id| sources.held(id)?.position(sources.now);
    match field {
        // Filled in by whoever evaluates: they differ by what is asked.
        Field::Amount | Field::Time => None,
        Field::Payee => text(&spec.payee),
        Field::Purpose => text(&spec.purpose),
        Field::OrderId => spec.order.as_ref().map(|o| Value::Text(o.order.shared())),
        Field::OrderExists => Some(Value::Bool(sources.order.is_some())),
        Field::OrderPaid => {
            let (amount, currency) = order_that_counts(fact, sources, problems)?.paid?;
            if looked_at && currency != sources.currency {
                let (path, _) = path(&fact.origin, sources);
                problems.add(
                    Reason::CurrencyMismatch,
                    path,
                    format!("The order is in {}.", currency.code()),
                );
                return None;
            }
            Some(Value::Decimal(amount))
        }
        Field::OrderPlaceTime => {
            order_that_counts(fact, sources, problems)?.place_time.map(Value::Time)
        }
        Field::ShopId => Some(Value::Text(spec.shop.shop.shared())),
        Field::ShopFrozen => frozen(sources.shop_freezes, Freezes::stops_all),
        Field::ShopProceedsFrozen => frozen(sources.shop_freezes, Freezes::stops_proceeds),
        Field::OperatorId => spec.operator.as_ref().map(|o| Value::Text(o.operator.shared())),
        Field::OperatorKind => sources.operator.map(|o| Value::text(o.kind.as_str())),
        Field::OperatorFrozen => {
            spec.operator.as_ref()?;
            frozen(sources.operator_freezes, Freezes::stops_all)
        }
        Field::GrantExists => Some(Value::Bool(sources.grant.is_some())),
        Field::GrantEnabled => sources.grant.map(|g| Value::Bool(g.enabled)),
        Field::GrantPerPayout => sources.grant?.per_payout_amount.map(Value::Decimal),
        Field::GrantDaily => sources.grant?.daily_amount.map(Value::Decimal),
        Field::GrantMonthly => sources.grant?.monthly_amount.map(Value::Decimal),
        Field::GrantDailyCount => {
            let count = sources.grant?.daily_count?;
            Some(Value::Decimal(Amount::from_count(u64::from(count))))
        }
        Field::GrantTier => text(&sources.grant?.tier),
        Field::AccountExists(id) => {
            Some(Value::Bool(sources.held(id).is_some_and(|held| held.account.is_some())))
        }
        Field::AccountKind(id) => {
            sources.held(id)?.account.map(|account| Value::text(account.kind.as_str()))
        }
        Field::AccountBalance(id) => position(id).map(|p| Value::Decimal(p.balance)),
        Field::AccountHeld(id) => position(id).map(|p| Value::Decimal(p.held)),
        Field::AccountAvailable(id) => position(id).map(|p| Value::Decimal(p.available())),
        Field::AccountFrozen(id) => {
            frozen(sources.held(id).and_then(|held| held.freezes), Freezes::stops_all)
        }
    }
}

/// The order, if who recorded it may assert this fact.
fn order_that_counts<'a>(
    fact: &FactDeclaration,
    sources: &Sources<'a>,
    problems: &mut Problems,
) -> Option<&'a Order> {
    let order = sources.order?;
    let counts = counts(fact, order.asserted_by);
    problems.not_counted |= !counts;
    counts.then_some(order)
}

/// How a fact changes by waiting alone: freezes end, holds expire.
fn fact_changes(index: usize, fact: &FactDeclaration, sources: &Sources<'_>, into: &mut Changes) {
    if let Origin::Field(Field::AccountHeld(id) | Field::AccountAvailable(id)) = &fact.origin {
        let available = matches!(fact.origin, Origin::Field(Field::AccountAvailable(_)));
        let positions = sources.held(id).map(|held| reading::positions(held, sources.now));
        for (at, position) in positions.unwrap_or_default() {
            let amount = if available { position.available() } else { position.held };
            into.push((at, index, Some(Value::Decimal(amount))));
        }
        return;
    }
    let (freezes, stops): (_, fn(&Freezes, Instant) -> bool) = match &fact.origin {
        Origin::Field(Field::ShopFrozen) => (sources.shop_freezes, Freezes::stops_all),
        Origin::Field(Field::ShopProceedsFrozen) => (sources.shop_freezes, Freezes::stops_proceeds),
        Origin::Field(Field::OperatorFrozen) => (sources.operator_freezes, Freezes::stops_all),
        Origin::Field(Field::AccountFrozen(id)) => {
            (sources.held(id).and_then(|held| held.freezes), Freezes::stops_all)
        }
        _ => return,
    };
    if let Some(freezes) = freezes {
        for end in freezes.ends(sources.now) {
            into.push((end, index, Some(Value::Bool(stops(freezes, end)))));
        }
    }
}

/// Values of the policy's dimensions, for a payout's record.
pub fn dimensions(policy: &Policy, facts: &[Option<Value>]) -> BTreeMap<Text, Text> {
    let declared = policy.facts.iter().zip(facts).filter(|(fact, _)| fact.dimension);
    let mut dimensions = BTreeMap::new();
    dimensions.extend(
        declared.filter_map(|(fact, value)| Some((fact.name.clone(), value.as_ref()?.to_text()))),
    );
    dimensions
}

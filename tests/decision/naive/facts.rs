//! The value of every declared fact, or why there is none.

use std::collections::BTreeMap;

use bursar::proto::v1::{self, FactSource, FactType, Role};
use jiff::Timestamp;

use super::{
    Values,
    books::{Ask, Books, Facts, Order, Plain, Scope, Target},
    literal,
};

pub fn gather(
    policy: &v1::Policy,
    books: &Books,
    ask: &Ask,
    now: Timestamp,
) -> Result<Values, String> {
    if let Some(order) = &ask.order
        && !books.orders.contains_key(order)
        && ask.inline.is_none()
    {
        return Err(format!("no order {order}"));
    }
    let declared: Vec<&str> = policy
        .facts
        .iter()
        .filter(|f| f.source() == FactSource::Request && !f.key.is_empty())
        .map(|f| &*f.key)
        .collect();
    if let Some(key) = ask.facts.keys().find(|key| !declared.contains(&key.as_str())) {
        return Err(format!("{key} is not declared"));
    }
    let mut values = BTreeMap::new();
    for fact in &policy.facts {
        let value = if fact.key.is_empty() {
            typed(fact, books, ask, now)
        } else {
            registered(fact, books, ask)?
        };
        if let Some(value) = &value {
            fits(fact, value)?;
        }
        if value.is_none() && fact.required {
            return Err(format!("{} is missing", fact.name));
        }
        values.insert(fact.name.clone(), value);
    }
    Ok(values)
}

/// The newer of the order on the books and the one sent along.
fn order<'a>(books: &'a Books, ask: &'a Ask) -> Option<&'a Order> {
    let old = books.orders.get(ask.order.as_ref()?);
    match (&ask.inline, old) {
        (Some(new), Some(old)) if new.precedence() <= old.precedence() => Some(old),
        (Some(new), _) => Some(new),
        (None, old) => old,
    }
}

fn counts(fact: &v1::FactDeclaration, by: &[Role]) -> bool {
    fact.asserted_by.is_empty() || fact.asserted_by().any(|role| by.contains(&role))
}

fn registered(
    fact: &v1::FactDeclaration,
    books: &Books,
    ask: &Ask,
) -> Result<Option<Plain>, String> {
    let operator = ask.operator.as_ref().and_then(|id| books.operators.get(id));
    let facts: Option<&Facts> = match fact.source() {
        FactSource::Request => {
            let value = ask.facts.get(&fact.key).cloned();
            return match value {
                Some(_) if !counts(fact, &ask.roles) => Err(format!("{} not yours", fact.name)),
                value => Ok(value),
            };
        }
        FactSource::Order => order(books, ask).map(|o| &o.facts),
        FactSource::Shop => Some(&books.shop),
        FactSource::Operator => operator.map(|o| &o.facts),
        FactSource::Platform => Some(&books.platform),
        FactSource::Account => books.has_account.then_some(&books.account_facts),
        other => panic!("{other:?} has no map of facts"),
    };
    let said = facts.and_then(|f| f.get(&fact.key)).filter(|said| counts(fact, &said.by));
    Ok(said.map(|said| said.value.clone()))
}

fn fits(fact: &v1::FactDeclaration, value: &Plain) -> Result<(), String> {
    let kind = match value {
        Plain::Text(_) => FactType::String,
        Plain::Bool(_) => FactType::Bool,
        Plain::Number(_) => FactType::Decimal,
        Plain::Time(_) => FactType::Time,
        Plain::List(_) => FactType::List,
    };
    if kind != fact.r#type() {
        return Err(format!("{} has another type", fact.name));
    }
    let listed =
        |value: &Plain| fact.values.iter().any(|v| literal(value, v).as_ref() == Some(value));
    let allowed = match value {
        Plain::List(all) => all.iter().all(|text| listed(&Plain::Text(text.clone()))),
        value => listed(value),
    };
    if fact.values.is_empty() || allowed {
        Ok(())
    } else {
        Err(format!("{} has a value that is not listed", fact.name))
    }
}

fn text(text: &str) -> Option<Plain> {
    (!text.is_empty()).then(|| Plain::Text(text.to_owned()))
}

fn typed(fact: &v1::FactDeclaration, books: &Books, ask: &Ask, now: Timestamp) -> Option<Plain> {
    use Plain::{Bool, Number};
    let operator = ask.operator.as_ref().and_then(|id| books.operators.get(id));
    let grant = operator.and_then(|o| o.grant.as_ref());
    let order = order(books, ask);
    let word = order.filter(|o| counts(fact, &o.by));
    let account = |value: Plain| books.has_account.then_some(value);
    match (fact.source(), &*fact.field) {
        (FactSource::Request, "amount") => Some(Number(ask.amount)),
        (FactSource::Request, "payee") => text(&ask.payee),
        (FactSource::Request, "purpose") => text(&ask.purpose),
        (FactSource::Request, "time") => Some(Plain::Time(now)),
        (FactSource::Order, "id") => text(ask.order.as_ref()?),
        (FactSource::Order, "exists") => Some(Bool(order.is_some())),
        (FactSource::Order, "paid_amount") => word?.paid.map(Number),
        (FactSource::Order, "place_time") => word?.placed.map(Plain::Time),
        (FactSource::Shop, "id") => text("s1"),
        (FactSource::Shop, "frozen") => Some(Bool(books.stopped(&Target::Shop, &Scope::All, now))),
        (FactSource::Shop, "proceeds_withdrawal_frozen") => {
            Some(Bool(books.stopped(&Target::Shop, &Scope::Proceeds, now)))
        }
        (FactSource::Operator, "id") => text(ask.operator.as_ref()?),
        (FactSource::Operator, "kind") => text(if operator?.main { "MAIN" } else { "SUB" }),
        (FactSource::Operator, "frozen") => {
            let target = Target::Operator(ask.operator.clone()?);
            Some(Bool(books.stopped(&target, &Scope::All, now)))
        }
        (FactSource::Grant, "exists") => Some(Bool(grant.is_some())),
        (FactSource::Grant, "enabled") => Some(Bool(grant?.enabled)),
        (FactSource::Grant, "per_payout_amount") => grant?.per_payout.map(Number),
        (FactSource::Grant, "daily_amount") => grant?.daily.map(Number),
        (FactSource::Grant, "monthly_amount") => grant?.monthly.map(Number),
        (FactSource::Grant, "daily_count") => grant?.daily_count.map(|n| Number(n.into())),
        (FactSource::Grant, "tier") => text(&grant?.tier),
        (FactSource::Account, "exists") => Some(Bool(books.has_account)),
        (FactSource::Account, "kind") => books.has_account.then(|| text("SETTLEMENT"))?,
        (FactSource::Account, "balance") => account(Number(books.balance())),
        (FactSource::Account, "held") => account(Number(books.held(now))),
        (FactSource::Account, "available") => account(Number(books.available(now))),
        (FactSource::Account, "frozen") => {
            Some(Bool(books.stopped(&Target::Account, &Scope::All, now)))
        }
        (source, field) => panic!("{source:?} has no field {field}"),
    }
}

//! What is wrong with the facts of a request, and where each would have to be
//! given: all of one kind is answered together, the gravest kind.

use super::facts::Sources;
use crate::domain::{
    policy::{FactDeclaration, Field, Origin},
    refusal::{Detail, Reason, Refusal},
};

/// Problems by reason; the gravest kind is answered, with all of its fields.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<(Reason, Detail)>,
    /// Whether a value is there that does not count: because of who said it, or of
    /// what it is.
    pub(super) not_counted: bool,
}

impl Problems {
    /// Whether nothing was found, and all that is there counts.
    pub(super) fn is_none(&self) -> bool {
        self.found.is_empty() && !self.not_counted
    }

    pub(super) fn add(&mut self, reason: Reason, field: String, description: String) {
        self.found.push((reason, Detail { field, word: reason.as_str().into(), description }));
    }

    pub(super) fn missing(&mut self, fact: &FactDeclaration, sources: &Sources<'_>) {
        let (path, registered) = path(&fact.origin, sources);
        if registered {
            let advice = if fact.asserted_by.is_empty() {
                "Register it first.".to_owned()
            } else {
                "Register it first, by a caller whose role may assert it.".to_owned()
            };
            self.add(
                Reason::FactNotRegistered,
                path,
                format!("The policy needs this fact ({}). {advice}", fact.name),
            );
        } else {
            self.add(
                Reason::FactMissing,
                path,
                format!("The policy needs this fact ({}). Send it.", fact.name),
            );
        }
    }

    /// Answers the first of: malformed, forbidden, not ready; all fields of
    /// the same kind together, so that a caller mends them in one go.
    pub(super) fn into_result(self) -> Result<(), Refusal> {
        use crate::domain::refusal::Kind;
        for kind in [Kind::Invalid, Kind::Forbidden, Kind::Precondition] {
            let mut of_kind = self.found.iter().filter(|(reason, _)| reason.kind() == kind);
            if let Some((reason, _)) = of_kind.next() {
                let details: Vec<Detail> = self
                    .found
                    .iter()
                    .filter(|(r, _)| r.kind() == kind)
                    .map(|(_, detail)| detail.clone())
                    .collect();
                let message = match kind {
                    Kind::Invalid => "Facts of the request do not fit the policy.",
                    Kind::Forbidden => "The caller's role may not assert these facts.",
                    _ => "Registered facts do not suffice for a decision.",
                };
                return Err(Refusal { details, ..Refusal::new(*reason, message.to_owned()) });
            }
        }
        Ok(())
    }
}

/// Where a fact would have to be given, and whether that is a registration.
pub(super) fn path(origin: &Origin, sources: &Sources<'_>) -> (String, bool) {
    let order = |rest: String| match (&sources.spec.inline_order, &sources.spec.order) {
        (Some(_), _) => (format!("payout.inline_order.{rest}"), false),
        (None, Some(_)) => (format!("order.{rest}"), true),
        (None, None) => ("payout.order".to_owned(), false),
    };
    let operator = |rest: String| match &sources.spec.operator {
        Some(_) => (format!("operator.{rest}"), true),
        None => ("payout.operator".to_owned(), false),
    };
    match origin {
        Origin::Request(key) => (format!("payout.facts[{key:?}]"), false),
        Origin::Order(key) => order(format!("facts[{key:?}]")),
        Origin::Shop(key) => (format!("shop.facts[{key:?}]"), true),
        Origin::Operator(key) => operator(format!("facts[{key:?}]")),
        Origin::Platform(key) => (format!("platform.facts[{key:?}]"), true),
        Origin::Account(account, key) => (format!("accounts[{account:?}].facts[{key:?}]"), true),
        Origin::Field(field) => match field {
            Field::Amount => ("payout.amount".to_owned(), false),
            Field::Payee => ("payout.payee".to_owned(), false),
            Field::Purpose => ("payout.purpose".to_owned(), false),
            Field::OrderId | Field::OrderExists => ("payout.order".to_owned(), false),
            Field::OrderPaid => order("paid_amount".to_owned()),
            Field::OrderPlaceTime => order("place_time".to_owned()),
            Field::OperatorId | Field::OperatorKind | Field::OperatorFrozen => {
                ("payout.operator".to_owned(), false)
            }
            Field::GrantExists
            | Field::GrantEnabled
            | Field::GrantPerPayout
            | Field::GrantDaily
            | Field::GrantMonthly
            | Field::GrantDailyCount
            | Field::GrantTier => operator("grant".to_owned()),
            Field::AccountKind(id)
            | Field::AccountBalance(id)
            | Field::AccountHeld(id)
            | Field::AccountAvailable(id)
            | Field::AccountExists(id)
            | Field::AccountFrozen(id) => (format!("accounts[{id:?}]"), true),
            Field::Time | Field::ShopId | Field::ShopFrozen | Field::ShopProceedsFrozen => {
                ("shop".to_owned(), true)
            }
        },
    }
}

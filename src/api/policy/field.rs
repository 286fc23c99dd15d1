//! Facts that Bursar knows itself: their names in policies, types and units.

use crate::{
    domain::{finding::Unit, name::Id, policy::Field, value::ValueType},
    proto::v1::FactSource,
};

/// Names of a source's typed fields.
pub fn fields_of(source: FactSource) -> &'static [&'static str] {
    match source {
        FactSource::Request => &["amount", "payee", "purpose", "time"],
        FactSource::Order => &["id", "paid_amount", "place_time", "exists"],
        FactSource::Shop => &["id", "frozen", "proceeds_withdrawal_frozen"],
        FactSource::Operator => &["id", "kind", "frozen"],
        FactSource::Grant => &[
            "exists",
            "enabled",
            "per_payout_amount",
            "daily_amount",
            "monthly_amount",
            "daily_count",
            "tier",
        ],
        FactSource::Account => &["exists", "kind", "balance", "held", "available", "frozen"],
        _ => &[],
    }
}

/// The typed field of a source and name.
pub fn typed_field(source: FactSource, name: &str, account: Option<Id>) -> Option<Field> {
    Some(match (source, name) {
        (FactSource::Request, "amount") => Field::Amount,
        (FactSource::Request, "payee") => Field::Payee,
        (FactSource::Request, "purpose") => Field::Purpose,
        (FactSource::Request, "time") => Field::Time,
        (FactSource::Order, "id") => Field::OrderId,
        (FactSource::Order, "paid_amount") => Field::OrderPaid,
        (FactSource::Order, "place_time") => Field::OrderPlaceTime,
        (FactSource::Order, "exists") => Field::OrderExists,
        (FactSource::Shop, "id") => Field::ShopId,
        (FactSource::Shop, "frozen") => Field::ShopFrozen,
        (FactSource::Shop, "proceeds_withdrawal_frozen") => Field::ShopProceedsFrozen,
        (FactSource::Operator, "id") => Field::OperatorId,
        (FactSource::Operator, "kind") => Field::OperatorKind,
        (FactSource::Operator, "frozen") => Field::OperatorFrozen,
        (FactSource::Grant, "exists") => Field::GrantExists,
        (FactSource::Grant, "enabled") => Field::GrantEnabled,
        (FactSource::Grant, "per_payout_amount") => Field::GrantPerPayout,
        (FactSource::Grant, "daily_amount") => Field::GrantDaily,
        (FactSource::Grant, "monthly_amount") => Field::GrantMonthly,
        (FactSource::Grant, "daily_count") => Field::GrantDailyCount,
        (FactSource::Grant, "tier") => Field::GrantTier,
        (FactSource::Account, "exists") => Field::AccountExists(account?),
        (FactSource::Account, "kind") => Field::AccountKind(account?),
        (FactSource::Account, "balance") => Field::AccountBalance(account?),
        (FactSource::Account, "held") => Field::AccountHeld(account?),
        (FactSource::Account, "available") => Field::AccountAvailable(account?),
        (FactSource::Account, "frozen") => Field::AccountFrozen(account?),
        _ => return None,
    })
}

/// The type of a typed field.
pub fn type_of(field: &Field) -> ValueType {
    match field {
        Field::Payee
        | Field::Purpose
        | Field::OrderId
        | Field::ShopId
        | Field::OperatorId
        | Field::OperatorKind
        | Field::AccountKind(_)
        | Field::GrantTier => ValueType::Text,
        Field::Time | Field::OrderPlaceTime => ValueType::Time,
        Field::OrderExists
        | Field::ShopFrozen
        | Field::ShopProceedsFrozen
        | Field::OperatorFrozen
        | Field::GrantExists
        | Field::GrantEnabled
        | Field::AccountExists(_)
        | Field::AccountFrozen(_) => ValueType::Bool,
        Field::Amount
        | Field::OrderPaid
        | Field::GrantPerPayout
        | Field::GrantDaily
        | Field::GrantMonthly
        | Field::GrantDailyCount
        | Field::AccountBalance(_)
        | Field::AccountHeld(_)
        | Field::AccountAvailable(_) => ValueType::Decimal,
    }
}

/// What a typed decimal field counts.
pub fn unit(field: &Field) -> Option<Unit> {
    match field {
        Field::GrantDailyCount => Some(Unit::Count),
        _ if type_of(field) == ValueType::Decimal => Some(Unit::Money),
        _ => None,
    }
}

/// Whether a typed field has a value in every decision.
pub fn always_there(field: &Field) -> bool {
    matches!(
        field,
        Field::Amount
            | Field::Time
            | Field::OrderExists
            | Field::ShopId
            | Field::ShopFrozen
            | Field::ShopProceedsFrozen
            | Field::GrantExists
            | Field::AccountExists(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_field_is_known() {
        for source in (1..=9).filter_map(|n| FactSource::try_from(n).ok()) {
            for name in fields_of(source) {
                let account = Id::parse("settlement");
                assert!(typed_field(source, name, account).is_some(), "{source:?} {name}");
            }
        }
    }
}

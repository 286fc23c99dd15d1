//! Operators and grants, from and to the wire.

use v1::{grant::Reach as WireReach, operator::Kind as WireKind};

use super::{
    convert::{self, to_facts, to_time},
    convert_shop::shop_name,
    mask::{self, Sent},
    problems::Problems,
};
use crate::{
    decision::configure::{Edit, GrantField, NewOperator, SetGrant},
    domain::{
        amount::Amount,
        name::{GrantName, Id, OperatorName},
        operator::{Grant, Operator, OperatorKind, Reach},
        refusal::{Reason, Refusal},
        who::RoleSet,
    },
    proto::v1,
};

/// Fields of a grant that can be changed, as masks name them.
const GRANT_FIELDS: [&str; 7] = [
    "enabled",
    "per_payout_amount",
    "daily_amount",
    "monthly_amount",
    "daily_count",
    "tier",
    "reach",
];

/// What is asked for, and the operator it is asked for by, if one was named.
pub type For<T> = (T, Option<OperatorName>);

/// An operator to register.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn new_operator(
    request: &v1::CreateOperatorRequest,
    roles: RoleSet,
) -> Result<For<NewOperator>, Refusal> {
    let mut problems = Problems::of(request);
    let shop = shop_name(&request.parent, "parent", &mut problems);
    let id = Id::parse(&request.operator_id);
    let actor = actor(&request.actor, &mut problems);
    let Some(sent) = &request.operator else { return problems.finish(None) };
    let kind = kind(sent.kind);
    if kind.is_none() {
        let advice = "Must be KIND_MAIN or KIND_SUB to make an operator.";
        problems.add(Reason::FieldInvalid, "operator.kind", advice);
    }
    let facts = convert::facts(&sent.facts, "operator.facts", roles, &mut problems);
    let operator = shop.zip(id).zip(kind).map(|((shop, id), kind)| NewOperator {
        name: shop.operator(id),
        display_name: sent.display_name.as_str().into(),
        kind,
        facts,
    });
    problems.finish(operator.map(|operator| (operator, actor)))
}

/// A change of an operator.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn operator_edit(
    request: &v1::UpdateOperatorRequest,
    roles: RoleSet,
) -> Result<For<(OperatorName, Edit)>, Refusal> {
    let mut problems = Problems::of(request);
    let sent = request.operator.clone().unwrap_or_default();
    let name = operator_name(&sent.name, "operator.name", &mut problems);
    let actor = actor(&request.actor, &mut problems);
    let fields = Sent {
        field: "operator",
        etag: &sent.etag,
        display_name: Some(&sent.display_name),
        facts: &sent.facts,
    };
    let edit = mask::edit(fields, request.update_mask.as_ref(), roles, &mut problems);
    problems.finish(name.map(|name| ((name, edit), actor)))
}

/// That an update does not ask for another kind than the operator has.
///
/// # Errors
/// If it does.
pub fn keeps_operator(
    request: &v1::UpdateOperatorRequest,
    operator: &Operator,
) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    let Some(sent) = &request.operator else { return Ok(()) };
    if kind(sent.kind).is_some_and(|kind| kind != operator.kind) {
        let kind = to_kind(operator.kind).as_str_name();
        problems.add(Reason::FieldInvalid, "operator.kind", format!("Fixed once made: {kind}."));
    }
    problems.finish(Some(()))
}

/// A grant to set. Without a mask: what is set of it.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn grant_edit(request: &v1::UpdateGrantRequest) -> Result<For<SetGrant>, Refusal> {
    let mut problems = Problems::of(request);
    let sent = request.grant.clone().unwrap_or_default();
    let name = grant_name(&sent.name, "grant.name", &mut problems);
    let actor = actor(&request.actor, &mut problems);
    // All of them, so that also what the mask leaves out is found wrong.
    let all: Vec<GrantField> =
        GRANT_FIELDS.iter().filter_map(|path| grant_field(path, &sent, &mut problems)).collect();
    let paths = mask::paths(request.update_mask.as_ref());
    let fields = if paths.is_empty() {
        let set = all.into_iter().zip(GRANT_FIELDS).filter(|(_, path)| is_set(path, &sent));
        set.map(|(field, _)| field).collect()
    } else {
        let named = paths.iter().enumerate().filter_map(|(index, path)| {
            let field = grant_field(path, &sent, &mut problems);
            if field.is_none() {
                mask::unknown(index, &GRANT_FIELDS.join(", "), &mut problems);
            }
            field
        });
        named.collect()
    };
    let set = name.map(|name| SetGrant { name, etag: sent.etag, fields });
    problems.finish(set.map(|set| (set, actor)))
}

/// Whether a field of a grant was sent.
fn is_set(path: &str, sent: &v1::Grant) -> bool {
    match path {
        "enabled" => sent.enabled.is_some(),
        "per_payout_amount" => sent.per_payout_amount.is_some(),
        "daily_amount" => sent.daily_amount.is_some(),
        "monthly_amount" => sent.monthly_amount.is_some(),
        "daily_count" => sent.daily_count.is_some(),
        "tier" => !sent.tier.is_empty(),
        "reach" => sent.reach != 0,
        _ => false,
    }
}

/// A field of a grant as it was sent. `None`: there is no such field.
fn grant_field(path: &str, sent: &v1::Grant, problems: &mut Problems) -> Option<GrantField> {
    let mut amount = |text: &Option<String>| {
        convert::decimal(text.as_ref(), format_args!("grant.{path}"), problems)
    };
    Some(match path {
        "enabled" => GrantField::Enabled(sent.enabled()),
        "per_payout_amount" => GrantField::PerPayoutAmount(amount(&sent.per_payout_amount)),
        "daily_amount" => GrantField::DailyAmount(amount(&sent.daily_amount)),
        "monthly_amount" => GrantField::MonthlyAmount(amount(&sent.monthly_amount)),
        // What is negative the contract's check has seen.
        "daily_count" => {
            GrantField::DailyCount(sent.daily_count.and_then(|count| u32::try_from(count).ok()))
        }
        "tier" => GrantField::Tier(sent.tier.as_str().into()),
        "reach" => GrantField::Reach(reach(sent.reach)),
        _ => return None,
    })
}

/// An operator's name.
pub fn operator_name(text: &str, field: &str, problems: &mut Problems) -> Option<OperatorName> {
    convert::name(text, field, OperatorName::PATTERN, OperatorName::parse, problems)
}

/// A grant's name.
pub fn grant_name(text: &str, field: &str, problems: &mut Problems) -> Option<GrantName> {
    convert::name(text, field, GrantName::PATTERN, GrantName::parse, problems)
}

/// The operator that a call is made for, if it names one.
pub fn actor(text: &str, problems: &mut Problems) -> Option<OperatorName> {
    convert::optional_name(text, "actor", OperatorName::PATTERN, OperatorName::parse, problems)
}

/// An operator on the wire.
pub fn to_operator(operator: &Operator) -> v1::Operator {
    v1::Operator {
        name: operator.name.to_string(),
        display_name: operator.display_name.to_string(),
        kind: to_kind(operator.kind).into(),
        facts: to_facts(&operator.facts),
        etag: operator.stamp.etag(),
        create_time: Some(to_time(operator.stamp.create_time)),
        update_time: Some(to_time(operator.stamp.update_time)),
    }
}

/// A grant on the wire, in a currency with so many decimals.
pub fn to_grant(grant: &Grant, decimals: u32) -> v1::Grant {
    let text = |amount: Option<Amount>| amount.map(|amount| amount.text(decimals));
    v1::Grant {
        name: grant.name.to_string(),
        enabled: Some(grant.enabled),
        per_payout_amount: text(grant.per_payout_amount),
        daily_amount: text(grant.daily_amount),
        monthly_amount: text(grant.monthly_amount),
        daily_count: grant.daily_count.map(|count| i32::try_from(count).unwrap_or(i32::MAX)),
        tier: grant.tier.to_string(),
        reach: to_reach(grant.reach).into(),
        etag: grant.stamp.etag(),
        create_time: Some(to_time(grant.stamp.create_time)),
        update_time: Some(to_time(grant.stamp.update_time)),
    }
}

fn kind(sent: i32) -> Option<OperatorKind> {
    match WireKind::try_from(sent).ok()? {
        WireKind::Unspecified => None,
        WireKind::Main => Some(OperatorKind::Main),
        WireKind::Sub => Some(OperatorKind::Sub),
    }
}

fn to_kind(kind: OperatorKind) -> WireKind {
    match kind {
        OperatorKind::Main => WireKind::Main,
        OperatorKind::Sub => WireKind::Sub,
    }
}

fn reach(sent: i32) -> Reach {
    match WireReach::try_from(sent) {
        Ok(WireReach::Pool) => Reach::Pool,
        Ok(WireReach::Group) => Reach::Group,
        Ok(WireReach::Unspecified | WireReach::Shop) | Err(_) => Reach::Shop,
    }
}

fn to_reach(reach: Reach) -> WireReach {
    match reach {
        Reach::Shop => WireReach::Shop,
        Reach::Pool => WireReach::Pool,
        Reach::Group => WireReach::Group,
    }
}

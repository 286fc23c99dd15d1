//! The use of limits: what is asked, from the wire; what there is, to the wire.

use std::sync::Arc;

use super::{
    convert::{self, to_time},
    convert_shop::shop_name,
    problems::Problems,
    render::fill,
    service::Language,
};
use crate::{
    decision::{
        reply::{LimitUsage, Usage},
        spec::Spec,
    },
    domain::{
        amount::Amount,
        finding::Unit,
        instant::Instant,
        limit::Stage,
        name::{OperatorName, OrderName, ProgrammeName},
        policy::Policy,
        refusal::{Reason, Refusal},
    },
    proto::v1,
};

/// Whose use of which limits is asked for.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn spec(request: &v1::GetUsageRequest) -> Result<Spec, Refusal> {
    let mut problems = Problems::of(request);
    let shop = shop_name(&request.parent, "parent", &mut problems);
    let programme = convert::name(
        &request.programme,
        "programme",
        ProgrammeName::PATTERN,
        ProgrammeName::parse,
        &mut problems,
    );
    let operator = convert::optional_name(
        &request.operator,
        "operator",
        OperatorName::PATTERN,
        OperatorName::parse,
        &mut problems,
    );
    let order = convert::optional_name(
        &request.order,
        "order",
        OrderName::PATTERN,
        OrderName::parse,
        &mut problems,
    );
    if let Some(shop) = &shop {
        let elsewhere = |field: &str, owner: &dyn std::fmt::Display, problems: &mut Problems| {
            problems.add(Reason::NameInvalid, field, format!("Must belong to {owner}."));
        };
        if programme.as_ref().is_some_and(|p| p.platform != shop.platform) {
            elsewhere("programme", &shop.platform(), &mut problems);
        }
        if operator.as_ref().is_some_and(|operator| operator.shop() != *shop) {
            elsewhere("operator", shop, &mut problems);
        }
        if order.as_ref().is_some_and(|order| order.shop() != *shop) {
            elsewhere("order", shop, &mut problems);
        }
    }
    let spec = shop.zip(programme).map(|(shop, programme)| Spec {
        shop,
        programme,
        amount: None,
        operator,
        order,
        inline_order: None,
        payee: "".into(),
        purpose: "".into(),
        facts: Arc::default(),
        stage: Stage::Confirm,
        full: false,
    });
    problems.finish(spec)
}

/// The use of limits on the wire, in the policy's order.
pub fn to_usage(usage: &Usage, policy: &Policy, language: Language) -> v1::GetUsageResponse {
    let limits = usage.limits.iter().map(|limit| to_limit(limit, policy, language));
    v1::GetUsageResponse {
        limits: limits.collect(),
        read_time: Some(to_time(usage.read_time)),
        revision: usage.revision.to_string(),
    }
}

fn to_limit(usage: &LimitUsage, policy: &Policy, language: Language) -> v1::LimitUsage {
    let (decimals, unit) = match usage.unit {
        Unit::Money => (policy.currency.decimals(), policy.currency.code()),
        Unit::Count => (0, "count"),
    };
    let text = |amount: Amount| amount.text(decimals);
    let taken = usage.used.plus(usage.held);
    let left = usage.bound.map(|bound| bound.minus(taken).or_zero());
    let above = usage.bound.map(|bound| taken.minus(bound)).filter(|above| above.is_positive());
    let mut out = v1::LimitUsage {
        scope: usage.scope.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        limit: usage.bound.map(text).unwrap_or_default(),
        used: text(usage.used),
        held: text(usage.held),
        remaining: left.map(text).unwrap_or_default(),
        over_by: above.map(text).unwrap_or_default(),
        unit: unit.to_owned(),
        window_start_time: usage.window.map(|(start, _)| to_time(start)),
        reset_time: usage.reset_time.map(to_time),
        time_zone: policy.zone_name.to_string(),
        ..v1::LimitUsage::default()
    };
    if let Some(limit) = policy.limits.get(usage.limit) {
        out.rule = limit.rule.id.to_string();
        let template = limit.rule.texts.text.get(language.tag());
        out.text = fill(template, |name| placeholder(name, &out, usage.reset_time, policy));
    }
    out
}

/// What stands for a placeholder. A payout's own (`requested`, `short_by`) are
/// not known here.
fn placeholder(
    name: &str,
    usage: &v1::LimitUsage,
    reset_time: Option<Instant>,
    policy: &Policy,
) -> Option<String> {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    match name {
        "limit" => given(&usage.limit),
        "used" => given(&usage.used),
        "held" => given(&usage.held),
        "remaining" => given(&usage.remaining),
        "unit" => given(&usage.unit),
        "reset_time" => {
            let zoned = reset_time?.0.to_zoned(policy.zone.clone());
            Some(zoned.strftime("%Y-%m-%d %H:%M:%S").to_string())
        }
        _ => usage.scope.get(name.strip_prefix("fact:")?).cloned(),
    }
}

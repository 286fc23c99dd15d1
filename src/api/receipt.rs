//! Decisions as receipts: numbers as decimal strings, texts in the caller's
//! language, rendered when they are read.

use crate::{
    api::{
        convert::{to_money, to_time},
        render::fill,
        service::Language,
    },
    decision::{
        authorize::Authorize,
        judge::{Largest, Wanted, judge},
        reply::{Check, Granted},
    },
    domain::{
        amount::Amount,
        decision::{Answer, DECISION_VERSION, Decision, Inputs, Verdict},
        finding::{Category, Finding, Numbers, Outcome, Severity, Unit},
        limit::{Rule, Stage, Texts},
        name::{OperatorName, OrderName},
        payout::State,
        policy::Policy,
        value::Value,
    },
    proto::v1,
};

/// How a receipt is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// In which language.
    pub language: Language,
    /// Also what passed.
    pub full: bool,
}

/// The receipt of a decision that was recorded, with the state of its payout now.
pub fn of_decision(
    decision: &Decision,
    payout: Option<State>,
    replayed: bool,
    policy: &Policy,
    style: Style,
) -> v1::Receipt {
    let inputs = &decision.inputs;
    let recomputed = style
        .full
        .then(|| judge(policy, inputs, Wanted { passes: true, largest: Largest::Always }));
    let verdict = recomputed.as_ref().unwrap_or(&decision.verdict);
    let mut receipt = receipt(inputs, verdict, policy, style);
    receipt.name = decision.name.text();
    receipt.payout = decision.payout_name().map(|name| name.text()).unwrap_or_default();
    receipt.request_id = decision.request_id.as_str().to_owned();
    receipt.replayed = replayed;
    receipt.state = payout.map_or(v1::PayoutState::Unspecified, state).into();
    receipt.revision = decision.revision.text();
    receipt.expire_time = decision.expire_time.map(to_time);
    receipt.caller = decision.author.caller.as_str().to_owned();
    receipt.actor = decision.operator.as_ref().map(OperatorName::text).unwrap_or_default();
    receipt.order = decision.order.as_ref().map(OrderName::text).unwrap_or_default();
    receipt.decision_version = decision.decision_version;
    receipt
}

/// The receipt of an authorization that was told in short: nothing was found, and
/// nobody asked for what passed.
pub fn of_grant(granted: &Granted, policy: &Policy) -> v1::Receipt {
    let Granted { asked, template, id, at, author } = granted;
    let Authorize { spec, identity } = &**asked;
    let shop = &template.shop;
    v1::Receipt {
        name: shop.decision(id.clone()).text(),
        payout: shop.payout(id.clone()).text(),
        request_id: identity.key.id.as_str().to_owned(),
        decision: v1::Decision::Allow.into(),
        amount: spec.amount.map(|(amount, _)| to_money(amount, policy.currency)),
        currency_code: policy.currency.code().to_owned(),
        decide_time: Some(to_time(*at)),
        expire_time: granted.expire_time().map(to_time),
        state: v1::PayoutState::Authorized.into(),
        stage: stage(spec.stage).into(),
        revision: template.revision.text(),
        caller: author.caller.as_str().to_owned(),
        actor: spec.operator.as_ref().map(OperatorName::text).unwrap_or_default(),
        order: spec.order.as_ref().map(OrderName::text).unwrap_or_default(),
        decision_version: DECISION_VERSION,
        ..v1::Receipt::default()
    }
}

/// The receipt of a check, which is not recorded.
pub fn of_check(check: &Check, policy: &Policy, style: Style, caller: &str) -> v1::Receipt {
    let mut receipt = receipt(&check.inputs, &check.verdict, policy, style);
    receipt.revision = check.revision.to_string();
    receipt.caller = caller.to_owned();
    receipt.actor = check.operator.as_ref().map(ToString::to_string).unwrap_or_default();
    receipt.order = check.order.as_ref().map(ToString::to_string).unwrap_or_default();
    receipt.decision_version = DECISION_VERSION;
    receipt
}

fn receipt(inputs: &Inputs, verdict: &Verdict, policy: &Policy, style: Style) -> v1::Receipt {
    let money = |amount: Amount| amount.text(policy.currency.decimals());
    v1::Receipt {
        decision: match verdict.answer {
            Answer::Allow => v1::Decision::Allow,
            Answer::Review => v1::Decision::Review,
            Answer::Deny => v1::Decision::Deny,
        }
        .into(),
        amount: inputs.amount.map(|amount| to_money(amount, policy.currency)),
        findings: verdict
            .findings
            .iter()
            .map(|f| finding(f, inputs, verdict, policy, style))
            .collect(),
        max_amount: verdict.max_amount.map(money).unwrap_or_default(),
        max_amount_unreviewed: verdict.max_amount_unreviewed.map(money).unwrap_or_default(),
        currency_code: policy.currency.code().to_owned(),
        decide_time: Some(to_time(inputs.now)),
        stage: stage(inputs.stage).into(),
        ..v1::Receipt::default()
    }
}

/// A rule of a policy, by id.
fn rule<'a>(policy: &'a Policy, id: &str) -> Option<&'a Rule> {
    let conditions = policy.conditions.iter().map(|c| &c.rule);
    let limits = policy.limits.iter().map(|l| &l.rule);
    let draws = policy.draws.iter().map(|d| &d.rule);
    conditions.chain(limits).chain(draws).find(|rule| &*rule.id == id)
}

fn finding(
    found: &Finding,
    inputs: &Inputs,
    verdict: &Verdict,
    policy: &Policy,
    style: Style,
) -> v1::Finding {
    let mut out = v1::Finding {
        rule: found.rule.as_str().to_owned(),
        variant: found.variant.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
        outcome: outcome(found.outcome).into(),
        window_full: found.window_full,
        reset_time: found.reset_time.map(to_time),
        time_zone: policy.zone_name.as_str().to_owned(),
        window_start_time: found.window.map(|(start, _)| to_time(start)),
        window_end_time: found.window.map(|(_, end)| to_time(end)),
        scope: found.scope.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        observed: found.observed.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        ..v1::Finding::default()
    };
    if let Some(numbers) = &found.numbers {
        fill_numbers(&mut out, numbers, policy);
    }
    let Some(rule) = rule(policy, &found.rule) else { return out };
    let variant = found.variant.as_ref().and_then(|id| rule.variants.iter().find(|v| v.id == *id));
    let texts: &Texts = variant.map_or(&rule.texts, |v| &v.texts);
    out.category = category(variant.and_then(|v| v.category).unwrap_or(rule.category)).into();
    out.severity = severity(variant.and_then(|v| v.severity).unwrap_or(rule.severity)).into();
    out.expected_resolution = variant
        .and_then(|v| v.expected_resolution)
        .or(rule.expected_resolution)
        .and_then(|d| prost_types::Duration::try_from(d).ok());
    out.sources = rule.sources.iter().map(ToString::to_string).collect();
    if found.outcome != Outcome::Pass {
        let lookup = |name: &str| placeholder(name, &out, found, inputs, verdict, policy);
        let (text, remedy) = (
            fill(texts.text.get(style.language.tag()), lookup),
            fill(texts.remedy.get(style.language.tag()), lookup),
        );
        out.text = text;
        out.remedy = remedy;
    }
    out
}

fn fill_numbers(out: &mut v1::Finding, numbers: &Numbers, policy: &Policy) {
    let (decimals, unit) = match numbers.unit {
        Unit::Money => (policy.currency.decimals(), policy.currency.code()),
        Unit::Count => (0, "count"),
    };
    let text = |amount: Amount| amount.text(decimals);
    out.limit = text(numbers.limit);
    out.used = numbers.used.map(text).unwrap_or_default();
    out.held = text(numbers.held);
    out.requested = text(numbers.requested);
    out.remaining = text(numbers.remaining);
    out.short_by = numbers.short_by().map(text).unwrap_or_default();
    out.over_by = numbers.over_by().map(text).unwrap_or_default();
    out.frozen = numbers.frozen.map(text).unwrap_or_default();
    out.unit = unit.to_owned();
}

fn placeholder(
    name: &str,
    out: &v1::Finding,
    found: &Finding,
    inputs: &Inputs,
    verdict: &Verdict,
    policy: &Policy,
) -> Option<String> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match name {
        "limit" => given(&out.limit),
        "used" => given(&out.used),
        "held" => given(&out.held),
        "requested" => given(&out.requested),
        "remaining" => given(&out.remaining),
        "short_by" => given(&out.short_by),
        "unit" => given(&out.unit),
        "frozen" => given(&out.frozen),
        "max_amount" => verdict.max_amount.map(|a| a.text(policy.currency.decimals())),
        "reset_time" => {
            let zoned = found.reset_time?.0.to_zoned(policy.zone.clone());
            Some(zoned.strftime("%Y-%m-%d %H:%M:%S").to_string())
        }
        _ => {
            let index = policy.fact(name.strip_prefix("fact:")?)?;
            let value = inputs.facts.get(index)?.as_ref()?;
            Some(match value {
                // Merchants read times by their own clocks.
                Value::Time(at) => {
                    at.0.to_zoned(policy.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
                }
                value => value.to_string(),
            })
        }
    }
}

/// A state on the wire.
pub fn state(state: State) -> v1::PayoutState {
    match state {
        State::PendingApproval => v1::PayoutState::PendingApproval,
        State::Authorized => v1::PayoutState::Authorized,
        State::Processing => v1::PayoutState::Processing,
        State::Succeeded => v1::PayoutState::Succeeded,
        State::Failed => v1::PayoutState::Failed,
        State::Rejected => v1::PayoutState::Rejected,
        State::Cancelled => v1::PayoutState::Cancelled,
        State::Expired => v1::PayoutState::Expired,
        State::Returned => v1::PayoutState::Returned,
    }
}

/// A severity on the wire.
pub fn severity(severity: Severity) -> v1::Severity {
    match severity {
        Severity::Unspecified => v1::Severity::Unspecified,
        Severity::Info => v1::Severity::Info,
        Severity::Low => v1::Severity::Low,
        Severity::Medium => v1::Severity::Medium,
        Severity::High => v1::Severity::High,
    }
}

fn category(category: Category) -> v1::Category {
    match category {
        Category::Unspecified => v1::Category::Unspecified,
        Category::Eligibility => v1::Category::Eligibility,
        Category::Permission => v1::Category::Permission,
        Category::Limit => v1::Category::Limit,
        Category::Funds => v1::Category::Funds,
        Category::Freeze => v1::Category::Freeze,
        Category::Risk => v1::Category::Risk,
        Category::Approval => v1::Category::Approval,
    }
}

fn outcome(outcome: Outcome) -> v1::Outcome {
    match outcome {
        Outcome::Pass => v1::Outcome::Pass,
        Outcome::Warn => v1::Outcome::Warn,
        Outcome::Review => v1::Outcome::Review,
        Outcome::Deny => v1::Outcome::Deny,
    }
}

fn stage(stage: Stage) -> v1::Stage {
    match stage {
        Stage::Initiate => v1::Stage::Initiate,
        Stage::FillIn => v1::Stage::FillIn,
        Stage::Confirm => v1::Stage::Confirm,
    }
}

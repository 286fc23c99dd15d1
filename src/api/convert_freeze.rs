//! Freezes, from and to the wire.

use v1::freeze::Scope as WireScope;

use super::{
    convert::{self, to_money, to_time},
    convert_shop::platform_name,
    problems::Problems,
};
use crate::{
    decision::configure::NewFreeze,
    domain::{
        amount::{Amount, Currency},
        freeze::{Freeze, Scope, Target},
        name::{AccountName, FreezeName, Id, OperatorName, PlatformName, ShopName},
        refusal::{Reason, Refusal},
    },
    proto::v1,
};

/// What a freeze may be on, for messages.
const TARGETS: &str = "platforms/*/shops/*, …/operators/* or …/accounts/*";

/// A freeze to set.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn new_freeze(request: &v1::CreateFreezeRequest) -> Result<NewFreeze, Refusal> {
    let mut problems = Problems::of(request);
    let platform = platform_name(&request.parent, "parent", &mut problems);
    let id = Id::parse(&request.freeze_id);
    let Some(sent) = &request.freeze else { return problems.finish(None) };
    let target = target(&sent.target, "freeze.target", platform.as_ref(), &mut problems);
    let money =
        sent.amount.as_ref().and_then(|m| convert::money(m, "freeze.amount", &mut problems));
    let scope = scope(sent, target.as_ref(), money, &mut problems);
    let end_time =
        convert::optional_instant(sent.end_time.as_ref(), "freeze.end_time", &mut problems);
    let freeze =
        platform.zip(id).map(|(PlatformName { platform }, freeze)| FreezeName { platform, freeze });
    let parts = freeze.zip(end_time).zip(target.zip(scope));
    let freeze = parts.map(|((name, end_time), (target, scope))| NewFreeze {
        name,
        target,
        scope,
        currency: money.map(|(_, currency)| currency),
        reason: sent.reason.as_str().into(),
        end_time,
    });
    problems.finish(freeze)
}

/// What a freeze is on: something of the platform it is made under.
pub fn target(
    text: &str,
    field: &str,
    platform: Option<&PlatformName>,
    problems: &mut Problems,
) -> Option<Target> {
    let parse = |text: &str| {
        None.or_else(|| ShopName::parse(text).map(Target::Shop))
            .or_else(|| OperatorName::parse(text).map(Target::Operator))
            .or_else(|| AccountName::parse(text).map(Target::Account))
    };
    let target = convert::name(text, field, TARGETS, parse, problems)?;
    if platform.is_some_and(|platform| target.shop().platform() != *platform) {
        problems.add(Reason::NameInvalid, field, "Must belong to the platform that parent names.");
    }
    Some(target)
}

/// What a freeze stops, if that can be stopped on its target.
fn scope(
    sent: &v1::Freeze,
    target: Option<&Target>,
    money: Option<(Amount, Currency)>,
    problems: &mut Problems,
) -> Option<Scope> {
    let wire = WireScope::try_from(sent.scope).ok()?;
    if wire == WireScope::BalancePart {
        if sent.amount.is_none() {
            let advice = "Required: how much of the balance to freeze.";
            problems.add(Reason::FieldInvalid, "freeze.amount", advice);
        }
    } else if sent.amount.is_some() {
        let advice = "Only for SCOPE_BALANCE_PART.";
        problems.add(Reason::FieldInvalid, "freeze.amount", advice);
    }
    let fits = match (wire, target) {
        (_, None) | (WireScope::All | WireScope::Unspecified, _) => None,
        (WireScope::BalancePart, Some(target)) => (!matches!(target, Target::Account(_)))
            .then_some("Must be an account to freeze a part."),
        (WireScope::ProceedsWithdrawal, Some(target)) => (!matches!(target, Target::Shop(_)))
            .then_some("Must be a shop to freeze withdrawal of its proceeds."),
    };
    if let Some(advice) = fits {
        problems.add(Reason::FieldInvalid, "freeze.target", advice);
    }
    match wire {
        // The contract's check has seen it.
        WireScope::Unspecified => None,
        WireScope::All => Some(Scope::All),
        WireScope::BalancePart => money.map(|(amount, _)| Scope::BalancePart(amount)),
        WireScope::ProceedsWithdrawal => Some(Scope::ProceedsWithdrawal),
    }
}

/// A freeze's name.
pub fn freeze_name(text: &str, problems: &mut Problems) -> Option<FreezeName> {
    convert::name(text, "name", FreezeName::PATTERN, FreezeName::parse, problems)
}

/// A freeze on the wire.
pub fn to_freeze(freeze: &Freeze) -> v1::Freeze {
    let (scope, amount) = match freeze.scope {
        Scope::All => (WireScope::All, None),
        Scope::BalancePart(amount) => (WireScope::BalancePart, Some(amount)),
        Scope::ProceedsWithdrawal => (WireScope::ProceedsWithdrawal, None),
    };
    v1::Freeze {
        name: freeze.name.to_string(),
        target: freeze.target.to_string(),
        scope: scope.into(),
        amount: amount.zip(freeze.currency).map(|(amount, currency)| to_money(amount, currency)),
        reason: freeze.reason.to_string(),
        create_time: Some(to_time(freeze.create_time)),
        end_time: freeze.end_time.map(to_time),
        lift_time: freeze.lift_time.map(to_time),
        caller: freeze.caller.to_string(),
        lift_reason: freeze.lift_reason.to_string(),
    }
}

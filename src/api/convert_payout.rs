//! Payouts: what is asked, from the wire; what there is, to the wire.

use std::time::Duration;

use super::{
    convert::{self, to_money, to_time, to_value},
    convert_order,
    problems::Problems,
    receipt,
    service::Language,
};
use crate::{
    decision::spec::Spec,
    domain::{
        instant::Instant,
        limit::{Localized, Stage},
        name::{OperatorName, OrderName, ProgrammeName, ShopName},
        payout::{Flag, Payout, Return, Settlement, SettlementResult, State},
        policy::Policy,
        refusal::{Reason, Refusal},
        text::Text,
        who::Caller,
    },
    proto::v1,
};

/// What is asked about a payout, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The shop's name.
    pub parent: &'a str,
    /// What it is about.
    pub payout: Option<&'a v1::PayoutSpec>,
    /// The stage asked about.
    pub stage: Stage,
    /// Whether the amount has to be there.
    pub needs_amount: bool,
    /// Also what passed.
    pub full: bool,
}

/// A spec from the wire. Whether orders and operators of other shops exist is
/// not revealed: they are not found here.
pub fn spec(
    asked: Asked<'_>,
    caller: &Caller,
    problems: &mut Problems,
) -> Option<Result<Spec, Refusal>> {
    let shop = convert::name(asked.parent, "parent", ShopName::PATTERN, ShopName::parse, problems);
    let payout = asked.payout?;
    let programme = programme(&payout.programme, shop.as_ref(), problems);
    let amount = match &payout.amount {
        Some(money) => convert::money(money, "payout.amount", problems),
        None => {
            if asked.needs_amount {
                problems.add(
                    Reason::FieldInvalid,
                    "payout.amount",
                    "Required: how much is to be paid.",
                );
            }
            None
        }
    };
    let own = shop.as_ref().map(|shop| (shop, asked.parent));
    let operator = operator(&payout.operator, own, problems);
    let order = order(&payout.order, own, problems);
    let inline_order = payout.inline_order.as_ref().and_then(|inline| {
        if payout.order.is_empty() {
            problems.add(
                Reason::FieldInvalid,
                "payout.order",
                "Required with inline_order: names the order.",
            );
        }
        if !inline.name.is_empty() && inline.name != payout.order {
            problems.add(
                Reason::FieldInvalid,
                "payout.inline_order.name",
                "Must be empty or equal to payout.order.",
            );
        }
        let field = "payout.inline_order";
        convert_order::order(inline, order.as_ref(), field, caller.roles, &caller.name, problems)
            .map(Box::new)
    });
    let facts = convert::values(&payout.facts, "payout.facts", problems).into();
    let (shop, programme) = (shop?, programme?);
    Some(belongs(&shop, &programme, operator.as_ref(), order.as_ref()).map(|()| Spec {
        shop,
        programme,
        amount,
        operator,
        order,
        inline_order,
        payee: payout.payee.as_str().into(),
        purpose: payout.purpose.as_str().into(),
        facts,
        stage: asked.stage,
        full: asked.full,
    }))
}

/// The shop that a payout is asked for at, and its name as it came.
type Own<'a> = Option<(&'a ShopName, &'a str)>;

fn programme(
    text: &str,
    shop: Option<&ShopName>,
    problems: &mut Problems,
) -> Option<ProgrammeName> {
    let parse = |text: &str| {
        let Some(platform) = shop.map(|shop| &shop.platform) else {
            return ProgrammeName::parse(text);
        };
        let below = text.strip_prefix("platforms/");
        let programme = below.and_then(|b| convert::id_below(b, platform.as_str(), "programmes"));
        match programme {
            Some(programme) => Some(ProgrammeName { platform: platform.clone(), programme }),
            None => ProgrammeName::parse(text),
        }
    };
    convert::name(text, "payout.programme", ProgrammeName::PATTERN, parse, problems)
}

fn operator(text: &str, own: Own<'_>, problems: &mut Problems) -> Option<OperatorName> {
    let parse = |text: &str| {
        let id = own.and_then(|(shop, name)| {
            convert::id_below(text, name, "operators").map(|id| shop.operator(id))
        });
        id.or_else(|| OperatorName::parse(text))
    };
    convert::optional_name(text, "payout.operator", OperatorName::PATTERN, parse, problems)
}

fn order(text: &str, own: Own<'_>, problems: &mut Problems) -> Option<OrderName> {
    let parse = |text: &str| {
        let id = own.and_then(|(shop, name)| {
            convert::id_below(text, name, "orders").map(|id| shop.order(id))
        });
        id.or_else(|| OrderName::parse(text))
    };
    convert::optional_name(text, "payout.order", OrderName::PATTERN, parse, problems)
}

fn belongs(
    shop: &ShopName,
    programme: &ProgrammeName,
    operator: Option<&OperatorName>,
    order: Option<&OrderName>,
) -> Result<(), Refusal> {
    if programme.platform != shop.platform {
        return Err(Refusal::new(
            Reason::ProgrammeNotFound,
            format!("There is no programme {programme} for {shop}."),
        )
        .at("payout.programme", "Name a programme of the shop's own platform."));
    }
    if let Some(operator) =
        operator.filter(|o| (&o.platform, &o.shop) != (&shop.platform, &shop.shop))
    {
        return Err(Refusal::new(
            Reason::OperatorNotFound,
            format!("{shop} has no operator {operator}."),
        )
        .at("payout.operator", "Name an operator of the shop itself."));
    }
    if let Some(order) = order.filter(|o| (&o.platform, &o.shop) != (&shop.platform, &shop.shop)) {
        return Err(Refusal::new(Reason::OrderNotFound, format!("{shop} has no order {order}."))
            .at("payout.order", "Name an order of the shop itself."));
    }
    Ok(())
}

/// A payout as it is at an instant, expiry included.
pub fn to_payout(payout: &Payout, policy: &Policy, language: Language, now: Instant) -> v1::Payout {
    let state = payout.state_at(now);
    let expired_unwritten = state == State::Expired && payout.state != State::Expired;
    let money = |amount| to_money(amount, payout.currency);
    let reason = if expired_unwritten { "EXPIRED" } else { &payout.reason };
    let text = |of: Option<&Localized>| of.map(|t| t.get(language.tag()).to_owned());
    let name = |name: Option<String>| name.unwrap_or_default();
    v1::Payout {
        name: payout.name.to_string(),
        state: receipt::state(state).into(),
        state_text: text(policy.state_text(state).map(|t| &t.text)).unwrap_or_default(),
        programme: payout.revision.programme.to_string(),
        revision: payout.revision.to_string(),
        request_id: payout.request_id.to_string(),
        order: name(payout.order.as_ref().map(ToString::to_string)),
        operator: name(payout.operator.as_ref().map(ToString::to_string)),
        payee: payout.payee.to_string(),
        purpose: payout.purpose.to_string(),
        amount: Some(money(payout.amount)),
        net_amount: Some(money(payout.net_amount)),
        settled_amount: payout.settled.map(money),
        returned_amount: payout.returned.map(money),
        facts: payout.facts.iter().map(|(k, v)| (k.to_string(), to_value(v))).collect(),
        create_time: Some(to_time(payout.create_time)),
        update_time: Some(to_time(match payout.expire_time {
            Some(at) if expired_unwritten => at,
            _ => payout.update_time,
        })),
        expire_time: payout.expire_time.map(to_time),
        execution_id: payout.execution_id.as_deref().unwrap_or_default().to_owned(),
        execute_time: payout.execute_time.map(to_time),
        settle_time: payout.settle_time.map(to_time),
        reason: reason.to_owned(),
        reason_text: text(policy.reason_text(state, reason)).unwrap_or_default(),
        flags: payout.flags.iter().map(|f| flag(*f).into()).collect(),
        settlements: payout.settlements.iter().map(|s| settlement(s, payout)).collect(),
        returns: payout.returns.iter().map(|r| returned(r, payout)).collect(),
        draws: payout
            .draws
            .iter()
            .map(|d| v1::payout::Draw {
                account: d.account.to_string(),
                amount: Some(money(d.amount)),
            })
            .collect(),
        caller: payout.caller.to_string(),
    }
}

fn flag(flag: Flag) -> v1::payout::Flag {
    match flag {
        Flag::Unexecuted => v1::payout::Flag::Unexecuted,
        Flag::Unapproved => v1::payout::Flag::Unapproved,
        Flag::AfterCancel => v1::payout::Flag::AfterCancel,
        Flag::AfterExpiry => v1::payout::Flag::AfterExpiry,
        Flag::AfterFailure => v1::payout::Flag::AfterFailure,
        Flag::OverAmount => v1::payout::Flag::OverAmount,
        Flag::PaidTwice => v1::payout::Flag::PaidTwice,
    }
}

fn settlement(settlement: &Settlement, payout: &Payout) -> v1::Settlement {
    v1::Settlement {
        result: match settlement.result {
            SettlementResult::Succeeded => v1::settlement::Result::Succeeded,
            SettlementResult::Failed => v1::settlement::Result::Failed,
        }
        .into(),
        amount: settlement.amount.map(|a| to_money(a, payout.currency)),
        channel_reference: settlement.reference.to_string(),
        reason: settlement.reason.to_string(),
        record_time: Some(to_time(settlement.record_time)),
        applied: settlement.applied,
    }
}

fn returned(returned: &Return, payout: &Payout) -> v1::Return {
    v1::Return {
        amount: Some(to_money(returned.amount, payout.currency)),
        channel_reference: returned.reference.to_string(),
        reason: returned.reason.to_string(),
        record_time: Some(to_time(returned.record_time)),
    }
}

/// For how long a request may wait to be judged. None: as long as it takes.
pub fn judge_within(
    within: Option<&prost_types::Duration>,
    problems: &mut Problems,
) -> Option<Duration> {
    let within = within?;
    match Duration::try_from(*within) {
        Ok(within) if !within.is_zero() => Some(within),
        _ => {
            let description = "Must be more than 0, or not be sent.";
            problems.add(Reason::FieldInvalid, "judge_within", description);
            None
        }
    }
}

/// The stage asked about. Unset: all rules.
pub fn stage(stage: i32) -> Stage {
    match v1::Stage::try_from(stage) {
        Ok(v1::Stage::Initiate) => Stage::Initiate,
        Ok(v1::Stage::FillIn) => Stage::FillIn,
        _ => Stage::Confirm,
    }
}

/// A text that goes into a record.
pub fn text(text: &str) -> Text {
    text.into()
}

//! Events to the wire: for `ListEvents`, and for the export, which tells the same.

use super::{
    convert::to_time,
    cursor::Cursor,
    receipt::{self, Style},
    render::fill,
    service::Language,
};
use crate::{
    domain::{
        change::{Change, Record},
        decision::Decision,
        event::{Event, EventKind},
        name::{DecisionName, PayoutName},
        payout::Payout,
        policy::Policies,
        row::Row,
    },
    proto::v1::{self, event::Kind},
};

/// What kind of event it is, on the wire.
pub fn kind(kind: &EventKind) -> Kind {
    match kind {
        EventKind::Configured(_) => Kind::Configured,
        EventKind::Decided(_) => Kind::Decided,
        EventKind::PayoutChanged { .. } => Kind::PayoutChanged,
        EventKind::Movement(_) => Kind::Movement,
        EventKind::Alert { .. } => Kind::Alert,
        EventKind::Freeze(_) => Kind::Freeze,
    }
}

/// An event of a record. `payout` is what an alert is about, if the record does
/// not put it there itself.
pub fn to_event(
    record: &Record,
    event: &Event,
    cursor: Cursor,
    language: Language,
    policies: &impl Policies,
    payout: Option<&Payout>,
) -> v1::Event {
    let mut out = v1::Event {
        cursor: cursor.text(),
        kind: kind(&event.kind).into(),
        effect_time: Some(to_time(event.effect_time)),
        record_time: Some(to_time(record.at)),
        shop: event.shop.as_ref().map(ToString::to_string).unwrap_or_default(),
        caller: record.author.caller.to_string(),
        actor: record.author.actor.as_ref().map(ToString::to_string).unwrap_or_default(),
        operation: record.operation.to_string(),
        ..v1::Event::default()
    };
    match &event.kind {
        EventKind::Configured(name) | EventKind::Movement(name) | EventKind::Freeze(name) => {
            out.resource = name.to_string();
        }
        EventKind::Decided(name) => {
            out.resource = name.to_string();
            if let Some(decision) = decided(record, name) {
                out.receipt = receipt_of(record, decision, language, policies);
            }
        }
        EventKind::PayoutChanged { payout, from, to } => {
            out.resource = payout.to_string();
            out.from_state = from.map_or(v1::PayoutState::Unspecified, receipt::state).into();
            out.to_state = receipt::state(*to).into();
        }
        EventKind::Alert { id, resource, severity, audience } => {
            out.resource = resource.to_string();
            out.alert = id.to_string();
            out.severity = receipt::severity(*severity).into();
            out.audience = audience.to_string();
            let payout = payout_of_alert(event).and(put_payout(record).or(payout));
            if let Some(payout) = payout {
                out.text = alert_text(payout, id, language, policies);
            }
        }
    }
    out
}

/// The payout that an alert is about.
pub fn payout_of_alert(event: &Event) -> Option<PayoutName> {
    match &event.kind {
        EventKind::Alert { resource, .. } => PayoutName::parse(resource),
        _ => None,
    }
}

/// The decision that a record put there.
fn decided<'a>(record: &'a Record, name: &DecisionName) -> Option<&'a Decision> {
    record.changes.iter().filter_map(Change::as_put).find_map(|row| match row {
        Row::Decision(decision) if decision.name == *name => Some(decision.as_ref()),
        _ => None,
    })
}

/// The payout that a record put there.
pub fn put_payout(record: &Record) -> Option<&Payout> {
    record.changes.iter().filter_map(Change::as_put).find_map(|row| match row {
        Row::Payout(payout) => Some(payout.as_ref()),
        _ => None,
    })
}

fn receipt_of(
    record: &Record,
    decision: &Decision,
    language: Language,
    policies: &impl Policies,
) -> Option<v1::Receipt> {
    let policy = policies.policy(&decision.revision)?;
    let style = Style { language, full: false };
    let state = put_payout(record).map(|payout| payout.state_at(record.at));
    Some(receipt::of_decision(decision, state, false, &policy, style))
}

/// The text of one of the policy's alerts. Bursar's own have none.
fn alert_text(payout: &Payout, id: &str, language: Language, policies: &impl Policies) -> String {
    let Some(policy) = policies.policy(&payout.revision) else { return String::new() };
    let Some(alert) = policy.alerts.iter().find(|a| &*a.id == id) else { return String::new() };
    let reason = || {
        let text = policy.reason_text(payout.state, &payout.reason);
        text.map_or_else(|| payout.reason.to_string(), |t| t.get(language.tag()).to_owned())
    };
    fill(alert.text.get(language.tag()), |name| match name {
        "payout" => Some(payout.name.to_string()),
        "amount" => Some(payout.amount.text(policy.currency.decimals())),
        "unit" => Some(policy.currency.code().to_owned()),
        "reason" => Some(reason()),
        _ => None,
    })
}

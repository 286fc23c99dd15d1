//! Answers on paper: receipts, payouts, accounts and usage laid out for people.

use prost_reflect::{DynamicMessage, ReflectMessage};

use super::Ink;
use crate::{
    domain::{amount::Amount, instant::Instant},
    proto::{google::r#type::Money, v1},
    wire,
};

/// Lays answers out.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// With these colours.
    pub ink: Ink,
}

fn money(money: Option<&Money>) -> String {
    let Some(money) = money else { return String::new() };
    let amount = Amount::from_units_nanos(money.units, money.nanos).unwrap_or_default();
    format!("{} {}", money.currency_code, amount.text(2))
}

fn local(time: Option<&prost_types::Timestamp>, zone: &str) -> Option<String> {
    let time = time?;
    let instant = Instant::from_parts(time.seconds, time.nanos)?;
    let zone = if zone.is_empty() { "UTC" } else { zone };
    let zoned = instant.0.in_tz(zone).ok()?;
    Some(format!("{} {zone}", zoned.strftime("%Y-%m-%d %H:%M:%S")))
}

/// The last part of a resource name.
fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

impl Paper {
    /// With these colours.
    pub fn new(ink: Ink) -> Self {
        Self { ink }
    }

    /// An answer, in lines.
    pub fn answer(&self, answer: &Result<wire::Answer, wire::Failure>) -> String {
        match answer {
            Ok(answer) => {
                let messages = answer.messages().iter().map(|message| self.message(message));
                messages.collect::<Vec<_>>().join("\n")
            }
            Err(failure) => {
                format!("  {} {}\n    {}", self.ink.bad("refused"), failure.reason, failure.message)
            }
        }
    }

    fn message(&self, message: &DynamicMessage) -> String {
        let text = match message.descriptor().full_name() {
            "bursar.v1.Receipt" => {
                message.transcode_to().ok().map(|receipt| self.receipt(&receipt))
            }
            "bursar.v1.Payout" => message.transcode_to().ok().map(|payout| self.payout(&payout)),
            "bursar.v1.Account" => {
                message.transcode_to().ok().map(|account| self.account(&account))
            }
            "bursar.v1.GetUsageResponse" => {
                message.transcode_to().ok().map(|usage| self.usage(&usage))
            }
            "bursar.v1.ListPayoutsResponse" => {
                let listed: Option<v1::ListPayoutsResponse> = message.transcode_to().ok();
                listed.map(|listed| {
                    let payouts: Vec<String> =
                        listed.payouts.iter().map(|p| self.payout(p)).collect();
                    payouts.join("\n")
                })
            }
            "bursar.v1.Grant" => message.transcode_to().ok().map(|grant| self.grant(&grant)),
            "bursar.v1.RecordMovementResponse" => {
                let moved: Option<v1::RecordMovementResponse> = message.transcode_to().ok();
                moved.map(|m| m.account.map(|a| self.account(&a)).unwrap_or_default())
            }
            _ => None,
        };
        text.unwrap_or_else(|| format!("  {}", self.ink.good("done")))
    }

    fn receipt(&self, receipt: &v1::Receipt) -> String {
        let decision = match receipt.decision() {
            v1::Decision::Allow => self.ink.good("ALLOW"),
            v1::Decision::Review => "REVIEW".to_owned(),
            _ => self.ink.bad("DENY"),
        };
        let mut lines = vec![];
        let amount = money(receipt.amount.as_ref());
        let asked = if amount.is_empty() { "no amount yet".to_owned() } else { amount };
        let who = format!("order {}, by {}", id(&receipt.order), id(&receipt.actor));
        lines.push(format!("  ┌ {decision}  {asked}  {}", self.ink.dim(&who)));
        if receipt.replayed {
            lines.push(format!(
                "  │ {}",
                self.ink.dim("the first receipt again; nothing new is held")
            ));
        }
        for finding in &receipt.findings {
            lines.extend(self.finding(finding));
        }
        if !receipt.max_amount.is_empty() {
            let most = format!("{} {}", receipt.currency_code, receipt.max_amount);
            lines.push(format!("  │ most that would pass now: {most}"));
        }
        let zone = "Asia/Shanghai";
        let zone = receipt.findings.first().map_or(zone, |f| f.time_zone.as_str());
        if let Some(expires) = local(receipt.expire_time.as_ref(), zone) {
            let held = if receipt.payout.is_empty() { "would be held" } else { "held" };
            lines.push(format!("  │ {held} until {expires}, unless executed before"));
        }
        let decided = local(receipt.decide_time.as_ref(), zone).unwrap_or_default();
        lines.push(format!(
            "  └ {}",
            self.ink.dim(&format!("{decided}, by {}", short_revision(&receipt.revision)))
        ));
        lines.join("\n")
    }

    fn finding(&self, finding: &v1::Finding) -> Vec<String> {
        let mark = match finding.outcome() {
            v1::Outcome::Pass => self.ink.good("✓"),
            v1::Outcome::Warn => "!".to_owned(),
            _ => self.ink.bad("✗"),
        };
        let variant = if finding.variant.is_empty() {
            String::new()
        } else {
            format!(" / {}", finding.variant)
        };
        let sources = finding.sources.join(", ");
        let mut lines = vec![format!(
            "  │ {mark} {}  {}",
            finding.text,
            self.ink.dim(&format!("{}{variant} {sources}", finding.rule))
        )];
        let numbers = [
            ("limit", &finding.limit),
            ("used", &finding.used),
            ("held", &finding.held),
            ("frozen", &finding.frozen),
            ("asked", &finding.requested),
            ("left", &finding.remaining),
            ("short by", &finding.short_by),
        ];
        let numbers: Vec<String> = numbers
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        if !numbers.is_empty() {
            let unit = if finding.unit == "count" { "payouts" } else { &finding.unit };
            lines.push(format!("  │     {} {}", numbers.join(" · "), self.ink.dim(unit)));
        }
        if !finding.remedy.is_empty() {
            lines.push(format!("  │     → {}", finding.remedy));
        }
        if let Some(reset) = local(finding.reset_time.as_ref(), &finding.time_zone) {
            lines.push(format!("  │     ⏲ gone by itself at {reset}"));
        }
        lines
    }

    fn payout(&self, payout: &v1::Payout) -> String {
        let state = payout.state().as_str_name().trim_start_matches("PAYOUT_STATE_").to_owned();
        let state = match payout.state() {
            v1::PayoutState::Succeeded => self.ink.good(&state),
            v1::PayoutState::Failed | v1::PayoutState::Expired => self.ink.bad(&state),
            _ => state,
        };
        let mut line = format!("  {state}  {}", money(payout.amount.as_ref()));
        let reason =
            if payout.reason_text.is_empty() { &payout.reason } else { &payout.reason_text };
        if !reason.is_empty() {
            line.push_str(&format!("  {reason}"));
        }
        let about = format!("  order {}, by {}", id(&payout.order), id(&payout.operator));
        line.push_str(&self.ink.dim(&about));
        line
    }

    fn account(&self, account: &v1::Account) -> String {
        format!(
            "  {} {}: balance {} · held {} · frozen {} · {}",
            id(&account.name),
            account.currency_code,
            account.balance,
            account.held,
            account.frozen,
            self.ink.good(&format!("available {}", account.available))
        )
    }

    fn grant(&self, grant: &v1::Grant) -> String {
        let bound =
            |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name} {v}"));
        let bounds =
            [bound("a payout", &grant.per_payout_amount), bound("a day", &grant.daily_amount)];
        let bounds: Vec<String> = bounds.into_iter().flatten().collect();
        let enabled =
            if grant.enabled() { self.ink.good("enabled") } else { self.ink.bad("disabled") };
        format!("  grant {enabled}: {}", bounds.join(" · "))
    }

    fn usage(&self, usage: &v1::GetUsageResponse) -> String {
        let rows = usage.limits.iter().map(|limit| {
            let resets = local(limit.reset_time.as_ref(), &limit.time_zone);
            let resets = resets.map(|at| format!(", resets {at}")).unwrap_or_default();
            format!(
                "  {:<16} limit {:>9} · used {:>8} · held {:>8} · left {:>9} {}",
                limit.rule,
                limit.limit,
                limit.used,
                limit.held,
                limit.remaining,
                self.ink.dim(&format!("{}{resets}", limit.unit))
            )
        });
        rows.collect::<Vec<String>>().join("\n")
    }
}

/// `programme, revision n` of a revision's name.
fn short_revision(name: &str) -> String {
    let mut parts = name.rsplit('/');
    let number = parts.next().unwrap_or_default();
    let programme = parts.nth(1).unwrap_or_default();
    format!("{programme}, revision {number}")
}

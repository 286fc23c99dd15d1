//! Proves what a denial claims, by asking the service itself: that `max_amount`
//! passes and a cent more does not, and that each finding with a `reset_time`
//! still denies a nanosecond before that instant and no longer at it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tonic::{Request, metadata::MetadataMap, transport::Channel};

use super::{
    file::Scenario,
    host::HostFactory,
    run::{Exchange, Options, Runner, Trouble},
};
use crate::{
    proto::{
        google::r#type::Money,
        v1::{self, payout_service_client::PayoutServiceClient},
    },
    wire,
};

const NANOS: i128 = 1_000_000_000;

/// Proves the receipt of a denial; other exchanges claim nothing.
pub(super) async fn receipt(
    runner: &mut Runner<'_>,
    factory: &dyn HostFactory,
    i: usize,
    exchange: &Exchange,
) -> Result<(), Trouble> {
    let Some((question, receipt)) = denial(exchange) else { return Ok(()) };
    amounts(runner.host.channel(), &question, &receipt).await?;
    for (instant, rules) in resets(&receipt)? {
        let steps = (runner.scenario, runner.options, i);
        reset(steps, factory, instant, &rules).await?;
    }
    Ok(())
}

/// What was asked, in the form in which it can be asked again.
struct Question {
    request: v1::ValidatePayoutRequest,
    metadata: MetadataMap,
}

impl Question {
    async fn ask(&self, channel: Channel, amount: Option<Money>) -> Result<v1::Receipt, Trouble> {
        let mut message = self.request.clone();
        if let (Some(payout), Some(amount)) = (&mut message.payout, amount) {
            payout.amount = Some(amount);
        }
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        let answer = PayoutServiceClient::new(channel).validate_payout(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| {
            let failure = wire::Failure::from(&status).to_string();
            Trouble::new("proving the receipt", "an answer of ValidatePayout", failure)
        })
    }
}

/// The question and the receipt, if the exchange was a denial of its own: a
/// replayed one speaks of an earlier time.
fn denial(exchange: &Exchange) -> Option<(Question, v1::Receipt)> {
    let answer = exchange.answer.as_ref().ok()?;
    let request = match exchange.method.full_name() {
        "bursar.v1.PayoutService.AuthorizePayout" => {
            let asked: v1::AuthorizePayoutRequest = exchange.request.transcode_to().ok()?;
            v1::ValidatePayoutRequest {
                parent: asked.parent,
                payout: asked.payout,
                stage: v1::Stage::Confirm.into(),
                ..v1::ValidatePayoutRequest::default()
            }
        }
        "bursar.v1.PayoutService.ValidatePayout" => exchange.request.transcode_to().ok()?,
        _ => return None,
    };
    let receipt: v1::Receipt = answer.transcode_to().ok()?;
    let denied = receipt.decision() == v1::Decision::Deny && !receipt.replayed;
    let question = Question { request, metadata: exchange.metadata.clone() };
    denied.then_some((question, receipt))
}

async fn amounts(
    channel: Channel,
    question: &Question,
    receipt: &v1::Receipt,
) -> Result<(), Trouble> {
    let claim = &receipt.max_amount;
    let (most, unit) = decimal(claim).ok_or_else(|| {
        Trouble::new("proving max_amount", "a decimal that is not negative", format!("`{claim}`"))
    })?;
    let currency = &receipt.currency_code;
    if most > 0 {
        let answer = question.ask(channel.clone(), money(most, currency)).await?;
        if answer.decision() == v1::Decision::Deny {
            let expected = format!("max_amount {claim} {currency} passes");
            return Err(Trouble::new("proving max_amount", expected, denied_by(&answer)));
        }
    }
    let answer = question.ask(channel, money(most + unit, currency)).await?;
    if answer.decision() == v1::Decision::Deny {
        return Ok(());
    }
    let more = decimal_text(most + unit);
    let expected = format!("no more than max_amount {claim} {currency} passes");
    let came = format!("{more} {currency} is answered {}", answer.decision().as_str_name());
    Err(Trouble::new("proving max_amount", expected, came))
}

/// What identifies a finding across answers: its variant may change with time.
type Rule = (String, BTreeMap<String, String>);

/// The denying findings that time alone removes, by when.
fn resets(receipt: &v1::Receipt) -> Result<BTreeMap<Timestamp, Vec<Rule>>, Trouble> {
    let mut resets: BTreeMap<Timestamp, Vec<Rule>> = BTreeMap::new();
    for finding in denying(receipt) {
        let Some(time) = &finding.reset_time else { continue };
        let instant = Timestamp::new(time.seconds, time.nanos).map_err(|error| {
            Trouble::new("proving reset_time", "an instant", format!("{}: {error}", finding.rule))
        })?;
        resets.entry(instant).or_default().push((finding.rule.clone(), finding.scope.clone()));
    }
    Ok(resets)
}

fn denying(receipt: &v1::Receipt) -> impl Iterator<Item = &v1::Finding> {
    receipt.findings.iter().filter(|finding| finding.outcome() == v1::Outcome::Deny)
}

/// On a service of its own, brought to the same point: right before the
/// instant every rule still denies, at the instant none does.
async fn reset(
    (scenario, options, i): (&Scenario, &Options, usize),
    factory: &dyn HostFactory,
    instant: Timestamp,
    rules: &[Rule],
) -> Result<(), Trouble> {
    let plain = Options { twice: false, reopen_each_step: false, ..options.clone() };
    let mut again = Runner::start(scenario, factory, &plain)
        .await
        .map_err(|error| Trouble::new("proving reset_time", "another service", error))?;
    let mut last = None;
    for (j, step) in scenario.steps.iter().enumerate().take(i + 1) {
        last = again.step(j, step).await?;
    }
    let Some((question, _)) = last.as_ref().and_then(denial) else {
        let expected = "the same denial on another service";
        return Err(Trouble::new("proving reset_time", expected, "another answer"));
    };
    let now = again.host.now();
    let before = instant.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(instant);
    for (rule, _) in rules {
        if instant <= now {
            let expected = format!("{rule}: a reset_time after {now}");
            return Err(Trouble::new("proving reset_time", expected, instant.to_string()));
        }
    }
    for (time, denies) in [(before, true), (instant, false)] {
        let moved = again.host.advance_to(time).await;
        moved.map_err(|error| Trouble::new("proving reset_time", time.to_string(), error))?;
        let answer = question.ask(again.host.channel(), None).await?;
        for (rule, scope) in rules {
            let found = denying(&answer).any(|f| f.rule == *rule && f.scope == *scope);
            if found != denies {
                let says = |denies| if denies { "denies" } else { "does not deny" };
                let expected = format!("{rule} {} at {time}", says(denies));
                let came = format!("it {} ({})", says(found), denied_by(&answer));
                return Err(Trouble::new("proving reset_time", expected, came));
            }
        }
    }
    Ok(())
}

fn denied_by(receipt: &v1::Receipt) -> String {
    let rules: Vec<&str> = denying(receipt).map(|finding| finding.rule.as_str()).collect();
    let decision = receipt.decision().as_str_name();
    if rules.is_empty() {
        decision.to_owned()
    } else {
        format!("{decision} by {}", rules.join(", "))
    }
}

/// A decimal in billionths, and the smallest step of its last digit.
fn decimal(text: &str) -> Option<(i128, i128)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let places = u32::try_from(fraction.len()).ok()?;
    let whole: i128 = whole.parse().ok()?;
    let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some((whole.checked_mul(NANOS)?.checked_add(fraction)?, 10_i128.pow(9 - places)))
}

fn decimal_text(billionths: i128) -> String {
    let fraction = format!("{:09}", billionths % NANOS);
    let fraction = fraction.trim_end_matches('0');
    format!("{}.{fraction:0<2}", billionths / NANOS)
}

fn money(billionths: i128, currency: &str) -> Option<Money> {
    Some(Money {
        currency_code: currency.to_owned(),
        units: i64::try_from(billionths / NANOS).ok()?,
        nanos: i32::try_from(billionths % NANOS).ok()?,
    })
}

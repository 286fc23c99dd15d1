//! Proves what a denial claims, by asking the service itself: that `max_amount`
//! passes and a cent more does not, and that each finding with a `reset_time`
//! still denies a nanosecond before that instant and no longer at it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use prost_reflect::Value;
use tonic::{Request, metadata::MetadataMap, transport::Channel};

use super::{
    file::{Action, Scenario},
    host::HostFactory,
    run::{Asked, Exchange, Options, Runner, Trouble, send},
};
use crate::{
    proto::{
        google::r#type::Money,
        v1::{
            self, authorize_payout_result::Result as Outcome,
            payout_service_client::PayoutServiceClient,
        },
    },
    wire,
};

const NANOS: i128 = 1_000_000_000;

/// The largest amount that can be sent, in billionths, is below this.
const TOO_LARGE: i128 = 1_000_000_000_000_000 * NANOS;

/// Proves the receipt of every denial; other exchanges claim nothing.
pub(super) async fn receipts(
    runner: &mut Runner<'_>,
    factory: &dyn HostFactory,
    i: usize,
    exchange: &Exchange,
) -> Result<(), Trouble> {
    let plain = Options { twice: false, reopen_each_step: false, ..runner.options.clone() };
    let story = Story { scenario: runner.scenario, plain, factory, step: i };
    for denial in denials(exchange) {
        if denial.item.is_some() {
            // The items behind it may have changed what it says.
            let (then, same) = story.until(denial.item).await?;
            amounts(then.host.channel(), &same).await?;
        } else {
            amounts(runner.host.channel(), &denial).await?;
        }
        for (instant, rules) in resets(&denial.receipt)? {
            let (then, same) = story.until(denial.item).await?;
            reset(then, &same, instant, &rules).await?;
        }
    }
    Ok(())
}

/// How a scenario came to a denial.
struct Story<'a> {
    scenario: &'a Scenario,
    plain: Options,
    factory: &'a dyn HostFactory,
    step: usize,
}

impl Story<'_> {
    /// A service of its own, brought to the same point: right after the step
    /// was answered, or the item of its batch or stream, with none behind it.
    async fn until(&self, item: Option<usize>) -> Result<(Runner<'_>, Denial), Trouble> {
        let mut again = Runner::start(self.scenario, self.factory, &self.plain)
            .await
            .map_err(|error| Trouble::new("proving the receipt", "another service", error))?;
        let mut last = None;
        for (j, step) in self.scenario.steps.iter().enumerate().take(self.step + 1) {
            last = match (&step.action, item) {
                (Action::Call(call), Some(item)) if j == self.step => {
                    let mut asked = again.asked(j, step, call)?;
                    truncate(&mut asked, item + 1);
                    Some(send(again.host.channel(), asked).await)
                }
                _ => again.step(j, step).await?,
            };
        }
        let denials = last.as_ref().map(denials).unwrap_or_default();
        match denials.into_iter().find(|denial| denial.item == item) {
            Some(denial) => Ok((again, denial)),
            None => {
                let expected = "the same denial on another service";
                Err(Trouble::new("proving the receipt", expected, "another answer"))
            }
        }
    }
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

/// A denial that was given.
struct Denial {
    question: Question,
    receipt: v1::Receipt,
    /// Its place in the batch or stream that it answers a part of.
    item: Option<usize>,
}

/// The denials of an exchange. Replayed ones speak of an earlier time.
fn denials(exchange: &Exchange) -> Vec<Denial> {
    let denied = |denial: &Denial| {
        denial.receipt.decision() == v1::Decision::Deny && !denial.receipt.replayed
    };
    let mut found = given(exchange).unwrap_or_default();
    found.retain(denied);
    found
}

/// What was decided in an exchange, with what was asked.
fn given(exchange: &Exchange) -> Option<Vec<Denial>> {
    let answer = exchange.answer.as_ref().ok()?;
    let Asked { method, requests, metadata } = &exchange.asked;
    let denial = |request, receipt, item| {
        let question = Question { request, metadata: metadata.clone() };
        Denial { question, receipt, item }
    };
    let items = |(item, (asked, result)): (usize, (v1::AuthorizePayoutRequest, _))| {
        let v1::AuthorizePayoutResult { result, .. } = result;
        match result? {
            Outcome::Receipt(receipt) => Some(denial(confirm(asked), receipt, Some(item))),
            Outcome::Error(_) => None,
        }
    };
    if method.full_name() == "bursar.v1.PayoutService.StreamAuthorizePayouts" {
        let asked = requests.iter().map_while(|request| request.transcode_to().ok());
        let results = answer.messages().iter().map_while(|result| result.transcode_to().ok());
        return Some(asked.zip(results).enumerate().filter_map(items).collect());
    }
    let (request, wire::Answer::One(answer)) = (requests.first()?, answer) else { return None };
    Some(match method.full_name() {
        "bursar.v1.PayoutService.AuthorizePayout" => {
            let asked: v1::AuthorizePayoutRequest = request.transcode_to().ok()?;
            vec![denial(confirm(asked), answer.transcode_to().ok()?, None)]
        }
        "bursar.v1.PayoutService.ValidatePayout" => {
            vec![denial(request.transcode_to().ok()?, answer.transcode_to().ok()?, None)]
        }
        "bursar.v1.PayoutService.BatchAuthorizePayouts" => {
            let mut asked: v1::BatchAuthorizePayoutsRequest = request.transcode_to().ok()?;
            let answer: v1::BatchAuthorizePayoutsResponse = answer.transcode_to().ok()?;
            for item in asked.requests.iter_mut().filter(|item| item.parent.is_empty()) {
                item.parent.clone_from(&asked.parent);
            }
            let asked = asked.requests.into_iter();
            asked.zip(answer.results).enumerate().filter_map(items).collect()
        }
        _ => return None,
    })
}

/// Leaves only so many items of a batch or stream.
fn truncate(asked: &mut Asked, items: usize) {
    if asked.method.is_client_streaming() {
        asked.requests.truncate(items);
    } else if let Some(batch) = asked.requests.first_mut()
        && let Some(list) = batch.get_field_by_name_mut("requests").and_then(Value::as_list_mut)
    {
        list.truncate(items);
    }
}

/// The question that an authorization answers.
fn confirm(asked: v1::AuthorizePayoutRequest) -> v1::ValidatePayoutRequest {
    v1::ValidatePayoutRequest {
        parent: asked.parent,
        payout: asked.payout,
        stage: v1::Stage::Confirm.into(),
        ..v1::ValidatePayoutRequest::default()
    }
}

async fn amounts(channel: Channel, denial: &Denial) -> Result<(), Trouble> {
    let Denial { question, receipt, .. } = denial;
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
    if most + unit >= TOO_LARGE {
        return Ok(());
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

/// Right before the instant every rule still denies, at the instant none does.
async fn reset(
    mut again: Runner<'_>,
    denial: &Denial,
    instant: Timestamp,
    rules: &[Rule],
) -> Result<(), Trouble> {
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
        let answer = denial.question.ask(again.host.channel(), None).await?;
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

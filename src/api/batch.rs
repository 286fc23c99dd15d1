//! The answers to a batch or a stream, kept below the 4 MiB that clients take:
//! where whole receipts would make them larger, parts of them are left out, the
//! least missed first. Decides nothing.

use prost::Message;
use tonic::Status;

use super::{
    page::MOST_BYTES,
    receipt::{self, Style},
    service::{Language, unexpected},
};
use crate::{
    decision::Reply,
    domain::refusal::Refusal,
    engine::Answer,
    proto::v1::{self, authorize_payout_result::Result as Outcome},
};

/// What an element of a repeated field takes beside its own bytes, at most.
const AROUND_A_RESULT: usize = 6;

/// Longest id of a request, in characters.
const LONGEST_ID: usize = 128;

/// What came of one request of a batch or a stream.
pub struct Item {
    /// The request's id.
    pub request_id: String,
    /// Whether what passed was asked for too.
    pub full: bool,
    /// What came of it.
    pub outcome: Result<Answer, Refusal>,
}

impl Item {
    /// As much as was asked for.
    fn whole(&self) -> Detail {
        if self.full { Detail::Full } else { Detail::Basic }
    }
}

/// A receipt in so much of its detail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Detail {
    /// Also what passed.
    Full,
    /// What did not pass.
    Basic,
    /// The same without texts.
    Words,
    /// The decision alone.
    Decision,
}

/// The answers, in the order of the requests.
pub fn results(items: &[Item], language: Language) -> Vec<v1::AuthorizePayoutResult> {
    let mut results: Vec<_> = items.iter().map(|i| result(i, i.whole(), language)).collect();
    let bytes: usize = results.iter().map(size).sum();
    if bytes <= MOST_BYTES {
        return results;
    }
    let is_receipt = |r: &v1::AuthorizePayoutResult| matches!(r.result, Some(Outcome::Receipt(_)));
    let mut receipts = results.iter().filter(|r| is_receipt(r)).count();
    let refusals: usize = results.iter().filter(|r| !is_receipt(r)).map(size).sum();
    let mut left = MOST_BYTES.saturating_sub(refusals);
    for (item, result) in items.iter().zip(&mut results).filter(|(_, r)| is_receipt(r)) {
        // What one does not need is there for those behind it.
        abridge(result, item, left / receipts.max(1), language);
        left = left.saturating_sub(size(result));
        receipts -= 1;
    }
    results
}

/// The answer to one request that came by itself, of no more than that size.
pub fn answer(item: &Item, language: Language) -> v1::AuthorizePayoutResult {
    let mut answer = result(item, item.whole(), language);
    // Without findings nothing in it is long.
    if matches!(&answer.result, Some(Outcome::Receipt(r)) if !r.findings.is_empty()) {
        abridge(&mut answer, item, MOST_BYTES, language);
    }
    answer
}

/// Leaves out of a receipt what there is no room for.
fn abridge(result: &mut v1::AuthorizePayoutResult, item: &Item, room: usize, language: Language) {
    for detail in [Detail::Basic, Detail::Words, Detail::Decision] {
        if size(result) <= room {
            return;
        }
        *result = self::result(item, detail, language);
    }
}

fn size(result: &v1::AuthorizePayoutResult) -> usize {
    result.encoded_len() + AROUND_A_RESULT
}

fn result(item: &Item, detail: Detail, language: Language) -> v1::AuthorizePayoutResult {
    let receipt = item.outcome.as_ref().map_err(Refusal::clone).and_then(|answer| {
        let style = Style { language, full: detail == Detail::Full };
        let mut receipt = receipt_of(answer, style)?;
        receipt.abridged = detail > Detail::Basic || (item.full && detail == Detail::Basic);
        match detail {
            Detail::Full | Detail::Basic => {}
            Detail::Words => receipt.findings.iter_mut().for_each(without_texts),
            Detail::Decision => receipt.findings.clear(),
        }
        Ok(receipt)
    });
    v1::AuthorizePayoutResult {
        request_id: match item.request_id.len() {
            0..=LONGEST_ID => item.request_id.clone(),
            // One that is too long to be an id is as long as its sender likes.
            _ => item.request_id.chars().take(LONGEST_ID).collect(),
        },
        result: Some(match receipt {
            Ok(receipt) => Outcome::Receipt(receipt),
            Err(refusal) => Outcome::Error(rpc_status(&refusal.into())),
        }),
    }
}

/// The receipt of an authorization.
///
/// # Errors
/// If the core answered with something else.
pub fn receipt_of(answer: &Answer, style: Style) -> Result<v1::Receipt, Refusal> {
    let policy = answer.policy.as_ref().ok_or_else(unexpected)?;
    Ok(match &answer.reply {
        Reply::Granted(granted) => receipt::of_grant(granted, policy),
        Reply::Decided { decision, state, replayed } => {
            receipt::of_decision(decision, *state, *replayed, policy, style)
        }
        _ => return Err(unexpected()),
    })
}

fn without_texts(finding: &mut v1::Finding) {
    finding.text.clear();
    finding.remedy.clear();
    finding.sources.clear();
}

/// A status inside a message, details included.
fn rpc_status(status: &Status) -> crate::proto::google::rpc::Status {
    crate::proto::google::rpc::Status::decode(status.details()).unwrap_or_else(|_| {
        crate::proto::google::rpc::Status {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        }
    })
}

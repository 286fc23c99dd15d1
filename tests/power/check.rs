//! Whether a service that was opened after a crash has everything that was
//! answered before it, as it was answered, and nothing by halves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use bursar::proto::v1::{
    AuthorizePayoutRequest, BatchAuthorizePayoutsRequest, Decision, GetDecisionRequest,
    GetOrderRequest, Payout, PayoutState, Receipt, authorize_payout_result::Result as Outcome,
    event,
};
use tonic::Status;

use crate::{
    book::{Book, Life, Mark, lasting},
    chains,
    client::Client,
    gather::{self, Held},
    sums,
    trial::reason,
    world::Programme,
};

/// Something that was answered is not so, or does not fit together.
#[derive(Debug)]
pub struct Violation(pub String);

impl From<Status> for Violation {
    fn from(status: Status) -> Self {
        Self(format!("a question was refused: {} {}", reason(&status), status.message()))
    }
}

/// Two things that have to be the same.
pub fn same<T: PartialEq + Debug>(what: String, found: T, expected: T) -> Result<(), Violation> {
    if found == expected {
        return Ok(());
    }
    Err(Violation(format!("{what}: found {found:?}, expected {expected:?}")))
}

/// Requests of one batch.
const BATCH: usize = 400;
/// How many decisions are also read by their names, and how many requests that
/// were not answered are sent again.
const SOME: usize = 40;

/// What was looked at.
#[derive(Clone, Copy, Default, Debug)]
pub struct Seen {
    /// Answers that had to be there.
    pub answers: usize,
    /// Payouts whose answer did not arrive, and which are there.
    pub unanswered: usize,
}

/// Checks all of it against what was answered by a mark.
pub async fn check(client: &Client, book: &Book, by: Mark) -> Result<Seen, Violation> {
    check_between(client, book, by, by).await
}

/// The same where it is not known exactly when it was cut off: what was answered
/// by the first mark is there, and nothing from after the second.
pub async fn check_between(
    client: &Client,
    book: &Book,
    by: Mark,
    until: Mark,
) -> Result<Seen, Violation> {
    let all = gather::gather(client).await?;
    all.iter().try_for_each(sums::check)?;
    let payouts = by_name(&all);
    let unanswered = known(book, by, payouts.values().copied())?;
    for life in &book.lives {
        if let Some(receipt) = life.receipt_by(by) {
            is_there(life, receipt, (by, until), &payouts)?;
        }
    }
    moved(book, by, &all)?;
    decided(client, &payouts).await?;
    orders(client, &all).await?;
    repeated(client, book, by).await?;
    named(client, book, by).await?;
    for chain in &book.chains {
        let value = chains::read(client, &chain.thing).await?;
        let possible = chain.possible(by, until);
        if !possible.contains(&value.as_str()) {
            let what = &chain.thing;
            return Err(Violation(format!("{what:?} is {value}, and may be {possible:?}")));
        }
    }
    Ok(Seen { answers: book.answers_by(by), unanswered })
}

fn by_name(all: &[Held]) -> BTreeMap<&str, &Payout> {
    let payouts = all.iter().flat_map(|held| &held.payouts);
    payouts.map(|payout| (payout.name.as_str(), payout)).collect()
}

/// Nothing is there that nobody asked for; how much was not answered.
fn known<'a>(
    book: &Book,
    by: Mark,
    payouts: impl Iterator<Item = &'a Payout>,
) -> Result<usize, Violation> {
    let mut unanswered = 0;
    for payout in payouts {
        let parent = payout.name.split("/payouts/").next().unwrap_or_default();
        let life = book.life_of(parent, &payout.request_id);
        let life = life.ok_or_else(|| Violation(format!("nobody asked for {payout:?}")))?;
        let spec = life.request.payout.as_ref();
        same(
            format!("what {} asked for", payout.request_id),
            (payout.amount.as_ref(), Some(&payout.order), Some(&payout.programme)),
            (
                spec.and_then(|spec| spec.amount.as_ref()),
                spec.map(|spec| &spec.order),
                spec.map(|spec| &spec.programme),
            ),
        )?;
        match life.receipt_by(by) {
            Some(receipt) => same(payout.request_id.clone(), &payout.name, &receipt.payout)?,
            None => unanswered += 1,
        }
    }
    Ok(unanswered)
}

/// How far a payout is in its life.
fn progress(state: PayoutState) -> u8 {
    match state {
        PayoutState::Authorized => 1,
        PayoutState::Processing => 2,
        _ => 3,
    }
}

/// A payout as it reads once its hold has expired, if it has; without texts.
fn as_of_now(payout: &Payout, found: &Payout) -> Payout {
    let mut payout = payout.clone();
    if payout.state() == PayoutState::Authorized && found.state() == PayoutState::Expired {
        payout.set_state(PayoutState::Expired);
        payout.reason = "EXPIRED".to_owned();
        payout.update_time = payout.expire_time;
    }
    without_texts(payout)
}

fn without_texts(payout: Payout) -> Payout {
    Payout { state_text: String::new(), reason_text: String::new(), ..payout }
}

/// A payout that was answered is as it was answered last, or as a call made of
/// it that was under way.
fn is_there(
    life: &Life,
    receipt: &Receipt,
    (by, until): (Mark, Mark),
    payouts: &BTreeMap<&str, &Payout>,
) -> Result<(), Violation> {
    if receipt.decision() != Decision::Allow {
        return same(format!("a payout of {}", receipt.name), receipt.payout.as_str(), "");
    }
    let id = &life.request.request_id;
    let found = payouts.get(receipt.payout.as_str());
    let found = *found.ok_or_else(|| Violation(format!("{id} was allowed and is gone")))?;
    same(format!("the request of {}", found.name), &found.request_id, id)?;
    same(format!("the hold of {id}"), &found.expire_time, &receipt.expire_time)?;
    let done = life.steps_by(by);
    let answer = |step: usize| life.steps.get(step)?.answer.as_ref().map(|(_, payout)| payout);
    let last = done.checked_sub(1).and_then(answer);
    let before = last.map_or(PayoutState::Authorized, Payout::state);
    if progress(found.state()) < progress(before) {
        let state = found.state();
        return Err(Violation(format!("{id} was {before:?} and is {state:?}")));
    }
    let plain = without_texts(found.clone());
    let fits = |payout: &Payout| as_of_now(payout, found) == plain;
    let is_as_answered = match last {
        Some(last) => fits(last),
        None => matches!(found.state(), PayoutState::Authorized | PayoutState::Expired),
    };
    // Of a call that was never answered it is not known what it made.
    let may_be_further = (done..=life.steps_by(until)).any(|step| {
        let (sent, answer) = (life.steps.get(step), answer(step));
        sent.is_some() && answer.is_none_or(&fits)
    });
    if is_as_answered || may_be_further {
        return Ok(());
    }
    Err(Violation(format!("{id} is {found:?}, and was answered as {last:?}")))
}

/// Movements that were answered are there, and none that nobody reported.
fn moved(book: &Book, by: Mark, all: &[Held]) -> Result<(), Violation> {
    let listed = all.iter().flat_map(|held| {
        let account = &held.account.name;
        held.movements.iter().map(move |m| ((account.as_str(), m.reference.as_str()), &m.amount))
    });
    let mut listed: BTreeMap<_, _> = listed.collect();
    for held in all {
        listed.remove(&(held.account.name.as_str(), "proceeds"));
    }
    for one in &book.moves {
        let Some(movement) = &one.request.movement else { continue };
        match listed.remove(&(one.request.parent.as_str(), movement.reference.as_str())) {
            Some(amount) => same(movement.reference.clone(), amount, &movement.amount)?,
            None if one.answer.is_some_and(|at| at <= by) => {
                return Err(Violation(format!("{} was answered and is gone", movement.reference)));
            }
            None => {}
        }
    }
    same("movements that nobody reported".to_owned(), listed.len(), 0)
}

/// Payouts and the decisions that allowed them: one for each; and what readers
/// were told of them.
async fn decided(client: &Client, payouts: &BTreeMap<&str, &Payout>) -> Result<(), Violation> {
    let kinds = [event::Kind::Decided, event::Kind::PayoutChanged];
    let mut states: BTreeMap<String, PayoutState> = BTreeMap::new();
    for event in gather::events(client, &kinds).await? {
        match &event.receipt {
            Some(receipt) if receipt.decision() == Decision::Allow => {
                let before = states.insert(receipt.payout.clone(), PayoutState::Authorized);
                same(format!("{} decided before", receipt.payout), before, None)?;
            }
            Some(_) => {}
            None => {
                let before = states.insert(event.resource.clone(), event.to_state());
                if before.is_none() {
                    return Err(Violation(format!("{} changed unmade", event.resource)));
                }
            }
        }
    }
    let (told, listed) = (states.keys().map(String::as_str), payouts.keys().copied());
    let (told, listed): (BTreeSet<&str>, BTreeSet<&str>) = (told.collect(), listed.collect());
    if let Some(name) = told.symmetric_difference(&listed).next() {
        return Err(Violation(format!("{name} is a payout without a decision, or without itself")));
    }
    for (name, state) in &states {
        let found = payouts.get(name.as_str()).map_or(PayoutState::Unspecified, |p| p.state());
        // An expiry counts before it is written.
        let unwritten = *state == PayoutState::Authorized && found == PayoutState::Expired;
        if !unwritten {
            same(format!("what was told of {name}"), *state, found)?;
        }
    }
    Ok(())
}

/// Orders that came with requests are there with their payouts.
async fn orders(client: &Client, all: &[Held]) -> Result<(), Violation> {
    let payouts = all.iter().flat_map(|held| &held.payouts);
    let orders: BTreeSet<&String> = payouts.map(|payout| &payout.order).collect();
    for order in orders {
        client.get_order(GetOrderRequest { name: order.clone() }).await?;
    }
    Ok(())
}

/// Each answered request gives its first answer again.
async fn repeated(client: &Client, book: &Book, by: Mark) -> Result<(), Violation> {
    let answered = book.lives.iter().filter_map(|life| Some((life, life.receipt_by(by)?)));
    let answered: Vec<(&Life, &Receipt)> = answered.collect();
    for part in answered.chunks(BATCH) {
        let requests = part.iter().map(|(life, _)| life.request.clone()).collect();
        let request = BatchAuthorizePayoutsRequest { requests, ..Default::default() };
        let results = client.batch_authorize_payouts(request).await?.results;
        same("answers of a batch".to_owned(), results.len(), part.len())?;
        for ((life, receipt), result) in part.iter().zip(results) {
            let id = &life.request.request_id;
            let Some(Outcome::Receipt(again)) = result.result else {
                return Err(Violation(format!("{id} was answered and is refused")));
            };
            same(format!("{id} is replayed"), again.replayed, true)?;
            same(format!("the receipt of {id}"), lasting(&again), lasting(receipt))?;
        }
    }
    Ok(())
}

/// Decisions by their names and by their requests.
async fn named(client: &Client, book: &Book, by: Mark) -> Result<(), Violation> {
    let answered = book.lives.iter().filter_map(|life| Some((life, life.receipt_by(by)?)));
    let answered: Vec<(&Life, &Receipt)> = answered.collect();
    for (life, receipt) in answered.iter().step_by(answered.len() / SOME + 1) {
        let by_request = GetDecisionRequest {
            parent: life.request.parent.clone(),
            request_id: life.request.request_id.clone(),
            ..Default::default()
        };
        let by_name = GetDecisionRequest { name: receipt.name.clone(), ..Default::default() };
        for request in [by_name, by_request] {
            let found = client.get_decision(request).await?;
            same(format!("the decision {}", receipt.name), lasting(&found), lasting(receipt))?;
        }
    }
    Ok(())
}

/// Requests that were not answered are sent again, twice: they hold once. What
/// came of them goes into the book.
pub async fn resend(client: &Client, book: &mut Book, by: Mark) -> Result<usize, Violation> {
    let brief = Programme::Brief.name();
    let is_open = |life: &&Life| {
        let programme = life.request.payout.as_ref().map(|payout| &payout.programme);
        life.receipt_by(by).is_none() && programme != Some(&brief)
    };
    let open = book.lives.iter().filter(is_open);
    let open: Vec<AuthorizePayoutRequest> =
        open.map(|life| life.request.clone()).take(SOME).collect();
    for request in &open {
        let id = &request.request_id;
        let known = GetDecisionRequest {
            parent: request.parent.clone(),
            request_id: id.clone(),
            ..Default::default()
        };
        let known = client.get_decision(known).await;
        let receipt = client.authorize_payout(request.clone()).await?;
        same(format!("{id} was decided before"), receipt.replayed, known.is_ok())?;
        match known {
            Ok(known) => same(format!("the receipt of {id}"), lasting(&receipt), lasting(&known))?,
            Err(status) => same(format!("{id} before"), &*reason(&status), "DECISION_NOT_FOUND")?,
        }
        let again = client.authorize_payout(request.clone()).await?;
        same(format!("{id} is replayed"), again.replayed, true)?;
        same(format!("the receipt of {id}"), lasting(&again), lasting(&receipt))?;
        let life = book.asked(request.clone());
        book.lives[life].answer = Some((by, receipt));
    }
    gather::gather(client).await?.iter().try_for_each(sums::check)?;
    Ok(open.len())
}

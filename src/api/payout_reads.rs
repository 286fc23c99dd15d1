//! Reading payouts and decisions: only what is durable, as it is now.

use std::{collections::BTreeMap, time::Duration};

use prost::Message;

use super::{
    auth::{READ, require_role, require_shop},
    convert,
    convert_payout::to_payout,
    page::{self, Filling, Listing},
    problems::Problems,
    receipt::{self, Style},
    service::{Api, Language},
};
use crate::{
    domain::{
        amount::Amount,
        key::Key,
        name::{DecisionName, Id, OrderName, PayoutName, PlatformName, ProgrammeName, ShopName},
        payout::{Payout, State},
        refusal::{Reason, Refusal},
        request::{Answered, RequestKey},
        row::Row,
        who::Caller,
    },
    engine::{View, earliest_id},
    proto::v1,
    store::Scan,
};

/// That the shop of what is read is there.
fn the_shop(view: &mut View<'_>, shop: &ShopName) -> Result<(), Refusal> {
    if view.row(&Key::Platform(shop.platform()))?.is_none() {
        return Err(Refusal::new(
            Reason::PlatformNotFound,
            format!("There is no platform {}.", shop.platform()),
        ));
    }
    match view.row(&Key::Shop(shop.clone()))? {
        Some(_) => Ok(()),
        None => Err(Refusal::new(Reason::ShopNotFound, format!("There is no shop {shop}."))),
    }
}

fn payout_of(row: &Row) -> Option<&Payout> {
    if let Row::Payout(payout) = row { Some(payout) } else { None }
}

fn rendered(view: &View<'_>, payout: &Payout, language: Language) -> Result<v1::Payout, Refusal> {
    let policy = view
        .policy(&payout.revision)
        .ok_or_else(|| Refusal::new(Reason::Internal, "A payout's revision is missing."))?;
    Ok(to_payout(payout, &policy, language, view.now))
}

/// A payout.
pub async fn get(api: &Api, name: PayoutName, language: Language) -> Result<v1::Payout, Refusal> {
    api.engine
        .read(move |view| {
            the_shop(view, &name.shop())?;
            let row = view.row(&Key::Payout(name.clone()))?;
            match row.as_deref().and_then(payout_of) {
                Some(payout) => rendered(view, payout, language),
                None => {
                    Err(Refusal::new(Reason::PayoutNotFound, format!("There is no payout {name}."))
                        .at(name.to_string(), "Payouts are made by PayoutService.AuthorizePayout."))
                }
            }
        })
        .await
}

/// Payouts of a shop or an order, the newest first.
pub async fn list(
    api: &Api,
    request: v1::ListPayoutsRequest,
    caller: &Caller,
    language: Language,
) -> Result<v1::ListPayoutsResponse, Refusal> {
    let mut problems = Problems::of(&request);
    let shop =
        convert::name(&request.parent, "parent", ShopName::PATTERN, ShopName::parse, &mut problems);
    let order = convert::optional_name(
        &request.order,
        "order",
        OrderName::PATTERN,
        OrderName::parse,
        &mut problems,
    );
    let shop = problems.finish(shop)?;
    require_role(caller, READ)?;
    require_shop(caller, &shop)?;
    if let Some(order) = order.as_ref().filter(|order| order.shop() != shop) {
        return Err(Refusal::new(Reason::OrderNotFound, format!("{shop} has no order {order}.")));
    }
    let listing = Listing::of("ListPayouts", &[&request.parent, &request.order]);
    let before = match listing.place(&request.page_token)? {
        None => Id::after_all(),
        Some(last) => Id::parse(last).ok_or_else(page::not_a_token)?,
    };
    let page = Filling::new(page::size(request.page_size));
    let read = move |view: &mut View<'_>| {
        the_shop(view, &shop)?;
        let page = newest(view, &shop, order.as_ref(), before, page, language)?;
        let (payouts, next_page_token) = page.end(&listing);
        Ok(v1::ListPayoutsResponse { payouts, next_page_token })
    };
    api.engine.read(read).await
}

/// Fills a page with payouts, the newest below an id first.
fn newest(
    view: &mut View<'_>,
    shop: &ShopName,
    order: Option<&OrderName>,
    mut before: Id,
    mut page: Filling<v1::Payout>,
    language: Language,
) -> Result<Filling<v1::Payout>, Refusal> {
    let key = |id: Id| match order {
        Some(order) => Key::PayoutOfOrder(order.clone(), id),
        None => Key::Payout(shop.payout(id)),
    };
    loop {
        let limit = page.wanted();
        let (from, to) = (key(Id::before_all()), key(before.clone()));
        let rows = view.scan(&Scan { from, to, reverse: true, limit })?;
        for row in &rows {
            let of_order;
            let payout = match row.as_ref() {
                Row::Payout(payout) => Some(payout.as_ref()),
                Row::PayoutOfOrder(_, id) => {
                    before = id.clone();
                    of_order = view.row(&Key::Payout(shop.payout(id.clone())))?;
                    of_order.as_deref().and_then(payout_of)
                }
                // There is nothing else under such keys.
                _ => return Ok(page),
            };
            let Some(payout) = payout else { continue };
            before = payout.name.payout.clone();
            let shown = rendered(view, payout, language)?;
            if !page.push(&before, shown.encoded_len(), shown) {
                return Ok(page);
            }
        }
        if rows.len() < limit {
            return Ok(page);
        }
    }
}

/// A decision's receipt, by name or by the request's id.
pub async fn decision(
    api: &Api,
    request: v1::GetDecisionRequest,
    caller: &Caller,
    language: Language,
) -> Result<v1::Receipt, Refusal> {
    let mut problems = Problems::of(&request);
    let by_name = convert::optional_name(
        &request.name,
        "name",
        DecisionName::PATTERN,
        DecisionName::parse,
        &mut problems,
    );
    let shop = match &by_name {
        Some(name) => {
            // Which of the two was meant cannot be told.
            for (field, other) in [("parent", &request.parent), ("request_id", &request.request_id)]
            {
                if !other.is_empty() {
                    let advice = "Not to be sent with name: that says which decision.";
                    problems.add(Reason::FieldInvalid, field, advice);
                }
            }
            Some(name.shop())
        }
        None => {
            if request.request_id.is_empty() {
                problems.add(
                    Reason::FieldInvalid,
                    "name",
                    "Required, or parent and request_id instead.",
                );
            }
            convert::name(
                &request.parent,
                "parent",
                ShopName::PATTERN,
                ShopName::parse,
                &mut problems,
            )
        }
    };
    let shop = problems.finish(shop)?;
    require_role(caller, READ)?;
    require_shop(caller, &shop)?;
    let full = request.view == i32::from(v1::ReceiptView::Full);
    api.engine
        .read(move |view| {
            the_shop(view, &shop)?;
            let name = match by_name {
                Some(name) => Some(name),
                None => answered(view, &shop, &request.request_id)?.map(|id| shop.decision(id)),
            };
            let row = match &name {
                Some(name) => view.row(&Key::Decision(name.clone()))?,
                None => None,
            };
            let Some(Row::Decision(decision)) = row.as_deref() else {
                return Err(Refusal::new(
                    Reason::DecisionNotFound,
                    "There is no such decision, or it is no longer kept.",
                ));
            };
            let policy = view.policy(&decision.revision).ok_or_else(|| {
                Refusal::new(Reason::Internal, "A decision's revision is missing.")
            })?;
            let payout = match decision.payout_name() {
                Some(name) => view.row(&Key::Payout(name))?,
                None => None,
            };
            let payout = payout.as_deref().and_then(payout_of);
            Ok(receipt::of_decision(
                decision,
                payout.map(|payout| payout.state_at(view.now)),
                false,
                &policy,
                Style { language, full },
            ))
        })
        .await
}

fn answered(view: &mut View<'_>, shop: &ShopName, request_id: &str) -> Result<Option<Id>, Refusal> {
    let key = RequestKey {
        platform: PlatformName { platform: shop.platform.clone() },
        parent: shop.to_string().into(),
        operation: "AuthorizePayout".into(),
        id: request_id.into(),
    };
    let row = view.row(&Key::Request(key))?;
    Ok(match row.as_deref() {
        Some(Row::Request(request)) if request.forget_time.is_none_or(|at| view.now < at) => {
            match &request.answered {
                Answered::Decision(id) => Some(id.clone()),
                _ => None,
            }
        }
        _ => None,
    })
}

/// Payouts read at once when they are summed up.
const CHUNK: usize = 1000;

const MILLISECOND: Duration = Duration::from_millis(1);

/// How many payouts of a value in a state, and how much was authorized.
type Sums = BTreeMap<(String, State), (i64, Amount)>;

/// Counts and sums of payouts by a dimension.
pub async fn summarize(
    api: &Api,
    request: v1::SummarizePayoutsRequest,
    caller: &Caller,
) -> Result<v1::SummarizePayoutsResponse, Refusal> {
    let mut problems = Problems::of(&request);
    let shop =
        convert::name(&request.parent, "parent", ShopName::PATTERN, ShopName::parse, &mut problems);
    let programme = convert::name(
        &request.programme,
        "programme",
        ProgrammeName::PATTERN,
        ProgrammeName::parse,
        &mut problems,
    );
    if let Some((shop, programme)) = shop.as_ref().zip(programme.as_ref())
        && shop.platform != programme.platform
    {
        let advice = format!("Must belong to {}.", shop.platform());
        problems.add(Reason::NameInvalid, "programme", advice);
    }
    let from = convert::optional_instant(request.start_time.as_ref(), "start_time", &mut problems);
    let until = convert::optional_instant(request.end_time.as_ref(), "end_time", &mut problems);
    let asked = problems.finish(shop.zip(programme).zip(from.zip(until)))?;
    let ((shop, programme), (from, until)) = asked;
    let programme_ = programme.clone();
    require_role(caller, READ)?;
    require_shop(caller, &shop)?;
    // Ids begin with the time they were made at: what lies outside is not read.
    let after = from.map_or_else(Id::before_all, earliest_id);
    let before = until.map_or_else(Id::after_all, |until| earliest_id(until.plus(MILLISECOND)));
    let counted = move |payout: &Payout| {
        payout.revision.programme == programme
            && from.is_none_or(|from| from <= payout.create_time)
            && until.is_none_or(|until| payout.create_time < until)
    };
    let mut sums = Sums::default();
    let (checked, mut next) = ((shop.clone(), request.dimension.clone()), Some(after));
    let decimals = api
        .engine
        .read(move |view| {
            let (shop, dimension) = checked;
            the_shop(view, &shop)?;
            declared(view, &programme_, &dimension)
        })
        .await?;
    // A read for each chunk: decisions go on in between.
    while let Some(after) = next {
        let scan = Scan {
            from: Key::Payout(shop.payout(after)),
            to: Key::Payout(shop.payout(before.clone())),
            reverse: false,
            limit: CHUNK,
        };
        let (dimension, counted) = (request.dimension.clone(), counted.clone());
        let read = move |view: &mut View<'_>| {
            let rows = view.scan(&scan)?;
            let last = rows.last().and_then(|row| payout_of(row)).map(|p| p.name.payout.clone());
            let payouts = rows.iter().filter_map(|row| payout_of(row));
            for payout in payouts.filter(|payout| counted(payout)) {
                let value = payout.dimensions.get(dimension.as_str());
                let value = value.map(ToString::to_string).unwrap_or_default();
                let (count, amount) = sums.entry((value, payout.state_at(view.now))).or_default();
                *count += 1;
                *amount = amount.plus(payout.amount);
            }
            Ok((sums, last.filter(|_| rows.len() == CHUNK).map(|last| last.just_after())))
        };
        (sums, next) = api.engine.read(read).await?;
    }
    let rows = sums.into_iter().map(|((value, state), (count, amount))| {
        v1::summarize_payouts_response::Row {
            value,
            state: receipt::state(state).into(),
            count,
            amount: amount.text(decimals),
        }
    });
    let answer = v1::SummarizePayoutsResponse { rows: rows.collect() };
    if answer.encoded_len() <= page::MOST_BYTES {
        return Ok(answer);
    }
    let message = format!("There are {} sums, more than clients take at once.", answer.rows.len());
    Err(Refusal::new(Reason::AnswerTooLarge, message)
        .at("start_time", "Sum up a shorter time, between start_time and end_time."))
}

/// That the programme declares the dimension; gives its currency's decimals.
fn declared(
    view: &mut View<'_>,
    programme: &ProgrammeName,
    dimension: &str,
) -> Result<u32, Refusal> {
    let row = view.row(&Key::Programme(programme.clone()))?;
    let Some(Row::Programme(row)) = row.as_deref() else {
        return Err(Refusal::new(
            Reason::ProgrammeNotFound,
            format!("There is no programme {programme}."),
        ));
    };
    let policy = row.active(view.now).and_then(|revision| view.policy(&revision));
    let Some(policy) = policy else { return Err(crate::decision::spec::not_active(row)) };
    let declared: Vec<&str> =
        policy.facts.iter().filter(|f| f.dimension).map(|f| &*f.name).collect();
    if declared.contains(&dimension) {
        return Ok(policy.currency.decimals());
    }
    Err(Refusal::new(
        Reason::NotADimension,
        format!("{dimension:?} is not a dimension of the policy in force."),
    )
    .at("dimension", format!("Dimensions are: {}.", declared.join(", "))))
}

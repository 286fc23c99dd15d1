//! Everything that a service shows of the world, listed page by page.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bursar::proto::v1::{
    Account, Event, Freeze, GetAccountRequest, GetUsageRequest, LimitUsage, ListEventsRequest,
    ListFreezesRequest, ListMovementsRequest, ListPayoutsRequest, Movement, Payout, PayoutState,
    event,
};
use prost_types::Timestamp;
use tokio::task::JoinSet;
use tonic::Status;

use crate::{
    client::Client,
    trial::shop_name,
    world::{OPERATORS, PLATFORM, Programme, SHOPS, account_name, operator_name},
};

/// Pages of one listing at most.
const PAGES: usize = 1000;
/// Holds that expire so soon are waited for, so that nothing changes while it
/// is looked at.
const SOON: Duration = Duration::from_secs(10);
/// How many questions are asked at a time.
const AT_ONCE: usize = 16;

/// What one shop has.
#[derive(Debug)]
pub struct Held {
    pub shop: String,
    pub payouts: Vec<Payout>,
    pub movements: Vec<Movement>,
    pub account: Account,
    /// Freezes of parts of its balance that are not lifted.
    pub freezes: Vec<Freeze>,
    pub usage: Vec<Usage>,
}

/// The use of limits, as it is shown for an order or an operator.
#[derive(Debug)]
pub struct Usage {
    pub programme: Programme,
    pub order: String,
    pub operator: String,
    pub limits: BTreeMap<String, LimitUsage>,
}

pub fn at(instant: Option<&Timestamp>) -> i128 {
    instant.map_or(0, |t| i128::from(t.seconds) * 1_000_000_000 + i128::from(t.nanos))
}

fn now() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i128::try_from(since.as_nanos()).expect("small")
}

/// Everything of all shops, at a moment when no hold is about to expire.
pub async fn gather(client: &Client) -> Result<Vec<Held>, Status> {
    let mut all = Vec::new();
    loop {
        for shop in SHOPS {
            all.push((shop, payouts(client, shop).await?));
        }
        let expiring = all.iter().flat_map(|(_, payouts)| payouts).filter_map(|payout| {
            let end = at(payout.expire_time.as_ref());
            let soon = end < now() + i128::try_from(SOON.as_nanos()).expect("small");
            (payout.state() == PayoutState::Authorized && soon).then_some(end)
        });
        let Some(last) = expiring.max() else { break };
        all.clear();
        let wait = u64::try_from((last - now()).max(0)).expect("small");
        tokio::time::sleep(Duration::from_nanos(wait) + Duration::from_millis(5)).await;
    }
    let mut held = Vec::new();
    for (shop, payouts) in all {
        held.push(of_shop(client, shop, payouts).await?);
    }
    Ok(held)
}

async fn of_shop(client: &Client, shop: &str, payouts: Vec<Payout>) -> Result<Held, Status> {
    let account = GetAccountRequest { name: account_name(shop) };
    Ok(Held {
        shop: shop.to_owned(),
        movements: movements(client, shop).await?,
        account: client.get_account(account).await?,
        freezes: freezes(client, shop).await?,
        usage: usage(client, shop, &payouts).await?,
        payouts,
    })
}

async fn payouts(client: &Client, shop: &str) -> Result<Vec<Payout>, Status> {
    let mut all = Vec::new();
    let mut request =
        ListPayoutsRequest { parent: shop_name(shop), page_size: 500, ..Default::default() };
    for _ in 0..PAGES {
        let page = client.list_payouts(request.clone()).await?;
        all.extend(page.payouts);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
    Err(Status::internal("pages without end"))
}

async fn movements(client: &Client, shop: &str) -> Result<Vec<Movement>, Status> {
    let mut all = Vec::new();
    let mut request =
        ListMovementsRequest { parent: account_name(shop), page_size: 500, ..Default::default() };
    for _ in 0..PAGES {
        let page = client.list_movements(request.clone()).await?;
        all.extend(page.movements);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
    Err(Status::internal("pages without end"))
}

async fn freezes(client: &Client, shop: &str) -> Result<Vec<Freeze>, Status> {
    let mut all = Vec::new();
    let mut request = ListFreezesRequest {
        parent: PLATFORM.to_owned(),
        target: account_name(shop),
        page_size: 500,
        ..Default::default()
    };
    for _ in 0..PAGES {
        let page = client.list_freezes(request.clone()).await?;
        all.extend(page.freezes.into_iter().filter(|freeze| freeze.lift_time.is_none()));
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
    Err(Status::internal("pages without end"))
}

/// Use by every order that has payouts, and by every operator.
async fn usage(client: &Client, shop: &str, payouts: &[Payout]) -> Result<Vec<Usage>, Status> {
    let programme = |name: &str| {
        let mut all = Programme::ALL.into_iter();
        all.find(|p| p.name() == name).ok_or_else(|| Status::internal(format!("what is {name}?")))
    };
    let mut subjects = Vec::new();
    for payout in payouts {
        subjects.push((programme(&payout.programme)?, payout.order.clone(), String::new()));
    }
    for programme in Programme::ALL {
        let of = |id: &&str| (programme, String::new(), operator_name(shop, id));
        subjects.extend(OPERATORS.iter().map(of));
    }
    subjects.sort();
    subjects.dedup();
    let mut all = Vec::new();
    let mut asking = JoinSet::new();
    for (programme, order, operator) in subjects {
        if asking.len() >= AT_ONCE
            && let Some(answer) = asking.join_next().await
        {
            all.push(answer.expect("no panic")?);
        }
        let (client, parent) = (client.clone(), shop_name(shop));
        asking.spawn(async move {
            let request = GetUsageRequest {
                parent,
                programme: programme.name(),
                operator: operator.clone(),
                order: order.clone(),
            };
            let usage = client.get_usage(request).await?;
            let limits = usage.limits.into_iter().map(|limit| (limit.rule.clone(), limit));
            Ok::<Usage, Status>(Usage { programme, order, operator, limits: limits.collect() })
        });
    }
    while let Some(answer) = asking.join_next().await {
        all.push(answer.expect("no panic")?);
    }
    Ok(all)
}

/// All events of some kinds, oldest first.
pub async fn events(client: &Client, kinds: &[event::Kind]) -> Result<Vec<Event>, Status> {
    let mut all = Vec::new();
    let mut request = ListEventsRequest {
        parent: PLATFORM.to_owned(),
        kinds: kinds.iter().map(|kind| i32::from(*kind)).collect(),
        page_size: 1000,
        ..Default::default()
    };
    for _ in 0..PAGES {
        let page = client.list_events(request.clone()).await?;
        all.extend(page.events);
        if !page.more {
            return Ok(all);
        }
        request.cursor = page.next_cursor;
    }
    Err(Status::internal("pages without end"))
}

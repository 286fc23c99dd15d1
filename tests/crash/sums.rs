//! Limits and accounts compared with the payouts that are listed, to the fen.

use std::collections::{BTreeMap, HashMap};

use bursar::proto::v1::{GetAccountRequest, GetUsageRequest, LimitUsage, Payout, PayoutState};

use crate::trial::{Client, PROCEEDS, PROGRAMME, fen, fen_of, shop_name};

/// What payouts take: in all, and as a count.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Taken {
    used: i64,
    held: i64,
    used_count: i64,
    held_count: i64,
}

impl Taken {
    fn of<'a>(payouts: impl IntoIterator<Item = &'a Payout>) -> Self {
        let mut taken = Self::default();
        for payout in payouts {
            match payout.state() {
                PayoutState::Authorized | PayoutState::Processing => {
                    taken.held += fen(payout.amount.as_ref());
                    taken.held_count += 1;
                }
                PayoutState::Succeeded => {
                    taken.used += fen(payout.settled_amount.as_ref());
                    taken.used_count += 1;
                }
                PayoutState::Failed | PayoutState::Cancelled => {}
                other => panic!("{} is {other:?}", payout.name),
            }
        }
        taken
    }
}

/// Checks a shop's limits and account; gives its payouts by request id, of
/// which each has one.
pub async fn check(client: &Client, shop: &str) -> BTreeMap<String, Payout> {
    let payouts = client.every_payout(shop).await;
    let all = Taken::of(&payouts);
    let name = format!("{}/accounts/settlement", shop_name(shop));
    let account = client.get_account(GetAccountRequest { name }).await.expect("an account");
    assert_eq!(fen_of(&account.balance), PROCEEDS - all.used, "{shop}'s balance");
    assert_eq!(fen_of(&account.held), all.held, "{shop}'s holds");
    assert_eq!(fen_of(&account.available), PROCEEDS - all.used - all.held);

    let mut orders: BTreeMap<&str, Vec<&Payout>> = BTreeMap::new();
    for payout in &payouts {
        orders.entry(&payout.order).or_default().push(payout);
    }
    for (order, payouts) in orders {
        let usage = usage(client, shop, order).await;
        let taken = Taken::of(payouts);
        let [used, held] = numbers(&usage["order-total"], fen_of);
        assert_eq!((used, held), (taken.used, taken.held), "the total of {order}");
        assert!(used + held <= 30_000, "{order} is above its limit");
        let count = |text: &str| text.parse().expect("a count");
        let [used, held] = numbers(&usage["order-count"], count);
        assert_eq!((used, held), (taken.used_count, taken.held_count), "the count of {order}");
        assert!(used + held <= 4, "{order} is above its count");
    }

    let usage = usage(client, shop, "").await;
    let daily = &usage["shop-daily"];
    let start = daily.window_start_time.as_ref().map_or(0, |start| start.seconds);
    let created = |payout: &Payout| payout.create_time.as_ref().map_or(0, |at| at.seconds);
    // A payout stays in the windows of its authorization, whatever day it is.
    let today = Taken::of(payouts.iter().filter(|payout| created(payout) >= start));
    assert_eq!(numbers(daily, fen_of), [today.used, today.held], "the day of {shop}");

    let count = payouts.len();
    let by_request: BTreeMap<String, Payout> =
        payouts.into_iter().map(|payout| (payout.request_id.clone(), payout)).collect();
    assert_eq!(by_request.len(), count, "a request holds once");
    by_request
}

fn numbers(usage: &LimitUsage, number: impl Fn(&str) -> i64) -> [i64; 2] {
    [number(&usage.used), number(&usage.held)]
}

async fn usage(client: &Client, shop: &str, order: &str) -> HashMap<String, LimitUsage> {
    let request = GetUsageRequest {
        parent: shop_name(shop),
        programme: PROGRAMME.to_owned(),
        order: order.to_owned(),
        ..GetUsageRequest::default()
    };
    let usage = client.get_usage(request).await.expect("usage");
    usage.limits.into_iter().map(|limit| (limit.rule.clone(), limit)).collect()
}

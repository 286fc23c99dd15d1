//! The requests that the load consists of. Each follows from its number alone,
//! so that two servers get the same, as bytes.

use crate::domain::text::Text;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;

use super::world::{World, operator};
use crate::proto::{google::r#type::Money, v1};

/// One in so many is denied.
const DENIED_EVERY: u64 = 20;
/// How many numbers earlier the order of a denied one was first paid for.
const EARLIER: u64 = 10;
/// Payouts after which another shop is the hot one: a day's limit ends every
/// shop's payouts at some time, and the load is about those that pass.
const HOT_FOR: u64 = 1_200_000;
/// Most cents of a payout that is not the hot shop's, for the same reason.
const CENTS: u64 = 50;
/// Billionths of a currency's unit in a hundredth.
const NANOS_PER_CENT: i32 = 10_000_000;

/// Makes the requests: nineteen of twenty about orders that were not seen
/// before, which come along; one too large, about an order seen shortly before.
#[derive(Clone, Debug)]
pub struct Requests {
    world: Arc<World>,
    /// Tells the requests of one run from those of others.
    run: Text,
    /// Of a thousand, how many are about one shop.
    hot: u64,
    /// What all of them say, encoded.
    alike: Bytes,
    next: u64,
    /// How many there are still. `None`: no end.
    left: Option<u64>,
}

impl Requests {
    /// The requests of a run, about orders that were placed then.
    pub fn new(world: Arc<World>, run: &str, hot: u64, placed: Timestamp) -> Self {
        let mut alike = world.authorize.clone();
        if let Some(payout) = &mut alike.payout {
            payout.programme.clone_from(&world.programme);
            if let Some(order) = &mut payout.inline_order {
                order.place_time = Some(placed);
                order.source_time = Some(placed);
            }
        }
        let alike = alike.encode_to_vec().into();
        Self { world, run: run.into(), hot, alike, next: 0, left: None }
    }

    /// The same from a number on, and no more than so many of them.
    #[must_use]
    pub fn part(self, first: u64, count: Option<u64>) -> Self {
        Self { next: first, left: count, ..self }
    }

    /// The number of the request that comes next.
    pub fn number(&self) -> u64 {
        self.next
    }

    /// The request of a number.
    pub fn request(&self, number: u64) -> Bytes {
        let denied = number % DENIED_EVERY == DENIED_EVERY - 1;
        let order = if denied { number - EARLIER } else { number };
        let dice = scattered(order);
        let is_hot = dice % 1000 < self.hot;
        let shop = if is_hot { order * self.hot / 1000 / HOT_FOR } else { dice >> 10 };
        let shop = self.shop(shop);
        let like = &self.world.denied;
        let amount = match (denied, is_hot) {
            (true, _) => like.clone(),
            (false, true) => cents(like, 1),
            (false, false) => cents(like, 1 + (dice >> 50) % CENTS),
        };
        let own = v1::AuthorizePayoutRequest {
            parent: shop.to_owned(),
            request_id: format!("{}-{number}", self.run),
            payout: Some(v1::PayoutSpec {
                amount: Some(amount),
                operator: operator(shop, usize::try_from(dice >> 40).unwrap_or(0)),
                order: format!("{shop}/orders/{}-{order}", self.run),
                ..v1::PayoutSpec::default()
            }),
            ..v1::AuthorizePayoutRequest::default()
        };
        // Two encoded messages, one behind the other, are both merged.
        let mut bytes = Vec::with_capacity(own.encoded_len() + self.alike.len());
        own.encode_raw(&mut bytes);
        bytes.extend_from_slice(&self.alike);
        bytes.into()
    }

    fn shop(&self, number: u64) -> &str {
        let shops = &self.world.shops;
        let number = usize::try_from(number % shops.len().max(1) as u64).unwrap_or(0);
        shops.get(number).map_or("", String::as_str)
    }
}

impl Iterator for Requests {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        let request = self.request(self.next);
        self.next += 1;
        Some(request)
    }
}

/// So many hundredths, in the currency of another amount.
fn cents(like: &Money, cents: u64) -> Money {
    // Below a hundred: no overflow.
    let nanos = i32::try_from(cents).unwrap_or(1) * NANOS_PER_CENT;
    Money { currency_code: like.currency_code.clone(), units: 0, nanos }
}

/// Spreads numbers over all bits, always alike (the finish of splitmix64).
fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

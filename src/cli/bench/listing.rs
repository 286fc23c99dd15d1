//! How long pages of a listing take: the first one, and one that is far behind
//! it. A listing whose pages take the longer the deeper they are is one that
//! reads what it leaves out.

use std::time::Duration;

use serde_json::{Value, json};
use tonic::{Status, transport::Channel};

use super::{
    figures::{micros, thousands},
    now,
};
use crate::proto::v1::{
    ListPayoutsRequest, ListPayoutsResponse, payout_service_client::PayoutServiceClient,
};

/// How often the first page and the last are asked for again, in turn. What is
/// told of each is the median.
const TIMES: usize = 21;

/// A walk through a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Walked {
    /// The number of the deepest page, of those that were asked for, that has
    /// another behind it: one at the end may be short. 1 if there is none.
    pub page: u32,
    /// Payouts on all pages.
    pub rows: usize,
    /// How long the first page takes.
    pub first: Duration,
    /// How long the deepest takes.
    pub deep: Duration,
    /// How long the walk took in all.
    pub took: Duration,
}

/// Lists a shop's payouts, so many pages or as many as there are.
///
/// # Errors
/// What the server answered instead of a page.
pub async fn walk(
    channel: &Channel,
    shop: &str,
    pages: u32,
    page_size: i32,
) -> Result<Walked, Status> {
    let mut client =
        PayoutServiceClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
    let first =
        ListPayoutsRequest { parent: shop.to_owned(), page_size, ..ListPayoutsRequest::default() };
    let begin = now();
    let (mut deep, mut next) = (first.clone(), first.clone());
    let (mut number, mut rows) = (1, 0);
    for walked in 1..=pages {
        let page = page(&mut client, &next).await?.0;
        rows += page.payouts.len();
        if page.next_page_token.is_empty() {
            break;
        }
        (number, deep) = (walked, next.clone());
        next.page_token = page.next_page_token;
    }
    let took = now().saturating_duration_since(begin);
    let mut times = [Vec::with_capacity(TIMES), Vec::with_capacity(TIMES)];
    for _ in 0..TIMES {
        for (request, times) in [&first, &deep].into_iter().zip(&mut times) {
            times.push(page(&mut client, request).await?.1);
        }
    }
    let [first, deep] = times.map(median);
    Ok(Walked { page: number, rows, first, deep, took })
}

async fn page(
    client: &mut PayoutServiceClient<Channel>,
    request: &ListPayoutsRequest,
) -> Result<(ListPayoutsResponse, Duration), Status> {
    let request = request.clone();
    let begin = now();
    let page = client.list_payouts(request).await?.into_inner();
    Ok((page, now().saturating_duration_since(begin)))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl Walked {
    /// For people.
    pub fn line(&self) -> String {
        format!(
            "of {} payouts listed, the first page takes {} µs, the one of number {} takes {} µs",
            thousands(self.rows as u64),
            thousands(micros(self.first)),
            thousands(u64::from(self.page)),
            thousands(micros(self.deep)),
        )
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "page": self.page,
            "rows": self.rows,
            "first_us": micros(self.first),
            "deep_us": micros(self.deep),
            "walk_ms": micros(self.took) / 1000,
        })
    }
}

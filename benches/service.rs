//! What a payout costs inside the service: the embedded store, the engine, the
//! decision and the API's conversions, without the transport. Prints the time
//! for each payout; a profiler or an instruction counter sees nothing else.
//!
//! `cargo bench --bench service [PAYOUTS [IN_FLIGHT [SHOPS]]]`

#![allow(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time, and a panic is how it fails"
)]

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bursar::{
    api::{auth::Authenticator, service::Api},
    engine::{Options, clock::SystemClock},
    proto::v1::{
        self, payout_service_server::PayoutService, policy_service_server::PolicyService,
        quota_service_server::QuotaService, shop_service_server::ShopService,
    },
    server::{Parts, Service},
    store::sled::{self, SledStore},
};
use futures_util::{StreamExt, stream};
use tonic::Request;

#[path = "../src/allocator.rs"]
mod allocator;
#[path = "requests/mod.rs"]
mod requests;

use requests::{OPERATORS, POLICY, PROGRAMME, money};

#[global_allocator]
static ALLOCATOR: allocator::Mimalloc = allocator::Mimalloc;

const SHOPS: usize = 100;
const IN_FLIGHT: usize = 256;

async fn furnish(api: &Api, shops: usize) {
    let platform = v1::CreatePlatformRequest { platform_id: "p".to_owned(), ..Default::default() };
    api.create_platform(Request::new(platform)).await.expect("a platform");
    let revision = v1::CreateRevisionRequest {
        parent: PROGRAMME.to_owned(),
        yaml: POLICY.to_owned(),
        ..Default::default()
    };
    let revision = api.create_revision(Request::new(revision)).await.expect("a revision");
    let name = revision.into_inner().name;
    let activate = v1::ActivateRevisionRequest { name, ..Default::default() };
    api.activate_revision(Request::new(activate)).await.expect("in force");
    for number in 0..shops {
        furnish_shop(api, number).await;
    }
}

async fn furnish_shop(api: &Api, number: usize) {
    let shop = requests::shop(number);
    let request = v1::CreateShopRequest {
        parent: "platforms/p".to_owned(),
        shop_id: format!("s{number}"),
        shop: Some(v1::Shop { facts: requests::shop_facts(), ..Default::default() }),
        ..Default::default()
    };
    api.create_shop(Request::new(request)).await.expect("a shop");
    let request = v1::CreateAccountRequest {
        parent: shop.clone(),
        account_id: "settlement".to_owned(),
        account: Some(v1::Account {
            kind: v1::account::Kind::Settlement.into(),
            currency_code: "CNY".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    api.create_account(Request::new(request)).await.expect("an account");
    let request = v1::RecordMovementRequest {
        parent: format!("{shop}/accounts/settlement"),
        movement: Some(v1::Movement {
            reference: "proceeds".to_owned(),
            direction: v1::movement::Direction::Credit.into(),
            kind: v1::movement::Kind::Proceeds.into(),
            amount: money(900_000_000_000_000, 0),
            ..Default::default()
        }),
        ..Default::default()
    };
    api.record_movement(Request::new(request)).await.expect("money");
    for sub in 0..OPERATORS {
        let kind = if sub == 0 { v1::operator::Kind::Main } else { v1::operator::Kind::Sub };
        let request = v1::CreateOperatorRequest {
            parent: shop.clone(),
            operator_id: format!("op{sub}"),
            operator: Some(v1::Operator { kind: kind.into(), ..Default::default() }),
            ..Default::default()
        };
        api.create_operator(Request::new(request)).await.expect("an operator");
        let grant = v1::UpdateGrantRequest {
            actor: format!("{shop}/operators/op0"),
            grant: Some(v1::Grant {
                name: format!("{shop}/operators/op{sub}/grants/small-payout"),
                enabled: Some(true),
                per_payout_amount: Some("500.00".to_owned()),
                daily_amount: Some("900000000000.00".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        api.update_grant(Request::new(grant)).await.expect("a grant");
    }
}

/// Processor time of each thread that runs, in nanoseconds: who else is on the
/// machine stretches the time that passes, and this hardly.
fn busy() -> BTreeMap<String, u64> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let thread = |thread: std::fs::DirEntry| {
        let name = std::fs::read_to_string(thread.path().join("comm")).ok()?;
        let ran = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        Some((name.trim().to_owned(), ran.split_whitespace().next()?.parse::<u64>().ok()?))
    };
    let mut all = BTreeMap::<String, u64>::new();
    for (name, ran) in threads.filter_map(thread) {
        *all.entry(name).or_default() += ran;
    }
    all
}

fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    let payouts = numbers.next().unwrap_or(100_000);
    let in_flight = numbers.next().unwrap_or(IN_FLIGHT);
    let shops = numbers.next().unwrap_or(SHOPS);
    let data = tempfile::TempDir::new().expect("a directory");
    let options = sled::Options::default();
    let store = SledStore::open(data.path(), options).expect("a store");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let service = Service::start(Parts {
            store: Box::new(store),
            clock: Arc::new(SystemClock::new()),
            auth: Authenticator::Local,
            options: Options::default(),
        })
        .expect("a service");
        let api = Api::new(service.engine().clone(), Authenticator::Local);
        furnish(&api, shops).await;
        let now = prost_types::Timestamp::from(std::time::SystemTime::now());
        let furnished = busy();
        let start = Instant::now();
        let answers = stream::iter(0..payouts)
            .map(|number| api.authorize_payout(Request::new(requests::request(number, shops, now))))
            .buffer_unordered(in_flight);
        let allowed = answers
            .map(|answer| answer.expect("an answer").into_inner())
            .filter(|receipt| {
                std::future::ready(receipt.decision == i32::from(v1::Decision::Allow))
            })
            .count()
            .await;
        let took = start.elapsed();
        let busy = busy();
        drop(api);
        service.stop(true).await.expect("it stops");
        let whole = start.elapsed();
        println!(
            "{payouts} payouts, {allowed} allowed: {:.2} us each, {:.2} with putting away",
            took.as_secs_f64() * 1e6 / payouts as f64,
            whole.as_secs_f64() * 1e6 / payouts as f64
        );
        for (thread, nanoseconds) in busy {
            let nanoseconds =
                nanoseconds.saturating_sub(furnished.get(&thread).copied().unwrap_or(0));
            println!("{thread:>16}: {:.2} us", nanoseconds as f64 / 1e3 / payouts as f64);
        }
    });
}

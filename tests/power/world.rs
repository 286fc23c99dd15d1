//! The world that the load works in: a platform, two programmes under the same
//! policy (one with short holds), and shops with money and operators.

use bursar::proto::v1::{self, account, fact_value::Kind, movement, operator};
use prost_types::Timestamp;
use tonic::Status;

use crate::{
    client::Client,
    trial::{money, shop_name},
};

pub const PLATFORM: &str = "platforms/p1";
pub const SHOPS: [&str; 3] = ["s1", "s2", "s3"];
pub const OPERATORS: [&str; 2] = ["main", "sub"];
/// What is on each account at first, in fen.
pub const PROCEEDS: i64 = 10_000_000_000;
const POLICY: &str = include_str!("../policies/power.yaml");
/// How long a hold of the brief programme lasts.
pub const BRIEF_SECONDS: u64 = 1;

/// A programme.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Programme {
    Lasting,
    Brief,
}

impl Programme {
    pub const ALL: [Self; 2] = [Self::Lasting, Self::Brief];

    pub fn name(self) -> String {
        programme(match self {
            Self::Lasting => "lasting",
            Self::Brief => "brief",
        })
    }

    fn policy(self) -> String {
        match self {
            Self::Lasting => POLICY.to_owned(),
            Self::Brief => POLICY.replace("1800s", &format!("{BRIEF_SECONDS}s")),
        }
    }
}

pub fn programme(id: &str) -> String {
    format!("{PLATFORM}/programmes/{id}")
}

pub fn operator_name(shop: &str, id: &str) -> String {
    format!("{}/operators/{id}", shop_name(shop))
}

pub fn account_name(shop: &str) -> String {
    format!("{}/accounts/settlement", shop_name(shop))
}

/// A policy that differs from others by its title alone.
pub fn titled(number: usize) -> String {
    POLICY.replace("en: Power failures", &format!("en: Power failures {number}"))
}

/// Makes all of it.
pub async fn furnish(client: &Client) -> Result<(), Status> {
    let platform = v1::CreatePlatformRequest { platform_id: "p1".into(), ..Default::default() };
    client.create_platform(platform).await?;
    for programme in Programme::ALL {
        bring_in_force(client, &programme.name(), programme.policy()).await?;
    }
    for shop in SHOPS {
        furnish_shop(client, shop).await?;
    }
    Ok(())
}

/// A new revision, and at once in force.
pub async fn bring_in_force(client: &Client, name: &str, yaml: String) -> Result<String, Status> {
    let revision =
        v1::CreateRevisionRequest { parent: name.to_owned(), yaml, ..Default::default() };
    let name = client.create_revision(revision).await?.name;
    let activation = v1::ActivateRevisionRequest { name, ..Default::default() };
    Ok(client.activate_revision(activation).await?.active_revision)
}

pub fn create_shop(id: &str) -> v1::CreateShopRequest {
    v1::CreateShopRequest {
        parent: PLATFORM.to_owned(),
        shop_id: id.to_owned(),
        ..Default::default()
    }
}

pub fn create_operator(shop: &str, id: &str, kind: operator::Kind) -> v1::CreateOperatorRequest {
    v1::CreateOperatorRequest {
        parent: shop_name(shop),
        operator_id: id.to_owned(),
        operator: Some(v1::Operator { kind: kind.into(), ..Default::default() }),
        ..Default::default()
    }
}

pub fn credit(shop: &str, reference: &str, fen: i64) -> v1::RecordMovementRequest {
    v1::RecordMovementRequest {
        parent: account_name(shop),
        movement: Some(v1::Movement {
            reference: reference.to_owned(),
            direction: movement::Direction::Credit.into(),
            kind: movement::Kind::Proceeds.into(),
            amount: money(fen),
            ..Default::default()
        }),
        ..Default::default()
    }
}

async fn furnish_shop(client: &Client, id: &str) -> Result<(), Status> {
    client.create_shop(create_shop(id)).await?;
    let account = v1::CreateAccountRequest {
        parent: shop_name(id),
        account_id: "settlement".to_owned(),
        account: Some(v1::Account {
            kind: account::Kind::Settlement.into(),
            currency_code: "CNY".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    client.create_account(account).await?;
    client.record_movement(credit(id, "proceeds", PROCEEDS)).await?;
    for (operator, kind) in OPERATORS.iter().zip([operator::Kind::Main, operator::Kind::Sub]) {
        client.create_operator(create_operator(id, operator, kind)).await?;
    }
    Ok(())
}

/// A request about an order that is sent along.
pub fn authorize(
    programme: Programme,
    shop: &str,
    request_id: &str,
    order: &str,
    operator: &str,
    fen: i64,
) -> v1::AuthorizePayoutRequest {
    v1::AuthorizePayoutRequest {
        parent: shop_name(shop),
        request_id: request_id.to_owned(),
        payout: Some(v1::PayoutSpec {
            programme: programme.name(),
            amount: money(fen),
            operator: operator_name(shop, operator),
            order: format!("{}/orders/{order}", shop_name(shop)),
            inline_order: Some(v1::Order { source_time: instant(0), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// An order with as many facts as there may be.
pub fn large_order(number: usize) -> v1::UpsertOrderRequest {
    let fact = |at: usize| {
        let value = Kind::StringValue("x".repeat(256));
        (format!("fact_{at}"), v1::FactValue { kind: Some(value) })
    };
    let order = v1::Order {
        name: format!("{}/orders/large-{number}", shop_name("s1")),
        source_time: instant(0),
        facts: (0..100).map(fact).collect(),
        ..Default::default()
    };
    v1::UpsertOrderRequest { order: Some(order), ..Default::default() }
}

/// So many seconds after some moment.
pub fn instant(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_767_225_600 + seconds, nanos: 0 })
}

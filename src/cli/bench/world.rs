//! What the load is about: a platform with its programme, many shops, each with
//! money and operators. The requests that the load consists of are not here.

use std::{
    io::{IsTerminal, Write, stderr},
    path::Path,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use prost_types::Timestamp;
use tonic::{Code, Status, transport::Channel};

use crate::{
    cli::published,
    proto::{
        google::r#type::Money,
        v1::{
            self, operator::Kind, policy_service_client::PolicyServiceClient,
            quota_service_client::QuotaServiceClient, shop_service_client::ShopServiceClient,
        },
    },
    yaml::{self, located::Node},
};

/// The prototypes of its requests.
const PROTOTYPES: &str = include_str!("../../../bench/small-payout.yaml");
/// What stands in a policy before how long a payout may be executed.
const EXECUTE_WITHIN: &str = "execute_within:";
/// Operators of each shop: a main account and sub-accounts with grants.
pub const OPERATORS: usize = 20;
/// Shops that are made at the same time.
const AT_ONCE: usize = 128;

/// See the module.
#[derive(Debug)]
pub struct World {
    /// Names of its shops.
    pub shops: Vec<String>,
    /// Name of its programme.
    pub programme: String,
    /// What each request says alike.
    pub authorize: v1::AuthorizePayoutRequest,
    /// The amount that no order gets.
    pub denied: Money,
    platform: String,
    policy: String,
    shop: v1::CreateShopRequest,
    account: v1::CreateAccountRequest,
    proceeds: v1::RecordMovementRequest,
    grant: v1::UpdateGrantRequest,
}

fn all(problems: &[yaml::Problem]) -> String {
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    said.join("; ")
}

/// One of the prototypes.
fn prototype<T: prost::Message + Default>(
    document: &Node,
    key: &str,
    message: &str,
) -> Result<T, String> {
    let node = document.get(key).ok_or_else(|| format!("the bench has no {key:?}"))?;
    let descriptor =
        yaml::descriptor(message).ok_or_else(|| format!("the contract has no {message}"))?;
    let parsed = yaml::from_node(node, &descriptor).map_err(|problems| all(&problems))?;
    parsed.message.transcode_to().map_err(|error| error.to_string())
}

fn word(document: &Node, key: &str) -> Result<String, String> {
    let scalar = document.get(key).and_then(Node::as_scalar);
    scalar.map(|s| s.text.clone()).ok_or_else(|| format!("the bench has no {key:?}"))
}

/// Name of one of a shop's sub-accounts.
pub fn operator(shop: &str, number: usize) -> String {
    format!("{shop}/operators/{}", operator_id(number))
}

fn operator_id(number: usize) -> String {
    format!("sub{}", number % (OPERATORS - 1))
}

impl World {
    /// Reads the prototypes, and the policy they need from a folder or, if it
    /// is not there, from what comes with the program. The platform's id tells
    /// one world from others on the same server.
    ///
    /// # Errors
    /// If the policy cannot be read.
    pub fn read(policies: &Path, platform: &str, shops: usize) -> Result<Self, String> {
        let document = yaml::located::parse(PROTOTYPES).map_err(|problems| all(&problems))?;
        let file = word(&document, "policy")?;
        let policy = published::policy(policies, &file)
            .map_err(|error| format!("{file}: {error}. Say where policies are with --policies"))?;
        let message = |name: &str| format!("bursar.v1.{name}Request");
        Ok(Self {
            shops: (0..shops.max(1))
                .map(|number| format!("platforms/{platform}/shops/s{number}"))
                .collect(),
            programme: format!("platforms/{platform}/programmes/{}", word(&document, "programme")?),
            authorize: prototype(&document, "authorize", &message("AuthorizePayout"))?,
            denied: prototype(&document, "denied_amount", "google.type.Money")?,
            platform: platform.to_owned(),
            policy,
            shop: prototype(&document, "shop", &message("CreateShop"))?,
            account: prototype(&document, "account", &message("CreateAccount"))?,
            proceeds: prototype(&document, "proceeds", &message("RecordMovement"))?,
            grant: prototype(&document, "grant", &message("UpdateGrant"))?,
        })
    }

    /// Has what a payout holds end after so many seconds if it is not executed.
    ///
    /// # Errors
    /// If the policy does not say how long that is.
    pub fn hold_for(&mut self, seconds: u32) -> Result<(), String> {
        let (before, rest) = self.policy.split_once(EXECUTE_WITHIN).ok_or_else(|| {
            format!("the policy has no {EXECUTE_WITHIN:?}, which --hold-seconds replaces")
        })?;
        let after = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
        self.policy = format!("{before}{EXECUTE_WITHIN} {seconds}s{after}");
        Ok(())
    }

    /// Makes it all, and tells on a terminal how far it is. What is there
    /// already, from an earlier run, is left as it is. Gives the instant at
    /// which the platform was made: orders were placed then.
    ///
    /// # Errors
    /// If anything is refused.
    pub async fn furnish(&self, channels: &[Channel]) -> Result<Timestamp, Status> {
        let first = channels.first().ok_or_else(|| Status::unavailable("no connection"))?;
        let made = self.furnish_platform(first).await?;
        let progress = Progress::new(self.shops.len());
        let made_shops = self.shops.iter().zip(channels.iter().cycle());
        let made_shops = made_shops.map(|(shop, channel)| self.furnish_shop(channel, shop));
        let mut made_shops = stream::iter(made_shops).buffer_unordered(AT_ONCE);
        let mut count = 0;
        while made_shops.try_next().await?.is_some() {
            count += 1;
            progress.tell(count);
        }
        Ok(Timestamp { seconds: made.seconds, nanos: 0 })
    }

    /// The platform, and the programme's policy, in force at once.
    async fn furnish_platform(&self, channel: &Channel) -> Result<Timestamp, Status> {
        let mut shops = ShopServiceClient::new(channel.clone());
        let platform = v1::CreatePlatformRequest {
            platform_id: self.platform.clone(),
            platform: Some(v1::Platform::default()),
            ..v1::CreatePlatformRequest::default()
        };
        created(shops.create_platform(platform).await)?;
        let platform = v1::GetPlatformRequest { name: format!("platforms/{}", self.platform) };
        let platform = shops.get_platform(platform).await?.into_inner();
        let mut policies = PolicyServiceClient::new(channel.clone());
        let programme = v1::GetProgrammeRequest { name: self.programme.clone() };
        match policies.get_programme(programme).await {
            Ok(programme) if !programme.get_ref().active_revision.is_empty() => {}
            Ok(_) => self.publish(&mut policies).await?,
            Err(status) if status.code() == Code::NotFound => self.publish(&mut policies).await?,
            Err(status) => return Err(status),
        }
        platform.create_time.ok_or_else(|| Status::internal("a platform without an age"))
    }

    async fn publish(&self, policies: &mut PolicyServiceClient<Channel>) -> Result<(), Status> {
        let revision = v1::CreateRevisionRequest {
            parent: self.programme.clone(),
            yaml: self.policy.clone(),
            ..v1::CreateRevisionRequest::default()
        };
        let revision = policies.create_revision(revision).await?.into_inner();
        let activate = v1::ActivateRevisionRequest {
            name: revision.name,
            ..v1::ActivateRevisionRequest::default()
        };
        policies.activate_revision(activate).await?;
        Ok(())
    }

    async fn furnish_shop(&self, channel: &Channel, name: &str) -> Result<(), Status> {
        let mut quotas = QuotaServiceClient::new(channel.clone());
        // What is made last: with it, all of the shop is there.
        let last = v1::GetGrantRequest { name: self.grant_name(name, OPERATORS - 2) };
        match quotas.get_grant(last).await {
            Ok(_) => return Ok(()),
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => return Err(status),
        }
        let mut shops = ShopServiceClient::new(channel.clone());
        let (parent, id) = name.rsplit_once("/shops/").unwrap_or_default();
        let shop = v1::CreateShopRequest {
            parent: parent.to_owned(),
            shop_id: id.to_owned(),
            ..self.shop.clone()
        };
        created(shops.create_shop(shop).await)?;
        let account = v1::CreateAccountRequest { parent: name.to_owned(), ..self.account.clone() };
        let account_name = format!("{name}/accounts/{}", account.account_id);
        created(shops.create_account(account).await)?;
        let proceeds = v1::RecordMovementRequest { parent: account_name, ..self.proceeds.clone() };
        shops.record_movement(proceeds).await?;
        self.furnish_operators(&mut quotas, name).await
    }

    async fn furnish_operators(
        &self,
        quotas: &mut QuotaServiceClient<Channel>,
        shop: &str,
    ) -> Result<(), Status> {
        let operator = |id: &str, kind: Kind| v1::CreateOperatorRequest {
            parent: shop.to_owned(),
            operator_id: id.to_owned(),
            operator: Some(v1::Operator { kind: kind.into(), ..v1::Operator::default() }),
            ..v1::CreateOperatorRequest::default()
        };
        created(quotas.create_operator(operator("main", Kind::Main)).await)?;
        for number in 0..OPERATORS - 1 {
            let sub = operator(&operator_id(number), Kind::Sub);
            created(quotas.create_operator(sub).await)?;
            let mut grant = self.grant.clone();
            grant.actor = format!("{shop}/operators/main");
            if let Some(grant) = &mut grant.grant {
                grant.name = self.grant_name(shop, number);
            }
            quotas.update_grant(grant).await?;
        }
        Ok(())
    }

    /// What one of a shop's sub-accounts may do.
    fn grant_name(&self, shop: &str, number: usize) -> String {
        let programme = self.programme.rsplit('/').next().unwrap_or_default();
        format!("{}/grants/{programme}", operator(shop, number))
    }
}

/// It is there, whether it was made now or before.
fn created<T>(answer: Result<T, Status>) -> Result<(), Status> {
    match answer {
        Err(status) if status.code() != Code::AlreadyExists => Err(status),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// How far it is, on a terminal: one line that is written over.
struct Progress {
    total: usize,
    shown: bool,
}

impl Progress {
    fn new(total: usize) -> Self {
        Self { total, shown: stderr().is_terminal() }
    }

    fn tell(&self, count: usize) {
        if !self.shown || (!count.is_multiple_of(50) && count < self.total) {
            return;
        }
        let end = if count < self.total { "" } else { "\n" };
        // Nobody to tell is no reason to stop.
        let _ = write!(
            stderr(),
            "\rfurnishing shops with {OPERATORS} operators each: {count} of {}{end}",
            self.total
        );
        let _ = stderr().flush();
    }
}

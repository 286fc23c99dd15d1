//! What can be asked of the core, and what it answers.

use std::{sync::Arc, time::Duration};

use super::{authorize, configure, due, life, loaded::Loaded, out::Judgement, settle, spec, usage};
use crate::domain::{
    account::{Account, Movement, Position},
    amount::Currency,
    decision::{Decision, Inputs, Verdict},
    instant::Instant,
    key::Key,
    name::{Id, OperatorName, RevisionName},
    payout::Payout,
    policy::{Policies, Policy},
    row::Row,
    who::{Author, RoleSet},
};

/// Something to decide or change.
#[derive(Clone, Debug)]
pub enum Command {
    /// Decide a payout and hold it.
    Authorize(Box<authorize::Authorize>),
    /// Ask what would be decided.
    Validate(Box<spec::Spec>),
    /// Permit moving the money.
    Execute(life::Execute),
    /// Call a payout off.
    Cancel(life::Cancel),
    /// Record what the channel did.
    Settle(settle::Settle),
    /// Record what came back.
    Return(settle::GiveBack),
    /// Something is due by itself.
    Due(due::Due),
    /// Change what is configured.
    Configure(Box<configure::Configure>),
    /// Read the use of limits.
    Usage(usage::ReadUsage),
}

/// What a command is judged with, besides rows.
pub struct Context<'a> {
    /// The time of the decision.
    pub now: Instant,
    /// Who asks.
    pub author: Author,
    /// In which roles.
    pub roles: RoleSet,
    /// Compiled policies of revisions in programmes that were loaded.
    pub policies: &'a dyn Policies,
    /// An id for what the command makes.
    pub fresh: Id,
    /// How long denied and configuration request ids are remembered.
    pub remember: Duration,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("author", &self.author)
            .finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// The policy of a revision that a programme lists.
    pub fn policy(&self, revision: &RevisionName) -> Arc<Policy> {
        self.policies
            .policy(revision)
            .expect("every stored revision was compiled when it was stored or loaded")
    }
}

/// What a command is answered with.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// A decision that was recorded.
    Decided {
        /// The decision.
        decision: Box<Decision>,
        /// Its payout now.
        payout: Option<Box<Payout>>,
        /// Whether it was made before.
        replayed: bool,
    },
    /// A check: what would be decided.
    Checked(Box<Check>),
    /// A payout as it is now.
    Payout(Box<Payout>),
    /// A configured resource as it is now.
    Row(Arc<Row>),
    /// An account as it is now.
    Account {
        /// The account.
        account: Account,
        /// Its money.
        position: Position,
    },
    /// A resource that is gone.
    Deleted,
    /// A movement and its account after it.
    Moved {
        /// The movement.
        movement: Movement,
        /// The account.
        account: Account,
        /// Its money after it.
        position: Position,
        /// Whether it was recorded before.
        replayed: bool,
    },
    /// The use of limits.
    Usage(usage::Usage),
    /// Something due was done, or was not due any more.
    Done,
}

/// What would be decided.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    /// What it was worked out from.
    pub inputs: Inputs,
    /// What would be decided.
    pub verdict: Verdict,
    /// The revision asked.
    pub revision: RevisionName,
    /// Its currency.
    pub currency: Currency,
    /// The order concerned.
    pub order: Option<crate::domain::name::OrderName>,
    /// The operator asking.
    pub operator: Option<OperatorName>,
    /// When a hold made now would expire.
    pub expire_time: Option<Instant>,
}

impl Command {
    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        match self {
            Self::Authorize(command) => command.first(),
            Self::Validate(command) => command.first(),
            Self::Execute(command) => command.first(),
            Self::Cancel(command) => command.first(),
            Self::Settle(command) => command.first(),
            Self::Return(command) => command.first(),
            Self::Due(command) => command.first(),
            Self::Configure(command) => command.first(),
            Self::Usage(command) => command.first(),
        }
    }

    /// The rows it needs further, given the first.
    pub fn second(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Vec<Key> {
        match self {
            Self::Authorize(command) => command.second(loaded, context),
            Self::Validate(command) => command.second(loaded, context),
            Self::Execute(command) => life::footprint(loaded, context, &command.payout),
            Self::Cancel(command) => life::footprint(loaded, context, &command.payout),
            Self::Settle(command) => life::footprint(loaded, context, &command.payout),
            Self::Return(command) => life::footprint(loaded, context, &command.payout),
            Self::Due(command) => life::footprint(loaded, context, &command.payout),
            Self::Configure(command) => command.second(loaded, context),
            Self::Usage(command) => command.second(loaded, context),
        }
    }

    /// Judges it.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        match self {
            Self::Authorize(command) => command.judge(loaded, context),
            Self::Validate(command) => command.judge(loaded, context),
            Self::Execute(command) => command.judge(loaded, context),
            Self::Cancel(command) => command.judge(loaded, context),
            Self::Settle(command) => command.judge(loaded, context),
            Self::Return(command) => command.judge(loaded, context),
            Self::Due(command) => command.judge(loaded, context),
            Self::Configure(command) => command.judge(loaded, context),
            Self::Usage(command) => command.judge(loaded, context),
        }
    }

    /// Whether it decides by the time that money may leave, so that it waits
    /// until the time can be believed. What has left is recorded all the same.
    pub fn lets_money_leave(&self) -> bool {
        matches!(self, Self::Authorize(_) | Self::Validate(_) | Self::Execute(_))
    }

    /// What it is called in records and events.
    pub fn operation(&self) -> &str {
        match self {
            Self::Authorize(_) => "AuthorizePayout",
            Self::Validate(_) => "ValidatePayout",
            Self::Execute(_) => "ExecutePayout",
            Self::Cancel(_) => "CancelPayout",
            Self::Settle(_) => "SettlePayout",
            Self::Return(_) => "ReturnPayout",
            Self::Due(due) => due.operation(),
            Self::Configure(configure) => configure.operation(),
            Self::Usage(_) => "GetUsage",
        }
    }
}

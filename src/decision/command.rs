//! What can be asked of the core.

use std::sync::Arc;

use super::{
    authorize, configure,
    context::Context,
    due, life,
    loaded::Loaded,
    out::{Judgement, Outcome},
    profile::Whose,
    settle, spec, usage,
};
use crate::domain::key::Key;

/// Something to decide or change. Small, since it is handed from one thread to the
/// next.
#[derive(Clone, Debug)]
pub enum Command {
    /// Decide a payout and hold it.
    Authorize(Arc<authorize::Authorize>),
    /// Ask what would be decided.
    Validate(Box<spec::Spec>),
    /// Permit moving the money.
    Execute(Box<life::Execute>),
    /// Call a payout off.
    Cancel(Box<life::Cancel>),
    /// Record what the channel did.
    Settle(Box<settle::Settle>),
    /// Record what came back.
    Return(Box<settle::GiveBack>),
    /// Something is due by itself.
    Due(Box<due::Due>),
    /// Change what is configured.
    Configure(Box<configure::Configure>),
    /// Read the use of limits.
    Usage(Box<usage::ReadUsage>),
}

impl Command {
    /// The rows it needs first.
    pub fn first(&self, context: &Context<'_>) -> Vec<Key> {
        match self {
            Self::Authorize(command) => command.first(context),
            Self::Validate(command) => command.first(context),
            Self::Execute(command) => command.first(),
            Self::Cancel(command) => command.first(),
            Self::Settle(command) => command.first(),
            Self::Return(command) => command.first(),
            Self::Due(command) => command.first(),
            Self::Configure(command) => command.first(),
            Self::Usage(command) => command.first(context),
        }
    }

    /// Whose payouts it is about, if a profile of those is of use.
    pub fn whose(&self) -> Option<Whose> {
        match self {
            Self::Authorize(command) => Whose::of(&command.spec),
            Self::Validate(command) => Whose::of(command),
            _ => None,
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

    /// The same, told as shortly as can be.
    pub fn outcome<'a>(&'a self, loaded: &Loaded<'_>, context: &'a Context<'_>) -> Outcome<'a> {
        match self {
            Self::Authorize(command) => command.outcome(loaded, context),
            command => Outcome::Judged(command.judge(loaded, context)),
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

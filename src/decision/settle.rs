//! Reports of the payment channel. Money that moved is recorded even when it
//! should not have: success is accepted in every state, flagged, counted in
//! the windows of the authorization, and alerted.

use super::{
    context::Context,
    due,
    life::{self, book, keep, refuse, transition, wrong_state},
    loaded::Loaded,
    out::{Judgement, Out},
    spec::check_amount,
};
use crate::domain::{
    amount::{Amount, Currency},
    key::Key,
    name::PayoutName,
    payout::{Flag, Payout, Return, Settlement, SettlementResult, State},
    policy::Policy,
    refusal::{Reason, Refusal},
    text::Text,
};

/// A report of what the channel did.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Which payout.
    pub payout: PayoutName,
    /// What the channel says.
    pub result: SettlementResult,
    /// What the payee got. `None`: exactly the net amount.
    pub amount: Option<(Amount, Currency)>,
    /// The channel's reference.
    pub reference: Text,
    /// Why it failed.
    pub reason: Text,
}

/// A report of money that came back.
#[derive(Clone, Debug)]
pub struct GiveBack {
    /// Which payout.
    pub payout: PayoutName,
    /// How much.
    pub amount: (Amount, Currency),
    /// The channel's reference.
    pub reference: Text,
    /// Why.
    pub reason: Text,
}

impl Flag {
    /// Id of the alert it raises.
    pub fn alert(self) -> &'static str {
        match self {
            Self::Unexecuted => "PAID_UNEXECUTED",
            Self::Unapproved => "PAID_UNAPPROVED",
            Self::AfterCancel => "PAID_AFTER_CANCEL",
            Self::AfterExpiry => "PAID_AFTER_EXPIRY",
            Self::AfterFailure => "PAID_AFTER_FAILURE",
            Self::OverAmount => "PAID_OVER_AMOUNT",
            Self::PaidTwice => "PAID_TWICE",
        }
    }
}

/// The alert for a report that contradicts an earlier one.
pub const CONTRADICTING_REPORT: &str = "CONTRADICTING_REPORT";

impl Settle {
    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        life::rows_of(&self.payout)
    }

    /// Judges it.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        let (mut payout, policy) = match life::the_payout(loaded, context, &self.payout) {
            Ok(found) => found,
            Err(refusal) => return Judgement::only(Err(refusal)),
        };
        if let Some((amount, currency)) = self.amount
            && let Err(refusal) = check_amount(amount, currency, payout.currency, "amount")
        {
            return Judgement::only(Err(refusal));
        }
        let mut out = Out::default();
        let before = payout.clone();
        due::catch_up(&mut payout, context.now, &policy, &mut out);
        let paid = self.paid(&payout);
        // The last word on a reference counts: a success may have corrected a failure.
        let mut reports = payout.settlements.iter().rev();
        let same = reports.find(|s| s.applied && s.reference == self.reference);
        if let Some(same) = same {
            if same.result == self.result && same.amount == paid {
                return keep(&before, payout, out);
            }
            // A failure is not the last word: the same payment may succeed after all.
            if same.result == SettlementResult::Succeeded {
                return self.contradicting(&before, payout, out, context);
            }
        }
        match self.result {
            SettlementResult::Succeeded => self.succeeded(&before, payout, &policy, context, out),
            SettlementResult::Failed => self.failed(&before, payout, &policy, context, out),
        }
    }

    /// What the payee got by this report.
    fn paid(&self, payout: &Payout) -> Option<Amount> {
        match self.result {
            SettlementResult::Succeeded => Some(self.amount.map_or(payout.net_amount, |(a, _)| a)),
            SettlementResult::Failed => None,
        }
    }

    fn report(&self, payout: &Payout, context: &Context<'_>, applied: bool) -> Settlement {
        Settlement {
            result: self.result,
            amount: self.paid(payout),
            reference: self.reference.clone(),
            reason: self.reason.clone(),
            record_time: context.now,
            applied,
        }
    }

    /// Nothing changes but that it is told.
    fn contradicting(
        &self,
        before: &Payout,
        payout: Payout,
        mut out: Out,
        context: &Context<'_>,
    ) -> Judgement {
        out.alert(context.now, &payout.name.shop(), CONTRADICTING_REPORT, &payout.name.to_string());
        let refusal = Refusal::new(
            Reason::AlreadySettled,
            format!("Another report was recorded for {:?}; nothing changed.", &*self.reference),
        )
        .at(
            "channel_reference",
            "Check with the channel; a second payment has a reference of its own.",
        );
        refuse(before, payout, out, refusal)
    }

    fn succeeded(
        &self,
        before: &Payout,
        mut payout: Payout,
        policy: &Policy,
        context: &Context<'_>,
        mut out: Out,
    ) -> Judgement {
        let paid = self.paid(&payout).unwrap_or_default();
        let mut flags: Vec<Flag> = match payout.state {
            State::Processing => None,
            State::Authorized => Some(Flag::Unexecuted),
            State::PendingApproval => Some(Flag::Unapproved),
            State::Cancelled | State::Rejected => Some(Flag::AfterCancel),
            State::Expired => Some(Flag::AfterExpiry),
            State::Failed => Some(Flag::AfterFailure),
            State::Succeeded | State::Returned => Some(Flag::PaidTwice),
        }
        .into_iter()
        .collect();
        if paid > payout.net_amount {
            flags.push(Flag::OverAmount);
        }
        for flag in flags {
            out.alert(context.now, &payout.name.shop(), flag.alert(), &payout.name.to_string());
            if !payout.flags.contains(&flag) {
                payout.flags.push(flag);
            }
        }
        let report = self.report(&payout, context, true);
        payout.settlements.push(report);
        payout.settled = Some(payout.settled.unwrap_or_default().plus(paid));
        payout.settle_time.get_or_insert(context.now);
        payout.reason = "".into();
        book(&payout, paid.negated(), &mut out);
        transition(&mut payout, State::Succeeded, context.now, context.now, policy, &mut out);
        keep(before, payout, out)
    }

    fn failed(
        &self,
        before: &Payout,
        mut payout: Payout,
        policy: &Policy,
        context: &Context<'_>,
        out: Out,
    ) -> Judgement {
        match payout.state {
            State::Processing => {}
            State::Failed => return keep(before, payout, out),
            State::Succeeded | State::Returned => {
                return self.contradicting(before, payout, out, context);
            }
            _ => {
                let message = "The payout was never executed, so its channel cannot have failed.";
                let refusal = Refusal::new(Reason::NotExecuted, message)
                    .at(payout.name.to_string(), "Cancel it, or let it expire.");
                return refuse(before, payout, out, refusal);
            }
        }
        let mut out = out;
        let report = self.report(&payout, context, true);
        payout.settlements.push(report);
        payout.settle_time.get_or_insert(context.now);
        payout.reason =
            if self.reason.is_empty() { "CHANNEL_FAILED".into() } else { self.reason.clone() };
        transition(&mut payout, State::Failed, context.now, context.now, policy, &mut out);
        keep(before, payout, out)
    }
}

impl GiveBack {
    /// The rows it needs first.
    pub fn first(&self) -> Vec<Key> {
        life::rows_of(&self.payout)
    }

    /// Judges it.
    pub fn judge(&self, loaded: &Loaded<'_>, context: &Context<'_>) -> Judgement {
        let (mut payout, policy) = match life::the_payout(loaded, context, &self.payout) {
            Ok(found) => found,
            Err(refusal) => return Judgement::only(Err(refusal)),
        };
        let (amount, currency) = self.amount;
        if let Err(refusal) = check_amount(amount, currency, payout.currency, "amount") {
            return Judgement::only(Err(refusal));
        }
        let before = payout.clone();
        let mut out = Out::default();
        due::catch_up(&mut payout, context.now, &policy, &mut out);
        if let Some(same) = payout.returns.iter().find(|r| r.reference == self.reference) {
            if same.amount == amount {
                return keep(&before, payout, out);
            }
            let message = format!("{:?} was reported with {}.", &*self.reference, same.amount);
            return Judgement::only(Err(Refusal::new(Reason::ReferenceReused, message)
                .at("amount", "Send the same amount again, or another channel_reference.")));
        }
        if !matches!(payout.state, State::Succeeded | State::Returned) {
            let refusal = wrong_state(&payout, "succeeded");
            return refuse(&before, payout, out, refusal);
        }
        let settled = payout.settled.unwrap_or_default();
        let returned = payout.returned.unwrap_or_default().plus(amount);
        if returned > settled {
            let left = settled.minus(payout.returned.unwrap_or_default());
            let message =
                format!("Of {settled} that were settled only {left} can still come back.");
            return Judgement::only(Err(Refusal::new(Reason::ReturnTooLarge, message).at(
                "amount",
                "Record more as a movement of its own (ShopService.RecordMovement).",
            )));
        }
        payout.returned = Some(returned);
        payout.returns.push(Return {
            amount,
            reference: self.reference.clone(),
            reason: self.reason.clone(),
            record_time: context.now,
        });
        book(&payout, amount, &mut out);
        let to = if returned == settled { State::Returned } else { State::Succeeded };
        transition(&mut payout, to, context.now, context.now, &policy, &mut out);
        keep(&before, payout, out)
    }
}

//! Records, changes and rows as bytes. What is not worth bytes of its own is
//! written field by field, in the order that is here.

use std::sync::Arc;

use super::{
    Compact, Reader, Unreadable, Writer, allowed,
    fields::{fields, shared, variants},
    read::Read,
};
use crate::domain::{
    account::{Account, AccountKind, Balance, Direction, Movement, MovementKind, Position},
    change::{Change, Record},
    decision::{Answer, Decision, Funds, Inputs, Verdict},
    event::{Event, EventKind},
    finding::{Finding, Numbers, Outcome, Severity, Unit},
    freeze::{Freeze, Freezes, Scope, Standing},
    limit::Stage,
    operator::{Grant, Operator, OperatorKind, Reach},
    order::Order,
    payout::{Flag, Payout, Return, Settlement, SettlementResult, State},
    request::{Answered, Request},
    row::{Programme, Revision, Row},
    shop::{Platform, Shop, Stamp},
    value::Facts,
    who::Author,
};

shared!(Row, Decision, Facts);

/// At length or in short.
impl Compact for Record {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { sequence, at, author, operation, changes, events } = self;
        to.byte(allowed::AT_LENGTH);
        sequence.write(to);
        at.write(to);
        author.write(to);
        operation.write(to);
        changes.write(to);
        events.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        match from.byte()? {
            allowed::AT_LENGTH => Ok(Self {
                sequence: Compact::read(from)?,
                at: Compact::read(from)?,
                author: Compact::read(from)?,
                operation: Compact::read(from)?,
                changes: Compact::read(from)?,
                events: Compact::read(from)?,
            }),
            allowed::IN_SHORT => allowed::read(from),
            _ => Err(Unreadable("it is told in no known way")),
        }
    }
}

impl Compact for Arc<Payout> {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        Payout::write(self, to);
        to.payout = Some(self);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let payout = Payout::read(from).map(Self::new)?;
        from.payout = Some(Self::clone(&payout));
        Ok(payout)
    }
}

/// What it shares with the payout that it made is that payout's.
impl Compact for Decision {
    fn write<'a>(&'a self, to: &mut Writer<'a>) {
        let Self { name, revision, request_id, author, order, operator, .. } = self;
        let Self { sent_facts, inputs, verdict, payout, expire_time, decision_version, .. } = self;
        let same = to.payout.is_some_and(|payout| {
            payout.request_id == *request_id
                && payout.order == *order
                && payout.operator == *operator
                && payout.revision == *revision
        });
        name.write(to);
        to.byte(u8::from(same));
        if !same {
            revision.write(to);
            request_id.write(to);
            order.write(to);
            operator.write(to);
        }
        author.write(to);
        sent_facts.write(to);
        inputs.write(to);
        verdict.write(to);
        payout.write(to);
        expire_time.write(to);
        decision_version.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let name = Compact::read(from)?;
        let (revision, request_id, order, operator) = if bool::read(from)? {
            let Some(payout) = &from.payout else {
                return Err(Unreadable("no payout stands before its decision"));
            };
            let Payout { revision, request_id, order, operator, .. } = &**payout;
            (revision.clone(), request_id.clone(), order.clone(), operator.clone())
        } else {
            let (revision, request_id) = (Compact::read(from)?, Compact::read(from)?);
            (revision, request_id, Compact::read(from)?, Compact::read(from)?)
        };
        Ok(Self {
            name,
            revision,
            request_id,
            author: Compact::read(from)?,
            order,
            operator,
            sent_facts: Compact::read(from)?,
            inputs: Compact::read(from)?,
            verdict: Compact::read(from)?,
            payout: Compact::read(from)?,
            expire_time: Compact::read(from)?,
            decision_version: Compact::read(from)?,
        })
    }
}

fields! {
    Author { caller, actor }
    Event { effect_time, shop, kind }
    Stamp { create_time, update_time, version }
    Platform { name, display_name, facts, stamp }
    Shop { name, display_name, facts, stamp }
    Operator { name, display_name, kind, facts, stamp }
    Grant {
        name, enabled, per_payout_amount, daily_amount, monthly_amount, daily_count, tier, reach,
        stamp,
    }
    Account { name, kind, currency, facts, stamp }
    Balance { account, balance, holds, movements }
    Movement {
        account, reference, number, direction, kind, amount, order, occur_time, record_time,
        overdrawn,
    }
    Order { name, paid, place_time, facts, asserted_by, source_time, update_time, caller }
    Payout {
        name, revision, request_id, order, operator, payee, purpose, currency, amount, net_amount,
        settled, returned, facts, dimensions, create_time, update_time, state_time, expire_time,
        state, execution_id, execute_time, settle_time, reason, flags, settlements, returns,
        holdings, draws, caller, fired, due,
    }
    Settlement { result, amount, reference, reason, record_time, applied }
    Return { amount, reference, reason, record_time }
    Inputs {
        now, stage, amount, facts, fact_changes, limits, measures, funds, next_revision,
    }
    Funds { exists, position, relief }
    Position { balance, held, freeze }
    Verdict { answer, findings, max_amount, max_amount_unreviewed }
    Finding {
        rule, variant, outcome, window_full, numbers, reset_time, window, scope, observed,
    }
    Numbers { limit, used, held, requested, remaining, frozen, unit }
    Request { key, content, answered, at, forget_time }
    Programme { name, revisions, activations }
    Revision { name, policy, create_time, caller, note, checksum }
    Freeze {
        name, target, scope, currency, reason, create_time, end_time, lift_time, lift_reason,
        caller,
    }
    Standing { freeze, scope, end_time }
    Freezes { target, standing }
}

variants! {
    Change {
        0 Put(row),
        1 Delete(key),
        2 Meter(change),
        3 Balance(change),
    }
    Row {
        0 Platform(row),
        1 Shop(row),
        2 Operator(row),
        3 Grant(row),
        4 Account(row),
        5 Balance(row),
        6 Movement(row),
        7 MovementNumber(account, number, reference),
        8 Order(row),
        9 Payout(row),
        10 PayoutOfOrder(order, payout),
        11 Decision(row),
        12 Request(row),
        13 Programme(row),
        14 Revision(row),
        15 Freeze(row),
        16 Freezes(row),
        17 Cell(row),
        18 Due(at, payout),
    }
    EventKind {
        0 Configured(resource),
        1 Decided(decision),
        2 PayoutChanged{payout, from, to},
        3 Movement(movement),
        4 Alert{id, resource, severity, audience},
        5 Freeze(freeze),
    }
    Answered {
        0 Decision(id),
        1 Resource,
        2 Revision(number),
    }
    Scope {
        0 All,
        1 BalancePart(amount),
        2 ProceedsWithdrawal,
    }
    State {
        0 PendingApproval,
        1 Authorized,
        2 Processing,
        3 Succeeded,
        4 Failed,
        5 Rejected,
        6 Cancelled,
        7 Expired,
        8 Returned,
    }
    Flag {
        0 Unexecuted,
        1 Unapproved,
        2 AfterCancel,
        3 AfterExpiry,
        4 AfterFailure,
        5 OverAmount,
        6 PaidTwice,
    }
    SettlementResult {
        0 Succeeded,
        1 Failed,
    }
    Answer {
        0 Allow,
        1 Review,
        2 Deny,
    }
    Stage {
        0 Initiate,
        1 FillIn,
        2 Confirm,
    }
    Outcome {
        0 Pass,
        1 Warn,
        2 Review,
        3 Deny,
    }
    Severity {
        0 Unspecified,
        1 Info,
        2 Low,
        3 Medium,
        4 High,
    }
    Unit {
        0 Money,
        1 Count,
    }
    AccountKind {
        0 Settlement,
        1 Quota,
    }
    Direction {
        0 Credit,
        1 Debit,
    }
    MovementKind {
        0 Proceeds,
        1 Refund,
        2 Fee,
        3 Chargeback,
        4 OtherWithdrawal,
        5 Correction,
        6 Compensation,
    }
    OperatorKind {
        0 Main,
        1 Sub,
    }
    Reach {
        0 Shop,
        1 Pool,
        2 Group,
    }
}

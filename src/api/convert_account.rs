//! Accounts and movements, from and to the wire.

use v1::{
    account::Kind as WireKind,
    movement::{Direction as WireDirection, Kind as WireMovement},
};

use super::{
    convert::{self, to_facts, to_money, to_time},
    convert_shop::shop_name,
    mask::{self, Sent},
    problems::Problems,
};
use crate::{
    decision::configure::{Edit, NewAccount, NewMovement},
    domain::{
        account::{Account, AccountKind, Direction, Movement, MovementKind, Position},
        amount::{Amount, Currency},
        name::{AccountName, Id, OrderName},
        refusal::{Reason, Refusal},
        who::RoleSet,
    },
    proto::v1,
};

/// An account to open.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn new_account(
    request: &v1::CreateAccountRequest,
    roles: RoleSet,
) -> Result<NewAccount, Refusal> {
    let mut problems = Problems::of(request);
    let shop = shop_name(&request.parent, "parent", &mut problems);
    let id = Id::parse(&request.account_id);
    let Some(sent) = &request.account else { return problems.finish(None) };
    let kind = kind(sent.kind);
    if kind.is_none() {
        problems.add(
            Reason::FieldInvalid,
            "account.kind",
            "Must be KIND_SETTLEMENT or KIND_QUOTA to open an account.",
        );
    }
    let currency = Currency::parse(&sent.currency_code);
    if currency.is_none() {
        problems.add(
            Reason::FieldInvalid,
            "account.currency_code",
            "Must be a currency code of ISO 4217, such as CNY, to open an account.",
        );
    }
    let facts = convert::facts(&sent.facts, "account.facts", roles, &mut problems);
    let parts = shop.zip(id).zip(kind.zip(currency));
    let account = parts.map(|((shop, id), (kind, currency))| NewAccount {
        name: shop.account(id),
        kind,
        currency,
        facts,
    });
    problems.finish(account)
}

/// A change of an account.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn account_edit(
    request: &v1::UpdateAccountRequest,
    roles: RoleSet,
) -> Result<(AccountName, Edit), Refusal> {
    let mut problems = Problems::of(request);
    let sent = request.account.clone().unwrap_or_default();
    let name = account_name(&sent.name, "account.name", &mut problems);
    let fields =
        Sent { field: "account", etag: &sent.etag, display_name: None, facts: &sent.facts };
    let edit = mask::edit(fields, request.update_mask.as_ref(), roles, &mut problems);
    problems.finish(name.map(|name| (name, edit)))
}

/// That an update does not ask for another kind or currency than the account
/// has.
///
/// # Errors
/// If it does.
pub fn keeps_account(request: &v1::UpdateAccountRequest, account: &Account) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    let Some(sent) = &request.account else { return Ok(()) };
    if kind(sent.kind).is_some_and(|kind| kind != account.kind) {
        let kind = to_kind(account.kind).as_str_name();
        problems.add(Reason::FieldInvalid, "account.kind", format!("Fixed once made: {kind}."));
    }
    let code = account.currency.code();
    if !sent.currency_code.is_empty() && sent.currency_code != code {
        let fixed = format!("Fixed once made: {code}.");
        problems.add(Reason::FieldInvalid, "account.currency_code", fixed);
    }
    problems.finish(Some(()))
}

/// A movement to record.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn new_movement(request: &v1::RecordMovementRequest) -> Result<NewMovement, Refusal> {
    let mut problems = Problems::of(request);
    let account = account_name(&request.parent, "parent", &mut problems);
    let Some(sent) = &request.movement else { return problems.finish(None) };
    let amount = sent
        .amount
        .as_ref()
        .and_then(|money| convert::money(money, "movement.amount", &mut problems));
    let order = convert::optional_name(
        &sent.order,
        "movement.order",
        OrderName::PATTERN,
        OrderName::parse,
        &mut problems,
    );
    let foreign = order.as_ref().zip(account.as_ref()).is_some_and(|(o, a)| o.shop() != a.shop());
    if foreign {
        let advice = "Must belong to the account's shop.";
        problems.add(Reason::NameInvalid, "movement.order", advice);
    }
    let occur_time =
        convert::optional_instant(sent.occur_time.as_ref(), "movement.occur_time", &mut problems);
    // What is unspecified the contract's check has seen.
    let way = direction(sent.direction).zip(movement_kind(sent.kind));
    let parts = account.zip(amount).zip(way.zip(occur_time));
    let movement = parts.map(|((account, amount), ((direction, kind), occur_time))| NewMovement {
        account,
        reference: sent.reference.as_str().into(),
        direction,
        kind,
        amount,
        order,
        occur_time,
    });
    problems.finish(movement)
}

/// An account's name.
pub fn account_name(text: &str, field: &str, problems: &mut Problems) -> Option<AccountName> {
    convert::name(text, field, AccountName::PATTERN, AccountName::parse, problems)
}

/// An account on the wire, with its money.
pub fn to_account(account: &Account, position: &Position) -> v1::Account {
    let text = |amount: Amount| amount.text(account.currency.decimals());
    v1::Account {
        name: account.name.to_string(),
        kind: to_kind(account.kind).into(),
        currency_code: account.currency.code().to_owned(),
        facts: to_facts(&account.facts),
        balance: text(position.balance),
        held: text(position.held),
        frozen: text(position.frozen()),
        available: text(position.available()),
        etag: account.stamp.etag(),
        create_time: Some(to_time(account.stamp.create_time)),
        update_time: Some(to_time(account.stamp.update_time)),
    }
}

/// A movement on the wire.
pub fn to_movement(movement: &Movement, currency: Currency) -> v1::Movement {
    v1::Movement {
        reference: movement.reference.to_string(),
        direction: to_direction(movement.direction).into(),
        kind: to_movement_kind(movement.kind).into(),
        amount: Some(to_money(movement.amount, currency)),
        order: movement.order.as_ref().map(ToString::to_string).unwrap_or_default(),
        occur_time: movement.occur_time.map(to_time),
        record_time: Some(to_time(movement.record_time)),
        overdrawn: movement.overdrawn,
    }
}

fn kind(sent: i32) -> Option<AccountKind> {
    match WireKind::try_from(sent).ok()? {
        WireKind::Unspecified => None,
        WireKind::Settlement => Some(AccountKind::Settlement),
        WireKind::Quota => Some(AccountKind::Quota),
    }
}

fn to_kind(kind: AccountKind) -> WireKind {
    match kind {
        AccountKind::Settlement => WireKind::Settlement,
        AccountKind::Quota => WireKind::Quota,
    }
}

fn direction(sent: i32) -> Option<Direction> {
    match WireDirection::try_from(sent).ok()? {
        WireDirection::Unspecified => None,
        WireDirection::Credit => Some(Direction::Credit),
        WireDirection::Debit => Some(Direction::Debit),
    }
}

fn to_direction(direction: Direction) -> WireDirection {
    match direction {
        Direction::Credit => WireDirection::Credit,
        Direction::Debit => WireDirection::Debit,
    }
}

fn movement_kind(sent: i32) -> Option<MovementKind> {
    match WireMovement::try_from(sent).ok()? {
        WireMovement::Unspecified => None,
        WireMovement::Proceeds => Some(MovementKind::Proceeds),
        WireMovement::Refund => Some(MovementKind::Refund),
        WireMovement::Fee => Some(MovementKind::Fee),
        WireMovement::Chargeback => Some(MovementKind::Chargeback),
        WireMovement::OtherWithdrawal => Some(MovementKind::OtherWithdrawal),
        WireMovement::Correction => Some(MovementKind::Correction),
        WireMovement::Compensation => Some(MovementKind::Compensation),
    }
}

fn to_movement_kind(kind: MovementKind) -> WireMovement {
    match kind {
        MovementKind::Proceeds => WireMovement::Proceeds,
        MovementKind::Refund => WireMovement::Refund,
        MovementKind::Fee => WireMovement::Fee,
        MovementKind::Chargeback => WireMovement::Chargeback,
        MovementKind::OtherWithdrawal => WireMovement::OtherWithdrawal,
        MovementKind::Correction => WireMovement::Correction,
        MovementKind::Compensation => WireMovement::Compensation,
    }
}

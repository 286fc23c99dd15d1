//! Reading platforms, shops, orders, accounts and movements.

use prost::Message;

use super::{
    auth::{READ, require_role, require_shop, require_whole_platform},
    convert_account::{account_name, to_account, to_movement},
    convert_order::to_order,
    convert_shop::{platform_name, shop_name, to_platform, to_shop},
    lookup::{self, Page},
    page::{self, Filling, Listing},
    problems::Problems,
    service::Api,
};
use crate::{
    decision::Loaded,
    domain::{
        account::{Account, Position},
        key::Key,
        name::{AccountName, OrderName, PlatformName, ShopName},
        refusal::{Reason, Refusal},
        row::Row,
        who::Caller,
    },
    engine::View,
    proto::v1,
    store::Scan,
};

/// What an account's four numbers take on the wire, at most.
const NUMBERS_BYTES: usize = 160;

/// A platform.
pub async fn platform(api: &Api, name: PlatformName) -> Result<v1::Platform, Refusal> {
    api.engine
        .read(move |view| {
            let rows = lookup::rows(view, &[Key::Platform(name.clone())])?;
            Loaded::new(&rows).the_platform(&name).map(to_platform)
        })
        .await
}

/// A shop.
pub async fn shop(api: &Api, name: ShopName) -> Result<v1::Shop, Refusal> {
    api.engine
        .read(move |view| {
            let keys = [Key::Platform(name.platform()), Key::Shop(name.clone())];
            let rows = lookup::rows(view, &keys)?;
            Loaded::new(&rows).the_shop(&name).map(to_shop)
        })
        .await
}

/// The newest version of an order.
pub async fn order(api: &Api, name: OrderName) -> Result<v1::Order, Refusal> {
    api.engine
        .read(move |view| {
            lookup::the_shop(view, &name.shop())?;
            let rows = lookup::rows(view, &[Key::Order(name.clone())])?;
            Loaded::new(&rows).order(&name).map(to_order).ok_or_else(|| {
                Refusal::new(Reason::OrderNotFound, format!("There is no order {name}."))
                    .at(name.to_string(), "Record it with ShopService.UpsertOrder.")
            })
        })
        .await
}

/// An account that has to be there, in a shop that has to be there.
fn the_account(view: &mut View<'_>, name: &AccountName) -> Result<Account, Refusal> {
    lookup::the_shop(view, &name.shop())?;
    let rows = lookup::rows(view, &[Key::Account(name.clone())])?;
    Loaded::new(&rows).the_account(name).cloned()
}

/// An account and its money now.
pub async fn account(api: &Api, name: AccountName) -> Result<(Account, Position), Refusal> {
    api.engine
        .read(move |view| Ok((the_account(view, &name)?, lookup::position(view, &name)?)))
        .await
}

/// Shops of a platform, by id.
pub async fn shops(
    api: &Api,
    request: &v1::ListShopsRequest,
    caller: &Caller,
) -> Result<v1::ListShopsResponse, Refusal> {
    let mut problems = Problems::of(request);
    let platform = platform_name(&request.parent, "parent", &mut problems);
    let platform = problems.finish(platform)?;
    require_role(caller, READ)?;
    require_whole_platform(caller, &platform)?;
    let listing = Listing::of("ListShops", &[&request.parent]);
    let page = Page::asked(listing, request.page_size, &request.page_token)?;
    let read = move |view: &mut View<'_>| {
        lookup::the_platform(view, &platform)?;
        let key = |shop| Key::Shop(ShopName { platform: platform.platform.clone(), shop });
        let (shops, next_page_token) = page.read(view, key, |row| {
            let Row::Shop(row) = row else { return None };
            let shop = to_shop(row);
            Some((row.name.shop.clone(), shop.encoded_len(), shop))
        })?;
        Ok(v1::ListShopsResponse { shops, next_page_token })
    };
    api.engine.read(read).await
}

/// Accounts of a shop, by id, with their money.
pub async fn accounts(
    api: &Api,
    request: &v1::ListAccountsRequest,
    caller: &Caller,
) -> Result<v1::ListAccountsResponse, Refusal> {
    let mut problems = Problems::of(request);
    let shop = shop_name(&request.parent, "parent", &mut problems);
    let shop = problems.finish(shop)?;
    require_role(caller, READ)?;
    require_shop(caller, &shop)?;
    let listing = Listing::of("ListAccounts", &[&request.parent]);
    let page = Page::asked(listing, request.page_size, &request.page_token)?;
    let read = move |view: &mut View<'_>| {
        lookup::the_shop(view, &shop)?;
        let key = |id| Key::Account(shop.account(id));
        let (accounts, next_page_token) = page.read(view, key, |row| {
            let Row::Account(row) = row else { return None };
            let bytes = to_account(row, &Position::default()).encoded_len() + NUMBERS_BYTES;
            Some((row.name.account.clone(), bytes, row.clone()))
        })?;
        let names: Vec<AccountName> = accounts.iter().map(|a| a.name.clone()).collect();
        let positions = lookup::positions(view, &names)?;
        let accounts = accounts.iter().zip(&positions).map(|(a, p)| to_account(a, p)).collect();
        Ok(v1::ListAccountsResponse { accounts, next_page_token })
    };
    api.engine.read(read).await
}

/// Movements of an account, the newest first. Their token is a number: that of
/// the last one on the page before.
pub async fn movements(
    api: &Api,
    request: &v1::ListMovementsRequest,
    caller: &Caller,
) -> Result<v1::ListMovementsResponse, Refusal> {
    let mut problems = Problems::of(request);
    let name = account_name(&request.parent, "parent", &mut problems);
    let name = problems.finish(name)?;
    require_role(caller, READ)?;
    require_shop(caller, &name.shop())?;
    let listing = Listing::of("ListMovements", &[&request.parent]);
    let before = match listing.place(&request.page_token)? {
        None => u64::MAX,
        Some(number) => number.parse().map_err(|_| page::not_a_token())?,
    };
    let page = Filling::new(page::size(request.page_size));
    let read = move |view: &mut View<'_>| {
        let page = newest_movements(view, &name, before, page)?;
        let (movements, next_page_token) = page.end(&listing);
        Ok(v1::ListMovementsResponse { movements, next_page_token })
    };
    api.engine.read(read).await
}

/// Fills a page with movements, the newest below a number first.
fn newest_movements(
    view: &mut View<'_>,
    name: &AccountName,
    mut before: u64,
    mut page: Filling<v1::Movement>,
) -> Result<Filling<v1::Movement>, Refusal> {
    let account = the_account(view, name)?;
    let key = |number| Key::MovementNumber(name.clone(), number);
    loop {
        let limit = page.wanted();
        let rows = view.scan(&Scan { from: key(0), to: key(before), reverse: true, limit })?;
        for row in &rows {
            let Row::MovementNumber(_, number, reference) = row.as_ref() else {
                return Ok(page);
            };
            before = *number;
            let row = view.row(&Key::Movement(name.clone(), reference.clone()))?;
            let Some(Row::Movement(movement)) = row.as_deref() else { continue };
            let movement = to_movement(movement, account.currency);
            if !page.push(number, movement.encoded_len(), movement) {
                return Ok(page);
            }
        }
        if rows.len() < limit {
            return Ok(page);
        }
    }
}

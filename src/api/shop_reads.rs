//! Reading platforms, shops, orders, accounts and movements.

use super::{
    auth::{READ, require_role, require_shop, require_whole_platform},
    convert_account::{account_name, to_account, to_movement},
    convert_order::to_order,
    convert_shop::{platform_name, shop_name, to_platform, to_shop},
    lookup::{self, Page},
    page,
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
    let page = Page::asked(request.page_size, &request.page_token)?;
    let read = move |view: &mut View<'_>| {
        lookup::the_platform(view, &platform)?;
        let key = |shop| Key::Shop(ShopName { platform: platform.platform.clone(), shop });
        let (shops, next_page_token) = page.read(view, key, |row| match row {
            Row::Shop(shop) => Some((shop.name.shop.clone(), to_shop(shop))),
            _ => None,
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
    let page = Page::asked(request.page_size, &request.page_token)?;
    let read = move |view: &mut View<'_>| {
        lookup::the_shop(view, &shop)?;
        let key = |id| Key::Account(shop.account(id));
        let (accounts, next_page_token) = page.read(view, key, |row| match row {
            Row::Account(account) => Some((account.name.account.clone(), account.clone())),
            _ => None,
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
    let before = match page::token(&request.page_token)? {
        None => u64::MAX,
        Some(id) => id.as_str().parse().map_err(|_| page::not_a_token())?,
    };
    let size = page::size(request.page_size);
    let read = move |view: &mut View<'_>| {
        let account = the_account(view, &name)?;
        let key = |number| Key::MovementNumber(name.clone(), number);
        let scan = Scan { from: key(0), to: key(before), reverse: true, limit: size + 1 };
        let (numbers, next_page_token) =
            page::cut(view.scan(&scan)?, size, |row| match row.as_ref() {
                Row::MovementNumber(_, number, _) => number.to_string(),
                _ => String::new(),
            });
        let mut movements = Vec::new();
        for row in numbers {
            let Row::MovementNumber(_, _, reference) = row.as_ref() else { continue };
            let row = view.row(&Key::Movement(name.clone(), reference.clone()))?;
            if let Some(Row::Movement(movement)) = row.as_deref() {
                movements.push(to_movement(movement, account.currency));
            }
        }
        Ok(v1::ListMovementsResponse { movements, next_page_token })
    };
    api.engine.read(read).await
}

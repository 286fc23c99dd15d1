//! Platforms, shops and orders.

use super::{
    super::{context::Context, loaded::Loaded, out::Out, reply::Reply, spec::newer_order},
    CHANGE_IT,
    edit::{Edit, check_etag},
    exists, put,
};
use crate::domain::{
    name::{PlatformName, ShopName},
    order::Order,
    refusal::Refusal,
    row::Row,
    shop::{Platform, Shop, Stamp},
};

pub fn create_platform(
    platform: &Platform,
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    out: &mut Out,
) -> Result<Reply, Refusal> {
    let name = platform.name.to_string();
    if loaded.platform(&platform.name).is_some() {
        return Err(exists(&name, CHANGE_IT));
    }
    let row = Platform { stamp: Stamp::made_by(&context.fresh, context.now), ..platform.clone() };
    Ok(put(Row::Platform(row), None, &name, context, out))
}

pub fn update_platform(
    name: &PlatformName,
    edit: &Edit,
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    out: &mut Out,
) -> Result<Reply, Refusal> {
    let old = loaded.the_platform(name)?;
    check_etag(&edit.etag, &old.stamp)?;
    let row = Platform {
        name: name.clone(),
        display_name: edit.display_name.clone().unwrap_or_else(|| old.display_name.clone()),
        facts: edit.facts.apply(&old.facts)?,
        stamp: old.stamp.changed(context.now),
    };
    Ok(put(Row::Platform(row), None, &name.to_string(), context, out))
}

pub fn create(
    shop: &Shop,
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    out: &mut Out,
) -> Result<Reply, Refusal> {
    loaded.the_platform(&shop.name.platform())?;
    let name = shop.name.to_string();
    if loaded.shop(&shop.name).is_some() {
        return Err(exists(&name, CHANGE_IT));
    }
    let row = Shop { stamp: Stamp::made_by(&context.fresh, context.now), ..shop.clone() };
    Ok(put(Row::Shop(row), Some(shop.name.clone()), &name, context, out))
}

pub fn update(
    name: &ShopName,
    edit: &Edit,
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    out: &mut Out,
) -> Result<Reply, Refusal> {
    let old = loaded.the_shop(name)?;
    check_etag(&edit.etag, &old.stamp)?;
    let row = Shop {
        name: name.clone(),
        display_name: edit.display_name.clone().unwrap_or_else(|| old.display_name.clone()),
        facts: edit.facts.apply(&old.facts)?,
        stamp: old.stamp.changed(context.now),
    };
    Ok(put(Row::Shop(row), Some(name.clone()), &name.to_string(), context, out))
}

pub fn upsert_order(
    order: &Order,
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    out: &mut Out,
) -> Result<Reply, Refusal> {
    let shop = order.name.shop();
    loaded.the_shop(&shop)?;
    if let Some(old) = loaded.order(&order.name)
        && !newer_order(old, order, "order")?
    {
        return Ok(Reply::Row(std::sync::Arc::new(Row::Order(old.clone()))));
    }
    let row = Order { update_time: context.now, ..order.clone() };
    Ok(put(Row::Order(row), Some(shop), &order.name.to_string(), context, out))
}

//! Rows that are found without an entry of their own. A decision by its name, which
//! says the record that made it. What the first record of an order made of its meters
//! and payouts by the order, whose entry says that record. Most orders have one payout,
//! and most payouts of a service are about orders: an entry less for each of these is
//! less to sort and merge.
//!
//! Holds as long as orders, and meters and payouts of orders, are never deleted: a
//! deletion would let the first ones come back.

use crate::domain::{
    key::Key,
    name::{Id, OrderName},
};

/// The order by which a row may be found.
pub(super) fn order_of(key: &Key) -> Option<Key> {
    let order = match key {
        Key::PayoutOfOrder(order, _) => order.clone(),
        Key::Cell(cell) if cell.is_of_an_order() => {
            let [shop_and_order] = cell.scope.as_slice() else { return None };
            let (shop, order) = shop_and_order.split_once('/')?;
            OrderName {
                platform: cell.programme.platform.clone(),
                shop: Id::parse(shop)?,
                order: Id::parse(order)?,
            }
        }
        _ => return None,
    };
    Some(Key::Order(order))
}

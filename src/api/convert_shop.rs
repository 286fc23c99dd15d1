//! Platforms and shops, from and to the wire.

use super::{
    convert::{self, to_facts, to_time},
    mask::{self, Sent},
    problems::Problems,
};
use crate::{
    decision::configure::Edit,
    domain::{
        instant::Instant,
        name::{Id, PlatformName, ShopName},
        refusal::Refusal,
        shop::{Platform, Shop, Stamp},
        who::RoleSet,
    },
    proto::v1,
};

/// A platform to register.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn new_platform(
    request: &v1::CreatePlatformRequest,
    roles: RoleSet,
) -> Result<Platform, Refusal> {
    let mut problems = Problems::of(request);
    let sent = request.platform.clone().unwrap_or_default();
    let facts = convert::facts(&sent.facts, "platform.facts", roles, &mut problems);
    let platform = Id::parse(&request.platform_id).map(|platform| Platform {
        name: PlatformName { platform },
        display_name: sent.display_name.into(),
        facts,
        stamp: Stamp::new(Instant::MIN),
    });
    problems.finish(platform)
}

/// A change of a platform.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn platform_edit(
    request: &v1::UpdatePlatformRequest,
    roles: RoleSet,
) -> Result<(PlatformName, Edit), Refusal> {
    let mut problems = Problems::of(request);
    let sent = request.platform.clone().unwrap_or_default();
    let name = platform_name(&sent.name, "platform.name", &mut problems);
    let fields = Sent {
        field: "platform",
        etag: &sent.etag,
        display_name: Some(&sent.display_name),
        facts: &sent.facts,
    };
    let edit = mask::edit(fields, request.update_mask.as_ref(), roles, &mut problems);
    problems.finish(name.map(|name| (name, edit)))
}

/// A shop to register.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn new_shop(request: &v1::CreateShopRequest, roles: RoleSet) -> Result<Shop, Refusal> {
    let mut problems = Problems::of(request);
    let parent = platform_name(&request.parent, "parent", &mut problems);
    let sent = request.shop.clone().unwrap_or_default();
    let facts = convert::facts(&sent.facts, "shop.facts", roles, &mut problems);
    let name = parent.zip(Id::parse(&request.shop_id));
    let shop = name.map(|(PlatformName { platform }, shop)| Shop {
        name: ShopName { platform, shop },
        display_name: sent.display_name.into(),
        facts,
        stamp: Stamp::new(Instant::MIN),
    });
    problems.finish(shop)
}

/// A change of a shop.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn shop_edit(
    request: &v1::UpdateShopRequest,
    roles: RoleSet,
) -> Result<(ShopName, Edit), Refusal> {
    let mut problems = Problems::of(request);
    let sent = request.shop.clone().unwrap_or_default();
    let name = shop_name(&sent.name, "shop.name", &mut problems);
    let fields = Sent {
        field: "shop",
        etag: &sent.etag,
        display_name: Some(&sent.display_name),
        facts: &sent.facts,
    };
    let edit = mask::edit(fields, request.update_mask.as_ref(), roles, &mut problems);
    problems.finish(name.map(|name| (name, edit)))
}

/// A platform's name.
pub fn platform_name(text: &str, field: &str, problems: &mut Problems) -> Option<PlatformName> {
    convert::name(text, field, PlatformName::PATTERN, PlatformName::parse, problems)
}

/// A shop's name.
pub fn shop_name(text: &str, field: &str, problems: &mut Problems) -> Option<ShopName> {
    convert::name(text, field, ShopName::PATTERN, ShopName::parse, problems)
}

/// A platform on the wire.
pub fn to_platform(platform: &Platform) -> v1::Platform {
    v1::Platform {
        name: platform.name.to_string(),
        display_name: platform.display_name.to_string(),
        facts: to_facts(&platform.facts),
        etag: platform.stamp.etag(),
        create_time: Some(to_time(platform.stamp.create_time)),
        update_time: Some(to_time(platform.stamp.update_time)),
    }
}

/// A shop on the wire.
pub fn to_shop(shop: &Shop) -> v1::Shop {
    v1::Shop {
        name: shop.name.to_string(),
        display_name: shop.display_name.to_string(),
        facts: to_facts(&shop.facts),
        etag: shop.stamp.etag(),
        create_time: Some(to_time(shop.stamp.create_time)),
        update_time: Some(to_time(shop.stamp.update_time)),
    }
}

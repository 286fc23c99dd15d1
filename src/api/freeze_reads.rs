//! Reading freezes. Their names do not say which shop they are about, so that a
//! caller that may touch some shops only does not learn of others' freezes: for
//! it they are not there.

use prost::Message;

use super::{
    auth::{SEE, require_role, require_shop, require_whole_platform},
    convert_freeze::{self, to_freeze},
    convert_shop::platform_name,
    lookup::{self, Page},
    page::{Filling, Listing},
    problems::Problems,
    service::Api,
};
use crate::{
    decision::Loaded,
    domain::{
        freeze::{Freeze, Target},
        key::Key,
        name::{FreezeName, Id, PlatformName},
        refusal::{Reason, Refusal},
        row::Row,
        who::Caller,
    },
    engine::View,
    proto::v1,
    store::Scan,
};

/// Freezes looked at in one go while those on one target are picked out.
const CHUNK: usize = 500;

/// A freeze with its id, by which listings go on.
type Found = (Id, v1::Freeze);

/// A freeze that is there and on something that the caller may touch.
pub async fn within_reach(api: &Api, name: FreezeName, caller: &Caller) -> Result<Freeze, Refusal> {
    let key = Key::Freeze(name.clone());
    let platform = PlatformName { platform: name.platform.clone() };
    let read = move |view: &mut View<'_>| {
        lookup::the_platform(view, &platform)?;
        view.row(&key)
    };
    match api.engine.read(read).await?.as_deref() {
        Some(Row::Freeze(freeze)) if caller.reaches_shop(&freeze.target.shop()) => {
            Ok(freeze.clone())
        }
        _ => Err(Refusal::new(Reason::FreezeNotFound, format!("There is no freeze {name}."))
            .at(name.to_string(), "List freezes with CaseService.ListFreezes.")),
    }
}

/// That the id of a new freeze is taken. Whose freeze it is, and that it is one,
/// stays unsaid to a caller for which it is not there.
pub async fn taken(api: &Api, name: FreezeName, caller: &Caller, refusal: Refusal) -> Refusal {
    match within_reach(api, name, caller).await {
        Ok(_) => refusal,
        Err(_) => Refusal::new(Reason::FieldInvalid, "This id cannot be given to a freeze.")
            .at("freeze_id", "Choose another, best a UUID."),
    }
}

/// That the platform is there, and the target, if one was named.
fn the_target(
    view: &mut View<'_>,
    platform: &PlatformName,
    target: Option<&Target>,
) -> Result<(), Refusal> {
    lookup::the_platform(view, platform)?;
    let Some(target) = target else { return Ok(()) };
    lookup::the_shop(view, &target.shop())?;
    match target {
        Target::Shop(_) => Ok(()),
        Target::Operator(name) => {
            let rows = lookup::rows(view, &[Key::Operator(name.clone())])?;
            Loaded::new(&rows).the_operator(name).map(|_| ())
        }
        Target::Account(name) => {
            let rows = lookup::rows(view, &[Key::Account(name.clone())])?;
            Loaded::new(&rows).the_account(name).map(|_| ())
        }
    }
}

/// Freezes of a platform or on a target, by id.
pub async fn list(
    api: &Api,
    request: &v1::ListFreezesRequest,
    caller: &Caller,
) -> Result<v1::ListFreezesResponse, Refusal> {
    let mut problems = Problems::of(request);
    let platform = platform_name(&request.parent, "parent", &mut problems);
    let target = match request.target.as_str() {
        "" => None,
        text => convert_freeze::target(text, "target", platform.as_ref(), &mut problems),
    };
    let platform = problems.finish(platform)?;
    require_role(caller, SEE)?;
    match &target {
        Some(target) => require_shop(caller, &target.shop())?,
        None => require_whole_platform(caller, &platform)?,
    }
    let listing = Listing::of("ListFreezes", &[&request.parent, &request.target]);
    let asked = Page::asked(listing, request.page_size, &request.page_token)?;
    let Page { listing, mut from, size } = asked;
    let mut page = Filling::new(size);
    // A read for each chunk: decisions go on in between.
    loop {
        let (platform, target) = (platform.clone(), target.clone());
        let read = move |view: &mut View<'_>| {
            the_target(view, &platform, target.as_ref())?;
            chunk(view, &platform, target.as_ref(), from)
        };
        let (found, next) = api.engine.read(read).await?;
        let all_on_it =
            found.into_iter().all(|(id, freeze)| page.push(id, freeze.encoded_len(), freeze));
        match next {
            Some(next) if all_on_it => from = next,
            _ => break,
        }
    }
    let (freezes, next_page_token) = page.end(&listing);
    Ok(v1::ListFreezesResponse { freezes, next_page_token })
}

/// Some freezes from a place on, those on a target if there is one, and where
/// to go on.
fn chunk(
    view: &mut View<'_>,
    platform: &PlatformName,
    target: Option<&Target>,
    from: Id,
) -> Result<(Vec<Found>, Option<Id>), Refusal> {
    let key = |freeze| Key::Freeze(FreezeName { platform: platform.platform.clone(), freeze });
    let (from, to) = (key(from), key(Id::after_all()));
    let rows = view.scan(&Scan { from, to, reverse: false, limit: CHUNK })?;
    let mut found = Vec::new();
    let mut last = None;
    for row in &rows {
        let Row::Freeze(freeze) = row.as_ref() else { continue };
        last = Some(&freeze.name.freeze);
        if target.is_none_or(|target| freeze.target == *target) {
            found.push((freeze.name.freeze.clone(), to_freeze(freeze)));
        }
    }
    let next = last.filter(|_| rows.len() == CHUNK).map(Id::just_after);
    Ok((found, next))
}

//! Reading operators and grants.

use prost::Message;

use super::{
    auth::{READ, require_role, require_shop},
    convert_operator::{operator_name, to_grant, to_operator},
    convert_shop::shop_name,
    lookup::{self, Page},
    page::Listing,
    problems::Problems,
    service::Api,
};
use crate::{
    decision::Loaded,
    domain::{
        key::Key,
        name::{GrantName, OperatorName, ProgrammeName, RevisionName},
        operator::Operator,
        refusal::{Reason, Refusal},
        row::Row,
        who::Caller,
    },
    engine::View,
    proto::v1,
};

/// Decimals that no currency has more of, to tell how large a grant is at most.
const MOST_DECIMALS: u32 = 9;

/// An operator that has to be there, in a shop that has to be there.
fn the_operator(view: &mut View<'_>, name: &OperatorName) -> Result<Operator, Refusal> {
    lookup::the_shop(view, &name.shop())?;
    let rows = lookup::rows(view, &[Key::Operator(name.clone())])?;
    Loaded::new(&rows).the_operator(name).cloned()
}

/// An operator.
pub async fn operator(api: &Api, name: OperatorName) -> Result<Operator, Refusal> {
    api.engine.read(move |view| the_operator(view, &name)).await
}

/// Operators of a shop, by id.
pub async fn operators(
    api: &Api,
    request: &v1::ListOperatorsRequest,
    caller: &Caller,
) -> Result<v1::ListOperatorsResponse, Refusal> {
    let mut problems = Problems::of(request);
    let shop = shop_name(&request.parent, "parent", &mut problems);
    let shop = problems.finish(shop)?;
    require_role(caller, READ)?;
    require_shop(caller, &shop)?;
    let listing = Listing::of("ListOperators", &[&request.parent]);
    let page = Page::asked(listing, request.page_size, &request.page_token)?;
    let read = move |view: &mut View<'_>| {
        lookup::the_shop(view, &shop)?;
        let key = |id| Key::Operator(shop.operator(id));
        let (operators, next_page_token) = page.read(view, key, |row| {
            let Row::Operator(row) = row else { return None };
            let operator = to_operator(row);
            Some((row.name.operator.clone(), operator.encoded_len(), operator))
        })?;
        Ok(v1::ListOperatorsResponse { operators, next_page_token })
    };
    api.engine.read(read).await
}

/// How many decimals the bounds of a programme's grants have.
fn decimals_of(view: &mut View<'_>, programme: &ProgrammeName) -> Result<u32, Refusal> {
    let row = view.row(&Key::Programme(programme.clone()))?;
    let Some(Row::Programme(programme)) = row.as_deref() else { return Ok(0) };
    let newest = RevisionName { programme: programme.name.clone(), number: programme.revisions };
    let revision = programme.active(view.now).unwrap_or(newest);
    Ok(view.policy(&revision).map_or(0, |policy| policy.currency.decimals()))
}

/// How many decimals the bounds of a programme's grants have.
pub async fn decimals(api: &Api, programme: ProgrammeName) -> Result<u32, Refusal> {
    api.engine.read(move |view| decimals_of(view, &programme)).await
}

/// A grant.
pub async fn grant(api: &Api, name: GrantName) -> Result<v1::Grant, Refusal> {
    let read = move |view: &mut View<'_>| {
        the_operator(view, &name.operator())?;
        let decimals = decimals_of(view, &name.programme())?;
        let rows = lookup::rows(view, &[Key::Grant(name.clone())])?;
        let grant = Loaded::new(&rows).grant(&name);
        grant.map(|grant| to_grant(grant, decimals)).ok_or_else(|| {
            Refusal::new(Reason::GrantNotFound, format!("There is no grant {name}."))
                .at(name.to_string(), "Set it with QuotaService.UpdateGrant.")
        })
    };
    api.engine.read(read).await
}

/// Grants of an operator, by programme.
pub async fn grants(
    api: &Api,
    request: &v1::ListGrantsRequest,
    caller: &Caller,
) -> Result<v1::ListGrantsResponse, Refusal> {
    let mut problems = Problems::of(request);
    let operator = operator_name(&request.parent, "parent", &mut problems);
    let operator = problems.finish(operator)?;
    require_role(caller, READ)?;
    require_shop(caller, &operator.shop())?;
    let listing = Listing::of("ListGrants", &[&request.parent]);
    let page = Page::asked(listing, request.page_size, &request.page_token)?;
    let read = move |view: &mut View<'_>| {
        the_operator(view, &operator)?;
        let key = |programme| Key::Grant(operator.grant(&programme));
        let (rows, next_page_token) = page.read(view, key, |row| {
            let Row::Grant(grant) = row else { return None };
            let bytes = to_grant(grant, MOST_DECIMALS).encoded_len();
            Some((grant.name.programme.clone(), bytes, grant.clone()))
        })?;
        let mut grants = Vec::new();
        for grant in &rows {
            grants.push(to_grant(grant, decimals_of(view, &grant.name.programme())?));
        }
        Ok(v1::ListGrantsResponse { grants, next_page_token })
    };
    api.engine.read(read).await
}

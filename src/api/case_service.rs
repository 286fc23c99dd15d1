//! CaseService: stops on shops, operators, accounts and parts of balances.

use tonic::{Request, Response, Status};

use super::{
    auth::{SEE, require_platform, require_role, require_shop},
    content::identity,
    convert_freeze::{self, freeze_name, to_freeze},
    freeze_reads,
    problems::Problems,
    service::{Api, unexpected},
};
use crate::{
    decision::configure::{Lift, What},
    domain::{name::PlatformName, refusal::Reason, row::Row, who::Role},
    proto::v1::{self, case_service_server::CaseService},
};

const FREEZE: &[Role] = &[Role::Platform, Role::Admin, Role::Reviewer];

fn freeze(row: &Row) -> Result<Response<v1::Freeze>, Status> {
    let Row::Freeze(freeze) = row else { return Err(unexpected().into()) };
    Ok(Response::new(to_freeze(freeze)))
}

#[tonic::async_trait]
impl CaseService for Api {
    async fn create_freeze(
        &self,
        request: Request<v1::CreateFreezeRequest>,
    ) -> Result<Response<v1::Freeze>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let new = convert_freeze::new_freeze(&request)?;
        require_role(&caller, FREEZE)?;
        let (shop, name) = (new.target.shop(), new.name.clone());
        require_shop(&caller, &shop)?;
        let identity = identity(&request, &shop.platform(), &request.parent);
        match self.configure(What::CreateFreeze(new), identity, &caller, None).await {
            Ok((row, _)) => freeze(&row),
            Err(refusal) if refusal.reason == Reason::AlreadyExists => {
                Err(freeze_reads::taken(self, name, &caller, refusal).await.into())
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn get_freeze(
        &self,
        request: Request<v1::GetFreezeRequest>,
    ) -> Result<Response<v1::Freeze>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = freeze_name(&request.name, &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, SEE)?;
        require_platform(&caller, &PlatformName { platform: name.platform.clone() })?;
        let freeze = freeze_reads::within_reach(self, name, &caller).await?;
        Ok(Response::new(to_freeze(&freeze)))
    }

    async fn lift_freeze(
        &self,
        request: Request<v1::LiftFreezeRequest>,
    ) -> Result<Response<v1::Freeze>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = freeze_name(&request.name, &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, FREEZE)?;
        let platform = PlatformName { platform: name.platform.clone() };
        require_platform(&caller, &platform)?;
        // Its target never changes, so nothing can come between this and the
        // command.
        freeze_reads::within_reach(self, name.clone(), &caller).await?;
        let identity = identity(&request, &platform, &name);
        let what = What::LiftFreeze(Lift { name, reason: request.reason.as_str().into() });
        let (row, _) = self.configure(what, identity, &caller, None).await?;
        freeze(&row)
    }

    async fn list_freezes(
        &self,
        request: Request<v1::ListFreezesRequest>,
    ) -> Result<Response<v1::ListFreezesResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        Ok(Response::new(freeze_reads::list(self, &request.into_inner(), &caller).await?))
    }
}

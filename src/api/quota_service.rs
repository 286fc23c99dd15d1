//! QuotaService: configuring who may pay how much, and reading what is left.

use tonic::{Request, Response, Status};

use super::{
    auth::{READ, require_role, require_shop},
    content::identity,
    convert_operator::{self, grant_name, operator_name, to_grant, to_operator},
    convert_usage,
    problems::Problems,
    quota_reads,
    service::{Api, Language, unexpected},
};
use crate::{
    decision::{
        Command, Reply,
        configure::{Configure, What},
        usage::ReadUsage,
    },
    domain::{
        operator::OperatorKind,
        refusal::{Reason, Refusal},
        row::Row,
        who::{Caller, Role},
    },
    proto::v1::{self, quota_service_server::QuotaService},
};

const MANAGE: &[Role] = &[Role::Platform, Role::Admin, Role::Merchant];

/// A shop's back office adds sub-accounts; main accounts come from the
/// marketplace.
fn require_kind(caller: &Caller, kind: OperatorKind) -> Result<(), Refusal> {
    if kind == OperatorKind::Main && caller.is_only_merchant() {
        let message = format!("{} may not make main accounts.", caller.name);
        return Err(Refusal::new(Reason::RoleMissing, message)
            .at("operator.kind", "Main accounts are made by the roles platform and admin."));
    }
    Ok(())
}

fn operator(row: &Row) -> Result<Response<v1::Operator>, Status> {
    let Row::Operator(operator) = row else { return Err(unexpected().into()) };
    Ok(Response::new(to_operator(operator)))
}

#[tonic::async_trait]
impl QuotaService for Api {
    async fn create_operator(
        &self,
        request: Request<v1::CreateOperatorRequest>,
    ) -> Result<Response<v1::Operator>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let (new, actor) = convert_operator::new_operator(&request, caller.roles)?;
        require_role(&caller, MANAGE)?;
        require_kind(&caller, new.kind)?;
        let shop = new.name.shop();
        require_shop(&caller, &shop)?;
        let identity = identity(&request, &shop.platform(), &shop);
        let what = What::CreateOperator(new);
        let (row, _) = self.configure(what, identity, &caller, actor).await?;
        operator(&row)
    }

    async fn get_operator(
        &self,
        request: Request<v1::GetOperatorRequest>,
    ) -> Result<Response<v1::Operator>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = operator_name(&request.name, "name", &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, READ)?;
        require_shop(&caller, &name.shop())?;
        Ok(Response::new(to_operator(&quota_reads::operator(self, name).await?)))
    }

    async fn update_operator(
        &self,
        request: Request<v1::UpdateOperatorRequest>,
    ) -> Result<Response<v1::Operator>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let ((name, edit), actor) = convert_operator::operator_edit(&request, caller.roles)?;
        require_role(&caller, MANAGE)?;
        let shop = name.shop();
        require_shop(&caller, &shop)?;
        // The kind never changes, so nothing can come between this and the
        // command.
        let old = quota_reads::operator(self, name.clone()).await?;
        convert_operator::keeps_operator(&request, &old)?;
        let identity = identity(&request, &shop.platform(), &name);
        let what = What::UpdateOperator(name, edit);
        let (row, _) = self.configure(what, identity, &caller, actor).await?;
        operator(&row)
    }

    async fn list_operators(
        &self,
        request: Request<v1::ListOperatorsRequest>,
    ) -> Result<Response<v1::ListOperatorsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        Ok(Response::new(quota_reads::operators(self, &request.into_inner(), &caller).await?))
    }

    async fn update_grant(
        &self,
        request: Request<v1::UpdateGrantRequest>,
    ) -> Result<Response<v1::Grant>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let (set, actor) = convert_operator::grant_edit(&request)?;
        require_role(&caller, MANAGE)?;
        let shop = set.name.shop();
        require_shop(&caller, &shop)?;
        let programme = set.name.programme();
        let identity = identity(&request, &shop.platform(), &set.name);
        let (row, _) = self.configure(What::SetGrant(set), identity, &caller, actor).await?;
        let Row::Grant(grant) = &*row else { return Err(unexpected().into()) };
        let decimals = quota_reads::decimals(self, programme).await?;
        Ok(Response::new(to_grant(grant, decimals)))
    }

    async fn get_grant(
        &self,
        request: Request<v1::GetGrantRequest>,
    ) -> Result<Response<v1::Grant>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = grant_name(&request.name, "name", &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, READ)?;
        require_shop(&caller, &name.shop())?;
        Ok(Response::new(quota_reads::grant(self, name).await?))
    }

    async fn delete_grant(
        &self,
        request: Request<v1::DeleteGrantRequest>,
    ) -> Result<Response<()>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = grant_name(&request.name, "name", &mut problems);
        let actor = convert_operator::actor(&request.actor, &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, MANAGE)?;
        let shop = name.shop();
        require_shop(&caller, &shop)?;
        let identity = identity(&request, &shop.platform(), &name);
        let what = What::DeleteGrant(name, request.etag);
        let configure = Configure { what, identity, needs_main: caller.is_only_merchant() };
        let command = Command::Configure(Box::new(configure));
        match self.command(command, &caller, actor).await?.reply {
            Reply::Deleted => Ok(Response::new(())),
            _ => Err(unexpected().into()),
        }
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        Ok(Response::new(quota_reads::grants(self, &request.into_inner(), &caller).await?))
    }

    async fn get_usage(
        &self,
        request: Request<v1::GetUsageRequest>,
    ) -> Result<Response<v1::GetUsageResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let spec = convert_usage::spec(&request.into_inner())?;
        require_role(&caller, READ)?;
        require_shop(&caller, &spec.shop)?;
        let command = Command::Usage(Box::new(ReadUsage { spec }));
        let answer = self.command(command, &caller, None).await?;
        let Reply::Usage(usage) = &answer.reply else { return Err(unexpected().into()) };
        let policy = answer.policy.as_ref().ok_or_else(unexpected)?;
        Ok(Response::new(convert_usage::to_usage(usage, policy, language)))
    }
}

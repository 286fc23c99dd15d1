//! ShopService: registering what payouts are decided about, and reading it.

use tonic::{Request, Response, Status};

use super::{
    auth::{READ, require_platform, require_role, require_shop, require_whole_platform},
    content::identity,
    convert_account::{self, account_name, to_account, to_movement},
    convert_order::{self, to_order},
    convert_shop::{self, platform_name, shop_name, to_platform, to_shop},
    problems::Problems,
    service::{Api, unexpected},
    shop_reads,
};
use crate::{
    decision::{Reply, configure::What},
    domain::{
        refusal::Refusal,
        request::RequestIdentity,
        row::Row,
        who::{Caller, Role},
    },
    proto::v1::{self, shop_service_server::ShopService},
};

const ADMIN: &[Role] = &[Role::Admin];
const REGISTER: &[Role] = &[Role::Platform, Role::Admin];
/// A merchant cannot top an account up.
const MOVE: &[Role] = &[Role::Platform];

fn platform(row: &Row) -> Result<Response<v1::Platform>, Status> {
    let Row::Platform(platform) = row else { return Err(unexpected().into()) };
    Ok(Response::new(to_platform(platform)))
}

fn shop(row: &Row) -> Result<Response<v1::Shop>, Status> {
    let Row::Shop(shop) = row else { return Err(unexpected().into()) };
    Ok(Response::new(to_shop(shop)))
}

impl Api {
    /// Opens or changes an account.
    async fn configure_account(
        &self,
        what: What,
        identity: Option<RequestIdentity>,
        caller: &Caller,
    ) -> Result<Response<v1::Account>, Status> {
        match self.configured(what, identity, caller, None).await?.reply {
            Reply::Account { account, position } => {
                Ok(Response::new(to_account(&account, &position)))
            }
            _ => Err(unexpected().into()),
        }
    }
}

#[tonic::async_trait]
impl ShopService for Api {
    async fn create_platform(
        &self,
        request: Request<v1::CreatePlatformRequest>,
    ) -> Result<Response<v1::Platform>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let new = convert_shop::new_platform(&request, caller.roles)?;
        require_role(&caller, ADMIN)?;
        require_whole_platform(&caller, &new.name)?;
        let identity = identity(&request, &new.name, &"");
        let (row, _) = self.configure(What::CreatePlatform(new), identity, &caller, None).await?;
        platform(&row)
    }

    async fn get_platform(
        &self,
        request: Request<v1::GetPlatformRequest>,
    ) -> Result<Response<v1::Platform>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = platform_name(&request.name, "name", &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, READ)?;
        require_platform(&caller, &name)?;
        Ok(Response::new(shop_reads::platform(self, name).await?))
    }

    async fn update_platform(
        &self,
        request: Request<v1::UpdatePlatformRequest>,
    ) -> Result<Response<v1::Platform>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let (name, edit) = convert_shop::platform_edit(&request, caller.roles)?;
        require_role(&caller, ADMIN)?;
        require_whole_platform(&caller, &name)?;
        let identity = identity(&request, &name, &name);
        let what = What::UpdatePlatform(name, edit);
        let (row, _) = self.configure(what, identity, &caller, None).await?;
        platform(&row)
    }

    async fn create_shop(
        &self,
        request: Request<v1::CreateShopRequest>,
    ) -> Result<Response<v1::Shop>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let new = convert_shop::new_shop(&request, caller.roles)?;
        require_role(&caller, REGISTER)?;
        require_shop(&caller, &new.name)?;
        let identity = identity(&request, &new.name.platform(), &request.parent);
        let (row, _) = self.configure(What::CreateShop(new), identity, &caller, None).await?;
        shop(&row)
    }

    async fn get_shop(
        &self,
        request: Request<v1::GetShopRequest>,
    ) -> Result<Response<v1::Shop>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = shop_name(&request.name, "name", &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, READ)?;
        require_shop(&caller, &name)?;
        Ok(Response::new(shop_reads::shop(self, name).await?))
    }

    async fn update_shop(
        &self,
        request: Request<v1::UpdateShopRequest>,
    ) -> Result<Response<v1::Shop>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let (name, edit) = convert_shop::shop_edit(&request, caller.roles)?;
        require_role(&caller, REGISTER)?;
        require_shop(&caller, &name)?;
        let identity = identity(&request, &name.platform(), &name);
        let what = What::UpdateShop(name, edit);
        let (row, _) = self.configure(what, identity, &caller, None).await?;
        shop(&row)
    }

    async fn list_shops(
        &self,
        request: Request<v1::ListShopsRequest>,
    ) -> Result<Response<v1::ListShopsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        Ok(Response::new(shop_reads::shops(self, &request.into_inner(), &caller).await?))
    }

    async fn upsert_order(
        &self,
        request: Request<v1::UpsertOrderRequest>,
    ) -> Result<Response<v1::Order>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let order = convert_order::upserted(&request, &caller)?;
        require_role(&caller, REGISTER)?;
        require_shop(&caller, &order.name.shop())?;
        let identity = identity(&request, &order.name.shop().platform(), &order.name);
        let (row, _) = self.configure(What::UpsertOrder(order), identity, &caller, None).await?;
        let Row::Order(order) = &*row else { return Err(unexpected().into()) };
        Ok(Response::new(to_order(order)))
    }

    async fn get_order(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::Order>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = convert_order::order_name(&request.name, "name", &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, READ)?;
        require_shop(&caller, &name.shop())?;
        Ok(Response::new(shop_reads::order(self, name).await?))
    }

    async fn create_account(
        &self,
        request: Request<v1::CreateAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let new = convert_account::new_account(&request, caller.roles)?;
        require_role(&caller, REGISTER)?;
        require_shop(&caller, &new.name.shop())?;
        let identity = identity(&request, &new.name.shop().platform(), &request.parent);
        self.configure_account(What::CreateAccount(new), identity, &caller).await
    }

    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = account_name(&request.name, "name", &mut problems);
        let name = problems.finish(name)?;
        require_role(&caller, READ)?;
        require_shop(&caller, &name.shop())?;
        let (account, position) = shop_reads::account(self, name).await?;
        Ok(Response::new(to_account(&account, &position)))
    }

    async fn update_account(
        &self,
        request: Request<v1::UpdateAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let (name, edit) = convert_account::account_edit(&request, caller.roles)?;
        require_role(&caller, REGISTER)?;
        require_shop(&caller, &name.shop())?;
        // Kind and currency never change, so nothing can come between this and
        // the command.
        let (account, _) = shop_reads::account(self, name.clone()).await?;
        convert_account::keeps_account(&request, &account)?;
        let identity = identity(&request, &name.shop().platform(), &name);
        self.configure_account(What::UpdateAccount(name, edit), identity, &caller).await
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        Ok(Response::new(shop_reads::accounts(self, &request.into_inner(), &caller).await?))
    }

    async fn record_movement(
        &self,
        request: Request<v1::RecordMovementRequest>,
    ) -> Result<Response<v1::RecordMovementResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        Ok(Response::new(record_movement(self, &request, &caller).await?))
    }

    async fn list_movements(
        &self,
        request: Request<v1::ListMovementsRequest>,
    ) -> Result<Response<v1::ListMovementsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        Ok(Response::new(shop_reads::movements(self, &request.into_inner(), &caller).await?))
    }
}

async fn record_movement(
    api: &Api,
    request: &v1::RecordMovementRequest,
    caller: &Caller,
) -> Result<v1::RecordMovementResponse, Refusal> {
    let new = convert_account::new_movement(request)?;
    require_role(caller, MOVE)?;
    let shop = new.account.shop();
    require_shop(caller, &shop)?;
    let identity = identity(request, &shop.platform(), &request.parent);
    let answer = api.configured(What::RecordMovement(new), identity, caller, None).await?;
    let Reply::Moved { movement, account, position, replayed } = answer.reply else {
        return Err(unexpected());
    };
    Ok(v1::RecordMovementResponse {
        movement: Some(to_movement(&movement, account.currency)),
        account: Some(to_account(&account, &position)),
        replayed,
    })
}

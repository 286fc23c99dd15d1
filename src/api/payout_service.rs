//! PayoutService: deciding payouts and following them through their life.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};

use super::{
    auth::{READ, author, require_role, require_shop},
    batch::{self, Item},
    convert,
    convert_payout::{self, text, to_payout},
    fingerprint, identity, payout_reads,
    problems::Problems,
    receipt::{self, Style},
    service::{Api, Language, unexpected},
    stream::Conversation,
};
use crate::{
    decision::{
        Command, Reply,
        authorize::Authorize,
        life::{Cancel, Execute},
        settle::{GiveBack, Settle},
    },
    domain::{
        name::{OperatorName, PayoutName, PlatformName, ShopName},
        payout::SettlementResult,
        refusal::{Reason, Refusal},
        request::{RequestIdentity, RequestKey},
        who::{Author, Caller, Role, RoleSet},
    },
    engine::{Answer, Question, Queued},
    proto::v1::{self, payout_service_server::PayoutService},
};

const ASK: &[Role] = &[Role::Platform, Role::Merchant];
const PAY: &[Role] = &[Role::Platform, Role::Payer];

/// Names of the fields that make up a request's content.
static FIELDS: LazyLock<Arc<std::collections::BTreeMap<u32, String>>> = LazyLock::new(|| {
    let names = identity::field_names("bursar.v1.PayoutSpec");
    Arc::new(names.iter().map(|(number, name)| (*number, format!("payout.{name}"))).collect())
});

/// An authorization that may be judged.
struct Authorization {
    command: Command,
    author: Author,
    roles: RoleSet,
    by: Option<Duration>,
}

/// An authorization that was put into the queue.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) style: Style,
}

impl Api {
    /// What a request asks to be judged, if nothing is wrong with it and the
    /// caller may ask it.
    fn authorization(
        &self,
        request: &v1::AuthorizePayoutRequest,
        caller: &Caller,
    ) -> Result<Authorization, Refusal> {
        let mut problems = Problems::of(request);
        let asked = convert_payout::Asked {
            parent: &request.parent,
            payout: request.payout.as_ref(),
            stage: crate::domain::limit::Stage::Confirm,
            needs_amount: true,
            full: wants_all(request.view),
        };
        let spec = convert_payout::spec(asked, caller, &mut problems);
        let within = convert_payout::judge_within(request.judge_within.as_ref(), &mut problems);
        let spec = problems.finish(spec)?;
        require_role(caller, ASK)?;
        match &spec {
            Ok(spec) => require_shop(caller, &spec.shop)?,
            Err(_) => require_named_shop(caller, &request.parent)?,
        }
        let spec = spec?;
        let content = request.payout.as_ref().map(|payout| fingerprint::of_payout(payout, &spec));
        let identity = RequestIdentity {
            key: RequestKey {
                platform: PlatformName { platform: spec.shop.platform.clone() },
                parent: request.parent.as_str().into(),
                operation: "AuthorizePayout".into(),
                id: request.request_id.as_str().into(),
            },
            content: content.unwrap_or_default(),
            field_names: FIELDS.clone(),
        };
        let author = author(caller, spec.operator.clone());
        let command = Command::Authorize(Arc::new(Authorize { spec, identity }));
        let by = within.map(|within| self.engine.after(within));
        Ok(Authorization { command, author, roles: caller.roles, by })
    }

    /// Puts a request into the queue, if there is room: one that came alone, or of a batch.
    fn queue(
        &self,
        request: &v1::AuthorizePayoutRequest,
        caller: &Caller,
    ) -> Result<Question, Refusal> {
        let Authorization { command, author, roles, by } = self.authorization(request, caller)?;
        self.engine.ask(command, author, roles, by)
    }

    /// Puts a request into the queue. Nothing of it is kept while it waits.
    pub(super) fn ask(
        &self,
        metadata: &MetadataMap,
        request: &v1::AuthorizePayoutRequest,
    ) -> Result<Asked, Refusal> {
        let caller = self.caller(metadata)?;
        let language = Language::of(metadata);
        let question = self.queue(request, &caller)?;
        Ok(Asked { question, style: Style { language, full: wants_all(request.view) } })
    }

    /// What was answered to it.
    pub(super) fn receipt(
        &self,
        answer: Result<Answer, Refusal>,
        style: Style,
    ) -> Result<v1::Receipt, Refusal> {
        let answer = answer?;
        let receipt = batch::receipt_of(&answer, style);
        self.engine.take_back(answer);
        receipt
    }

    /// Takes a request of a stream up: it waits for room in the queue, where a
    /// single one would be refused.
    pub(super) fn take_up(
        &self,
        request: &v1::AuthorizePayoutRequest,
        caller: &Caller,
    ) -> Result<Queued, Refusal> {
        let Authorization { command, author, roles, by } = self.authorization(request, caller)?;
        Ok(self.engine.queue(command, author, roles, by))
    }

    fn payout_answer(answer: &Answer, language: Language) -> Result<Response<v1::Payout>, Status> {
        let Reply::Payout(payout) = &answer.reply else { return Err(unexpected().into()) };
        let policy = answer.policy.as_ref().ok_or_else(unexpected)?;
        Ok(Response::new(to_payout(payout, policy, language, answer.now)))
    }
}

/// That a caller may touch the shop of a name that was found to be one.
fn require_named_shop(caller: &Caller, parent: &str) -> Result<(), Refusal> {
    ShopName::parse(parent).map_or(Ok(()), |shop| require_shop(caller, &shop))
}

/// Whether what passed is asked for too.
pub(super) fn wants_all(view: i32) -> bool {
    view == i32::from(v1::ReceiptView::Full)
}

/// Name of a payout that a caller in these roles may touch.
fn payout_name(
    name: &str,
    caller: &Caller,
    roles: &[Role],
    mut problems: Problems,
) -> Result<PayoutName, Refusal> {
    let name = convert::name(name, "name", PayoutName::PATTERN, PayoutName::parse, &mut problems);
    let name = problems.finish(name)?;
    require_role(caller, roles)?;
    require_shop(caller, &name.shop())?;
    Ok(name)
}

fn actor(text: &str, problems: &mut Problems) -> Option<OperatorName> {
    convert::optional_name(text, "actor", OperatorName::PATTERN, OperatorName::parse, problems)
}

#[tonic::async_trait]
impl PayoutService for Api {
    async fn validate_payout(
        &self,
        request: Request<v1::ValidatePayoutRequest>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let full = wants_all(request.view);
        let asked = convert_payout::Asked {
            parent: &request.parent,
            payout: request.payout.as_ref(),
            stage: convert_payout::stage(request.stage),
            needs_amount: false,
            full,
        };
        let spec = convert_payout::spec(asked, &caller, &mut problems);
        let spec = problems.finish(spec)?;
        require_role(&caller, READ)?;
        require_named_shop(&caller, &request.parent)?;
        let spec = spec?;
        let operator = spec.operator.clone();
        let answer = self.command(Command::Validate(Box::new(spec)), &caller, operator).await?;
        let Reply::Checked(check) = &answer.reply else { return Err(unexpected().into()) };
        let policy = answer.policy.as_ref().ok_or_else(unexpected)?;
        Ok(Response::new(receipt::of_check(check, policy, Style { language, full }, &caller.name)))
    }

    async fn authorize_payout(
        &self,
        request: Request<v1::AuthorizePayoutRequest>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let Asked { question, style } = self.ask(request.metadata(), request.get_ref())?;
        Ok(Response::new(self.receipt(self.engine.answer(question).await, style)?))
    }

    async fn batch_authorize_payouts(
        &self,
        request: Request<v1::BatchAuthorizePayoutsRequest>,
    ) -> Result<Response<v1::BatchAuthorizePayoutsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let mut batch = request.into_inner();
        Problems::of(&batch).finish(Some(()))?;
        for item in batch.requests.iter_mut().filter(|item| item.parent.is_empty()) {
            item.parent.clone_from(&batch.parent);
        }
        // Each as if it had come alone, paths included. All are queued in order, so they
        // are decided in order, before any answer is waited for; those are waited for in
        // order too, so that nobody is woken for each.
        let asked: Vec<_> = batch
            .requests
            .into_iter()
            .map(|request| {
                let question = self.queue(&request, &caller);
                (request.request_id, wants_all(request.view), question)
            })
            .collect();
        let mut items = Vec::with_capacity(asked.len());
        for (request_id, full, question) in asked {
            let outcome = match question {
                Ok(question) => self.engine.answer(question).await,
                Err(refusal) => Err(refusal),
            };
            items.push(Item { request_id, full, outcome });
        }
        let results = batch::results(&items, language);
        items.into_iter().flat_map(|item| item.outcome).for_each(|a| self.engine.take_back(a));
        Ok(Response::new(v1::BatchAuthorizePayoutsResponse { results }))
    }

    type StreamAuthorizePayoutsStream = Conversation;

    async fn stream_authorize_payouts(
        &self,
        request: Request<Streaming<v1::AuthorizePayoutRequest>>,
    ) -> Result<Response<Conversation>, Status> {
        let caller = self.caller(request.metadata())?;
        require_role(&caller, ASK)?;
        Ok(Response::new(Conversation::begin(self, caller, request)?))
    }

    async fn execute_payout(
        &self,
        request: Request<v1::ExecutePayoutRequest>,
    ) -> Result<Response<v1::Payout>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let actor = actor(&request.actor, &mut problems);
        let payout = payout_name(&request.name, &caller, PAY, problems)?;
        let command = Command::Execute(Box::new(Execute {
            payout,
            execution_id: text(&request.execution_id),
        }));
        let answer = self.command(command, &caller, actor).await?;
        Self::payout_answer(&answer, language)
    }

    async fn settle_payout(
        &self,
        request: Request<v1::SettlePayoutRequest>,
    ) -> Result<Response<v1::Payout>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let result = match v1::settlement::Result::try_from(request.result) {
            Ok(v1::settlement::Result::Failed) => SettlementResult::Failed,
            _ => SettlementResult::Succeeded,
        };
        let amount = request
            .amount
            .as_ref()
            .and_then(|money| convert::money(money, "amount", &mut problems));
        if result == SettlementResult::Failed && request.amount.is_some() {
            problems.add(
                Reason::AmountInvalid,
                "amount",
                "Not to be sent with a failure: nothing was paid.",
            );
        }
        let payout = payout_name(&request.name, &caller, PAY, problems)?;
        let command = Command::Settle(Box::new(Settle {
            payout,
            result,
            amount,
            reference: text(&request.channel_reference),
            reason: text(&request.reason),
        }));
        let answer = self.command(command, &caller, None).await?;
        Self::payout_answer(&answer, language)
    }

    async fn cancel_payout(
        &self,
        request: Request<v1::CancelPayoutRequest>,
    ) -> Result<Response<v1::Payout>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let actor = actor(&request.actor, &mut problems);
        let payout = payout_name(&request.name, &caller, ASK, problems)?;
        let command = Command::Cancel(Box::new(Cancel { payout, reason: text(&request.reason) }));
        let answer = self.command(command, &caller, actor).await?;
        Self::payout_answer(&answer, language)
    }

    async fn return_payout(
        &self,
        request: Request<v1::ReturnPayoutRequest>,
    ) -> Result<Response<v1::Payout>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let amount = request
            .amount
            .as_ref()
            .and_then(|money| convert::money(money, "amount", &mut problems));
        let payout = payout_name(&request.name, &caller, PAY, problems)?;
        let command = Command::Return(Box::new(GiveBack {
            payout,
            amount: amount.ok_or_else(unexpected)?,
            reference: text(&request.channel_reference),
            reason: text(&request.reason),
        }));
        let answer = self.command(command, &caller, None).await?;
        Self::payout_answer(&answer, language)
    }

    async fn get_payout(
        &self,
        request: Request<v1::GetPayoutRequest>,
    ) -> Result<Response<v1::Payout>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        let request = request.into_inner();
        let name = payout_name(&request.name, &caller, READ, Problems::of(&request))?;
        Ok(Response::new(payout_reads::get(self, name, language).await?))
    }

    async fn list_payouts(
        &self,
        request: Request<v1::ListPayoutsRequest>,
    ) -> Result<Response<v1::ListPayoutsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        Ok(Response::new(payout_reads::list(self, request.into_inner(), &caller, language).await?))
    }

    async fn get_decision(
        &self,
        request: Request<v1::GetDecisionRequest>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let caller = self.caller(request.metadata())?;
        let language = Language::of(request.metadata());
        Ok(Response::new(
            payout_reads::decision(self, request.into_inner(), &caller, language).await?,
        ))
    }

    async fn summarize_payouts(
        &self,
        request: Request<v1::SummarizePayoutsRequest>,
    ) -> Result<Response<v1::SummarizePayoutsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        Ok(Response::new(payout_reads::summarize(self, request.into_inner(), &caller).await?))
    }
}

//! What all services share: the engine, who is calling, in which language.

use std::{collections::BTreeMap, sync::Arc};

use prost::Message;
use tonic::{codegen::http::header::ACCEPT_LANGUAGE, metadata::MetadataMap};

use super::{
    auth::{self, Authenticator},
    identity,
    streams::Streams,
    workers::Workers,
};
use crate::{
    decision::{
        Command, Reply,
        configure::{Configure, What},
    },
    domain::{
        name::{OperatorName, PlatformName},
        refusal::{Reason, Refusal},
        request::RequestIdentity,
        row::Row,
        who::Caller,
    },
    engine::{Answer, Handle},
};

/// What every service holds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where commands go.
    pub engine: Handle,
    /// Who is calling.
    pub auth: Authenticator,
    /// Where work goes that takes long.
    pub workers: Workers,
    /// The streams that are open.
    pub streams: Streams,
}

/// The language texts are rendered in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// Simplified Chinese.
    Chinese,
    /// English.
    English,
}

impl Language {
    /// The tag that policies have texts under.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// From `accept-language`: the first of Chinese and English that it names;
    /// English if neither.
    pub fn of(metadata: &MetadataMap) -> Self {
        let Some(header) = auth::text(metadata, &ACCEPT_LANGUAGE) else { return Self::English };
        for part in header.split(',') {
            let tag = part.split(';').next().unwrap_or("").trim();
            let language = tag.split('-').next().unwrap_or("");
            if language.eq_ignore_ascii_case("zh") {
                return Self::Chinese;
            }
            if language.eq_ignore_ascii_case("en") {
                return Self::English;
            }
        }
        Self::English
    }
}

impl Api {
    /// In front of an engine.
    pub fn new(engine: Handle, auth: Authenticator) -> Self {
        Self { engine, auth, workers: Workers::default(), streams: Streams::default() }
    }

    /// Who sent this.
    ///
    /// # Errors
    /// If nobody is known by its credentials.
    pub fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Refusal> {
        self.auth.caller(metadata)
    }

    /// Has a command judged.
    ///
    /// # Errors
    /// What the core or the engine refuses it with.
    pub async fn command(
        &self,
        command: Command,
        caller: &Caller,
        actor: Option<OperatorName>,
    ) -> Result<Answer, Refusal> {
        self.engine.command(command, auth::author(caller, actor), caller.roles).await
    }

    /// Has a change of configuration judged.
    ///
    /// # Errors
    /// What the core or the engine refuses it with.
    pub async fn configured(
        &self,
        what: What,
        identity: Option<RequestIdentity>,
        caller: &Caller,
        actor: Option<OperatorName>,
    ) -> Result<Answer, Refusal> {
        let configure = Configure { what, identity, needs_main: caller.is_only_merchant() };
        self.command(Command::Configure(Box::new(configure)), caller, actor).await
    }

    /// Has a change of configuration judged, and answers with its row.
    ///
    /// # Errors
    /// What the core or the engine refuses it with.
    pub async fn configure(
        &self,
        what: What,
        identity: Option<RequestIdentity>,
        caller: &Caller,
        actor: Option<OperatorName>,
    ) -> Result<(Arc<Row>, Answer), Refusal> {
        let answer = self.configured(what, identity, caller, actor).await?;
        match &answer.reply {
            Reply::Row(row) => Ok((row.clone(), answer)),
            _ => Err(unexpected()),
        }
    }
}

/// That the core answered with something a service did not ask for.
pub fn unexpected() -> Refusal {
    Refusal::new(Reason::Internal, "The core answered with something else than was asked for.")
}

/// The identity of a request, from the message without its id.
pub fn identify<M: Message>(
    content: &M,
    operation: &'static str,
    request_id: &str,
    platform: &PlatformName,
    parent: &str,
    message: &'static str,
) -> Option<RequestIdentity> {
    if request_id.is_empty() {
        return None;
    }
    let names: Arc<BTreeMap<u32, String>> = identity::field_names(message);
    let fingerprint = identity::fingerprint(content);
    identity::identity(platform, parent, operation, request_id, fingerprint, &names)
}

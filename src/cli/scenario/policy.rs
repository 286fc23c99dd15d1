//! The `policy` step: a revision from a file, activated.

use tonic::{Request, Status, metadata::MetadataMap, transport::Channel};

use super::run::{Options, Trouble};
use crate::{
    cli::published,
    proto::v1::{self, policy_service_client::PolicyServiceClient},
    wire,
};

/// The policy's YAML: what overrides the file, the file, or the published one.
pub(super) fn text(options: &Options, file: &str) -> Result<String, Trouble> {
    if let Some(text) = options.policy_override.get(file) {
        return Ok(text.clone());
    }
    published::policy(&options.policies, file).map_err(|error| {
        let expected = format!("the policy {}", options.policies.join(file).display());
        Trouble::new("reading the policy", expected, error.to_string())
    })
}

/// A policy on its way into a programme.
pub(super) struct Install {
    pub(super) text: String,
    pub(super) file: String,
    pub(super) programme: String,
    pub(super) metadata: MetadataMap,
    /// Set: every request is sent twice under it.
    pub(super) request_id: Option<String>,
}

impl Install {
    pub(super) async fn run(self, channel: Channel) -> Result<(), Trouble> {
        let mut client = PolicyServiceClient::new(channel);
        let id = |suffix: &str| {
            self.request_id.as_ref().map(|id| format!("{id}-{suffix}")).unwrap_or_default()
        };
        let create = v1::CreateRevisionRequest {
            parent: self.programme.clone(),
            yaml: self.text.clone(),
            request_id: id("create"),
            ..v1::CreateRevisionRequest::default()
        };
        let mut revision = None;
        for _ in self.times() {
            let answer = client.create_revision(self.request(create.clone())).await;
            let answer = answer.map_err(|status| self.refused("creating the revision", &status))?;
            same_as_before(&mut revision, answer.into_inner())?;
        }
        let activate = v1::ActivateRevisionRequest {
            name: revision.map(|revision: v1::Revision| revision.name).unwrap_or_default(),
            request_id: id("activate"),
            ..v1::ActivateRevisionRequest::default()
        };
        let mut programme = None;
        for _ in self.times() {
            let answer = client.activate_revision(self.request(activate.clone())).await;
            let answer =
                answer.map_err(|status| self.refused("activating the revision", &status))?;
            same_as_before(&mut programme, answer.into_inner())?;
        }
        Ok(())
    }

    fn times(&self) -> std::ops::Range<u8> {
        0..if self.request_id.is_some() { 2 } else { 1 }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request
    }

    fn refused(&self, what: &str, status: &Status) -> Trouble {
        let expected = format!("{} in force in {}", self.file, self.programme);
        Trouble::new(what, expected, wire::Failure::from(status).to_string())
    }
}

fn same_as_before<T: PartialEq + std::fmt::Debug>(
    before: &mut Option<T>,
    now: T,
) -> Result<(), Trouble> {
    match before {
        Some(before) if *before != now => {
            let (before, now) = (format!("{before:?}"), format!("{now:?}"));
            Err(Trouble::new("the same call sent again", before, now))
        }
        _ => {
            *before = Some(now);
            Ok(())
        }
    }
}

//! PolicyService: revisions of policies.

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};

use super::{
    auth::{READ, require_platform, require_role, require_whole_platform},
    convert,
    lookup::{self, Page},
    page::{self, Filling, Listing},
    policy::{self, Difference},
    policy_reading::{problem, read},
    problems::Problems,
    revision_reads::{
        incompatible, newest, policies, programme_row, revision_row, to_programme, to_revision,
    },
    service::{Api, identify, unexpected},
};
use crate::{
    decision::configure::{Activate, NewRevision, What},
    domain::{
        key::Key,
        name::{PlatformName, ProgrammeName, RevisionName},
        refusal::{Reason, Refusal},
        row::{Revision, Row},
        who::{Caller, Role},
    },
    engine::View,
    proto::v1::{self, policy_service_server::PolicyService},
};

const CHANGE: &[Role] = &[Role::Admin];

fn refused(reason: Reason, problems: &[v1::PolicyProblem]) -> Refusal {
    let message = match problems.len() {
        1 => "The policy has a problem.".to_owned(),
        count => format!("The policy has {count} problems."),
    };
    let mut refusal = Refusal::new(reason, message);
    for p in problems {
        let line = if p.line > 0 { format!("line {}: ", p.line) } else { String::new() };
        refusal = refusal.because(&p.field, p.reason.clone(), format!("{line}{}", p.description));
    }
    refusal
}

/// A policy that may be stored.
struct Checked {
    policy: v1::Policy,
    /// How many revisions it was compared with.
    after: u32,
}

impl Api {
    /// Reads a policy, and compares it with the revisions before it.
    async fn checked(
        &self,
        programme: &ProgrammeName,
        request: &v1::CreateRevisionRequest,
    ) -> Result<Checked, Refusal> {
        let (policy, yaml) = (request.policy.clone(), request.yaml.clone());
        let read = self.workers.run(move || read(policy.as_ref(), &yaml)).await?;
        let (Some(policy), Some(new)) = (read.policy, read.compiled) else {
            return Err(refused(Reason::PolicyInvalid, &read.problems));
        };
        let name = programme.clone();
        let (after, old) = self.engine.read(move |view| policies(view, &name)).await?;
        let changed = self.workers.run(move || incompatible(&old, &new)).await?;
        if changed.is_empty() {
            return Ok(Checked { policy, after });
        }
        let changed: Vec<v1::PolicyProblem> =
            changed.iter().map(|p| problem(p, read.lines.as_ref())).collect();
        Err(refused(Reason::LimitChangedUnderOldId, &changed))
    }
}

/// What differs between a revision and another one, or a policy that is not
/// stored. Takes long.
fn compared(
    old: &Revision,
    new: Option<&Revision>,
    sent: Option<v1::Policy>,
) -> Result<Vec<Difference>, Refusal> {
    let decode = |row: &Revision| v1::Policy::decode(row.policy.as_ref()).unwrap_or_default();
    let sent = sent.unwrap_or_default();
    let exceeded = policy::exceeded(&sent);
    if !exceeded.is_empty() {
        let problems: Vec<v1::PolicyProblem> = exceeded.iter().map(|p| problem(p, None)).collect();
        return Err(refused(Reason::PolicyInvalid, &problems));
    }
    let new = new.map_or(sent, decode);
    policy::diff(&decode(old), &new).map_err(|error| {
        Refusal::new(Reason::PolicyInvalid, "A policy cannot be written as JSON.")
            .at("policy", error.to_string())
    })
}

fn platform(programme: &ProgrammeName) -> PlatformName {
    PlatformName { platform: programme.platform.clone() }
}

fn allow(caller: &Caller, roles: &[Role], programme: &ProgrammeName) -> Result<(), Refusal> {
    require_role(caller, roles)?;
    require_platform(caller, &platform(programme))
}

/// A policy governs every shop of its platform: changing one takes reaching all.
fn allow_change(caller: &Caller, programme: &ProgrammeName) -> Result<(), Refusal> {
    require_role(caller, CHANGE)?;
    require_whole_platform(caller, &platform(programme))
}

#[tonic::async_trait]
impl PolicyService for Api {
    async fn create_revision(
        &self,
        request: Request<v1::CreateRevisionRequest>,
    ) -> Result<Response<v1::Revision>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let programme = convert::name(
            &request.parent,
            "parent",
            ProgrammeName::PATTERN,
            ProgrammeName::parse,
            &mut problems,
        );
        let programme = problems.finish(programme)?;
        allow_change(&caller, &programme)?;
        let Checked { policy, after } = self.checked(&programme, &request).await?;
        let bytes = policy.encode_to_vec();
        let checksum: String =
            Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        // The same rules are the same content, however they were written.
        let content = v1::CreateRevisionRequest {
            policy: Some(policy),
            yaml: String::new(),
            request_id: String::new(),
            ..request.clone()
        };
        let identity = identify(
            &content,
            "CreateRevision",
            &request.request_id,
            &platform(&programme),
            &request.parent,
            "bursar.v1.CreateRevisionRequest",
        );
        let what = What::CreateRevision(NewRevision {
            programme,
            after,
            policy: bytes.into(),
            checksum: checksum.into(),
            note: request.note.as_str().into(),
        });
        let (row, _) = self.configure(what, identity, &caller, None).await?;
        match row.as_ref() {
            Row::Revision(row) => Ok(Response::new(to_revision(row, true))),
            _ => Err(unexpected().into()),
        }
    }

    async fn check_policy(
        &self,
        request: Request<v1::CheckPolicyRequest>,
    ) -> Result<Response<v1::CheckPolicyResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let base = convert::optional_name(
            &request.base,
            "base",
            RevisionName::PATTERN,
            RevisionName::parse,
            &mut problems,
        );
        problems.finish(Some(()))?;
        require_role(&caller, READ)?;
        if let Some(base) = &base {
            require_platform(&caller, &platform(&base.programme))?;
        }
        let v1::CheckPolicyRequest { policy, yaml, .. } = request;
        let mut read = self.workers.run(move || read(policy.as_ref(), &yaml)).await?;
        if let (Some(base), Some(new)) = (base, read.compiled.clone()) {
            let old = self.engine.read(move |view| {
                revision_row(view, &base)?;
                Ok(Vec::from_iter(view.policy(&base)))
            });
            let old = old.await?;
            let changed = self.workers.run(move || incompatible(&old, &new)).await?;
            read.problems.extend(changed.iter().map(|p| problem(p, read.lines.as_ref())));
        }
        Ok(Response::new(v1::CheckPolicyResponse { problems: read.problems }))
    }

    async fn activate_revision(
        &self,
        request: Request<v1::ActivateRevisionRequest>,
    ) -> Result<Response<v1::Programme>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let revision = convert::name(
            &request.name,
            "name",
            RevisionName::PATTERN,
            RevisionName::parse,
            &mut problems,
        );
        let start_time =
            convert::optional_instant(request.start_time.as_ref(), "start_time", &mut problems);
        let (revision, start_time) = problems.finish(revision.zip(start_time))?;
        allow_change(&caller, &revision.programme)?;
        let content = v1::ActivateRevisionRequest { request_id: String::new(), ..request.clone() };
        let identity = identify(
            &content,
            "ActivateRevision",
            &request.request_id,
            &platform(&revision.programme),
            &request.name,
            "bursar.v1.ActivateRevisionRequest",
        );
        let what = What::ActivateRevision(Activate { revision, start_time });
        let (row, answer) = self.configure(what, identity, &caller, None).await?;
        match row.as_ref() {
            Row::Programme(row) => Ok(Response::new(to_programme(row, answer.now))),
            _ => Err(unexpected().into()),
        }
    }

    async fn get_revision(
        &self,
        request: Request<v1::GetRevisionRequest>,
    ) -> Result<Response<v1::Revision>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = convert::name(
            &request.name,
            "name",
            RevisionName::PATTERN,
            RevisionName::parse,
            &mut problems,
        );
        let name = problems.finish(name)?;
        allow(&caller, READ, &name.programme)?;
        let row = self.engine.read(move |view| revision_row(view, &name)).await?;
        Ok(Response::new(to_revision(&row, true)))
    }

    async fn list_revisions(
        &self,
        request: Request<v1::ListRevisionsRequest>,
    ) -> Result<Response<v1::ListRevisionsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let programme = convert::name(
            &request.parent,
            "parent",
            ProgrammeName::PATTERN,
            ProgrammeName::parse,
            &mut problems,
        );
        let programme = problems.finish(programme)?;
        allow(&caller, READ, &programme)?;
        let listing = Listing::of("ListRevisions", &[&request.parent]);
        let before = match listing.place(&request.page_token)? {
            None => u32::MAX,
            Some(number) => number.parse().map_err(|_| page::not_a_token())?,
        };
        let page = Filling::new(page::size(request.page_size));
        let read = move |view: &mut View<'_>| {
            programme_row(view, &programme)?;
            newest(view, &programme, before, page)
        };
        let (revisions, next_page_token) = self.engine.read(read).await?.end(&listing);
        Ok(Response::new(v1::ListRevisionsResponse { revisions, next_page_token }))
    }

    async fn diff_revisions(
        &self,
        request: Request<v1::DiffRevisionsRequest>,
    ) -> Result<Response<v1::DiffRevisionsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let base = convert::name(
            &request.base,
            "base",
            RevisionName::PATTERN,
            RevisionName::parse,
            &mut problems,
        );
        let target = convert::optional_name(
            &request.target,
            "target",
            RevisionName::PATTERN,
            RevisionName::parse,
            &mut problems,
        );
        match (&target, &base, &request.policy) {
            (Some(target), Some(base), None) if target.programme != base.programme => {
                problems.add(
                    Reason::NameInvalid,
                    "target",
                    "Must be a revision of the same programme as base.",
                );
            }
            (Some(_), _, Some(_)) | (None, _, None)
                if request.target.is_empty() == request.policy.is_none() =>
            {
                problems.add(Reason::FieldInvalid, "target", "Send either target or policy.");
            }
            _ => {}
        }
        let base = problems.finish(base)?;
        allow(&caller, READ, &base.programme)?;
        let (old, new) = self
            .engine
            .read(move |view| {
                let old = revision_row(view, &base)?;
                let new = target.map(|target| revision_row(view, &target)).transpose()?;
                Ok((old, new))
            })
            .await?;
        let policy = request.policy;
        let compared = self.workers.run(move || compared(&old, new.as_ref(), policy)).await?;
        let differences = compared?;
        Ok(Response::new(v1::DiffRevisionsResponse {
            differences: differences
                .into_iter()
                .map(|d| v1::PolicyDifference { field: d.field, before: d.before, after: d.after })
                .collect(),
        }))
    }

    async fn get_programme(
        &self,
        request: Request<v1::GetProgrammeRequest>,
    ) -> Result<Response<v1::Programme>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let name = convert::name(
            &request.name,
            "name",
            ProgrammeName::PATTERN,
            ProgrammeName::parse,
            &mut problems,
        );
        let name = problems.finish(name)?;
        allow(&caller, READ, &name)?;
        let programme = self
            .engine
            .read(move |view| {
                let row = programme_row(view, &name)?;
                Ok(to_programme(&row, view.now))
            })
            .await?;
        Ok(Response::new(programme))
    }

    async fn list_programmes(
        &self,
        request: Request<v1::ListProgrammesRequest>,
    ) -> Result<Response<v1::ListProgrammesResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let mut problems = Problems::of(&request);
        let parent = convert::name(
            &request.parent,
            "parent",
            PlatformName::PATTERN,
            PlatformName::parse,
            &mut problems,
        );
        let parent = problems.finish(parent)?;
        require_role(&caller, READ)?;
        require_platform(&caller, &parent)?;
        let listing = Listing::of("ListProgrammes", &[&request.parent]);
        let page = Page::asked(listing, request.page_size, &request.page_token)?;
        let read = move |view: &mut View<'_>| {
            lookup::the_platform(view, &parent)?;
            let now = view.now;
            let key = |programme| {
                Key::Programme(ProgrammeName { platform: parent.platform.clone(), programme })
            };
            page.read(view, key, |row| {
                let Row::Programme(row) = row else { return None };
                let programme = to_programme(row, now);
                Some((row.name.programme.clone(), programme.encoded_len(), programme))
            })
        };
        let (programmes, next_page_token) = self.engine.read(read).await?;
        Ok(Response::new(v1::ListProgrammesResponse { programmes, next_page_token }))
    }
}

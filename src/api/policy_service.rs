//! PolicyService: revisions of policies.

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};

use super::{
    auth::{READ, require_platform, require_role, require_whole_platform},
    convert::{self, to_time},
    page,
    policy::{self, Problem},
    policy_reading::{problem, read},
    problems::Problems,
    service::{Api, identify, unexpected},
};
use crate::{
    decision::configure::{Activate, NewRevision, What},
    domain::{
        instant::Instant,
        key::Key,
        name::{Id, PlatformName, ProgrammeName, RevisionName},
        refusal::{Reason, Refusal},
        row::{Programme, Revision, Row},
        who::{Caller, Role},
    },
    engine::View,
    proto::v1::{self, policy_service_server::PolicyService},
    store::Scan,
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
        refusal = refusal.at(&p.field, format!("{line}{} ({})", p.description, p.reason));
    }
    refusal
}

fn to_revision(row: &Revision, with_policy: bool) -> v1::Revision {
    v1::Revision {
        name: row.name.to_string(),
        policy: with_policy.then(|| v1::Policy::decode(row.policy.as_ref()).ok()).flatten(),
        create_time: Some(to_time(row.create_time)),
        caller: row.caller.to_string(),
        checksum: row.checksum.to_string(),
        note: row.note.to_string(),
    }
}

fn to_programme(row: &Programme, now: Instant) -> v1::Programme {
    let revision = |number: u32| RevisionName { programme: row.name.clone(), number }.to_string();
    v1::Programme {
        name: row.name.to_string(),
        active_revision: row.active(now).map(|r| r.to_string()).unwrap_or_default(),
        activations: row
            .activations
            .iter()
            .map(|(start, number)| v1::programme::Activation {
                revision: revision(*number),
                start_time: Some(to_time(*start)),
            })
            .collect(),
    }
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

fn programme_row(view: &mut View<'_>, name: &ProgrammeName) -> Result<Programme, Refusal> {
    match view.row(&Key::Programme(name.clone()))?.as_deref() {
        Some(Row::Programme(row)) => Ok(row.clone()),
        _ => Err(Refusal::new(Reason::ProgrammeNotFound, format!("There is no programme {name}."))
            .at(name.to_string(), "Make it with PolicyService.CreateRevision.")),
    }
}

fn revision_row(view: &mut View<'_>, name: &RevisionName) -> Result<Revision, Refusal> {
    programme_row(view, &name.programme)?;
    match view.row(&Key::Revision(name.clone()))?.as_deref() {
        Some(Row::Revision(row)) => Ok(row.clone()),
        _ => Err(Refusal::new(Reason::RevisionNotFound, format!("There is no revision {name}."))
            .at(name.to_string(), "List them with PolicyService.ListRevisions.")),
    }
}

/// What would count something else than in the programme's revisions before.
fn incompatible(
    view: &mut View<'_>,
    programme: &ProgrammeName,
    new: &v1::Policy,
) -> Result<(u32, Vec<Problem>), Refusal> {
    let revisions = match view.row(&Key::Programme(programme.clone()))?.as_deref() {
        Some(Row::Programme(row)) => row.revisions,
        _ => 0,
    };
    let Ok(new) = policy::compile(new) else { return Ok((revisions, Vec::new())) };
    let mut problems: Vec<Problem> = Vec::new();
    for number in 1..=revisions {
        let name = RevisionName { programme: programme.clone(), number };
        let old = view.policy(&name);
        for problem in old.map(|old| policy::compatible(&old, &new)).unwrap_or_default() {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    Ok((revisions, problems))
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
        let read = read(request.policy.as_ref(), &request.yaml);
        let policy = match read.policy {
            Some(policy) if read.problems.is_empty() => policy,
            _ => return Err(refused(Reason::PolicyInvalid, &read.problems).into()),
        };
        let (checked, name) = (policy.clone(), programme.clone());
        let (after, changed) =
            self.engine.read(move |view| incompatible(view, &name, &checked)).await?;
        if !changed.is_empty() {
            let problems: Vec<v1::PolicyProblem> =
                changed.iter().map(|p| problem(p, read.lines.as_ref())).collect();
            return Err(refused(Reason::LimitChangedUnderOldId, &problems).into());
        }
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
        let mut read = read(request.policy.as_ref(), &request.yaml);
        if let (Some(base), Some(policy)) = (base, read.policy.clone()) {
            require_platform(&caller, &platform(&base.programme))?;
            let changed = self
                .engine
                .read(move |view| {
                    revision_row(view, &base)?;
                    let old = view.policy(&base);
                    let new = policy::compile(&policy).ok();
                    Ok(old
                        .zip(new)
                        .map(|(old, new)| policy::compatible(&old, &new))
                        .unwrap_or_default())
                })
                .await?;
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
        let revision = problems.finish(revision)?;
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
        let start_time = convert::time(request.start_time.as_ref());
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
        let before = match page::token(&request.page_token)? {
            None => u32::MAX,
            Some(id) => id.as_str().parse().map_err(|_| {
                Refusal::new(
                    Reason::PageTokenInvalid,
                    "The page token is not one that a page gave.",
                )
            })?,
        };
        let size = page::size(request.page_size);
        let rows = self
            .engine
            .read(move |view| {
                programme_row(view, &programme)?;
                let key =
                    |number| Key::Revision(RevisionName { programme: programme.clone(), number });
                let scan = Scan { from: key(0), to: key(before), reverse: true, limit: size + 1 };
                view.scan(&scan)
            })
            .await?;
        let revisions: Vec<&Revision> = rows
            .iter()
            .filter_map(|row| if let Row::Revision(row) = row.as_ref() { Some(row) } else { None })
            .collect();
        let (revisions, next_page_token) =
            page::cut(revisions, size, |row| row.name.number.to_string());
        Ok(Response::new(v1::ListRevisionsResponse {
            revisions: revisions.into_iter().map(|row| to_revision(row, false)).collect(),
            next_page_token,
        }))
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
        let decode = |row: &Revision| v1::Policy::decode(row.policy.as_ref()).unwrap_or_default();
        let new = new.as_ref().map(decode).or(request.policy).unwrap_or_default();
        let differences = policy::diff(&decode(&old), &new).map_err(|error| {
            Refusal::new(Reason::PolicyInvalid, "A policy cannot be written as JSON.")
                .at("policy", error.to_string())
        })?;
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
        let after =
            page::token(&request.page_token)?.map_or_else(Id::before_all, |id| id.just_after());
        let size = page::size(request.page_size);
        let programmes = self
            .engine
            .read(move |view| {
                if view.row(&Key::Platform(parent.clone()))?.is_none() {
                    return Err(Refusal::new(
                        Reason::PlatformNotFound,
                        format!("There is no platform {parent}."),
                    ));
                }
                let key = |programme| {
                    Key::Programme(ProgrammeName { platform: parent.platform.clone(), programme })
                };
                let scan = Scan {
                    from: key(after),
                    to: key(Id::after_all()),
                    reverse: false,
                    limit: size + 1,
                };
                let rows = view.scan(&scan)?;
                let programmes = rows.iter().filter_map(|row| match row.as_ref() {
                    Row::Programme(row) => {
                        Some((row.name.programme.to_string(), to_programme(row, view.now)))
                    }
                    _ => None,
                });
                Ok(programmes.collect::<Vec<_>>())
            })
            .await?;
        let (programmes, next_page_token) = page::cut(programmes, size, |(id, _)| id.clone());
        Ok(Response::new(v1::ListProgrammesResponse {
            programmes: programmes.into_iter().map(|(_, programme)| programme).collect(),
            next_page_token,
        }))
    }
}

//! Reading programmes and their revisions.

use std::sync::Arc;

use prost::Message;

use super::{
    convert::to_time,
    page::Filling,
    policy::{self, Problem},
};
use crate::{
    domain::{
        instant::Instant,
        key::Key,
        name::{ProgrammeName, RevisionName},
        policy::Policy,
        refusal::{Reason, Refusal},
        row::{Programme, Revision, Row},
    },
    engine::View,
    proto::v1,
    store::Scan,
};

/// A revision on the wire, with its rules if asked.
pub fn to_revision(row: &Revision, with_policy: bool) -> v1::Revision {
    v1::Revision {
        name: row.name.to_string(),
        policy: with_policy.then(|| v1::Policy::decode(row.policy.as_ref()).ok()).flatten(),
        create_time: Some(to_time(row.create_time)),
        caller: row.caller.to_string(),
        checksum: row.checksum.to_string(),
        note: row.note.to_string(),
    }
}

/// A programme on the wire, as it is at an instant.
pub fn to_programme(row: &Programme, now: Instant) -> v1::Programme {
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

/// A programme that has to be there.
pub fn programme_row(view: &mut View<'_>, name: &ProgrammeName) -> Result<Programme, Refusal> {
    match view.row(&Key::Programme(name.clone()))?.as_deref() {
        Some(Row::Programme(row)) => Ok(row.clone()),
        _ => Err(Refusal::new(Reason::ProgrammeNotFound, format!("There is no programme {name}."))
            .at(name.to_string(), "Make it with PolicyService.CreateRevision.")),
    }
}

/// A revision that has to be there.
pub fn revision_row(view: &mut View<'_>, name: &RevisionName) -> Result<Revision, Refusal> {
    programme_row(view, &name.programme)?;
    match view.row(&Key::Revision(name.clone()))?.as_deref() {
        Some(Row::Revision(row)) => Ok(row.clone()),
        _ => Err(Refusal::new(Reason::RevisionNotFound, format!("There is no revision {name}."))
            .at(name.to_string(), "List them with PolicyService.ListRevisions.")),
    }
}

/// Fills a page with revisions, the newest below a number first. Their policies
/// are not shown.
pub fn newest(
    view: &mut View<'_>,
    programme: &ProgrammeName,
    mut before: u32,
    mut page: Filling<v1::Revision>,
) -> Result<Filling<v1::Revision>, Refusal> {
    let key = |number| Key::Revision(RevisionName { programme: programme.clone(), number });
    loop {
        let limit = page.wanted();
        let rows = view.scan(&Scan { from: key(0), to: key(before), reverse: true, limit })?;
        for row in &rows {
            let Row::Revision(row) = row.as_ref() else { return Ok(page) };
            before = row.name.number;
            let revision = to_revision(row, false);
            if !page.push(before, revision.encoded_len(), revision) {
                return Ok(page);
            }
        }
        if rows.len() < limit {
            return Ok(page);
        }
    }
}

/// How many revisions a programme has, and their policies.
pub fn policies(
    view: &mut View<'_>,
    programme: &ProgrammeName,
) -> Result<(u32, Vec<Arc<Policy>>), Refusal> {
    let revisions = match view.row(&Key::Programme(programme.clone()))?.as_deref() {
        Some(Row::Programme(row)) => row.revisions,
        _ => 0,
    };
    let name = |number| RevisionName { programme: programme.clone(), number };
    let policies = (1..=revisions).filter_map(|number| view.policy(&name(number))).collect();
    Ok((revisions, policies))
}

/// What would count something else than in any of these. Takes long.
pub fn incompatible(old: &[Arc<Policy>], new: &Policy) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for problem in old.iter().flat_map(|old| policy::compatible(old, new)) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

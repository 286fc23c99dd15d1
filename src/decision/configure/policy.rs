//! Revisions of policies: storing and activating them. Whether a policy is
//! sound was checked before; whether it may follow the ones before is checked
//! by whoever has them compiled.

use std::sync::Arc;

use super::{
    super::{context::Context, loaded::Loaded, out::Out, reply::Reply, spec::the_programme},
    history, put,
};
use crate::domain::{
    change::Change,
    event::EventKind,
    instant::Instant,
    key::Key,
    name::{PlatformName, ProgrammeName, RevisionName},
    refusal::{Reason, Refusal},
    request::{Answered, RequestIdentity},
    row::{Programme, Revision, Row},
    text::Text,
};

/// A policy to store.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// The programme.
    pub programme: ProgrammeName,
    /// How many revisions the programme had when the policy was checked
    /// against them.
    pub after: u32,
    /// The policy, encoded.
    pub policy: Arc<[u8]>,
    /// SHA-256 of it.
    pub checksum: Text,
    /// Why it was made.
    pub note: Text,
}

/// A revision to put in force.
#[derive(Clone, Debug)]
pub struct Activate {
    /// Which.
    pub revision: RevisionName,
    /// From when. `None`: now.
    pub start_time: Option<Instant>,
}

impl NewRevision {
    fn name(&self, number: u32) -> RevisionName {
        RevisionName { programme: self.programme.clone(), number }
    }

    fn platform(&self) -> PlatformName {
        PlatformName { platform: self.programme.platform.clone() }
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        vec![Key::Platform(self.platform()), Key::Programme(self.programme.clone())]
    }

    /// The revision that an earlier request of the same id made.
    pub(super) fn earlier(&self, loaded: &Loaded<'_>, identity: &RequestIdentity) -> Option<Key> {
        match loaded.request(&identity.key)?.answered {
            Answered::Revision(number) => Some(Key::Revision(self.name(number))),
            _ => None,
        }
    }

    pub(super) fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        let platform = PlatformName { platform: self.programme.platform.clone() };
        loaded.the_platform(&platform)?;
        let old = loaded.programme(&self.programme);
        let revisions = old.map_or(0, |p| p.revisions);
        if revisions != self.after {
            let message = format!("{} got another revision meanwhile.", self.programme);
            return Err(
                Refusal::new(Reason::Contention, message).at("parent", "Send the request again.")
            );
        }
        let number = revisions + 1;
        let programme = Programme {
            name: self.programme.clone(),
            revisions: number,
            activations: old.map_or_else(Vec::new, |p| p.activations.clone()),
        };
        out.changes.push(Change::put(Row::Programme(programme)));
        let row = Revision {
            name: self.name(number),
            policy: self.policy.clone(),
            create_time: context.now,
            caller: context.author.caller.clone(),
            note: self.note.clone(),
            checksum: self.checksum.clone(),
        };
        Ok(put(Row::Revision(row), None, &self.name(number).to_string(), context, out))
    }
}

impl Activate {
    pub(super) fn keys(&self) -> Vec<Key> {
        vec![Key::Programme(self.revision.programme.clone()), Key::Revision(self.revision.clone())]
    }

    pub(super) fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        let programme = the_programme(loaded, &self.revision.programme)?;
        if loaded.row(&Key::Revision(self.revision.clone())).is_none() {
            let message = format!("There is no revision {}.", self.revision);
            return Err(Refusal::new(Reason::RevisionNotFound, message)
                .at(self.revision.to_string(), "Make it with PolicyService.CreateRevision."));
        }
        let start = self.start_time.unwrap_or(context.now);
        if start < context.now {
            let message = format!("{start} has passed; it is {} now.", context.now);
            return Err(Refusal::new(Reason::ActivationInPast, message)
                .at("start_time", "Leave it out to activate now, or give a later time."));
        }
        let mut row = programme.clone();
        // What was planned for the same instant will never have been in force.
        row.activations.retain(|(at, _)| *at != start || *at <= context.now);
        let place = row.activations.partition_point(|(at, _)| *at <= start);
        row.activations.insert(place, (start, self.revision.number));
        history::check(&row, place, context)?;
        out.tell(context.now, None, EventKind::Configured(row.name.to_string().into()));
        out.changes.push(Change::put(Row::Programme(row.clone())));
        Ok(Reply::Row(Arc::new(Row::Programme(row))))
    }
}

//! Edits of configured fields, under a mask and an etag.

use std::sync::Arc;

use crate::domain::{
    refusal::{Reason, Refusal},
    shop::Stamp,
    value::{Fact, Facts},
};

/// What to change of a resource.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The etag it has to have; empty: any.
    pub etag: String,
    /// A new display name.
    pub display_name: Option<Arc<str>>,
    /// New facts.
    pub facts: FactEdit,
}

/// What to change of registered facts.
#[derive(Clone, Debug)]
pub enum FactEdit {
    /// Nothing.
    Keep,
    /// All of them: those that are not named are gone.
    All(Facts),
    /// These; `None`: gone.
    Some(Vec<(Arc<str>, Option<Fact>)>),
}

impl FactEdit {
    /// Applies it.
    pub fn apply(&self, facts: &Facts) -> Facts {
        match self {
            Self::Keep => facts.clone(),
            Self::All(facts) => facts.clone(),
            Self::Some(edits) => {
                let mut facts = facts.clone();
                for (name, fact) in edits {
                    match fact {
                        Some(fact) => facts.insert(name.clone(), fact.clone()),
                        None => facts.remove(name),
                    };
                }
                facts
            }
        }
    }
}

/// That the etag sent is the current one.
pub fn check_etag(etag: &str, stamp: &Stamp) -> Result<(), Refusal> {
    if etag.is_empty() || etag == stamp.etag() {
        return Ok(());
    }
    let message = format!("The resource has etag {:?} now, not {etag:?}.", stamp.etag());
    Err(Refusal::new(Reason::EtagMismatch, message)
        .at("etag", "Read it again and repeat the change on what it is now."))
}

//! Edits of configured fields, under a mask and an etag.

use crate::domain::{
    refusal::{Reason, Refusal},
    shop::Stamp,
    text::Text,
    value::{Fact, Facts},
};

/// What to change of a resource.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The etag it has to have; empty: any.
    pub etag: String,
    /// A new display name.
    pub display_name: Option<Text>,
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
    Some(Vec<(Text, Option<Fact>)>),
}

/// Most facts of a resource. A request has no more; edits by name may add up.
const MOST_FACTS: usize = 100;

impl FactEdit {
    /// Applies it.
    ///
    /// # Errors
    /// If there would be too many.
    pub fn apply(&self, facts: &Facts) -> Result<Facts, Refusal> {
        let facts = self.applied(facts);
        let count = facts.len();
        if count <= MOST_FACTS {
            return Ok(facts);
        }
        let message = format!("The resource would have {count} facts; at most {MOST_FACTS}.");
        Err(Refusal::new(Reason::FieldInvalid, message)
            .at("update_mask", "Take facts away that are not needed any more."))
    }

    fn applied(&self, facts: &Facts) -> Facts {
        match self {
            Self::Keep => facts.clone(),
            Self::All(facts) => facts.clone(),
            Self::Some(edits) => {
                let mut facts = facts.clone();
                for (name, fact) in edits {
                    match fact {
                        Some(fact) => facts.insert(name.clone(), fact.clone()),
                        None => facts.remove(name),
                    }
                }
                facts
            }
        }
    }
}

/// That no etag was sent for something that is not there: it was taken away
/// since, and an update would bring it back.
pub fn check_absent(etag: &str) -> Result<(), Refusal> {
    if etag.is_empty() {
        return Ok(());
    }
    Err(mismatch(format!(
        "The resource is not there any more; etag {etag:?} was of an earlier one."
    )))
}

/// That the etag sent is the current one.
pub fn check_etag(etag: &str, stamp: &Stamp) -> Result<(), Refusal> {
    if etag.is_empty() || etag == stamp.etag() {
        return Ok(());
    }
    Err(mismatch(format!("The resource has etag {:?} now, not {etag:?}.", stamp.etag())))
}

fn mismatch(message: String) -> Refusal {
    Refusal::new(Reason::EtagMismatch, message)
        .at("etag", "Read it again and repeat the change on what it is now.")
}

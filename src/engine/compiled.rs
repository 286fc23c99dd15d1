//! Compiled policies by revision. Those of a batch that was judged and is not
//! durable yet can be taken back.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use crate::domain::{
    name::RevisionName,
    policy::{Policies, Policy},
    row::Row,
};

/// Compiles a stored policy.
pub type Compiler = Arc<dyn Fn(&[u8]) -> Result<Policy, String> + Send + Sync>;

/// Compiled policies.
pub(super) struct Compiled {
    compiler: Compiler,
    policies: HashMap<RevisionName, Arc<Policy>, RandomState>,
    /// Learned since the last `keep`.
    unsure: Vec<RevisionName>,
}

impl Compiled {
    /// None yet.
    pub(super) fn new(compiler: Compiler) -> Self {
        Self { compiler, policies: HashMap::default(), unsure: Vec::new() }
    }

    /// Compiles a revision, if the row is one.
    pub(super) fn learn(&mut self, row: &Row) -> Result<(), String> {
        if let Row::Revision(revision) = row {
            let policy = (self.compiler)(&revision.policy)
                .map_err(|error| format!("{} cannot be compiled: {error}", revision.name))?;
            self.policies.insert(revision.name.clone(), Arc::new(policy));
            self.unsure.push(revision.name.clone());
        }
        Ok(())
    }

    /// What was learned is durable.
    pub(super) fn keep(&mut self) {
        self.unsure.clear();
    }

    /// What was learned since the last `keep` did not come about.
    pub(super) fn take_back(&mut self) {
        for revision in self.unsure.drain(..) {
            self.policies.remove(&revision);
        }
    }
}

impl Policies for Compiled {
    fn policy(&self, revision: &RevisionName) -> Option<Arc<Policy>> {
        self.policies.get(revision).cloned()
    }
}

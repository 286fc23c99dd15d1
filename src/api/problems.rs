//! Collects what is wrong with a request, all at once, while it is converted.

use super::status::invalid;
use crate::{
    contract::{Contract, Violation, violations},
    domain::refusal::{Detail, Reason, Refusal},
};

/// What is wrong with a request.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<(Reason, Detail)>,
}

impl Problems {
    /// Starts with what breaks the contract.
    pub fn of<M: Contract>(message: &M) -> Self {
        let mut problems = Self::default();
        problems.extend(violations(message));
        problems
    }

    /// Adds violations of the contract.
    pub fn extend(&mut self, violations: Vec<Violation>) {
        let details =
            violations.into_iter().map(|v| Detail { field: v.field, description: v.description });
        self.found.extend(details.map(|detail| (Reason::FieldInvalid, detail)));
    }

    /// Adds something that is wrong with a field, unless the contract said so.
    pub fn add(
        &mut self,
        reason: Reason,
        field: impl Into<String>,
        description: impl Into<String>,
    ) {
        let field = field.into();
        let known = |f: &str| {
            f == field
                || f.strip_prefix(field.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        if !self.found.iter().any(|(_, detail)| known(&detail.field)) {
            self.found.push((reason, Detail { field, description: description.into() }));
        }
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A value if nothing is wrong; else everything that is, under the first
    /// reason that is more telling than FIELD_INVALID if all share it.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Refusal> {
        match (value, self.found.is_empty()) {
            (Some(value), true) => Ok(value),
            (None, true) => {
                Err(Refusal::new(Reason::Internal, "A request was dropped without a reason."))
            }
            (_, false) => Err(self.refusal()),
        }
    }

    fn refusal(self) -> Refusal {
        let reason = self.found.first().map_or(Reason::FieldInvalid, |(reason, _)| *reason);
        let alike = self.found.iter().all(|(r, _)| *r == reason);
        let details: Vec<Detail> = self.found.into_iter().map(|(_, detail)| detail).collect();
        let violations = details
            .into_iter()
            .map(|d| Violation {
                field: d.field,
                reason: "FIELD_INVALID",
                description: d.description,
            })
            .collect();
        let mut refusal = invalid(violations);
        if alike {
            refusal.reason = reason;
        }
        refusal
    }
}

//! Collects what is wrong with a request, all at once, while it is converted.

use crate::{
    contract::{Contract, Violation, Violations, violations},
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
        let broken = violations(message).into_iter().map(|violation| {
            let Violation { field, reason, description } = violation;
            (Reason::FieldInvalid, Detail { field, word: reason.into(), description })
        });
        Self { found: broken.collect() }
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
        // A hostile request has more than can be looked through again and again.
        let full = self.found.len() >= Violations::MOST;
        if !full && !self.found.iter().any(|(_, detail)| known(&detail.field)) {
            let (word, description) = (reason.as_str().into(), description.into());
            self.found.push((reason, Detail { field, word, description }));
        }
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A value if nothing is wrong; else everything that is, under the reason
    /// that all share, or FIELD_INVALID.
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
        let message = match self.found.len() {
            1 => "A field of the request is not as the contract asks.".to_owned(),
            count => format!("{count} fields of the request are not as the contract asks."),
        };
        let first = self.found.first().map_or(Reason::FieldInvalid, |(reason, _)| *reason);
        let alike = self.found.iter().all(|(reason, _)| *reason == first);
        let mut refusal = Refusal::new(if alike { first } else { Reason::FieldInvalid }, message);
        refusal.details = self.found.into_iter().map(|(_, detail)| detail).collect();
        refusal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_of_problems_the_first_are_kept() {
        let mut problems = Problems::default();
        for n in 0..100_000 {
            problems.add(Reason::FieldInvalid, format!("facts[{n}]"), "Is none.");
        }
        let refusal = problems.finish(Some(())).expect_err("it is refused");
        assert_eq!(refusal.details.len(), Violations::MOST);
    }

    #[test]
    fn what_the_contract_said_of_a_field_is_not_said_again() {
        let mut problems = Problems::default();
        problems.add(Reason::AmountInvalid, "payout.amount.nanos", "Is too large.");
        problems.add(Reason::AmountInvalid, "payout.amount", "Is too large.");
        problems.add(Reason::NameInvalid, "payout.amount_of", "Is no name.");
        let refusal = problems.finish(Some(())).expect_err("it is refused");
        let words: Vec<&str> = refusal.details.iter().map(|d| &*d.word).collect();
        assert_eq!(words, ["AMOUNT_INVALID", "NAME_INVALID"]);
        assert_eq!(refusal.reason, Reason::FieldInvalid);
    }
}

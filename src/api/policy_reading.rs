//! Reading policies: from messages, from YAML, from the store; checked, with the
//! lines of what is wrong.

use std::sync::Arc;

use prost::Message;

use super::policy::{self, PolicyReason, Problem};
use crate::{domain::policy::Policy, proto::v1, yaml};

/// Compiles a stored policy: what the engine is started with.
///
/// # Errors
/// Why it cannot be compiled.
pub fn compile_stored(bytes: &[u8]) -> Result<Policy, String> {
    let policy = v1::Policy::decode(bytes).map_err(|error| error.to_string())?;
    policy::recompile(&policy).map_err(|problems| {
        let all: Vec<String> =
            problems.iter().map(|p| format!("{}: {}", p.field, p.description)).collect();
        all.join("; ")
    })
}

/// What is wrong with a policy, with lines if it came as YAML.
pub fn problem(problem: &Problem, lines: Option<&yaml::LineIndex>) -> v1::PolicyProblem {
    let line = lines.map_or(0, |lines| lines.line_of(&problem.field));
    v1::PolicyProblem {
        field: problem.field.clone(),
        line: i32::try_from(line).unwrap_or(0),
        reason: problem.reason.as_str().to_owned(),
        description: problem.description.clone(),
    }
}

/// A policy as it was sent, read and checked.
pub struct Read {
    /// The policy, if it could be read.
    pub policy: Option<v1::Policy>,
    /// The same compiled, if nothing is wrong with it.
    pub compiled: Option<Arc<Policy>>,
    /// The lines of its YAML.
    pub lines: Option<yaml::LineIndex>,
    /// What is wrong with it.
    pub problems: Vec<v1::PolicyProblem>,
}

impl Read {
    fn broken(problems: Vec<v1::PolicyProblem>) -> Self {
        Self { policy: None, compiled: None, lines: None, problems }
    }
}

/// Reads a policy that was sent as a message or as YAML, and checks it. Takes
/// as long as policies may be large.
pub fn read(policy: Option<&v1::Policy>, text: &str) -> Read {
    let (policy, lines) = match (policy, text.is_empty()) {
        (Some(policy), true) => (policy.clone(), None),
        (None, false) => match yaml::read::<v1::Policy>(text, "bursar.v1.Policy") {
            Ok((policy, lines)) => (policy, Some(lines)),
            Err(problems) => {
                let problems = problems.into_iter().map(|p| v1::PolicyProblem {
                    field: p.path,
                    line: i32::try_from(p.line).unwrap_or(0),
                    reason: p.reason.to_owned(),
                    description: p.description,
                });
                return Read::broken(problems.collect());
            }
        },
        _ => {
            let problem = v1::PolicyProblem {
                field: "policy".to_owned(),
                line: 0,
                reason: PolicyReason::Missing.as_str().to_owned(),
                description: "Send either policy or yaml.".to_owned(),
            };
            return Read::broken(vec![problem]);
        }
    };
    let (compiled, problems) = match policy::compile(&policy) {
        Ok(compiled) => (Some(Arc::new(compiled)), Vec::new()),
        Err(problems) => (None, problems),
    };
    let problems = problems.iter().map(|p| problem(p, lines.as_ref())).collect();
    Read { policy: Some(policy), compiled, lines, problems }
}

/// What the engine compiles stored policies with.
pub fn compiler() -> crate::engine::Compiler {
    Arc::new(compile_stored)
}

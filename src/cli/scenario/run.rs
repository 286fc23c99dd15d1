//! Runs the steps of one scenario against one service.

use std::{collections::BTreeMap, path::PathBuf};

use prost_reflect::{DynamicMessage, MethodDescriptor};
use tonic::{metadata::MetadataMap, transport::Channel};

use super::{
    came::{Came, pick},
    expect::{Mismatch, compare},
    file::{Action, Call, ClockStep, Expect, PolicyStep, Scenario, Step, parse_wait},
    host::{Host, HostFactory},
    policy, prove, repeat,
    template::{Unfilled, Variables, fill, fill_text},
};
use crate::{
    wire::{self, Answer, Caller},
    yaml::{self, located::Node},
};

/// How scenarios are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of the files that `policy` steps name.
    pub policies: PathBuf,
    /// YAML by file name, used instead of the directory's file.
    pub policy_override: BTreeMap<String, String>,
    /// Send every call that may be repeated twice and compare the answers.
    pub twice: bool,
    /// Stop the service without notice and open its store again after each step.
    pub reopen_each_step: bool,
    /// Check every denial's `max_amount` and `reset_time` against the service.
    pub prove_receipts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policies: PathBuf::from("policies"),
            policy_override: BTreeMap::new(),
            twice: false,
            reopen_each_step: false,
            prove_receipts: false,
        }
    }
}

/// What became of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How many steps passed.
    pub steps_run: usize,
    /// The first that did not. None: all passed.
    pub failure: Option<Failure>,
}

/// Why a scenario failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which step, from 1. 0: the service did not start.
    pub step: usize,
    /// The file the step is written in.
    pub file: PathBuf,
    /// The line there: of the expectation, if that is what failed.
    pub line: u32,
    /// The step, and what about it failed.
    pub what: String,
    /// What was expected; several differences are several lines.
    pub expected: String,
    /// What came; as many lines.
    pub came: String,
    /// The whole answer as JSON, if there was one.
    pub answer: Option<String>,
}

/// Why a step failed, before its place is known.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    pub(super) line: Option<u32>,
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) came: String,
    pub(super) answer: Option<String>,
}

impl Trouble {
    pub(super) fn new(what: &str, expected: impl Into<String>, came: impl Into<String>) -> Self {
        let (expected, came) = (expected.into(), came.into());
        Self { what: what.to_owned(), expected, came, ..Self::default() }
    }
}

impl From<Unfilled> for Trouble {
    fn from(unfilled: Unfilled) -> Self {
        let trouble = Self::new("a variable", "a saved value", unfilled.description);
        Self { line: Some(unfilled.line), ..trouble }
    }
}

/// A call to make.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: MethodDescriptor,
    /// One, unless the method takes a stream.
    pub(super) requests: Vec<DynamicMessage>,
    pub(super) metadata: MetadataMap,
}

/// A call that was made and what came of it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) asked: Asked,
    pub(super) answer: Result<Answer, wire::Failure>,
}

/// Makes a call.
pub(super) async fn send(channel: Channel, asked: Asked) -> Exchange {
    let caller = Caller::new(channel);
    let answer = caller.call(&asked.method, asked.requests.clone(), &asked.metadata).await;
    Exchange { asked, answer }
}

/// The messages that a method is sent: one, or those of a list.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn requests(
    node: &Node,
    method: &MethodDescriptor,
) -> Result<Vec<DynamicMessage>, Vec<yaml::Problem>> {
    if method.is_client_streaming() {
        yaml::from_list(node, &method.input())
    } else {
        yaml::from_node(node, &method.input()).map(|parsed| vec![parsed.message])
    }
}

/// Watches a scenario being run.
pub trait Observer: Send {
    /// A step is about to be done.
    fn before(&mut self, step: &Step);
    /// A step was done; a call with its answer.
    fn after(&mut self, step: &Step, answer: Option<&Result<Answer, wire::Failure>>);
}

/// Runs a scenario on a service of its own, up to the first failure, before
/// the eyes of an observer; gives the service as the scenario left it.
pub async fn play(
    scenario: &Scenario,
    factory: &dyn HostFactory,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Box<dyn Host>, Failure> {
    let mut runner = Runner::start(scenario, factory, options).await.map_err(|error| {
        let trouble = Trouble::new("starting the service", "a running service", error);
        located(trouble, scenario, None)
    })?;
    for (i, step) in scenario.steps.iter().enumerate() {
        observer.before(step);
        match runner.step(i, step).await {
            Ok(exchange) => observer.after(step, exchange.as_ref().map(|e| &e.answer)),
            Err(trouble) => return Err(located(trouble, scenario, Some((i, step)))),
        }
    }
    Ok(runner.host)
}

/// Runs a scenario on a service of its own, up to the first failure.
pub async fn run_file(
    scenario: &Scenario,
    factory: &dyn HostFactory,
    options: &Options,
) -> Outcome {
    let mut runner = match Runner::start(scenario, factory, options).await {
        Ok(runner) => runner,
        Err(error) => {
            let trouble = Trouble::new("starting the service", "a running service", error);
            return Outcome { steps_run: 0, failure: Some(located(trouble, scenario, None)) };
        }
    };
    for (i, step) in scenario.steps.iter().enumerate() {
        let passed = runner.step(i, step).await;
        let passed = match passed {
            Ok(Some(exchange)) if options.prove_receipts => {
                prove::receipts(&mut runner, factory, i, &exchange).await
            }
            Ok(_) => Ok(()),
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = passed {
            let failure = located(trouble, scenario, Some((i, step)));
            return Outcome { steps_run: i, failure: Some(failure) };
        }
    }
    Outcome { steps_run: scenario.steps.len(), failure: None }
}

fn located(trouble: Trouble, scenario: &Scenario, step: Option<(usize, &Step)>) -> Failure {
    let file = step.map_or(scenario.path.clone(), |(_, step)| step.file.to_path_buf());
    let what = match step {
        Some((_, step)) => format!("{}: {}", step.action.title(), trouble.what),
        None => trouble.what,
    };
    Failure {
        step: step.map_or(0, |(i, _)| i + 1),
        file,
        line: trouble.line.or(step.map(|(_, step)| step.line)).unwrap_or(1),
        what,
        expected: trouble.expected,
        came: trouble.came,
        answer: trouble.answer,
    }
}

impl Action {
    /// What the step does, in a few words.
    fn title(&self) -> String {
        match self {
            Action::Call(call) => wire::short_name(&call.method),
            Action::Policy(step) => format!("policy {}", step.file),
            Action::Clock(ClockStep::Wait(text)) => format!("wait {text}"),
            Action::Clock(ClockStep::Until(text)) => format!("until {text}"),
            Action::Restart { .. } => "restart".to_owned(),
        }
    }
}

/// A service and how far the scenario has come on it.
pub(super) struct Runner<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) options: &'a Options,
    pub(super) host: Box<dyn Host>,
    variables: Variables,
}

impl<'a> Runner<'a> {
    pub(super) async fn start(
        scenario: &'a Scenario,
        factory: &dyn HostFactory,
        options: &'a Options,
    ) -> Result<Self, String> {
        let host = factory.start(scenario.clock).await?;
        Ok(Self { scenario, options, host, variables: Variables::new() })
    }

    /// Does one step; a call gives its exchange.
    pub(super) async fn step(
        &mut self,
        i: usize,
        step: &Step,
    ) -> Result<Option<Exchange>, Trouble> {
        let exchange = match &step.action {
            Action::Call(call) => Some(self.call(i, step, call).await?),
            Action::Policy(policy) => {
                self.policy(i, step, policy).await?;
                None
            }
            Action::Clock(clock) => {
                self.clock(clock).await?;
                None
            }
            Action::Restart { drain } => {
                self.restart(*drain).await?;
                None
            }
        };
        if self.options.reopen_each_step {
            self.restart(false).await?;
        }
        Ok(exchange)
    }

    async fn restart(&mut self, drain: bool) -> Result<(), Trouble> {
        let expected = "the service on the same store";
        self.host
            .restart(drain)
            .await
            .map_err(|error| Trouble::new("opening the store again", expected, error))
    }

    async fn clock(&mut self, step: &ClockStep) -> Result<(), Trouble> {
        let now = self.host.now();
        let (text, target) = match step {
            ClockStep::Wait(text) => {
                let text = self.text(text)?;
                let target = parse_wait(&text).and_then(|wait| now.checked_add(wait).ok());
                (text, target)
            }
            ClockStep::Until(text) => {
                let text = self.text(text)?;
                let target = yaml::parse_timestamp(&text);
                (text, target)
            }
        };
        let target = target.filter(|target| *target >= now).ok_or_else(|| {
            let expected = format!("a duration or an instant, not before {now}");
            Trouble::new("the clock", expected, text)
        })?;
        let moved = self.host.advance_to(target).await;
        moved.map_err(|error| Trouble::new("the clock", format!("it shows {target}"), error))
    }

    fn text(&self, text: &str) -> Result<String, Trouble> {
        fill_text(text, &self.variables)
            .map_err(|description| Trouble::new("a variable", "a saved value", description))
    }

    fn metadata(&self, step: &Step) -> Result<MetadataMap, Trouble> {
        let filled: Result<Vec<(&str, String)>, Trouble> = step
            .metadata
            .iter()
            .map(|(name, value)| Ok((name.as_str(), self.text(value)?)))
            .collect();
        wire::metadata(filled?.iter().map(|(name, value)| (*name, value.as_str())))
            .map_err(|error| Trouble::new("the metadata", "visible ASCII", error))
    }

    async fn policy(&mut self, i: usize, step: &Step, policy: &PolicyStep) -> Result<(), Trouble> {
        let install = policy::Install {
            text: policy::text(self.options, &policy.file)?,
            file: policy.file.clone(),
            programme: self.text(&policy.programme)?,
            metadata: self.metadata(step)?,
            request_id: self.options.twice.then(|| step_id(i)),
        };
        install.run(self.host.channel()).await
    }

    async fn call(&mut self, i: usize, step: &Step, call: &Call) -> Result<Exchange, Trouble> {
        let exchange = send(self.host.channel(), self.asked(i, step, call)?).await;
        self.judge(call, &exchange.answer)?;
        if self.options.twice
            && repeat::may_repeat(&exchange.asked.method, &exchange.asked.requests)
        {
            let again = send(self.host.channel(), exchange.asked.clone()).await.answer;
            if let Some((path, first, second)) = repeat::difference(&exchange.answer, &again) {
                let what = format!("the same call sent again, {path}");
                return Err(Trouble::new(what.trim_end_matches(", "), first, second));
            }
        }
        Ok(exchange)
    }

    /// What a call of a scenario sends, as far as it has come.
    pub(super) fn asked(&self, i: usize, step: &Step, call: &Call) -> Result<Asked, Trouble> {
        let node = fill(&call.request, &self.variables)?;
        let mut requests = requests(&node, &call.method).map_err(|problems| {
            let came: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let expected = format!("a {}", call.method.input().name());
            let line = problems.first().map(|problem| problem.line);
            Trouble { line, ..Trouble::new("the request", expected, came.join("\n")) }
        })?;
        let id = step_id(i);
        if let (true, Some(nodes)) = (call.method.is_client_streaming(), node.as_list()) {
            for (j, (request, node)) in requests.iter_mut().zip(nodes).enumerate() {
                let id = format!("{id}-{}", j + 1);
                repeat::fill_ids(request, node, &id, self.options.twice);
            }
        } else if let Some(request) = requests.first_mut() {
            repeat::fill_ids(request, &node, &id, self.options.twice);
        }
        Ok(Asked { method: call.method.clone(), requests, metadata: self.metadata(step)? })
    }

    /// Holds the answer against the expectation and keeps what is to be saved.
    fn judge(
        &mut self,
        call: &Call,
        answer: &Result<Answer, wire::Failure>,
    ) -> Result<(), Trouble> {
        let (expected, came) = match (&call.expect, answer) {
            (Expect::Failure(_), Ok(answer)) => {
                let trouble = Trouble::new("the answer", "a failure", "an answer");
                return Err(Trouble { answer: Some(json(answer)), ..trouble });
            }
            (Expect::Answer | Expect::Subset(_), Err(failure)) => {
                return Err(Trouble::new("the answer", "an answer", failure.to_string()));
            }
            (Expect::Failure(expected), Err(failure)) => (Some(expected), Came::from(failure)),
            (Expect::Answer, Ok(answer)) => (None, Came::from(answer)),
            (Expect::Subset(expected), Ok(answer)) => (Some(expected), Came::from(answer)),
        };
        if let Some(expected) = expected {
            let differences = compare(&fill(expected, &self.variables)?, &came);
            if !differences.is_empty() {
                return Err(differing(&differences, answer));
            }
        }
        for save in &call.save {
            let value = pick(&came, &save.path).map_err(|error| {
                let trouble = Trouble::new("save", format!("a value at `{}`", save.path), error);
                Trouble { line: Some(save.line), ..trouble }
            })?;
            self.variables.insert(save.name.clone(), value);
        }
        Ok(())
    }
}

fn differing(differences: &[Mismatch], answer: &Result<Answer, wire::Failure>) -> Trouble {
    let lines = |text: fn(&Mismatch) -> &str| {
        let line = |m: &Mismatch| match m.path.as_str() {
            "" => text(m).to_owned(),
            path => format!("{path}: {}", text(m)),
        };
        differences.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let trouble = Trouble::new("the answer", lines(|m| &m.expected), lines(|m| &m.came));
    let answer = match answer {
        Ok(answer) => json(answer),
        Err(failure) => failure.to_string(),
    };
    Trouble {
        line: differences.first().map(|difference| difference.line),
        answer: Some(answer),
        ..trouble
    }
}

/// The same for the same step in every run, so that runs can be compared.
fn step_id(i: usize) -> String {
    format!("scenario-step-{}", i + 1)
}

fn json(answer: &Answer) -> String {
    wire::json::answer_to_json(answer)
        .and_then(|json| serde_json::to_string_pretty(&json).map_err(|error| error.to_string()))
        .unwrap_or_else(|error| error)
}

//! Every number, list entry, choice and flag of the policy is guarded: changed
//! in turn, at least one scenario fails. The table is written to
//! `target/mutation-report.txt`. `MUTATE=order-total,draws` looks only at
//! mutants whose element or place has one of those in it.

mod mutants;
mod scenario_suite;

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    path::Path,
    sync::Mutex,
    time::Instant,
};

use bursar::{
    api::policy_reading,
    cli::{
        scenario::{Action, Failure, Options, Scenario},
        store,
    },
    yaml::located,
};
use mutants::Mutant;
use prost::Message;
use scenario_suite::{all_pass, for_each, options, root, run, scenarios};

const POLICY: &str = "douyin-small-payout.yaml";

/// What became of a mutant.
enum Fate {
    /// It does not load.
    Refused(String),
    /// It loads as the very same policy: a default that was written out.
    Same,
    /// This scenario noticed.
    Killed { scenario: usize, how: String },
    /// No scenario did.
    Survived,
}

#[test]
fn changing_anything_in_the_policy_makes_a_scenario_fail() {
    let started = Instant::now();
    let text = std::fs::read_to_string(root("policies").join(POLICY)).expect("the policy");
    let policy = located::parse(&text).expect("it is YAML").to_json();
    let scenarios: Vec<Scenario> = scenarios(&root("tests/scenarios"))
        .into_iter()
        .filter(|scenario| scenario.steps.iter().any(|s| matches!(s.action, Action::Policy(_))))
        .collect();
    // Only what was changed may make a difference, not that it is JSON now.
    all_pass(&scenarios, "memory", &with(policy.to_string()));

    let wanted = std::env::var("MUTATE").unwrap_or_default();
    let mut mutants = mutants::mutants(&policy);
    mutants.retain(|m| {
        let place = format!("{}.{}", m.element, m.place);
        wanted.split(',').any(|wanted| place.contains(wanted))
    });
    let original = loaded(&policy.to_string()).expect("the policy loads");
    let hunt = Hunt { scenarios: &scenarios, original, killers: Mutex::default() };
    let fates = for_each(&mutants, |runtime, mutant| hunt.fate(runtime, mutant));

    let report = report(&mutants, &fates, &scenarios);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    std::fs::write(target.join("mutation-report.txt"), &report).expect("the report is written");
    let count = |wanted: fn(&Fate) -> bool| fates.iter().filter(|fate| wanted(fate)).count();
    println!(
        "{} mutants: {} refused when loaded, {} the same when loaded, {} killed, {} survived, in {:?}",
        fates.len(),
        count(|fate| matches!(fate, Fate::Refused(_))),
        count(|fate| matches!(fate, Fate::Same)),
        count(|fate| matches!(fate, Fate::Killed { .. })),
        count(|fate| matches!(fate, Fate::Survived)),
        started.elapsed(),
    );
    let survivors: Vec<String> = mutants
        .iter()
        .zip(&fates)
        .filter(|(_, fate)| matches!(fate, Fate::Survived))
        .map(|(mutant, _)| format!("{} {}: {}", mutant.element, mutant.place, mutant.change))
        .collect();
    assert!(survivors.is_empty(), "{} survive:\n{}", survivors.len(), survivors.join("\n"));
}

fn with(text: String) -> Options {
    Options { policy_override: BTreeMap::from([(POLICY.to_owned(), text)]), ..options() }
}

/// All that a policy comes to when it is loaded, or why it is not.
fn loaded(text: &str) -> Result<String, String> {
    let read = policy_reading::read(None, text);
    if let Some(problem) = read.problems.first() {
        return Err(format!("{}: {}", problem.field, problem.reason));
    }
    let bytes = read.policy.map(|policy| policy.encode_to_vec()).unwrap_or_default();
    policy_reading::compile_stored(&bytes).map(|policy| format!("{policy:?}"))
}

struct Hunt<'a> {
    scenarios: &'a [Scenario],
    original: String,
    /// By element, and by element and place: those that killed before, the
    /// last one first. What guards a thing one way mostly guards it another.
    killers: Mutex<HashMap<String, Vec<usize>>>,
}

impl Hunt<'_> {
    fn fate(&self, runtime: &tokio::runtime::Runtime, mutant: &Mutant) -> Fate {
        match loaded(&mutant.text) {
            Err(why) => return Fate::Refused(why),
            Ok(policy) if policy == self.original => return Fate::Same,
            Ok(_) => {}
        }
        let options = with(mutant.text.clone());
        let factory = store::factory("memory").expect("a store");
        for i in self.order(mutant) {
            let scenario = &self.scenarios[i];
            let outcome = run(runtime, scenario, &factory, &options);
            let Some(failure) = outcome.failure else { continue };
            let step = failure.step.checked_sub(1).and_then(|step| scenario.steps.get(step));
            let installing = step.is_none_or(|step| matches!(step.action, Action::Policy(_)));
            assert!(!installing, "{}: {}: {failure:?}", mutant.element, mutant.change);
            self.remember(mutant, i);
            return Fate::Killed { scenario: i, how: how(&failure) };
        }
        // At once: the list comes only at the end.
        println!("SURVIVED {} {}: {}", mutant.element, mutant.place, mutant.change);
        Fate::Survived
    }

    /// All scenarios, the most promising first.
    fn order(&self, mutant: &Mutant) -> Vec<usize> {
        let mut order = Vec::new();
        let mut add = |i: usize| {
            if !order.contains(&i) {
                order.push(i);
            }
        };
        let killers = self.killers.lock().expect("no thread has panicked");
        let place = format!("{} {}", mutant.element, mutant.place);
        killers.get(&place).into_iter().flatten().for_each(|i| add(*i));
        for (i, scenario) in self.scenarios.iter().enumerate() {
            if mutant.sources.iter().any(|source| scenario.name.contains(source.as_str())) {
                add(i);
            }
        }
        killers.get(&mutant.element).into_iter().flatten().for_each(|i| add(*i));
        (0..self.scenarios.len()).for_each(add);
        order
    }

    fn remember(&self, mutant: &Mutant, killer: usize) {
        let mut killers = self.killers.lock().expect("no thread has panicked");
        for key in [format!("{} {}", mutant.element, mutant.place), mutant.element.clone()] {
            let known = killers.entry(key).or_default();
            known.retain(|i| *i != killer);
            known.insert(0, killer);
        }
    }
}

/// The step and the first difference: a decision, an amount, an instant, a field.
fn how(failure: &Failure) -> String {
    let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let (expected, came) = (first(&failure.expected), first(&failure.came));
    format!("{}, line {}: expected {expected}, came {came}", failure.what, failure.line)
}

fn report(mutants: &[Mutant], fates: &[Fate], scenarios: &[Scenario]) -> String {
    let mut report = String::from("| where | change | fate | by |\n|---|---|---|---|\n");
    for (mutant, fate) in mutants.iter().zip(fates) {
        let Mutant { element, place, change, .. } = mutant;
        let (fate, by) = match fate {
            Fate::Refused(why) => ("refused when loaded", why.clone()),
            Fate::Killed { scenario, how } => {
                ("killed", format!("{}: {how}", scenarios[*scenario].name))
            }
            Fate::Same => ("the same when loaded", String::new()),
            Fate::Survived => ("SURVIVED", String::new()),
        };
        let cell = |text: &str| text.replace('|', "\\|");
        let (change, by) = (cell(change), cell(&by));
        let _ = writeln!(report, "| {element} {place} | {change} | {fate} | {by} |");
    }
    report
}

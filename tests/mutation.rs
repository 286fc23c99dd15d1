//! Every number, list entry, operator, choice and flag of the policy is guarded:
//! changed in turn, at least one scenario fails. A mutant has to load to count;
//! what is around a change is fitted to it where that is all that is in the way.
//! The table is written to `target/mutation-report.txt`. `MUTATE=order-total,draws`
//! looks only at mutants whose element or place has one of those in it.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests look at clocks, and a panic is how they fail"
)]

mod mutants;
mod scenario_suite;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
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
use mutants::{Kind, Mutant, What, repair};
use prost::Message;
use scenario_suite::{all_pass, for_each, options, root, run, scenarios};

const POLICY: &str = "douyin-small-payout.yaml";

/// How many things around a change are fitted to it at most.
const MOST_REPAIRS: usize = 8;

/// How many other values are tried at a place that holds neither a number nor
/// an operator.
const SOME: usize = 3;

/// Numbers, list entries and operators that nothing else can stand in for, by
/// how their place ends, how many mutants are killed all the same, and why.
const NO_OTHER: [(&str, usize, &str); 2] = [
    ("stages[CONFIRM]", 0, "AuthorizePayout asks that stage: a rule without it is refused"),
    ("conditions[no-repeat] require.value", 1, "no count is below 0: that one is refused"),
];

/// What became of a mutant.
enum Fate {
    /// It does not load.
    Refused(String),
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
    let places: Vec<&[Mutant]> = mutants.chunk_by(|a, b| a.path == b.path).collect();
    let mutants = for_each(&places, |_, place| load_some(place, &original));
    let mutants: Vec<(Mutant, Result<String, String>)> = mutants.into_iter().flatten().collect();
    println!("loading {} mutants was tried within {:?}", mutants.len(), started.elapsed());
    let hunt = Hunt { scenarios: &scenarios, killers: Mutex::default() };
    let fates = for_each(&mutants, |runtime, (mutant, loaded)| hunt.fate(runtime, mutant, loaded));
    let mutants: Vec<Mutant> = mutants.into_iter().map(|(mutant, _)| mutant).collect();

    let report = report(&mutants, &fates, &scenarios);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    std::fs::write(target.join("mutation-report.txt"), &report).expect("the report is written");
    let count = |wanted: fn(&Fate) -> bool| fates.iter().filter(|fate| wanted(fate)).count();
    println!(
        "{} mutants: {} refused when loaded, {} killed, {} survived, in {:?}",
        fates.len(),
        count(|fate| matches!(fate, Fate::Refused(_))),
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
    let unguarded = unguarded(&mutants, &fates);
    assert!(unguarded.is_empty(), "no mutant tells of:\n{}", unguarded.join("\n"));
}

/// Places of numbers, list entries and operators of which no mutant loads and
/// is killed; of numbers, one less and one more.
fn unguarded(mutants: &[Mutant], fates: &[Fate]) -> Vec<String> {
    let mut killed: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (mutant, fate) in mutants.iter().zip(fates).filter(|(m, _)| m.what != What::Other) {
        let place = format!("{} {}", mutant.element, mutant.place);
        let both_ways = if mutant.what == What::Number { 2 } else { 1 };
        let needs = NO_OTHER.iter().find(|(end, ..)| place.trim_end().ends_with(end));
        let needs = needs.map_or(both_ways, |(_, needs, _)| *needs);
        let counts = mutant.what != What::Number || mutant.kind == Kind::Set;
        let is_killed = counts && matches!(fate, Fate::Killed { .. });
        killed.entry(place).or_insert((0, needs)).0 += usize::from(is_killed);
    }
    // An exception that is none any more has to go.
    let off = killed.iter().filter(|(place, (killed, needs))| {
        let excepted = NO_OTHER.iter().any(|(end, ..)| place.trim_end().ends_with(end));
        killed < needs || (excepted && killed > needs)
    });
    off.map(|(place, (killed, needs))| format!("{place}: {killed} killed, not {needs}")).collect()
}

fn with(text: String) -> Options {
    Options { policy_override: BTreeMap::from([(POLICY.to_owned(), text)]), ..options() }
}

/// All that a policy comes to when it is loaded, or why it is not: the field
/// and the word.
fn loaded(text: &str) -> Result<String, (String, String)> {
    let read = policy_reading::read(None, text);
    if let Some(problem) = read.problems.into_iter().next() {
        return Err((problem.field, problem.reason));
    }
    let bytes = read.policy.map(|policy| policy.encode_to_vec()).unwrap_or_default();
    let policy = policy_reading::compile_stored(&bytes).expect("it was compiled before");
    Ok(format!("{policy:?}"))
}

/// Loads the mutants of a place: all of numbers and operators, of other things
/// a few. Each policy once.
fn load_some(place: &[Mutant], original: &str) -> Vec<(Mutant, Result<String, String>)> {
    let wanted = |what| match what {
        What::Number | What::Operator => usize::MAX,
        What::Entry | What::Other => SOME,
    };
    let mut loaded = Vec::new();
    let mut seen = HashSet::from([original.to_owned()]);
    let mut others = 0;
    // Each place begins elsewhere in the list of what may stand there.
    let turn = place.first().map_or(0, |m| m.element.len() + m.place.len());
    let (mut set, rest): (Vec<&Mutant>, Vec<&Mutant>) =
        place.iter().partition(|mutant| mutant.kind == Kind::Set);
    let turn = turn % set.len().max(1);
    set.rotate_left(turn);
    for mutant in rest.into_iter().chain(set) {
        if mutant.kind == Kind::Set && others == wanted(mutant.what) {
            break;
        }
        let (mutant, came) = load(mutant.clone());
        if came.as_ref().is_ok_and(|policy| seen.insert(policy.clone())) {
            others += usize::from(mutant.kind == Kind::Set);
            loaded.push((mutant, came));
        } else if came.is_err() {
            loaded.push((mutant, came));
        }
    }
    loaded
}

/// Loads a mutant, with what is around its change fitted to it if need be.
fn load(mut mutant: Mutant) -> (Mutant, Result<String, String>) {
    let mut fitted = Vec::new();
    loop {
        match loaded(&mutant.policy.to_string()) {
            Ok(policy) => {
                if !fitted.is_empty() {
                    mutant.change = format!("{} ({})", mutant.change, fitted.join(", "));
                }
                return (mutant, Ok(policy));
            }
            Err((field, reason)) => match repair(&mut mutant, &field, &reason) {
                Some(what) if fitted.len() < MOST_REPAIRS => fitted.push(what),
                _ => return (mutant, Err(format!("{field}: {reason}"))),
            },
        }
    }
}

struct Hunt<'a> {
    scenarios: &'a [Scenario],
    /// By element, and by element and place: those that killed before, the
    /// last one first. What guards a thing one way mostly guards it another.
    killers: Mutex<HashMap<String, Vec<usize>>>,
}

impl Hunt<'_> {
    fn fate(
        &self,
        runtime: &tokio::runtime::Runtime,
        mutant: &Mutant,
        loaded: &Result<String, String>,
    ) -> Fate {
        if let Err(why) = loaded {
            return Fate::Refused(why.clone());
        }
        let options = with(mutant.policy.to_string());
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
            Fate::Survived => ("SURVIVED", String::new()),
        };
        let cell = |text: &str| text.replace('|', "\\|");
        let (change, by) = (cell(change), cell(&by));
        let _ = writeln!(report, "| {element} {place} | {change} | {fate} | {by} |");
    }
    report
}

//! The scenario files of this repository and a way to run many of them at
//! once. What the runs have to show is for the tests that use it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bursar::cli::scenario::{
    Failure, HostFactory, Loaded, Options, Outcome, Scenario, load, run_file,
};
use tokio::runtime::Runtime;

/// How many scenarios run at the same time.
const THREADS: usize = 2;

/// A directory of the repository.
pub fn root(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// Every `*.yaml` below a directory, in order of their names.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The scenarios below a directory; fragments are left out.
pub fn scenarios(directory: &Path) -> Vec<Scenario> {
    let load = |path: &PathBuf| match load(path) {
        Ok(Loaded::Scenario(scenario)) => Some(*scenario),
        Ok(Loaded::Fragment) => None,
        Err(problems) => panic!("{problems:#?}"),
    };
    files(directory).iter().filter_map(load).collect()
}

/// As scenarios are run here if nothing else is asked for.
pub fn options() -> Options {
    Options { policies: root("policies"), ..Options::default() }
}

/// Runs one scenario on a service of its own.
pub fn run(
    runtime: &Runtime,
    scenario: &Scenario,
    factory: &dyn HostFactory,
    options: &Options,
) -> Outcome {
    runtime.block_on(run_file(scenario, factory, options))
}

/// Does something with each item, each thread with a runtime of its own.
/// Answers are in the order of the items.
pub fn for_each<T: Sync, R: Send>(items: &[T], work: impl Fn(&Runtime, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("a runtime");
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(i) else { break };
                    let result = work(&runtime, item);
                    done.lock().expect("no thread has panicked").push((i, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread has panicked");
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs all of these and fails with the list of those that failed.
pub fn all_pass(scenarios: &[Scenario], store: &str, options: &Options) {
    assert!(!scenarios.is_empty(), "there are no scenarios");
    let factory = bursar::cli::store::factory(store).expect("a store");
    let failures = for_each(scenarios, |runtime, scenario| {
        let outcome = run(runtime, scenario, &factory, options);
        outcome.failure.map(|failure| describe(scenario, &failure))
    });
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// A failure in a few lines.
pub fn describe(scenario: &Scenario, failure: &Failure) -> String {
    let Failure { step, file, line, what, expected, came, .. } = failure;
    let place = file.strip_prefix(root("")).unwrap_or(file).display();
    format!(
        "{}\n  step {step}, {place}:{line}: {what}\n  expected: {expected}\n  came:     {came}",
        scenario.name
    )
}

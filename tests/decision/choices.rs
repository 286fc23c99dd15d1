//! Random choices that shrink: a list of small numbers, each taken modulo the
//! number of alternatives; a shorter or smaller list is a simpler case. Owns
//! how cases are run: the same ones every time, unless PROPTEST_CASES asks for
//! others.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use proptest::{
    collection::vec,
    prelude::any,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

/// See the module.
#[derive(Clone, Debug)]
pub struct Choices {
    numbers: Vec<u16>,
    next: usize,
}

impl Choices {
    pub fn new(numbers: Vec<u16>) -> Self {
        Self { numbers, next: 0 }
    }

    /// One of `0..below`; 0 when the list has come to its end.
    pub fn pick(&mut self, below: usize) -> usize {
        let number = self.numbers.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        usize::from(number) % below.max(1)
    }

    /// Whether something that happens so often in 100 cases happens.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.pick(100) >= 100 - percent
    }

    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.pick(of.len())].clone()
    }
}

/// What a case did. Told only of a case that failed, which is run again for it.
#[derive(Default)]
pub struct Story {
    lines: Option<Vec<String>>,
}

impl Story {
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// A case that panics is told about once it is small, not each time it is tried.
fn quietly<T>(run: impl FnOnce() -> T) -> std::thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let ran = catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    ran
}

/// Runs cases of a property. Each gets its choices and tells its story.
pub fn check(
    cases: u32,
    choices: usize,
    property: impl Fn(&mut Choices, &mut Story) -> Result<(), String>,
) {
    let more = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    let config = Config {
        cases: more.unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 1500,
        ..Config::default()
    };
    let mut runner = match more {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let numbers = vec(any::<u16>(), choices / 2..=choices);
    let result = runner.run(&numbers, |numbers| {
        let run = |story: &mut Story| {
            let mut choices = Choices::new(numbers.clone());
            match quietly(|| property(&mut choices, story)) {
                Ok(result) => result,
                Err(panic) => Err(format!("panicked: {}", message(&*panic))),
            }
        };
        if run(&mut Story::default()).is_ok() {
            return Ok(());
        }
        let mut story = Story { lines: Some(Vec::new()) };
        let problem = run(&mut story).err().unwrap_or_else(|| "not the second time".to_owned());
        let lines = story.lines.unwrap_or_default().join("\n");
        Err(TestCaseError::fail(format!("{lines}\n=> {problem}")))
    });
    if let Err(error) = result {
        let text = error.to_string();
        // The list of numbers says nothing to people.
        let told = text.split("minimal failing input").next().unwrap_or(&text);
        panic!("{told}");
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap_or_default()
}

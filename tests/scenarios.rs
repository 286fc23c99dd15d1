//! Every scenario file on every store and in every mode of the runner.

mod scenario_suite;

use bursar::cli::scenario::Options;
use scenario_suite::{all_pass, options, root, scenarios};

fn pass(store: &str, options: &Options) {
    all_pass(&scenarios(&root("tests/scenarios")), store, options);
}

#[test]
fn every_scenario_passes_on_memory() {
    pass("memory", &options());
}

#[test]
fn every_scenario_passes_on_sled() {
    pass("sled", &options());
}

#[test]
fn every_scenario_passes_with_each_request_sent_twice() {
    pass("memory", &Options { twice: true, ..options() });
}

#[test]
fn every_scenario_passes_on_memory_reopened_without_draining_after_each_step() {
    pass("memory", &Options { reopen_each_step: true, ..options() });
}

#[test]
fn every_scenario_passes_on_sled_reopened_without_draining_after_each_step() {
    pass("sled", &Options { reopen_each_step: true, ..options() });
}

#[test]
fn every_denial_is_true() {
    pass("memory", &Options { prove_receipts: true, ..options() });
}

#[test]
fn every_row_of_the_catalogue_has_a_scenario() {
    let scenarios = scenarios(&root("tests/scenarios"));
    let names_it =
        |row: &String| scenarios.iter().any(|s| s.name.split([' ', ',']).any(|w| w == row));
    let missing: Vec<String> =
        (1..=26).map(|n| format!("DY-{n:02}")).filter(|row| !names_it(row)).collect();
    assert!(missing.is_empty(), "no scenario names {missing:?}");
}

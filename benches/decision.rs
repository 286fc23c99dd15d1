//! The decision alone: the pure core on the published policy with all its rows,
//! each of which passes, over rows that are in memory. No store, no engine, no
//! wire, no other thread. Prints microseconds and allocations of a decision.
//!
//! `cargo bench --bench decision [-- --json]`
//!
//! `--count WHAT N` decides N times and prints nothing, for a counter of
//! instructions; with `--wasteful`, one in twenty is judged twice, for those who
//! doubt the counter.

#![allow(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a benchmark measures time, and a panic is how it fails"
)]

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    hint::black_box,
    time::Instant,
};

#[path = "../src/allocator.rs"]
mod allocator;
#[path = "../tests/decision/world.rs"]
#[allow(dead_code, reason = "the tests of the core use more of it")]
mod world;

#[path = "requests/mod.rs"]
#[allow(dead_code, reason = "the other benchmark uses more of it")]
mod requests;

#[path = "requests/core.rs"]
mod core;

use bursar::decision::Command;

use self::{
    allocator::Mimalloc,
    core::{Core, Ready},
};

/// The allocator of the binary, with a count of what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "an allocator is unsafe by nature; this one only counts")]
// SAFETY: everything is left to the binary's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get() + layout.size() as u64);
        // SAFETY: as above.
        unsafe { Mimalloc.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get() + size as u64);
        // SAFETY: as above.
        unsafe { Mimalloc.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { Mimalloc.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Requests that are judged in turn, or decided each once: as many as are in flight
/// where calls are measured, so as many as a server has at hand.
const REQUESTS: usize = 256;
/// As many that a processor's nearest memory has no room for what they are about.
const FAR: usize = 4096;
/// The same where instructions are counted, which is slow: as many in each run, so
/// that what they take to make is the same.
const COUNTED: usize = 800;
/// Measurements; what is told is the median.
const TIMES: usize = 101;

/// What is measured of a decision.
#[derive(Clone, Copy)]
enum What {
    /// The judgement, over rows that were named and loaded before.
    Judge,
    /// The core's whole part: naming rows, twice, and loading them from a map;
    /// judging; and applying what it changes, so that later ones see it.
    Core,
}

impl What {
    fn parse(text: &str) -> Self {
        match text {
            "judge" => Self::Judge,
            "core" => Self::Core,
            _ => panic!("{text:?} is neither judge nor core"),
        }
    }

    /// Decides so many, judging one in so many twice. Gives what stood when the first
    /// began: who asks and the id of the decision are made by then, once. The service
    /// makes an id for each, which is one allocation more.
    fn decide(self, stage: &mut Stage, decisions: usize, twice: Option<usize>) -> Mark {
        let Stage { core, ready, commands } = stage;
        match self {
            Self::Judge => {
                let context = core.context();
                let begin = Mark::now();
                for number in 0..decisions {
                    let ready = &ready[number % ready.len()];
                    black_box(ready.judge(black_box(&context)));
                    if twice.is_some_and(|every| number % every == 0) {
                        black_box(ready.judge(black_box(&context)));
                    }
                }
                begin
            }
            Self::Core => {
                let begin = Mark::now();
                for command in &commands[..decisions] {
                    black_box(core.decide(black_box(command)));
                }
                begin
            }
        }
    }
}

/// What was counted and what time it was.
struct Mark {
    allocations: u64,
    bytes: u64,
    time: Instant,
}

impl Mark {
    fn now() -> Self {
        Self { allocations: ALLOCATIONS.get(), bytes: BYTES.get(), time: Instant::now() }
    }
}

/// All that is decided over, made before anything is measured.
struct Stage {
    core: Core,
    ready: Vec<Ready>,
    commands: Vec<Command>,
}

impl Stage {
    /// With so many requests to judge, and as many to decide.
    fn new(requests: usize) -> Self {
        let mut core = Core::new();
        core.assert_every_row_passes();
        let ready = (0..requests).map(|_| core.ready()).collect();
        let commands = (0..requests).map(|_| core.command()).collect();
        Self { core, ready, commands }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Microseconds, allocations and allocated bytes of a decision.
fn measured((what, requests): (What, usize)) -> [f64; 3] {
    let mut stage = Stage::new(requests);
    let before = stage.core.clone();
    let mut figures = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..TIMES {
        stage.core = before.clone();
        let begin = what.decide(&mut stage, requests, None);
        let took = begin.time.elapsed().as_secs_f64() * 1e6;
        let allocations = ALLOCATIONS.get() - begin.allocations;
        let bytes = BYTES.get() - begin.bytes;
        for (all, one) in figures.iter_mut().zip([took, allocations as f64, bytes as f64]) {
            all.push(one / requests as f64);
        }
    }
    figures.map(median)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--count") {
        let what = What::parse(&args[at + 1]);
        let decisions = args[at + 2].parse().expect("a number of decisions");
        let twice = args.iter().any(|arg| arg == "--wasteful").then_some(20);
        what.decide(&mut Stage::new(COUNTED), decisions, twice);
        return;
    }
    let measured_of = [(What::Judge, REQUESTS), (What::Judge, FAR), (What::Core, REQUESTS)];
    let [judge, far, core] = measured_of.map(measured);
    if args.iter().any(|arg| arg == "--json") {
        let object = |[micros, allocations, bytes]: [f64; 3]| serde_json::json!({"us": micros, "allocations": allocations, "bytes": bytes});
        println!(
            "{}",
            serde_json::json!({"judge": object(judge), "far": object(far), "core": object(core)})
        );
        return;
    }
    for (name, [micros, allocations, bytes]) in [
        ("judging alone", judge),
        ("of 4,096 in turn, which are far", far),
        ("with naming, loading and applying", core),
    ] {
        println!("{name:>34}: {micros:.2} µs, {allocations:.1} allocations of {bytes:.0} bytes");
    }
}

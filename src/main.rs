//! The `bursar` binary. Parses nothing itself; `cli` does.

use std::process::ExitCode;

// glibc's cross-thread frees cost a decision five times as much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bursar::cli::args::main()
}

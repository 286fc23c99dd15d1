//! The `bursar` binary. Parses nothing itself; `cli` does.

fn main() {}

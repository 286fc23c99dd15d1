//! The whole command line: which commands there are.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{
    Ink, backup, bench, call, demo, export, failed, policy, restore, retain, scenario, serve,
    store, verify,
};

/// Bursar decides whether money may leave a shop's account, holds the amount,
/// and can say why.
#[derive(Debug, Parser)]
#[command(name = "bursar", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service.
    Serve(serve::ServeArgs),
    /// Play a shop's day, print each receipt, and stay up.
    Demo(demo::DemoArgs),
    /// Call any method of a running service, JSON in and out.
    Call(call::CallArgs),
    /// Run scenario files against the service in process.
    Scenario(scenario::ScenarioArgs),
    /// Put load on a server and measure.
    Bench(bench::BenchArgs),
    /// Tools for policy authors.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Check a data directory that nothing serves, and recompute every decision.
    Verify(verify::VerifyArgs),
    /// Copy a data directory, also while a service serves it.
    Backup(backup::BackupArgs),
    /// Make a data directory of a backup.
    Restore(restore::RestoreArgs),
    /// Let go of the oldest records of a data directory that nothing serves.
    Retain(retain::RetainArgs),
    /// Write everything that happened as JSON lines, also while a service serves.
    Export(export::ExportArgs),
}

/// Parses the command line and runs what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!(
                "{} the runtime cannot be started: {error}",
                Ink::on(&std::io::stderr()).bad("error:")
            );
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(&args).await,
            Command::Demo(args) => demo::run(&args).await,
            Command::Call(args) => call::run(&args).await,
            Command::Scenario(args) => match store::factory(&args.store) {
                Ok(factory) => scenario::run(&args, &factory).await,
                Err(problem) => failed(&problem),
            },
            Command::Bench(args) => bench::run(&args).await,
            Command::Policy(command) => policy::run(&command),
            Command::Verify(args) => verify::run(&args),
            Command::Backup(args) => backup::run(&args),
            Command::Restore(args) => restore::run(&args),
            Command::Retain(args) => retain::run(&args),
            Command::Export(args) => export::run(&args),
        }
    })
}

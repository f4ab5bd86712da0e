//! Arguments → calls; the only place that prints and exits.

mod args;
mod audit;
mod check;
mod compile;
mod diff;
mod explain;
mod load;
mod messages;
mod node_dump;
mod optimize;
mod output;
mod report;
mod revision;
mod snapshot;
mod snapshot_folder;
mod trace;
mod verify;

use clap::{CommandFactory, FromArgMatches};
use std::path::Path;
use std::process::ExitCode;

/// Exit status of a run that did what it should and found nothing.
const DONE: u8 = 0;
/// Exit status of a run that found something.
const FINDINGS: u8 = 1;
/// Exit status of bad input or use. Clap's own errors have it too.
const BAD_INPUT: u8 = 2;

/// Whether kubectl has called: it finds its plugins by this name.
fn is_plugin() -> bool {
    let called = std::env::args_os().next().unwrap_or_default();
    Path::new(&called).file_stem() == Some("kubectl-netpolc".as_ref())
}

/// Runs the program and gives its exit status.
pub fn main() -> ExitCode {
    let mut command = args::Cli::command();
    if is_plugin() {
        command = command.bin_name("kubectl netpolc");
    }
    let cli = args::Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let outcome = match cli.command {
        args::Command::Compile(args) => compile::run(&args),
        args::Command::Check(args) => check::run(&args),
        args::Command::Explain(args) => explain::run(&args),
        args::Command::Verify(args) => verify::run(&args),
        args::Command::Trace(args) => trace::run(&args),
        args::Command::Optimize(args) => optimize::run(&args),
        args::Command::Diff(args) => diff::run(&args),
        args::Command::Snapshot(args) => snapshot::run(&args),
        args::Command::Audit(args) => audit::run(&args),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        // whoever read our output has seen enough
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(DONE),
        Err(error) => {
            anstream::eprintln!("error: {error}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

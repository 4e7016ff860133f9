//! `wicker compile`: a process that the host starts to compile one component, see
//! [`compiler_process`]. Not for people.

use std::path::PathBuf;
use std::process::ExitCode;

use wicker_engine::compiler_process;

/// What `wicker compile` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The artifact directory.
    pub directory: PathBuf,
}

/// Compiles the component on standard input.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    compiler_process(&args.directory)
}

//! `wicker schema`: the JSON Schema of manifests, for editors. Needs no lattice.

use std::process::ExitCode;

use wicker_reconciler::manifest::schema;

use crate::cli::out;

/// What `wicker schema` takes.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: &Args) -> ExitCode {
    out::line(&format!("{:#}", schema()));
    ExitCode::SUCCESS
}

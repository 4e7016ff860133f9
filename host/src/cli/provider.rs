//! `wicker provider NAME`: a built-in provider as a process of its own.

use std::process::ExitCode;

use crate::cli::Global;

/// What `wicker provider` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The implementation: `keyvalue-redis`, `http-client`, ...
    pub name: String,
}

/// Runs a provider until its host, or a signal, ends it.
///
/// # Errors
/// No such implementation, or the provider cannot start.
pub async fn run(args: Args, _global: Global) -> anyhow::Result<ExitCode> {
    anyhow::bail!("this build has no provider `{}`", args.name)
}

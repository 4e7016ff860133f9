//! `wicker up [FILE...]`: one host in this terminal.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::Global;
use crate::config::HostConfig;

/// What `wicker up` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Application manifests (`.yaml`) to deploy and components (`.wasm`) to run while this host runs.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where this host answers HTTP. By default 127.0.0.1:8000, or the next free port if that one is taken.
    #[arg(long, env = "WICKER_HTTP", value_name = "ADDR")]
    pub http: Option<String>,
    /// Opens the NATS server that this host starts to other machines, at this address.
    #[arg(long, env = "WICKER_NATS_LISTEN", value_name = "ADDR")]
    pub nats_listen: Option<String>,
    /// A label that placement can match; repeatable. Every host has `host`, its machine's name.
    #[arg(long = "label", env = "WICKER_LABELS", value_name = "KEY=VALUE", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// How long a stopping host waits for calls in flight, in seconds.
    #[arg(long, env = "WICKER_DRAIN_SECONDS", default_value_t = 30, value_name = "SECONDS")]
    pub drain_seconds: u64,
}

/// Runs a host until it is told to stop.
///
/// # Errors
/// The host cannot start; the message says what to do about it.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let _config = HostConfig::new(args, global)?;
    anyhow::bail!("this build has no host yet")
}

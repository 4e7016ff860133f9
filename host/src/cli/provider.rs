//! `wicker provider NAME`: a built-in provider as a process of its own.
//!
//! Without flags it reads one line of JSON from the host that launches it; with flags it is started by hand, on any
//! machine that reaches NATS.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use wicker_provider::process::run_builtin;

use crate::cli::Global;
use crate::provider::registry;

/// What `wicker provider` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The implementation: `keyvalue-redis`, `http-client`, ...
    pub name: String,
    /// The provider's own flags; `wicker provider NAME -- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    pub flags: Vec<OsString>,
}

/// Runs a provider until its host, or a signal, ends it.
///
/// # Errors
/// No such implementation.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let builtins = registry::builtins();
    let builtin =
        builtins.iter().find(|builtin| builtin.name() == args.name).with_context(|| {
            let known: Vec<_> = builtins.iter().map(wicker_provider::Builtin::name).collect();
            format!("no provider `{}`; there are: {}", args.name, known.join(", "))
        })?;
    Ok(Box::pin(run_builtin(*builtin, flags(args.flags, &global))).await)
}

/// What stood before the provider's name counts too, if it was started by hand at all.
fn flags(mut flags: Vec<OsString>, global: &Global) -> Vec<OsString> {
    if flags.is_empty() && global.nats.is_none() {
        return flags;
    }
    let has = |name: &str| flags.iter().any(|flag| flag.to_string_lossy().starts_with(name));
    let (has_lattice, has_nats) = (has("--lattice"), has("--nats"));
    if !has_lattice {
        flags.extend(["--lattice".into(), global.lattice.clone().into()]);
    }
    if let Some(nats) = global.nats.as_ref().filter(|_| !has_nats) {
        flags.extend(["--nats".into(), nats.into()]);
    }
    flags
}

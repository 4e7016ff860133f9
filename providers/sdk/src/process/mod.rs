//! A provider in a process of its own, on any machine that reaches NATS.
//!
//! The same implementation that a host links in: [`run`] starts it, answers calls over NATS, follows its links, writes
//! its status, and ends it when standard input closes (the host that launched it has gone or wants it to go) or on a
//! signal, in both cases after the calls under way. [`launch`] is what it is told at its start, [`register`] the
//! handshake with the host that launched it, `lent` its right to run where it is a singleton, [`status`] what it says to the lattice, [`links`] what it hears.

pub mod launch;
mod lent;
pub mod links;
mod peers;
pub mod register;
mod serve;
pub mod status;
mod told;

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use tracing::error;
use wicker_process::telemetry;

pub use launch::{Launch, LaunchError, Started};
pub use lent::{HOLD, Hold};
pub use register::{REGISTER, Registered, Registration};
pub use serve::{ProcessError, serve};
pub use told::{SecretValues, Told};

use crate::builtin::Builtin;
use crate::provider::Provider;

/// Runs `P` as this process: the whole `main` of a provider.
///
/// Reads one line of JSON from standard input ([`Launch`]), or the same as flags (`--help` lists them). Logs to
/// standard error. Fails with a line that says what to do.
#[must_use]
pub fn run<P: Provider>() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    runtime.block_on(run_builtin(Builtin::of::<P>(), std::env::args_os().skip(1).collect()))
}

/// Runs `builtin` as this process, with command-line `arguments` (without the program's name): what
/// `wicker provider NAME` does.
pub async fn run_builtin(builtin: Builtin, arguments: Vec<OsString>) -> ExitCode {
    let started = match launch::read(&builtin, arguments).await {
        Ok(started) => started,
        Err(LaunchError::Usage(usage)) => return usage.show(),
        Err(error) => return failed(&error),
    };
    let Started { launch, closed, secrets } = started;
    telemetry::start(&launch.log, launch.log_format());
    let until = async {
        match closed {
            Some(closed) => _ = closed.await,
            None => std::future::pending().await,
        }
    };
    match Box::pin(serve(&builtin, (launch, secrets), until)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(failure: &(dyn Error + 'static)) -> ExitCode {
    // Where the log has not been started, this starts it; else it changes nothing.
    telemetry::start("info", telemetry::Format::Text);
    error!(error = failure, "provider ends");
    ExitCode::FAILURE
}

//! The command line: one file a verb, each with its `Args` and a `run`.
//!
//! [`main`] is where an error becomes one line on stderr and an exit code; no verb prints its own errors. What a verb
//! prints for people or scripts goes through [`out`].

pub mod out;
pub mod provider;
pub mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs WebAssembly components as actors on any number of machines, linked by what they import and export.
#[derive(Debug, Parser)]
#[command(name = "wicker", version, max_term_width = 110)]
pub struct Cli {
    /// What every verb takes.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// What every verb takes: which lattice, how to reach it, and how to print.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The lattice: hosts that share a NATS system and this name belong together.
    #[arg(
        long,
        global = true,
        env = "WICKER_LATTICE",
        default_value = "default",
        value_name = "NAME"
    )]
    pub lattice: String,
    /// The NATS server. By default the one on 127.0.0.1:4222, else the one that a `wicker up` on this machine started.
    #[arg(long, global = true, env = "WICKER_NATS", value_name = "URL")]
    pub nats: Option<String>,
    /// Where hosts on this machine keep their state. By default `$XDG_DATA_HOME/wicker` (`~/.local/share/wicker`).
    #[arg(long, global = true, env = "WICKER_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How to print results.
    #[arg(
        long,
        global = true,
        env = "WICKER_OUTPUT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub output: Output,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON document, or one a line for what streams. Field names are stable.
    Json,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a host in this terminal, with the given manifests and components.
    Up(up::Args),
    /// Run one of the built-in providers as a process of its own.
    Provider(provider::Args),
}

/// Runs the verb and turns its outcome into an exit code: 0, the verb's own, or 1 with one line on stderr.
#[must_use]
pub fn main(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("cannot start")),
    };
    let outcome = runtime.block_on(run(cli));
    // What still blocks a thread (a compile that nobody waits for) must not hold up the exit.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| fail(&error))
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Up(args) => Box::pin(up::run(args, cli.global)).await,
        Command::Provider(args) => Box::pin(provider::run(args, cli.global)).await,
    }
}

/// One line: the error and its causes, joined.
fn fail(error: &anyhow::Error) -> ExitCode {
    out::error(&format!("{error:#}"));
    ExitCode::FAILURE
}

//! The command line: one file a verb, each with its `Args` and a `run`.
//!
//! [`main`] is where an error becomes one line on stderr and an exit code; no verb prints its own errors. What a verb
//! prints for people or scripts goes through [`out`].

mod application;
mod approve;
pub mod backup;
pub mod build;
pub mod call;
pub mod compile;
pub mod deploy;
pub mod diff;
pub mod drain;
pub mod events;
pub mod explain;
pub mod exports;
pub mod history;
pub mod inspect;
pub mod inventory;
pub mod link;
pub mod logs;
pub mod machine;
pub mod mask;
pub mod out;
pub mod pause;
pub mod provider;
pub mod ps;
pub mod push;
pub mod restore;
pub mod rollback;
pub mod run;
pub mod scale;
pub mod schema;
pub mod secret;
pub mod session;
mod signal;
pub mod status;
pub mod table;
pub mod team;
pub mod token;
pub mod undeploy;
pub mod up;
pub mod wait;

#[cfg(test)]
mod golden;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wicker_reconciler::diagnostic::Problems;

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
    #[arg(long, global = true, env = "WICKER_NATS_URL", value_name = "URL")]
    pub nats: Option<String>,
    /// Where hosts on this machine keep their state. By default `$XDG_DATA_HOME/wicker` (`~/.local/share/wicker`).
    #[arg(long, global = true, env = "WICKER_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where compiled components are kept; hosts of one user may share it. By default `artifacts` in the data directory.
    #[arg(long, global = true, env = "WICKER_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Who acts: a team's token, or a file that holds one. Needed to write for a team once the lattice has teams.
    #[arg(
        long,
        global = true,
        env = "WICKER_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN|FILE"
    )]
    pub token: Option<session::TokenText>,
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
    /// Make the lattice what manifests say, and wait until it is.
    Deploy(deploy::Args),
    /// Show what deploying manifests would change, field by field.
    Diff(diff::Args),
    /// Remove everything that an application declared.
    Undeploy(undeploy::Args),
    /// Show how far applications are, and whether each object is ready, or why not.
    Status(status::Args),
    /// Show why each object of an application runs where it does, and what is missing.
    Explain(explain::Args),
    /// Wait until hosts have changed to an application's latest deployment.
    Wait(wait::Args),
    /// Show the deployments of an application.
    History(history::Args),
    /// Make an application what it was at an earlier deployment, and wait until it is.
    Rollback(rollback::Args),
    /// Say on how many hosts a component or provider runs, until the next deployment.
    Scale(scale::Args),
    /// Leave an application as it is: nothing is placed or changed until it is resumed.
    Pause(pause::Args),
    /// Let a paused application go on.
    Resume(pause::Args),
    /// Have a host hand over what it runs and take no new work, without stopping it.
    Drain(drain::Args),
    /// Show the machines that keep the lattice's state, and replace one that is gone for good.
    Machine(machine::Args),
    /// Make a component of a core module, or a smaller one of a component.
    Build(build::Args),
    /// Put a component into a registry, from which manifests name it as `oci://...`.
    Push(push::Args),
    /// Write the lattice's state to a file: what should be, and the components.
    Backup(backup::Args),
    /// Put back what `wicker backup` wrote.
    Restore(restore::Args),
    /// Show hosts, components, providers, links and routes.
    Ps(ps::Args),
    /// Show one component, provider, host or `.wasm` file, whole.
    Inspect(inspect::Args),
    /// Say who serves an import, while everything runs.
    Link(link::Args),
    /// Set, list and remove secrets.
    Secret(secret::Args),
    /// Make teams that share this lattice.
    Team(team::TeamArgs),
    /// Let somebody act for a team, or no more.
    Token(token::Args),
    /// Show teams, what each offers to others, and what it uses of theirs.
    Teams(team::Args),
    /// Show what applications offer to other teams, and who uses it.
    Exports(exports::Args),
    /// Show what components and providers wrote.
    Logs(logs::Args),
    /// Show what happens, as it happens.
    Events(events::Args),
    /// Call a function of a component or provider.
    Call(call::Args),
    /// Run a command component here, to its exit code.
    Run(run::Args),
    /// Run one of the built-in providers as a process of its own.
    Provider(provider::Args),
    /// Print the JSON Schema of manifests, from which editors complete.
    Schema(schema::Args),
    /// Compile a component for the host that started this process.
    #[command(hide = true)]
    Compile(compile::Args),
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
        Command::Deploy(args) => Box::pin(deploy::run(args, cli.global)).await,
        Command::Diff(args) => Box::pin(diff::run(args, cli.global)).await,
        Command::Status(args) => Box::pin(status::run(args, cli.global)).await,
        Command::Explain(args) => Box::pin(explain::run(args, cli.global)).await,
        Command::Wait(args) => Box::pin(wait::run(args, cli.global)).await,
        Command::History(args) => Box::pin(history::run(args, cli.global)).await,
        Command::Rollback(args) => Box::pin(rollback::run(args, cli.global)).await,
        Command::Scale(args) => Box::pin(scale::run(args, cli.global)).await,
        Command::Pause(args) => Box::pin(pause::pause(args, cli.global)).await,
        Command::Resume(args) => Box::pin(pause::resume(args, cli.global)).await,
        Command::Drain(args) => Box::pin(drain::run(args, cli.global)).await,
        Command::Machine(args) => Box::pin(machine::run(args, cli.global)).await,
        Command::Undeploy(args) => Box::pin(undeploy::run(args, cli.global)).await,
        Command::Build(args) => build::run(&args, &cli.global),
        Command::Push(args) => Box::pin(push::run(args, cli.global)).await,
        Command::Backup(args) => Box::pin(backup::run(args, cli.global)).await,
        Command::Restore(args) => Box::pin(restore::run(args, cli.global)).await,
        Command::Ps(args) => Box::pin(ps::run(args, cli.global)).await,
        Command::Inspect(args) => Box::pin(inspect::run(args, cli.global)).await,
        Command::Link(args) => Box::pin(link::run(args, cli.global)).await,
        Command::Secret(args) => Box::pin(secret::run(args, cli.global)).await,
        Command::Team(args) => Box::pin(team::team(args, cli.global)).await,
        Command::Token(args) => Box::pin(token::run(args, cli.global)).await,
        Command::Teams(args) => Box::pin(team::list(args, cli.global)).await,
        Command::Exports(args) => Box::pin(exports::run(args, cli.global)).await,
        Command::Logs(args) => Box::pin(logs::run(args, cli.global)).await,
        Command::Events(args) => Box::pin(events::run(args, cli.global)).await,
        Command::Call(args) => Box::pin(call::run(args, cli.global)).await,
        Command::Run(args) => Box::pin(run::run(args, cli.global)).await,
        Command::Provider(args) => Box::pin(provider::run(args, cli.global)).await,
        Command::Schema(args) => Ok(schema::run(&args)),
        Command::Compile(args) => Ok(compile::run(&args)),
    }
}

/// One line: the error and its causes, joined. Problems in manifests show the lines that they are about.
fn fail(error: &anyhow::Error) -> ExitCode {
    if let Some(found) = error.downcast_ref::<Problems>() {
        let count = found.len();
        out::problems(&found.to_string());
        out::error(&format!(
            "{count} {} in the manifest",
            if count == 1 { "problem" } else { "problems" }
        ));
        return ExitCode::FAILURE;
    }
    out::error(&format!("{error:#}"));
    ExitCode::FAILURE
}

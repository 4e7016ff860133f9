//! `wicker up [FILE...]`: one host in this terminal.

mod config;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::Route;
use wicker_lattice::token::team::Credential;
use wicker_process::signal::StopSignals;
use wicker_process::telemetry;
use wicker_reconciler::manifest::Manifest;

use crate::cli::session::{Session, TokenText};
use crate::cli::{Global, Output, deploy, out};
use crate::config::{DEFAULT_HTTP, HostConfig};
use crate::host::Host;
use crate::member::Member;
use crate::nats_server::JoinLine;

/// How long what a manifest declares may take until it runs: large components compile for ten seconds.
const DEPLOY_TIMEOUT: Duration = Duration::from_secs(120);

/// What is logged unless `WICKER_LOG` says otherwise: what happens to components and providers; the connection to NATS
/// only when it fails.
const LOG: &str = "info,async_nats=error,wicker_lattice::nats=warn";

/// What `wicker up` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Application manifests (`.yaml`) to deploy and components (`.wasm`) to run while this host runs.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where this host answers HTTP. By default 127.0.0.1:8000, or the next free port if that one is taken.
    #[arg(long, env = "WICKER_HTTP", value_name = "ADDR")]
    pub http: Option<String>,
    /// Become a machine of the lattice that printed this line; needed once, the data directory remembers it.
    #[arg(long, env = "WICKER_JOIN", value_name = "ADDRESS/SECRET")]
    pub join: Option<String>,
    /// Where other machines reach this one, if not where its routes say. Two ports: 7422 (or this one) and the next.
    #[arg(long, env = "WICKER_ADDRESS", value_name = "HOST[:PORT]")]
    pub address: Option<String>,
    /// Open nothing to other machines: nobody can join.
    #[arg(long, env = "WICKER_ALONE")]
    pub alone: bool,
    /// Where the NATS server that this host starts listens to clients, if not on the loopback. It asks for no password.
    #[arg(long, env = "WICKER_NATS_LISTEN", value_name = "ADDR")]
    pub nats_listen: Option<String>,
    /// A file of secrets instead of the lattice's own: `NAME=value` lines, or the same sealed with age if its name ends with
    /// `.age`. Read again when it changes.
    #[arg(long, env = "WICKER_SECRETS", value_name = "FILE")]
    pub secrets: Option<PathBuf>,
    /// The key that opens secrets: an age identity. By default `secrets.key` in the data directory, which the lattice's
    /// first host makes.
    #[arg(long, env = "WICKER_SECRETS_KEY", value_name = "FILE")]
    pub secrets_key: Option<PathBuf>,
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
    telemetry::start(&log_filter(), telemetry::Format::Text);
    let output = global.output;
    let credential = global.token.as_ref().map(TokenText::read).transpose()?;
    let config = config::config(args, global)?;
    // What is wrong with a manifest is said before anything is started.
    let manifests = deploy::read_manifests(&config.manifests(), &[])?;
    let mut signals = StopSignals::listen().context("cannot listen to signals")?;
    let host = tokio::select! {
        // Not cancel-safe, and need not be: the lattice hears of a host with the last thing that its start waits for.
        host = Box::pin(Host::start(&config)) => host?,
        () = signals.recv() => return Ok(ExitCode::SUCCESS),
    };
    say_where(&config, &host);
    let outcome = tokio::select! {
        // Not cancel-safe: what was written by then is removed by the drain.
        served = Box::pin(serve_files(&host, &manifests, (output, credential))) => match served {
            Ok(()) => run_on(&host, &mut signals).await,
            Err(error) => Err(error),
        },
        () = signals.recv() => Ok(ExitCode::SUCCESS),
    };
    out::note("draining; Ctrl-C again stops at once");
    tokio::select! {
        () = Box::pin(host.drain(config.drain)) => outcome,
        () = signals.recv() => Ok(ExitCode::FAILURE),
    }
}

/// Until a signal says stop, or a part of the host has failed.
async fn run_on(host: &Host, signals: &mut StopSignals) -> anyhow::Result<ExitCode> {
    out::note("ready; Ctrl-C stops it");
    tokio::select! {
        // Cancel-safe, both.
        () = signals.recv() => Ok(ExitCode::SUCCESS),
        () = host.failed() => Ok(ExitCode::FAILURE),
    }
}

/// `WICKER_LOG`, in the syntax of `tracing`; by default what concerns people.
fn log_filter() -> String {
    std::env::var("WICKER_LOG").unwrap_or_else(|_| LOG.to_owned())
}

/// Says what this host is and where everything lies.
fn say_where(config: &HostConfig, host: &Host) {
    let Host { member, http, data, nats_server, .. } = host;
    let started = if nats_server.is_some() { " (started by this host)" } else { "" };
    out::note(&format!("host {} in lattice `{}`", member.process, member.lattice));
    out::note(&format!("  nats  {}{started}", member.nats.url()));
    out::note(&format!("  http  http://{http}{}", moved(config, *http)));
    out::note(&format!("  data  {}", data.path().display()));
    if let Some(join) = &host.join_line {
        out::note(&format!("  join  {}", join_command(&member.lattice, join)));
    }
    let report = host.engine().report();
    if let Some(why) = report.pagemap_scan_refused {
        tracing::debug!("instances are cleared the slow way: {why}");
    }
}

/// What other machines are started with.
fn join_command(lattice: &str, join: &JoinLine) -> String {
    match lattice {
        "default" => format!("wicker up --join {join}"),
        lattice => format!("wicker up --lattice {lattice} --join {join}"),
    }
}

/// Says that the default port was taken.
fn moved(config: &HostConfig, http: SocketAddr) -> String {
    match config.http {
        None if http.to_string() != DEFAULT_HTTP => format!(" ({DEFAULT_HTTP} is taken)"),
        _ => String::new(),
    }
}

/// Runs the files, then says in the host's lease that it answers.
async fn serve_files(
    host: &Host,
    manifests: &[Manifest],
    (output, credential): (Output, Option<Credential>),
) -> anyhow::Result<()> {
    host.bare.deploy().await?;
    if !manifests.is_empty() {
        let Member { lattice, nats, store, process, .. } = host.member.clone();
        let session = Session::new(&lattice, nats, store, process, output).acting_as(credential);
        let deploying = deploy::deploy(&session, manifests, Some(DEPLOY_TIMEOUT));
        let report = Box::pin(deploying).await?;
        if output == Output::Text {
            deploy::print(&session, &report);
        }
    }
    host.announce().await;
    host.bare.ids().for_each(|id| out::note(&format!("runs {}", id.name())));
    say_routes(host, output).await
}

/// What `--output json` prints once everything answers. Field names are stable.
#[derive(Debug, Serialize)]
struct Started<'a> {
    host: ProcessId,
    lattice: &'a str,
    nats: &'a str,
    http: SocketAddr,
    data: &'a Path,
    /// What other machines are started with.
    join: Option<String>,
    routes: Vec<Answered>,
}

/// One route that this host's listener answers.
#[derive(Debug, Serialize)]
struct Answered {
    host: Option<String>,
    path: String,
    target: ObjectId,
}

/// Says what is answered on this host's listener: routes of the lattice, and its own.
async fn say_routes(host: &Host, output: Output) -> anyhow::Result<()> {
    let Host { member, http, data, .. } = host;
    let routes = member.store.list::<Route>(&Route::all()).await?;
    let routes = routes.into_iter().map(|entry| entry.record);
    let ours = routes.filter(|route| route.only_on.is_none_or(|only| only == member.process));
    let routes: Vec<_> =
        ours.map(|Route { host, path, target, .. }| Answered { host, path, target }).collect();
    if output == Output::Json {
        let (process, lattice, nats) = (member.process, &member.lattice, member.nats.url());
        let join = host.join_line.as_ref().map(JoinLine::to_string);
        let started =
            Started { host: process, lattice, nats, http: *http, data: data.path(), join, routes };
        out::json_line(&started);
        return Ok(());
    }
    for Answered { host: name, path, target } in &routes {
        let name = name.as_ref().map(|name| format!(" (Host: {name})")).unwrap_or_default();
        out::line(&format!("http://{http}{path}{name} is answered by {}", target.name()));
    }
    if let Some(Answered { path, .. }) = routes.iter().find(|route| route.host.is_none()) {
        out::line(&format!("try: curl http://{http}{path}"));
    }
    Ok(())
}

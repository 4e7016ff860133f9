//! `wicker history APP`: its deployments, as far back as the lattice remembers.

use std::process::ExitCode;

use serde::Serialize;
use wicker_lattice::store::record::Application;

use crate::cli::session::Session;
use crate::cli::table::Table;
use crate::cli::{Global, application, inventory, out};
use crate::restore;

/// What `wicker history` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name, or `team/name`.
    #[arg(value_name = "APP")]
    pub application: String,
}

/// The deployments, as `--output json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct History {
    pub(super) application: String,
    /// The latest first.
    pub(super) deployments: Vec<Deployment>,
}

#[derive(Debug, Serialize)]
pub(super) struct Deployment {
    generation: u64,
    /// RFC 3339.
    at: Option<String>,
    version: Option<String>,
    /// The earlier deployment that it is again.
    restores: Option<u64>,
    /// Why it went back.
    reason: Option<String>,
    /// It is what the lattice should be now.
    is_current: bool,
}

/// Runs the verb.
///
/// # Errors
/// There is no such application, or the lattice cannot be reached.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    let found = application::find(&inventory, &args.application)?;
    let entries = restore::history(&session.store, &found.team, &found.name).await?;
    let history = History::new(found, entries.into_iter().map(|entry| entry.record));
    if session.is_json() {
        out::json(&history);
    } else {
        out::line(history.to_string().trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

impl History {
    /// From the deployments of an application, the oldest first.
    pub(super) fn new(
        now: &Application,
        entries: impl DoubleEndedIterator<Item = Application>,
    ) -> Self {
        let deployment = |each: Application| Deployment {
            generation: each.generation,
            at: each.at,
            version: each.version,
            restores: each.restores.as_ref().map(|restored| restored.generation),
            reason: each.restores.map(|restored| restored.reason),
            is_current: each.generation == now.generation,
        };
        let deployments = entries.rev().map(deployment).collect();
        Self { application: application::name(now), deployments }
    }
}

impl std::fmt::Display for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = Table::new(["GENERATION", "AT", "VERSION", ""]);
        for each in &self.deployments {
            let current = each.is_current.then(|| "current".to_owned());
            let restores = each.restores.map(|generation| {
                let why = each.reason.as_deref().unwrap_or_default();
                format!("generation {generation} again: {why}")
            });
            let what: Vec<String> = current.into_iter().chain(restores).collect();
            let (at, version) = (each.at.clone(), each.version.clone());
            table.row([
                each.generation.to_string(),
                at.unwrap_or_default(),
                version.unwrap_or_default(),
                what.join("; "),
            ]);
        }
        write!(f, "{}\n{table}", self.application)
    }
}

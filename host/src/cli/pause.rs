//! `wicker pause APP` and `wicker resume APP`: the reconciler leaves an application as it is, and minds it again.

use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use wicker_lattice::event::EventKind;
use wicker_lattice::store::key;
use wicker_lattice::store::record::Application;

use crate::cli::session::Session;
use crate::cli::{Global, application, approve, inventory, out};

/// What `wicker pause` and `wicker resume` take.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name, or `team/name`.
    #[arg(value_name = "APP")]
    pub application: String,
}

/// What was done, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    application: String,
    generation: u64,
    is_paused: bool,
}

/// Runs `wicker pause`.
///
/// # Errors
/// There is no such application, or the lattice cannot be reached.
pub async fn pause(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    set(args, global, Wish::Pause).await
}

/// Runs `wicker resume`.
///
/// # Errors
/// As [`pause`].
pub async fn resume(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    set(args, global, Wish::Resume).await
}

/// What should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Pause,
    Resume,
}

async fn set(args: Args, global: Global, wish: Wish) -> anyhow::Result<ExitCode> {
    let is_paused = wish == Wish::Pause;
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    let found = application::find(&inventory, &args.application)?;
    let name = application::name(found);
    approve::require(&session, &found.team).await?;
    let key = key::application(&found.team, &found.name);
    let change = |now: Option<&Application>| {
        let now = now.filter(|now| now.is_paused != is_paused)?;
        Some(Application { is_paused, ..now.clone() })
    };
    let written = session.store.modify::<Application>(&key, change).await?;
    let written = written.with_context(|| format!("{name} was undeployed meanwhile"))?;
    let what = if is_paused { "is paused" } else { "goes on" };
    session.tell(EventKind::ApplicationProgress, None, format!("{name} {what}")).await?;
    let report = Report { application: name, generation: written.record.generation, is_paused };
    if session.is_json() {
        out::json(&report);
    } else if is_paused {
        let name = &report.application;
        out::line(&format!(
            "{name} is paused: what runs goes on, nothing is placed or changed until `wicker resume {name}`"
        ));
    } else {
        out::line(&format!("{} goes on", report.application));
    }
    Ok(ExitCode::SUCCESS)
}

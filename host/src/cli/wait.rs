//! `wicker wait APP`: until hosts have changed to its latest deployment, or that has failed.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;

use crate::cli::deploy::{Deployment, Settled, settled};
use crate::cli::session::Session;
use crate::cli::{Global, application, inventory, out};

/// What `wicker wait` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name, or `team/name`.
    #[arg(value_name = "APP")]
    pub application: String,
    /// How long to wait, in seconds.
    #[arg(long, env = "WICKER_DEPLOY_TIMEOUT", default_value_t = 60, value_name = "SECONDS")]
    pub timeout: u64,
}

/// How it ended, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    application: String,
    generation: u64,
    /// `ready`, or `short`: on fewer hosts than it says.
    state: &'static str,
    /// Why it is short.
    reason: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// There is no such application, its deployment failed, or it is not ready in time.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    let found = application::find(&inventory, &args.application)?;
    let (team, name, generation) = (found.team.clone(), found.name.clone(), found.generation);
    let deployment = Deployment { team, name, generation };
    let application = deployment.to_string();
    let waiting = Box::pin(settled(&session, deployment));
    let Ok(ended) = tokio::time::timeout(Duration::from_secs(args.timeout), waiting).await else {
        bail!(
            "after {} s {application} is not ready: see `wicker status {application}`",
            args.timeout
        )
    };
    let (state, reason) = match ended? {
        Settled::Ready => ("ready", None),
        Settled::Short(why) => ("short", Some(why)),
    };
    let report = Report { application, generation, state, reason };
    if session.is_json() {
        out::json(&report);
    } else {
        let Report { application, generation, state, reason } = &report;
        let why = reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        out::line(&format!("{application} is {state} (generation {generation}){why}"));
    }
    Ok(ExitCode::SUCCESS)
}

//! `wicker rollback APP`: makes an application what it was at an earlier deployment. A new deployment, as any other.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use wicker_lattice::store::record::Application;
use wicker_process::Clock;
use wicker_reconciler::plan;
use wicker_reconciler::validate::broken_importers;

use crate::cli::deploy::{ATTEMPTS, Planned, RACES_LOST, Report, Written, print};
use crate::cli::session::Session;
use crate::cli::{Global, application, inventory};
use crate::provider::registry;
use crate::restore;

/// What `wicker rollback` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name, or `team/name`.
    #[arg(value_name = "APP")]
    pub application: String,
    /// Which deployment it should be again; `wicker history` lists them. By default the one before the current one.
    #[arg(long, value_name = "GENERATION")]
    pub to: Option<u64>,
    /// How long to wait until everything is ready, in seconds.
    #[arg(long, env = "WICKER_DEPLOY_TIMEOUT", default_value_t = 60, value_name = "SECONDS")]
    pub timeout: u64,
    /// Do not wait: print what was written and leave.
    #[arg(long)]
    pub detach: bool,
}

/// Runs the verb.
///
/// # Errors
/// There is no such application or deployment, the lattice cannot be reached, or something does not become ready.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let wait = (!args.detach).then(|| Duration::from_secs(args.timeout));
    for _ in 0..ATTEMPTS {
        let (planned, to) = plan_back(&session, &args).await?;
        let Some(written) = Written::write(&session, planned).await? else { continue };
        let mut report = written.settle(&session, wait).await?;
        report.notes.insert(0, format!("it is generation {to} again"));
        print(&session, &Report { applications: vec![report], warnings: Vec::new() });
        return Ok(ExitCode::SUCCESS);
    }
    bail!(RACES_LOST)
}

async fn plan_back(session: &Session, args: &Args) -> anyhow::Result<(Planned, u64)> {
    let inventory = inventory::read(session).await?;
    inventory::require_hosts(session, &inventory)?;
    let found = application::find(&inventory, &args.application)?;
    let entries = restore::history(&session.store, &found.team, &found.name).await?;
    let deployments: Vec<Application> = entries.into_iter().map(|entry| entry.record).collect();
    let to = match args.to {
        Some(to) => to,
        None => before(&deployments, found).with_context(|| {
            format!("{} has no deployment before this one", application::name(found))
        })?,
    };
    if to == found.generation {
        bail!("{} is at generation {to} already", application::name(found));
    }
    let reason = "asked for".to_owned();
    let name = (found.team.as_str(), found.name.as_str());
    let mut desired = restore::desired(&session.store, name, to, reason).await?;
    desired.at = Some(Clock::system().rfc3339());
    let broken = broken_importers(&desired, &inventory, &registry::facts());
    ensure!(
        broken.is_empty(),
        "{} cannot be generation {to} again, which other teams' links do not fit any more:\n  {}\n\
         keep what they import, or go back together with them",
        application::name(found),
        broken.join("\n  ")
    );
    let plan = plan::plan(&desired, &inventory);
    Ok((Planned { desired, plan, inventory, warnings: Default::default() }, to))
}

/// The deployment before the current one, or before the one that the current one is again.
fn before(deployments: &[Application], now: &Application) -> Option<u64> {
    let current = now.restores.as_ref().map_or(now.generation, |restored| restored.generation);
    let earlier = deployments.iter().map(|each| each.generation);
    earlier.filter(|generation| *generation < current).max()
}

#[cfg(test)]
mod tests {
    use wicker_lattice::store::record::Restored;

    use super::*;

    fn deployment(generation: u64, restores: Option<u64>) -> Application {
        let restored = |generation| Restored { generation, reason: String::new() };
        Application {
            team: "default".to_owned(),
            name: "shop".to_owned(),
            version: None,
            generation,
            manifest: String::new(),
            keys: Vec::new(),
            objects: Default::default(),
            at: None,
            restores: restores.map(restored),
            is_paused: false,
        }
    }

    #[test]
    fn each_rollback_goes_further_back() {
        let (one, two, three) = (deployment(1, None), deployment(2, None), deployment(3, None));
        let all = [one.clone(), two, three.clone()];
        assert_eq!(before(&all, &three), Some(2));
        let back = deployment(4, Some(2));
        let all = [&all[..], std::slice::from_ref(&back)].concat();
        assert_eq!(before(&all, &back), Some(1), "not the one that was left");
        assert_eq!(before(&all[..1], &one), None);
    }
}

//! One application that was written: by a manifest, or back to an earlier deployment.

use std::time::Duration;

use anyhow::Context as _;
use wicker_lattice::event::EventKind;
use wicker_lattice::store::record::Route;
use wicker_lattice::store::{StoreError, key};
use wicker_reconciler::diagnostic::Problems;
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::plan::{AnyRecord, Plan, Step};
use wicker_reconciler::validate::Desired;

use super::settle::Deployment;
use super::{ApplicationReport, Planned, changes, progress};
use crate::cli::approve;
use crate::cli::session::Session;
use crate::execute::apply;

/// A deployment whose records are there; hosts are changing to it.
pub(in crate::cli) struct Written {
    deployment: Deployment,
    plan: Plan,
    inventory: Inventory,
    urls: Vec<String>,
    /// About the manifests.
    pub(super) warnings: Problems,
}

impl Written {
    /// Writes a plan. `None`: somebody else wrote first; read and plan again.
    ///
    /// # Errors
    /// The lattice's state cannot be written.
    pub(in crate::cli) async fn write(
        session: &Session,
        planned: Planned,
    ) -> anyhow::Result<Option<Self>> {
        let Planned { desired, plan, inventory, warnings } = planned;
        let generation = generation(&plan, &inventory, &desired);
        let (team, name) = (desired.team.clone(), desired.application.clone());
        let deployment = Deployment { team, name, generation };
        approve::plan(session, &plan).await?;
        match apply(&session.store, &plan).await {
            Ok(()) => {}
            Err(StoreError::Conflict { .. } | StoreError::Unavailable { .. }) => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot deploy {deployment}"));
            }
        }
        if !plan.is_empty() {
            let message = format!("{deployment} generation {generation}");
            session.tell(EventKind::ApplicationDeployed, None, message).await?;
        }
        let urls = urls(&desired, &inventory);
        Ok(Some(Self { deployment, plan, inventory, urls, warnings }))
    }

    /// Waits as long as `timeout` until hosts have changed to it; not at all if `None`.
    ///
    /// # Errors
    /// It cannot be started, or is not ready in time.
    pub(in crate::cli) async fn settle(
        self,
        session: &Session,
        timeout: Option<Duration>,
    ) -> anyhow::Result<ApplicationReport> {
        let Self { deployment, plan, inventory, urls, .. } = self;
        let mut notes = plan.notes.clone();
        let objects = match timeout {
            Some(timeout) => {
                let waiting =
                    progress::wait_for(session, &deployment, (&plan.placed, &inventory), timeout);
                let (objects, shortage) = Box::pin(waiting)
                    .await
                    .with_context(|| format!("{deployment} is written but not ready"))?;
                notes.extend(shortage.filter(|shortage| !plan.notes.contains(shortage)));
                objects
            }
            None => progress::planned(&plan.placed, &inventory),
        };
        Ok(ApplicationReport {
            application: deployment.to_string(),
            generation: deployment.generation,
            changes: changes(&plan),
            is_ready: timeout.is_some(),
            objects,
            urls,
            notes,
        })
    }
}

fn generation(plan: &Plan, inventory: &Inventory, desired: &Desired) -> u64 {
    let written = plan.steps.iter().find_map(|step| match step {
        Step::Create(AnyRecord::Application(record))
        | Step::Update { record: AnyRecord::Application(record), .. } => Some(record.generation),
        _ => None,
    });
    let key = key::application(&desired.team, &desired.application);
    let stored = inventory.applications.get(&key).map(|stored| stored.record.generation);
    written.or(stored).unwrap_or_default()
}

/// Where the routes answer: on any host, so one of them is shown.
fn urls(desired: &Desired, inventory: &Inventory) -> Vec<String> {
    let Some(listener) = inventory.hosts.iter().find_map(|host| host.http.as_deref()) else {
        return Vec::new();
    };
    let url = |route: &Route| match &route.host {
        None => format!("http://{listener}{}", route.path),
        Some(host) => format!("http://{listener}{} (Host: {host})", route.path),
    };
    desired.routes.iter().map(url).collect()
}

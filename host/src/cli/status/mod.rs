//! `wicker status [APP]`: how far each application is, and of each of its objects whether it is ready, or why not.

mod schedules;
mod show;

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{
    Application, Component, ObjectKind, Progress, ProgressState, Provider, RunState, Running, Ticks,
};
use wicker_lattice::store::{Record as _, key};
use wicker_reconciler::explain::explain;
use wicker_reconciler::inventory::Inventory;

use crate::cli::ps::{empty_row, object_rows};
use crate::cli::session::Session;
use crate::cli::signal::Signal;
use crate::cli::{Global, application, inventory, out};
use schedules::ScheduleStatus;

/// What `wicker status` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this application: its name, or `team/name`.
    #[arg(value_name = "APP")]
    pub application: Option<String>,
}

/// How everything is, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// By team and name.
    applications: Vec<ApplicationStatus>,
    /// What belongs to no application: shared providers, bare files. Empty where one application was asked for.
    others: Vec<ObjectStatus>,
}

#[derive(Debug, Serialize)]
struct ApplicationStatus {
    /// `team/application`.
    application: String,
    version: Option<String>,
    generation: u64,
    /// When it was deployed, RFC 3339.
    at: Option<String>,
    /// `None`: the reconciler has not said anything about this deployment yet.
    state: Option<ProgressState>,
    /// Why it is so.
    reason: Option<String>,
    /// Since when it is so, RFC 3339.
    since: Option<String>,
    /// The last deployment that was ready as a whole.
    ready_generation: Option<u64>,
    /// Which earlier deployment it is again, and why.
    restores: Option<wicker_lattice::store::record::Restored>,
    is_paused: bool,
    /// By what those of its objects are scaled that are.
    scaling: BTreeMap<ObjectId, Signal>,
    objects: Vec<ObjectStatus>,
    schedules: Vec<ScheduleStatus>,
}

/// One object on one host, or nowhere.
#[derive(Debug, Serialize)]
struct ObjectStatus {
    object: ObjectId,
    kind: ObjectKind,
    /// Of the version that should run.
    generation: u64,
    /// Of the version that runs.
    running_generation: Option<u64>,
    host: Option<String>,
    host_process: Option<ProcessId>,
    /// Where calls go.
    process: Option<ProcessId>,
    /// The version that should run answers calls, and all that it imports is there.
    is_ready: bool,
    state: Option<RunState>,
    /// Why it is not ready.
    reason: Option<String>,
    /// Why the version that should run could not be started.
    last_error: Option<String>,
    /// Of the last change of `state`, RFC 3339.
    since: Option<String>,
    #[serde(skip)]
    shown_host: String,
}

/// Runs the verb.
///
/// # Errors
/// There is no such application, or the lattice cannot be reached.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    let progress = session.store.list::<Progress>(&Progress::all()).await?;
    let progress: Vec<Progress> = progress.into_iter().map(|entry| entry.record).collect();
    let ticks = session.store.list::<Ticks>(&Ticks::all()).await?;
    let ticks: Vec<Ticks> = ticks.into_iter().map(|entry| entry.record).collect();
    let mut status = Status::new(&inventory, &progress, &ticks);
    if let Some(text) = &args.application {
        let name = application::name(application::find(&inventory, text)?);
        status.applications.retain(|each| each.application == name);
        status.others.clear();
    }
    if session.is_json() {
        out::json(&status);
    } else {
        out::line(status.to_string().trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

impl Status {
    pub(super) fn new(inventory: &Inventory, progress: &[Progress], ticks: &[Ticks]) -> Self {
        let all = inventory.applications.values().map(|stored| &stored.record);
        let status = |each: &Application| {
            let mut told = progress.iter();
            let told = told.find(|told| (&told.team, &told.name) == (&each.team, &each.name));
            let schedules = schedules::of(inventory, each, ticks);
            ApplicationStatus { schedules, ..application_status(inventory, each, told) }
        };
        let applications: Vec<ApplicationStatus> = all.clone().map(status).collect();
        let is_owned = |id: &&ObjectId| all.clone().any(|each| each.objects.contains_key(*id));
        let others = inventory.objects().filter(|id| !is_owned(id));
        let others = others.flat_map(|id| object_status(inventory, id)).collect();
        Self { applications, others }
    }
}

fn application_status(
    inventory: &Inventory,
    each: &Application,
    told: Option<&Progress>,
) -> ApplicationStatus {
    let now = told.filter(|told| told.generation == each.generation);
    ApplicationStatus {
        application: application::name(each),
        version: each.version.clone(),
        generation: each.generation,
        at: each.at.clone(),
        state: now.map(|now| now.state),
        reason: now.and_then(|now| now.reason.clone()),
        since: now.map(|now| now.since.clone()),
        ready_generation: told.and_then(|told| told.ready),
        restores: each.restores.clone(),
        is_paused: each.is_paused,
        scaling: each
            .objects
            .keys()
            .filter_map(|id| Some((id.clone(), Signal::of(inventory, id)?)))
            .collect(),
        objects: each.objects.keys().flat_map(|id| object_status(inventory, id)).collect(),
        schedules: Vec::new(),
    }
}

fn object_status(inventory: &Inventory, id: &ObjectId) -> Vec<ObjectStatus> {
    let component = inventory.components.get(&key::component(id)).map(|stored| &stored.record);
    let provider = inventory.providers.get(&key::provider(id)).map(|stored| &stored.record);
    let (kind, generation) = match (component, provider) {
        (Some(Component { generation, .. }), _) => (ObjectKind::Component, *generation),
        (None, Some(Provider { generation, .. })) => (ObjectKind::Provider, *generation),
        (None, None) => return Vec::new(),
    };
    let rows = object_rows(inventory, empty_row(id, generation));
    let status = rows.into_iter().map(|row| {
        let mut running = inventory.running.iter();
        let running =
            running.find(|each| each.object == row.object && Some(each.process) == row.process);
        let failed = running.filter(|each| each.failed_generation >= Some(generation));
        let reason = match running {
            Some(running) => not_ready(running, generation),
            None if row.host.is_none() => Some(nowhere(inventory, id)),
            None => Some(
                row.reason.clone().unwrap_or_else(|| "its host has not started it yet".to_owned()),
            ),
        };
        ObjectStatus {
            kind,
            generation,
            running_generation: running.map(|running| running.generation),
            is_ready: reason.is_none(),
            state: row.state,
            reason,
            last_error: failed.and_then(|failed| failed.reason.clone()),
            since: row.since,
            object: row.object,
            host: row.host,
            host_process: row.host_process,
            process: row.process,
            shown_host: row.shown_host,
        }
    });
    status.collect()
}

/// Why what runs is not what should run, or not well.
fn not_ready(running: &Running, generation: u64) -> Option<String> {
    let reason = running.reason.clone();
    if let Some(failed) = running.failed_generation.filter(|failed| *failed >= generation) {
        let why = reason.map(|why| format!(": {why}")).unwrap_or_default();
        let goes_on = match running.state.takes_calls() {
            true => format!("; generation {} goes on", running.generation),
            false => String::new(),
        };
        return Some(format!("generation {failed} cannot be started{why}{goes_on}"));
    }
    if running.generation < generation {
        let why = reason.map(|why| format!("; {why}")).unwrap_or_default();
        return Some(format!("generation {} still runs{why}", running.generation));
    }
    match running.state {
        RunState::Ready => None,
        state => Some(reason.unwrap_or_else(|| crate::cli::ps::state_name(state).to_owned())),
    }
}

fn nowhere(inventory: &Inventory, id: &ObjectId) -> String {
    match explain(inventory, id) {
        Some(explanation) => {
            explanation.choice.shortage.unwrap_or_else(|| "it has no host yet".to_owned())
        }
        None => "nobody has started it".to_owned(),
    }
}

//! `wicker deploy FILE...`: makes the lattice what manifests say, and waits until it is.
//!
//! Read, validate, plan, write, wait. Each write is checked by revision; whoever loses a race reads and plans again.

mod images;
mod progress;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use wicker_lattice::event::EventKind;
use wicker_lattice::store::StoreError;
use wicker_reconciler::diagnostic::{Diagnostic, Problems, Source};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::manifest::{self, Manifest};
use wicker_reconciler::plan::{self, Plan, Step};
use wicker_reconciler::validate::{Desired, Facts, validate};

use crate::cli::session::Session;
use crate::cli::{Global, inventory, out};
use crate::execute::apply;
use crate::provider::registry;
use images::Images;

pub use progress::{ObjectReport, wait};

/// Races that a deployment loses before it gives up.
const ATTEMPTS: u32 = 10;

/// What `wicker deploy` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Application manifests. What they link to each other may be deployed in one go.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// How long to wait until everything is ready, in seconds.
    #[arg(long, env = "WICKER_DEPLOY_TIMEOUT", default_value_t = 60, value_name = "SECONDS")]
    pub timeout: u64,
    /// Do not wait: print what was written and leave.
    #[arg(long)]
    pub detach: bool,
}

/// What a deployment did, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// In the order of the files.
    pub applications: Vec<ApplicationReport>,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

/// What a deployment did to one application.
#[derive(Debug, Serialize)]
pub struct ApplicationReport {
    /// `team/application`.
    pub application: String,
    /// Of this deployment.
    pub generation: u64,
    /// What was written; nothing where everything was as it should be.
    pub changes: Vec<Change>,
    /// Whether every object is ready. `false` with `--detach`.
    pub is_ready: bool,
    /// What runs where.
    pub objects: Vec<ObjectReport>,
    /// Where it answers HTTP.
    pub urls: Vec<String>,
    /// What the planner has to say.
    pub notes: Vec<String>,
}

/// One record that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `create`, `update` or `delete`.
    pub action: &'static str,
    /// The record's key in the lattice.
    pub key: String,
}

/// Runs the verb.
///
/// # Errors
/// The manifests have problems, the lattice cannot be reached, or something does not become ready.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let manifests = read_manifests(&args.files)?;
    let session = Session::open(&global).await?;
    let wait = (!args.detach).then(|| Duration::from_secs(args.timeout));
    let report = deploy(&session, &manifests, wait).await?;
    print(&session, &report);
    Ok(ExitCode::SUCCESS)
}

/// Reads manifests; the problems of all files come together.
///
/// # Errors
/// A file cannot be read, or its [`Problems`].
pub fn read_manifests(files: &[PathBuf]) -> anyhow::Result<Vec<Manifest>> {
    let mut problems = Problems::default();
    let mut manifests = Vec::with_capacity(files.len());
    for file in files {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the manifest {shown}"))?;
        match manifest::parse(&Source::new(shown, text)) {
            Ok(manifest) => manifests.push(manifest),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(manifests) } else { Err(problems.into()) }
}

/// Deploys manifests, one after the other, then waits as long as `wait` for all of them; not at all if `None`.
///
/// # Errors
/// As [`run`].
pub async fn deploy(
    session: &Session,
    manifests: &[Manifest],
    wait: Option<Duration>,
) -> anyhow::Result<Report> {
    let images = Images::read(manifests).await;
    let mut applications = Vec::with_capacity(manifests.len());
    let mut warnings = Vec::new();
    for index in 0..manifests.len() {
        let written = write(session, manifests, &images, index).await?;
        // Each manifest is validated with all the others: their warnings come with the first.
        if index == 0 {
            warnings.clone_from(&written.warnings);
        }
        applications.push(written);
    }
    let mut reports = Vec::with_capacity(applications.len());
    for written in applications {
        reports.push(settle(session, written, wait).await?);
    }
    Ok(Report { applications: reports, warnings })
}

/// One application, written.
struct Written {
    name: String,
    generation: u64,
    plan: Plan,
    inventory: Inventory,
    urls: Vec<String>,
    warnings: Vec<Diagnostic>,
}

/// Validates all manifests against the lattice as it is now and writes the plan of one of them.
async fn write(
    session: &Session,
    manifests: &[Manifest],
    images: &Images,
    index: usize,
) -> anyhow::Result<Written> {
    let builtins = registry::facts();
    for _ in 0..ATTEMPTS {
        let mut inventory = inventory::read(session).await?;
        inventory::require_hosts(session, &inventory)?;
        for manifest in manifests {
            let name = (manifest.team.as_str(), manifest.application.value.as_str());
            inventory::note_retired(session, &mut inventory, name).await?;
        }
        let facts = Facts { images: images.facts(), builtins: &builtins, inventory: &inventory };
        let (desired, warnings) = validate(manifests, facts)?;
        let Some(desired) = desired.into_iter().nth(index) else {
            anyhow::bail!("no such manifest")
        };
        images.upload(session, &desired).await?;
        let plan = plan::plan(&desired, &inventory);
        let name = format!("{}/{}", desired.team, desired.application);
        match apply(&session.store, &plan).await {
            Ok(()) => {
                let generation = generation(&plan, &inventory, &desired);
                if !plan.is_empty() {
                    let message = format!("{name} generation {generation}");
                    session.tell(EventKind::ApplicationDeployed, None, message).await?;
                }
                let urls = urls(&desired, &inventory);
                let warnings = warnings.iter().cloned().collect();
                return Ok(Written { name, generation, plan, inventory, urls, warnings });
            }
            Err(StoreError::Conflict { .. } | StoreError::Unavailable { .. }) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot deploy {name}")),
        }
    }
    anyhow::bail!(
        "cannot write the deployment: others keep changing the same records, or JetStream does not answer"
    )
}

fn generation(plan: &Plan, inventory: &Inventory, desired: &Desired) -> u64 {
    let written = plan.steps.iter().find_map(|step| match step {
        Step::Create(plan::AnyRecord::Application(record))
        | Step::Update { record: plan::AnyRecord::Application(record), .. } => {
            Some(record.generation)
        }
        _ => None,
    });
    let key = wicker_lattice::store::key::application(&desired.team, &desired.application);
    let stored = inventory.applications.get(&key).map(|stored| stored.record.generation);
    written.or(stored).unwrap_or_default()
}

/// Where the routes answer: on any host, so one of them is shown.
fn urls(desired: &Desired, inventory: &Inventory) -> Vec<String> {
    let Some(listener) = inventory.hosts.iter().find_map(|host| host.http.as_deref()) else {
        return Vec::new();
    };
    let url = |route: &wicker_lattice::store::record::Route| match &route.host {
        None => format!("http://{listener}{}", route.path),
        Some(host) => format!("http://{listener}{} (Host: {host})", route.path),
    };
    desired.routes.iter().map(url).collect()
}

async fn settle(
    session: &Session,
    written: Written,
    timeout: Option<Duration>,
) -> anyhow::Result<ApplicationReport> {
    let Written { name, generation, plan, inventory, urls, .. } = written;
    let objects = match timeout {
        Some(timeout) => {
            let waiting = wait(session, &plan.placed, &inventory, timeout).await;
            waiting.with_context(|| format!("{name} is written but not ready"))?
        }
        None => progress::planned(&plan.placed, &inventory),
    };
    Ok(ApplicationReport {
        application: name,
        generation,
        changes: changes(&plan),
        is_ready: timeout.is_some(),
        objects,
        urls,
        notes: plan.notes,
    })
}

/// What a plan writes, for showing.
#[must_use]
pub fn changes(plan: &Plan) -> Vec<Change> {
    let change = |step: &Step| match step {
        Step::Create(record) | Step::Ensure(record) => {
            Change { action: "create", key: record.key() }
        }
        Step::Update { record, .. } => Change { action: "update", key: record.key() },
        Step::Delete { key, .. } => Change { action: "delete", key: key.clone() },
    };
    plan.steps.iter().map(change).collect()
}

/// Prints a report.
pub fn print(session: &Session, report: &Report) {
    for warning in &report.warnings {
        out::note(&warning.to_string());
    }
    if session.is_json() {
        return out::json(report);
    }
    for application in &report.applications {
        out::line(&text(application));
    }
}

pub(super) fn text(report: &ApplicationReport) -> String {
    let ApplicationReport { application, generation, .. } = report;
    let mut lines = vec![match (report.changes.is_empty(), report.is_ready) {
        (true, _) => format!("{application} is as it should be (generation {generation})"),
        (false, true) => format!("{application} is deployed (generation {generation})"),
        (false, false) => format!("{application} is written (generation {generation})"),
    }];
    lines.extend(report.objects.iter().map(|object| format!("  {object}")));
    lines.extend(report.notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(report.urls.iter().map(|url| format!("  {url}")));
    lines.join("\n")
}

/// Where a manifest's relative paths start.
fn folder(manifest: &Manifest) -> &Path {
    Path::new(manifest.source.file()).parent().unwrap_or_else(|| Path::new(""))
}

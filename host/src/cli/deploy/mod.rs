//! `wicker deploy FILE...`: makes the lattice what manifests say, and waits until it is.
//!
//! Read, validate, plan, write, wait. Each write is checked by revision; whoever loses a race reads and plans again.

mod files;
mod images;
mod progress;
pub(super) mod report;
mod settle;
mod written;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use wicker_process::Clock;
use wicker_reconciler::diagnostic::{Problems, Source, Span};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::manifest::{self, Manifest};
use wicker_reconciler::plan::{self, Plan};
use wicker_reconciler::validate::{Desired, Facts, validate};

use crate::cli::session::Session;
use crate::cli::{Global, inventory};
use crate::provider::registry;
pub(super) use images::Images;
pub(super) use settle::{Deployment, Settled, settled};
pub(super) use written::Written;

pub use progress::{ObjectReport, wait};
pub use report::{ApplicationReport, Change, Report, changes, print};

/// Races that a deployment loses before it gives up.
pub(super) const ATTEMPTS: u32 = 10;

/// What is said then.
pub(super) const RACES_LOST: &str = "cannot write the deployment: others keep changing the same records, or JetStream does not answer";

/// What `wicker deploy` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Application manifests, and directories of them: every `.yaml` and `.yml` there. Files that name the same application
    /// declare it together; what several applications link to each other may be deployed in one go.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// A partial manifest to lay over the manifest: what differs in this environment. Repeatable; the files must be of one application.
    #[arg(long, value_name = "FILE")]
    pub overlay: Vec<PathBuf>,
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
/// The manifests have problems, the lattice cannot be reached, or something does not become ready.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let manifests = read_manifests(&args.files, &args.overlay)?;
    let session = Session::open(&global).await?;
    let wait = (!args.detach).then(|| Duration::from_secs(args.timeout));
    let report = deploy(&session, &manifests, wait).await?;
    print(&session, &report);
    Ok(ExitCode::SUCCESS)
}

/// Reads manifests, and what is laid over the only one; files of one application are read together. The problems of all
/// files come together.
///
/// # Errors
/// A file cannot be read, or its [`Problems`].
pub fn read_manifests(files: &[PathBuf], overlays: &[PathBuf]) -> anyhow::Result<Vec<Manifest>> {
    let read = |file: &PathBuf| read_source(file, "manifest");
    let files: Vec<Source> = files::expand(files)?.iter().map(read).collect::<Result<_, _>>()?;
    let applications = files::of_applications(files);
    anyhow::ensure!(
        overlays.is_empty() || applications.len() == 1,
        "--overlay is laid over one application, and {} are given: run the verb once for each",
        applications.len()
    );
    let overlays: Vec<Source> =
        overlays.iter().map(|file| read_source(file, "overlay")).collect::<Result<_, _>>()?;
    let mut problems = Problems::default();
    let mut manifests = Vec::with_capacity(applications.len());
    for (first, parts) in applications {
        match manifest::parse(&first.with_layers(parts, overlays.clone())) {
            Ok(manifest) => manifests.push(manifest),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(manifests) } else { Err(problems.into()) }
}

fn read_source(file: &Path, what: &str) -> anyhow::Result<Source> {
    let shown = file.display().to_string();
    let text = std::fs::read(file).with_context(|| format!("cannot read the {what} {shown}"))?;
    anyhow::ensure!(
        !text.starts_with(b"\0asm"),
        "{shown} is a component, not a {what}: run it with `wicker up {shown}`"
    );
    let text =
        String::from_utf8(text).with_context(|| format!("the {what} {shown} is not text"))?;
    Ok(Source::new(shown, text))
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
            warnings = written.warnings.iter().cloned().collect();
        }
        applications.push(written);
    }
    let mut reports = Vec::with_capacity(applications.len());
    for written in applications {
        reports.push(written.settle(session, wait).await?);
    }
    Ok(Report { applications: reports, warnings })
}

/// What is to be written of one manifest.
pub(super) struct Planned {
    /// What it wants.
    pub(super) desired: Desired,
    /// The fewest writes.
    pub(super) plan: Plan,
    /// The lattice as it was read.
    pub(super) inventory: Inventory,
    /// About all manifests.
    pub(super) warnings: Problems,
}

/// Validates all manifests against the lattice as it is now, and plans one of them.
pub(super) async fn plan_one(
    session: &Session,
    manifests: &[Manifest],
    images: &Images,
    index: usize,
) -> anyhow::Result<Planned> {
    let builtins = registry::facts();
    let mut inventory = inventory::read(session).await?;
    for manifest in manifests {
        let name = (manifest.team.as_str(), manifest.application.value.as_str());
        inventory::note_retired(session, &mut inventory, name).await?;
    }
    let facts = Facts { images: images.facts(), builtins: &builtins, inventory: &inventory };
    let (desired, warnings) = validate(manifests, facts)?;
    let mut desired = desired.into_iter().nth(index).context("no such manifest")?;
    desired.at = Some(Clock::system().rfc3339());
    let plan = plan::plan(&desired, &inventory);
    Ok(Planned { desired, plan, inventory, warnings })
}

/// Writes the plan of one of the manifests.
async fn write(
    session: &Session,
    manifests: &[Manifest],
    images: &Images,
    index: usize,
) -> anyhow::Result<Written> {
    for _ in 0..ATTEMPTS {
        let mut planned = plan_one(session, manifests, images, index).await?;
        let notes = images.notes(&planned.desired, &planned.inventory);
        planned.plan.notes.splice(0..0, notes);
        inventory::require_hosts(session, &planned.inventory)?;
        images.upload(session, &planned.desired).await?;
        if let Some(written) = Written::write(session, planned).await? {
            return Ok(written);
        }
    }
    anyhow::bail!(RACES_LOST)
}

/// Where a relative path of a manifest or overlay starts: in the folder of the file that says it.
fn folder(manifest: &Manifest, span: Span) -> &Path {
    let file = Path::new(manifest.source.of(span).file());
    file.parent().unwrap_or_else(|| Path::new(""))
}

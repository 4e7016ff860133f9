//! `wicker explain APP`: why each object runs where it does, why not elsewhere, and what is missing.
//!
//! The reasons are those of the code that decides; nothing is decided here.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::Application;
use wicker_reconciler::explain::explain;
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::placement::Neighbours as _;

use crate::cli::session::Session;
use crate::cli::signal::Signal;
use crate::cli::table::short;
use crate::cli::{Global, application, inventory, out};

/// What `wicker explain` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name, or `team/name`.
    #[arg(value_name = "APP")]
    pub application: String,
}

/// The reasons, as `--output json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    application: String,
    /// The reconciler changes nothing now.
    is_paused: bool,
    objects: Vec<Object>,
}

#[derive(Debug, Serialize)]
struct Object {
    object: ObjectId,
    /// Why there are fewer hosts than wanted, or why nobody places it.
    missing: Option<String>,
    /// What runs, and does not do all that it should: imports that wait, versions that cannot be started.
    problems: Vec<String>,
    /// By what it is scaled, if it is.
    scaling: Option<Signal>,
    hosts: Vec<Host>,
}

#[derive(Debug, Serialize)]
struct Host {
    host: String,
    process: ProcessId,
    /// It should run there.
    is_chosen: bool,
    /// It is placed there now.
    is_placed: bool,
    reason: String,
}

/// Runs the verb.
///
/// # Errors
/// There is no such application, or the lattice cannot be reached.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    let report = Report::new(&inventory, application::find(&inventory, &args.application)?);
    if session.is_json() {
        out::json(&report);
    } else {
        out::line(report.to_string().trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

impl Report {
    pub(super) fn new(inventory: &Inventory, found: &Application) -> Self {
        let objects = found.objects.keys().map(|id| object(inventory, id)).collect();
        Self { application: application::name(found), is_paused: found.is_paused, objects }
    }
}

fn object(inventory: &Inventory, id: &ObjectId) -> Object {
    let of_this = inventory.running.iter().filter(|running| running.object == *id);
    let problems = of_this.filter_map(|running| running.reason.clone()).collect();
    let Some(explanation) = explain(inventory, id) else {
        let missing = Some("nobody places it: whoever starts it decides where".to_owned());
        let hosts = Vec::new();
        return Object { object: id.clone(), missing, problems, scaling: None, hosts };
    };
    let placed = inventory.hosts_of(id);
    let live = explanation.hosts.into_iter().map(|each| Host {
        is_placed: placed.contains(&each.host),
        host: each.name,
        process: each.host,
        is_chosen: each.is_chosen,
        reason: each.reason,
    });
    let silent = inventory.silent_hosts.iter().map(|host| Host {
        host: host.name.clone(),
        process: host.process,
        is_chosen: false,
        is_placed: placed.contains(&host.process),
        reason: "it does not answer".to_owned(),
    });
    let hosts = live.chain(silent).collect();
    let (missing, scaling) = (explanation.choice.shortage, Signal::of(inventory, id));
    Object { object: id.clone(), missing, problems, scaling, hosts }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_paused {
            let name = &self.application;
            writeln!(f, "{name} is paused: nothing moves until `wicker resume {name}`")?;
        }
        self.objects.iter().try_for_each(|object| writeln!(f, "{object}"))
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let placed = self.hosts.iter().filter(|host| host.is_placed).count();
        write!(f, "{} is placed on {placed} of {} hosts", short(&self.object), self.hosts.len())?;
        if let Some(signal) = &self.scaling {
            write!(f, "\n  {signal}")?;
        }
        for host in &self.hosts {
            let verdict = match (host.is_chosen, host.is_placed) {
                (true, true) => "yes",
                (true, false) => "soon",
                (false, true) => "leaving",
                (false, false) => "no",
            };
            write!(f, "\n  {}: {verdict}: {}", host.host, host.reason)?;
        }
        for missing in self.missing.iter().chain(&self.problems) {
            write!(f, "\n  missing: {missing}")?;
        }
        Ok(())
    }
}

//! `wicker drain HOST`: it takes no new work and hands over what can move, and goes on running. `--undo` takes that back.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::Placement;
use wicker_lattice::store::{Change, key};
use wicker_reconciler::explain::explain;
use wicker_reconciler::inventory::Inventory;

use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{Global, inventory, out};
use crate::hand_over::DRAIN;

/// A live host answers within milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What `wicker drain` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The host: its name, or any ending of its id.
    #[arg(value_name = "HOST")]
    pub host: String,
    /// Let it take work again. What has moved stays where it is.
    #[arg(long)]
    pub undo: bool,
    /// How long to wait until other hosts run what can move, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub timeout: u64,
    /// Do not wait.
    #[arg(long)]
    pub detach: bool,
}

/// What was done, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    host: String,
    process: ProcessId,
    is_draining: bool,
    /// What runs elsewhere now, or will with `--detach`.
    moved: Vec<ObjectId>,
    /// What cannot move.
    stays: Vec<Staying>,
}

#[derive(Debug, Serialize)]
struct Staying {
    object: ObjectId,
    reason: String,
}

/// Runs the verb.
///
/// # Errors
/// No such host lives, it does not answer, or what can move has not moved in time.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let mut inventory = inventory::read(&session).await?;
    let host = inventory::host(&inventory, &args.host)?;
    let (name, process) = (host.name.clone(), host.process);
    let is_draining = !args.undo;
    let address = (session.lattice.as_str(), process);
    let told = session.nats.query::<_, bool>(address, DRAIN, &is_draining, ANSWER_TIMEOUT);
    told.await.with_context(|| format!("cannot tell host {name}"))?;
    for host in inventory.hosts.iter_mut().filter(|host| host.process == process) {
        host.is_draining = is_draining;
    }
    let mut report =
        Report { host: name, process, is_draining, moved: Vec::new(), stays: Vec::new() };
    if is_draining {
        (report.moved, report.stays) = foresee(&inventory, process);
        if !args.detach {
            wait(&session, &report, Duration::from_secs(args.timeout)).await?;
        }
    }
    if session.is_json() {
        out::json(&report);
    } else {
        out::line(&report.to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// What of a draining host other hosts will run, and what stays, and why.
fn foresee(inventory: &Inventory, process: ProcessId) -> (Vec<ObjectId>, Vec<Staying>) {
    let placements = inventory.placements.values().map(|stored| &stored.record);
    let here: BTreeSet<&ObjectId> =
        placements.filter(|each| each.host == process).map(|each| &each.object).collect();
    let (mut moved, mut stays) = (Vec::new(), Vec::new());
    for object in here {
        match reason_to_stay(inventory, process, object) {
            None => moved.push(object.clone()),
            Some(reason) => stays.push(Staying { object: object.clone(), reason }),
        }
    }
    (moved, stays)
}

fn reason_to_stay(inventory: &Inventory, process: ProcessId, object: &ObjectId) -> Option<String> {
    let key = key::application(object.team(), object.application());
    let application = inventory.applications.get(&key).map(|stored| &stored.record);
    if application.is_some_and(|application| application.is_paused) {
        return Some("its application is paused".to_owned());
    }
    let Some(explanation) = explain(inventory, object) else {
        return Some("it belongs to this host".to_owned());
    };
    let choice = explanation.choice;
    if choice.hosts.contains(&process) {
        return Some("its data is there".to_owned());
    }
    let nowhere = || choice.shortage.clone().unwrap_or_else(|| "no other host matches".to_owned());
    choice.hosts.is_empty().then(nowhere)
}

/// Until nothing that can move is placed there.
async fn wait(session: &Session, report: &Report, timeout: Duration) -> anyhow::Result<()> {
    let awaited: BTreeSet<String> =
        report.moved.iter().map(|object| key::placement(report.process, object)).collect();
    let mut here: BTreeSet<String> = BTreeSet::new();
    let moved = async {
        let mut watch = session.store.watch::<Placement>(&key::placements_on(report.process));
        let mut is_current = false;
        while !is_current || !here.is_disjoint(&awaited) {
            match watch.next().await {
                Change::Put(entry) => _ = here.insert(entry.key),
                Change::Deleted { key } => _ = here.remove(&key),
                Change::Current => is_current = true,
            }
        }
    };
    if tokio::time::timeout(timeout, moved).await.is_err() {
        let left = report
            .moved
            .iter()
            .filter(|object| here.contains(&key::placement(report.process, object)));
        let left: Vec<String> = left.map(short).collect();
        bail!(
            "host {} is draining, but after {} s it still runs {}: see `wicker status`",
            report.host,
            timeout.as_secs(),
            left.join(", ")
        );
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, is_draining, moved, stays, .. } = self;
        if !is_draining {
            return write!(f, "host {host} takes work again");
        }
        write!(f, "host {host} is draining: it takes no new work")?;
        for object in moved {
            write!(f, "\n  {} runs elsewhere", short(object))?;
        }
        for Staying { object, reason } in stays {
            write!(f, "\n  {} stays: {reason}", short(object))?;
        }
        Ok(())
    }
}

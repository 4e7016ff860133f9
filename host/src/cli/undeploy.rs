//! `wicker undeploy APP`: removes everything that an application declared, or a shared provider that nobody uses.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use wicker_lattice::event::EventKind;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::Running;
use wicker_lattice::store::{Change as Changed, Record as _, StoreError};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::plan::{self, AnyRecord, Plan, Step};

use crate::cli::deploy::{Change, changes};
use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{Global, application, approve, inventory, out};
use crate::execute::apply;

/// Races that a removal loses before it gives up.
const ATTEMPTS: u32 = 10;

/// What `wicker undeploy` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name, or `team/name`. Or a provider that belongs to none, such as `keyvalue-redb`, once no
    /// link leads to it.
    #[arg(value_name = "APP")]
    pub application: String,
    /// How long to wait until nothing of it runs, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub timeout: u64,
    /// Do not wait until it has stopped.
    #[arg(long)]
    pub detach: bool,
}

/// What was removed, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    application: String,
    changes: Vec<Change>,
    /// Links of others that lead to what is gone.
    dangling: Vec<Dangling>,
}

#[derive(Debug, Serialize)]
struct Dangling {
    source: ObjectId,
    interface: String,
    target: ObjectId,
}

/// Runs the verb.
///
/// # Errors
/// There is no such application, or the lattice cannot be reached.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let (name, plan, inventory) = remove(&session, &args.application).await?;
    session.tell(EventKind::ApplicationRemoved, None, name.clone()).await?;
    let gone = gone(&plan);
    if !args.detach {
        let stopped = tokio::time::timeout(
            Duration::from_secs(args.timeout),
            until_gone(&session, &inventory, &gone),
        );
        stopped.await.with_context(|| {
            format!(
                "{name} is removed, but after {} s some of it still runs: see `wicker ps`",
                args.timeout
            )
        })?;
    }
    let report = Report {
        application: name,
        changes: changes(&plan),
        dangling: dangling(&inventory, &gone),
    };
    print(&session, &report);
    Ok(ExitCode::SUCCESS)
}

/// Removes what `text` means; gives back its name, what was removed, and the lattice before.
async fn remove(session: &Session, text: &str) -> anyhow::Result<(String, Plan, Inventory)> {
    for _ in 0..ATTEMPTS {
        let inventory = inventory::read(session).await?;
        let (name, plan) = plan_for(&inventory, text)?;
        approve::plan(session, &plan).await?;
        match apply(&session.store, &plan).await {
            Ok(()) => {
                approve::forget(session, &plan).await?;
                return Ok((name, plan, inventory));
            }
            Err(StoreError::Conflict { .. } | StoreError::Unavailable { .. }) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot remove {name}")),
        }
    }
    bail!(
        "cannot remove {text}: others keep changing the same records, or JetStream does not answer"
    )
}

/// An application, or a provider of none.
fn plan_for(inventory: &Inventory, text: &str) -> anyhow::Result<(String, Plan)> {
    match application::find(inventory, text) {
        Ok(found) => {
            let plan = plan::removal(&found.team, &found.name, inventory);
            Ok((application::name(found), plan.with_context(|| format!("{text} is gone already"))?))
        }
        Err(unknown) if application::called(inventory, text).is_empty() => {
            shared(inventory, text)?.ok_or(unknown)
        }
        Err(several) => Err(several),
    }
}

/// A provider that applications share goes only when nothing leads to it any more.
fn shared(inventory: &Inventory, text: &str) -> anyhow::Result<Option<(String, Plan)>> {
    let Ok(id) = inventory::object(inventory, text) else { return Ok(None) };
    let Some(plan) = plan::removal_of_shared(&id, inventory) else { return Ok(None) };
    let links = inventory.links.values().map(|stored| &stored.record);
    let sources: Vec<String> =
        links.filter(|link| link.leads_to(&id)).map(|link| short(&link.source)).collect();
    if sources.is_empty() {
        return Ok(Some((id.to_string(), plan)));
    }
    bail!(
        "{} still serves {}: point their links elsewhere first, with `wicker link set`",
        short(&id),
        sources.join(", ")
    )
}

/// What a plan removes and links may lead to: objects and exports.
fn gone(plan: &Plan) -> BTreeSet<ObjectId> {
    let object = |step: &Step| match step {
        Step::Delete { before: AnyRecord::Export(export), .. } => Some(export.id.clone()),
        Step::Delete { before, .. } => before.object().cloned(),
        _ => None,
    };
    plan.steps.iter().filter_map(object).collect()
}

/// Waits until no live process says that it runs any of `gone`. What a dead one said last stays in the lattice.
async fn until_gone(session: &Session, inventory: &Inventory, gone: &BTreeSet<ObjectId>) {
    let hosts = inventory.hosts.iter().map(|host| host.process);
    let alive: BTreeSet<_> =
        hosts.chain(inventory.running.iter().map(|each| each.process)).collect();
    let counts =
        |running: &Running| gone.contains(&running.object) && alive.contains(&running.process);
    let mut watch = session.store.watch::<Running>(&Running::all());
    let mut running: BTreeSet<String> = BTreeSet::new();
    let mut is_current = false;
    while !is_current || !running.is_empty() {
        match watch.next().await {
            Changed::Put(entry) if counts(&entry.record) => _ = running.insert(entry.key),
            Changed::Put(_) => {}
            Changed::Deleted { key } => _ = running.remove(&key),
            Changed::Current => is_current = true,
        }
    }
}

fn dangling(inventory: &Inventory, gone: &BTreeSet<ObjectId>) -> Vec<Dangling> {
    let links = inventory.links.values().map(|stored| &stored.record);
    links
        .filter(|link| !gone.contains(&link.source))
        .flat_map(|link| link.targets().map(move |target| (link, target)))
        .filter(|(_, target)| gone.contains(*target))
        .map(|(link, target)| Dangling {
            source: link.source.clone(),
            interface: link.scope.as_str().to_owned(),
            target: target.clone(),
        })
        .collect()
}

fn print(session: &Session, report: &Report) {
    if session.is_json() {
        return out::json(report);
    }
    out::line(&format!("{} is removed", report.application));
    for Dangling { source, interface, target } in &report.dangling {
        let (source, target) = (short(source), short(target));
        out::line(&format!(
            "  note: {source} still links {interface} to {target}, which is gone: its calls wait"
        ));
    }
}

//! `wicker ps`: hosts, components, providers, links and routes, as the lattice's records and processes say.

mod show;

pub use show::state_name;
pub(crate) use show::{links_table, objects_table, targets};

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{
    Host, Link, Provider, ProviderSource, Route, RunState, Running, Scope, Share,
};
use wicker_reconciler::inventory::{Builtins, Inventory};
use wicker_reconciler::route;

use crate::cli::session::Session;
use crate::cli::{Global, inventory, mask, out};

/// Letters of an id that tell hosts of one name apart: the last ones are random.
const SHOWN_ID_LEN: usize = 6;

/// What `wicker ps` takes.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Everything that runs, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub struct Ps {
    /// Live hosts, by name; then those that are silent or lost.
    pub hosts: Vec<HostRow>,
    /// Components, by id and host.
    pub components: Vec<ObjectRow>,
    /// Providers, by id and host.
    pub providers: Vec<ObjectRow>,
    /// Links, by source and interface.
    pub links: Vec<LinkRow>,
    /// Routes, by host and path.
    pub routes: Vec<RouteRow>,
}

/// One host.
#[derive(Debug, Clone, Serialize)]
pub struct HostRow {
    /// Its name.
    pub host: String,
    /// Its id.
    pub process: ProcessId,
    /// Where it answers HTTP.
    pub http: Option<String>,
    /// What placement matches against.
    pub labels: BTreeMap<String, String>,
    /// Wicker's version.
    pub version: String,
    /// `ready`, `draining`, `degraded`; `silent` where it does not answer, `lost` once its lease has run out, too.
    pub state: &'static str,
    /// Why it is degraded, or since when it is lost.
    pub reason: Option<String>,
}

/// One object on one host, or nowhere.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectRow {
    /// Which object.
    pub object: ObjectId,
    /// Of a provider: what runs.
    pub implementation: Option<String>,
    /// Of a component: what is loaded, or should be.
    pub digest: Option<String>,
    /// Of what runs, or should.
    pub generation: u64,
    /// The host's name; `None`: no host has it.
    pub host: Option<String>,
    /// The host's id.
    pub host_process: Option<ProcessId>,
    /// Where calls go.
    pub process: Option<ProcessId>,
    /// `None`: its host has said nothing about it yet.
    pub state: Option<RunState>,
    /// Why it is so.
    pub reason: Option<String>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// The host as people tell it from others.
    #[serde(skip)]
    pub shown_host: String,
}

/// One link.
#[derive(Debug, Clone, Serialize)]
pub struct LinkRow {
    /// Who imports.
    pub source: ObjectId,
    /// Package or interface.
    pub interface: Scope,
    /// The link's name.
    pub name: String,
    /// Who serves it: an object, or the export of another team; of several, one with the greatest share.
    pub target: ObjectId,
    /// All who share the calls, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<Share>,
    /// Where it leads to exports of other teams: whom they lead to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub served_by: Vec<ObjectId>,
    /// Typed by the target.
    pub config: BTreeMap<String, String>,
    /// Of it, what is secret: key, and the name of the secret.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// `ready`, `failing` where its target cannot serve it, `pending` where nobody serves the target, `incompatible` where it has other signatures than its source
    /// imports, `closed` where another team does not grant it.
    pub state: &'static str,
    /// What is incompatible, not granted, or why it fails.
    pub reason: Option<String>,
}

/// One route.
#[derive(Debug, Clone, Serialize)]
pub struct RouteRow {
    /// `HOST/PATH`, as manifests write it.
    pub route: String,
    /// Who answers; of several, one with the greatest share.
    pub target: ObjectId,
    /// All who share the requests, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<Share>,
    /// Who claimed it.
    pub claimed_by: String,
    /// The only host whose listener answers it.
    pub only_on: Option<String>,
}

impl LinkRow {
    /// Whether it leads to `id`, if only for some calls.
    #[must_use]
    pub fn leads_to(&self, id: &ObjectId) -> bool {
        self.target == *id
            || self.served_by.contains(id)
            || self.split.iter().any(|share| share.target == *id)
    }
}

/// Runs the verb.
///
/// # Errors
/// The lattice cannot be reached.
pub async fn run(_args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let ps = Ps::new(&inventory::read(&session).await?);
    if session.is_json() {
        out::json(&ps);
    } else {
        out::line(ps.to_string().trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

impl Ps {
    /// What there is to see in an inventory.
    #[must_use]
    pub fn new(inventory: &Inventory) -> Self {
        let components = inventory.components.values().flat_map(|stored| {
            let component = &stored.record;
            let empty = ObjectRow {
                digest: Some(component.digest.clone()),
                ..empty_row(&component.id, component.generation)
            };
            object_rows(inventory, empty)
        });
        let providers = inventory.providers.values().flat_map(|stored| {
            let provider = &stored.record;
            let empty = ObjectRow {
                implementation: Some(implementation(provider)),
                ..empty_row(&provider.id, provider.generation)
            };
            object_rows(inventory, empty)
        });
        let builtins = crate::provider::registry::facts();
        let link = |link| link_row(inventory, &builtins, link);
        let links = inventory.links.values().map(|stored| link(&stored.record));
        let routes = inventory.routes.values().map(|stored| route_row(inventory, &stored.record));
        let hosts = inventory.hosts.iter().map(host_row);
        let silent = inventory.silent_hosts.iter().map(silent_host_row);
        let mut links: Vec<LinkRow> = links.collect();
        links.sort_by(|a, b| {
            (&a.source, &a.interface, &a.name).cmp(&(&b.source, &b.interface, &b.name))
        });
        let mut routes: Vec<RouteRow> = routes.collect();
        routes.sort_by(|a, b| a.route.cmp(&b.route));
        Self {
            hosts: hosts.chain(silent).collect(),
            components: components.collect(),
            providers: providers.collect(),
            links,
            routes,
        }
    }
}

fn host_row(host: &Host) -> HostRow {
    let state = match (host.is_draining, &host.degraded) {
        (true, _) => "draining",
        (false, Some(_)) => "degraded",
        (false, None) => "ready",
    };
    HostRow {
        host: host.name.clone(),
        process: host.process,
        http: host.http.clone(),
        labels: host.labels.clone(),
        version: host.version.clone(),
        state,
        reason: host.degraded.clone(),
    }
}

fn silent_host_row(host: &Host) -> HostRow {
    let (state, reason) = match &host.lost_at {
        Some(at) => ("lost", Some(format!("not heard of, found at {at}"))),
        None => ("silent", Some("it does not answer".to_owned())),
    };
    HostRow { state, reason, ..host_row(host) }
}

pub(crate) fn empty_row(object: &ObjectId, generation: u64) -> ObjectRow {
    ObjectRow {
        object: object.clone(),
        implementation: None,
        digest: None,
        generation,
        host: None,
        host_process: None,
        process: None,
        state: None,
        reason: None,
        since: None,
        shown_host: String::new(),
    }
}

/// One row for each process that runs the object or is to; one without a host where none is.
pub(crate) fn object_rows(inventory: &Inventory, empty: ObjectRow) -> Vec<ObjectRow> {
    let of_this = |running: &&Running| running.object == empty.object;
    let runs_on = |process: ProcessId| {
        move |running: &Running| running.host.unwrap_or(running.process) == process
    };
    let mut rows: Vec<ObjectRow> = inventory
        .running
        .iter()
        .filter(of_this)
        .map(|running| running_row(inventory, &empty, running))
        .collect();
    for (_, stored) in inventory.placements_of(&empty.object) {
        let host = stored.record.host;
        let is_running = inventory.running.iter().filter(of_this).any(runs_on(host));
        if !is_running {
            let reason = inventory.host(host).is_none().then(|| "its host is away".to_owned());
            rows.push(ObjectRow { reason, ..on_host(inventory, host, empty.clone()) });
        }
    }
    if rows.is_empty() {
        rows.push(empty);
    }
    rows.sort_by(|a, b| (&a.host, a.process).cmp(&(&b.host, b.process)));
    rows
}

fn on_host(inventory: &Inventory, host: ProcessId, row: ObjectRow) -> ObjectRow {
    ObjectRow {
        host: Some(host_name(inventory, host)),
        host_process: Some(host),
        shown_host: shown_host(inventory, host),
        ..row
    }
}

fn running_row(inventory: &Inventory, empty: &ObjectRow, running: &Running) -> ObjectRow {
    let row = match running.host {
        Some(host) => on_host(inventory, host, empty.clone()),
        None => ObjectRow { shown_host: "(by hand)".to_owned(), ..empty.clone() },
    };
    ObjectRow {
        digest: running.digest.clone().or_else(|| empty.digest.clone()),
        generation: running.generation,
        process: Some(running.process),
        state: Some(running.state),
        reason: running.reason.clone(),
        since: Some(running.since.clone()),
        ..row
    }
}

/// A host's name; its id where it is away.
pub(crate) fn host_name(inventory: &Inventory, process: ProcessId) -> String {
    inventory.host(process).map_or_else(|| process.to_string(), |host| host.name.clone())
}

/// A host as people tell it from others: its name, and the end of its id where two share the name.
pub(crate) fn shown_host(inventory: &Inventory, process: ProcessId) -> String {
    let name = host_name(inventory, process);
    let is_unique = inventory.hosts.iter().filter(|host| host.name == name).count() < 2;
    if is_unique {
        return name;
    }
    let id = process.to_string();
    let end: String = id.chars().skip(id.len() - SHOWN_ID_LEN).collect();
    format!("{name} ({end})")
}

/// What a provider's process runs.
pub(crate) fn implementation(provider: &Provider) -> String {
    match &provider.source {
        ProviderSource::Builtin(name) => name.clone(),
        ProviderSource::BuiltinProcess(name) => format!("{name} (process)"),
        ProviderSource::Command(words) => mask::urls(&words.join(" ")),
        ProviderSource::External => "(external)".to_owned(),
    }
}

/// A link as it is shown.
pub(crate) fn link_row(inventory: &Inventory, builtins: &Builtins, link: &Link) -> LinkRow {
    let serving = inventory.serve(link);
    let exports = inventory.open_to_others();
    let closed =
        link.targets().find_map(|target| exports.lead(link.source.team(), target, None).closed);
    let is_served = serving.iter().all(|target| {
        let mut running = inventory.running.iter().filter(|running| running.object == **target);
        running.any(|running| running.state.takes_calls())
    });
    let key = link.key();
    let mut its = inventory.running.iter().filter(|running| serving.contains(&&running.object));
    let failing = its.find_map(|running| running.failing_links.get(&key).cloned());
    let leads_through = !link.targets().eq(serving.iter().copied());
    let served_by = serving.into_iter().filter(|_| leads_through).cloned().collect();
    let found = inventory.mismatches(link, builtins);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    LinkRow {
        source: link.source.clone(),
        interface: link.scope.clone(),
        name: link.name.clone(),
        target: link.target.clone(),
        split: link.split.clone(),
        served_by,
        config: mask::map(&link.config),
        secrets: link.secrets.clone(),
        state: match (&closed, is_served, found.is_empty()) {
            (Some(_), ..) => "closed",
            (None, true, true) if failing.is_some() => "failing",
            (None, true, true) => "ready",
            (None, false, true) => "pending",
            (None, _, false) => "incompatible",
        },
        reason: closed
            .or_else(|| (!found.is_empty()).then(|| format!("the target {}", found.join("; it "))))
            .or(failing),
    }
}

fn route_row(inventory: &Inventory, route: &Route) -> RouteRow {
    RouteRow {
        route: route::print(route.host.as_deref(), &route.path),
        target: route.target.clone(),
        split: route.split.clone(),
        claimed_by: route.claimed_by.clone(),
        only_on: route.only_on.map(|process| host_name(inventory, process)),
    }
}

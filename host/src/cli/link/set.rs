//! `wicker link set SOURCE INTERFACE TARGET`: one revision-checked write; with `--weight` instead of a target, several
//! share the calls. A target that is not there yet and is the
//! name of a builtin is made first, and is ready before anything leads to it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use wicker_lattice::call::DEFAULT_LINK;
use wicker_lattice::event::EventKind;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::secret::{SecretId, is_secret_name};
use wicker_lattice::store::record::{Link, Scope, Share, Sharing, Spread};
use wicker_lattice::store::{Record as _, StoreError, key};
use wicker_lattice::types::World;
use wicker_reconciler::compat::mismatches;
use wicker_reconciler::inventory::{Builtins, Inventory};
use wicker_reconciler::known::wire_import;
use wicker_reconciler::names::{self, Resolved};
use wicker_reconciler::pattern::InterfacePattern;
use wicker_reconciler::plan::plan_shared;
use wicker_reconciler::validate::shared_provider;

use super::{scopes, trial};
use crate::cli::deploy::wait;
use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{approve, inventory, out, ps};
use crate::execute::apply;
use crate::provider::registry;

/// What `wicker link set` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who imports: any ending of its id.
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The interface or package to link: `wasi:keyvalue`, `acme:greet/api`. Without a version it means all that the
    /// source imports.
    #[arg(value_name = "INTERFACE")]
    pub interface: InterfacePattern,
    /// Who serves it from now on: any ending of an id, or the name of a builtin provider, which is started if it does
    /// not run.
    #[arg(value_name = "TARGET", required_unless_present = "weight")]
    pub target: Option<String>,
    /// In place of a target: several that share the calls, each by its weight; repeatable. 90 and 10: one call in ten
    /// goes to the second.
    #[arg(long, value_name = "TARGET=WEIGHT", value_parser = weight, conflicts_with = "target")]
    pub weight: Vec<(String, u32)>,
    /// The link's name.
    #[arg(long, default_value = DEFAULT_LINK, value_name = "NAME")]
    pub name: String,
    /// Config for the target; repeatable. What is not given is not kept.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub config: Vec<(String, String)>,
    /// Config for the target whose value is a secret of the source's team; repeatable.
    #[arg(long, value_name = "KEY=NAME", value_parser = secret)]
    pub secret: Vec<(String, String)>,
    /// Longest call through this link, in milliseconds. Default 10000.
    #[arg(long, value_name = "MILLISECONDS")]
    pub call_timeout: Option<u64>,
    /// Where to start a builtin provider that does not run yet: a host's name, or any ending of its id.
    #[arg(long, value_name = "HOST")]
    pub on: Option<String>,
    /// How long to wait for a provider that is started, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub timeout: u64,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn secret(text: &str) -> Result<(String, String), String> {
    let (key, name) = key_value(text).map_err(|_| "expected KEY=NAME")?;
    if is_secret_name(&name) { Ok((key, name)) } else { Err(format!("`{name}` names no secret")) }
}

fn weight(text: &str) -> Result<(String, u32), String> {
    let (target, weight) = key_value(text).map_err(|_| "expected TARGET=WEIGHT")?;
    let weight = weight.parse().map_err(|_| format!("`{weight}` is no whole number"))?;
    Ok((target, weight))
}

/// What was done, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    source: ObjectId,
    interface: Scope,
    name: String,
    from: Option<ObjectId>,
    target: ObjectId,
    /// All who share the calls, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    split: Vec<Share>,
    revision: u64,
    /// `ready`; `pending` where nobody serves the target yet; `refused` where the provider does not take its config,
    /// `failing` where the provider cannot reach what is behind it.
    state: &'static str,
    /// Why its calls fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) async fn run(args: Args, session: &Session) -> anyhow::Result<ExitCode> {
    let builtins = registry::facts();
    let inventory = inventory::read(session).await?;
    let source = source(&inventory, &args.source)?;
    let (target, split) = targets(&args, &inventory, &builtins)?;
    let world = inventory.world(&source, &builtins);
    let scopes = scopes(&source, &args.interface, world)?;
    let all: Vec<ObjectId> = match split.as_slice() {
        [] => vec![target.clone()],
        shares => shares.iter().map(|share| share.target.clone()).collect(),
    };
    for target in &all {
        let served = check_granted(&args, &inventory, (&source, world), target)?;
        let target_world = inventory.world(&served, &builtins).or_else(|| {
            shared_provider(&served, &builtins)
                .and_then(|_| builtins.get(served.name()))
                .map(|builtin| &builtin.world)
        });
        check_types(&args.interface, (&source, world), (target, target_world))?;
    }
    for (_, name) in &args.secret {
        let id = SecretId::new(source.team(), name)?;
        ensure!(
            inventory.secrets.contains(&id),
            "there is no secret `{id}`: set it first, wicker secret set {id}"
        );
    }
    let mut has_started = false;
    for target in &all {
        has_started |= start(session, &args, target, &builtins, &inventory).await?;
    }
    let inventory = if has_started { inventory::read(session).await? } else { inventory };
    let mut reports = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let link = Link {
            source: source.clone(),
            scope,
            name: args.name.clone(),
            target: target.clone(),
            split: split.clone(),
            secrets: args.secret.iter().cloned().collect(),
            config: args.config.iter().cloned().collect::<BTreeMap<_, _>>(),
            timeout_ms: args.call_timeout,
            idempotent: Vec::new(),
        };
        reports.push(write(session, (&inventory, &builtins), link).await?);
    }
    Ok(print(session, &reports))
}

/// A source may be named in full before it is there.
fn source(inventory: &Inventory, text: &str) -> anyhow::Result<ObjectId> {
    match names::resolve(text, inventory.objects()) {
        Resolved::One(id) | Resolved::Unknown(id) => Ok(id),
        Resolved::Several(_) | Resolved::None => inventory::object(inventory, text),
    }
}

/// The target; of several, one that stands for all, and their shares.
fn targets(
    args: &Args,
    inventory: &Inventory,
    builtins: &Builtins,
) -> anyhow::Result<(ObjectId, Vec<Share>)> {
    if let Some(text) = &args.target {
        return Ok((target(inventory, builtins, text)?, Vec::new()));
    }
    let mut split: Vec<Share> = Vec::with_capacity(args.weight.len());
    for (text, weight) in &args.weight {
        let target = target(inventory, builtins, text)?;
        ensure!(
            split.iter().all(|share| share.target != target),
            "--weight names {} twice",
            short(&target)
        );
        split.push(Share { target, weight: *weight });
    }
    let greatest = Share::greatest(&split).context("every --weight is 0: nobody would serve")?;
    Ok((greatest.clone(), split))
}

/// A target may be the name of a builtin, or be named in full before it is there.
fn target(inventory: &Inventory, builtins: &Builtins, text: &str) -> anyhow::Result<ObjectId> {
    if builtins.contains_key(text) {
        return Ok(ObjectId::bare(text)?);
    }
    let exports = inventory.exports.values().map(|stored| &stored.record.id);
    if let Resolved::One(export) = names::resolve(text, exports.filter(|id| id.as_str() == text)) {
        return Ok(export);
    }
    source(inventory, text).map_err(|error| {
        let names: Vec<&str> = builtins.keys().map(String::as_str).collect();
        anyhow::anyhow!("{error}; builtin providers: {}", names.join(", "))
    })
}

/// Who serves what the source would be linked for: the target, or whom the export of that name leads to.
fn check_granted(
    args: &Args,
    inventory: &Inventory,
    (source, world): (&ObjectId, Option<&World>),
    target: &ObjectId,
) -> anyhow::Result<ObjectId> {
    let exports = inventory.open_to_others();
    let meant = world.iter().flat_map(|world| world.imports.keys());
    let interfaces = meant.filter(|name| args.interface.matches(name)).map(wire_import);
    for interface in interfaces.map(Some).chain([None]) {
        let lead = exports.lead(source.team(), target, interface.as_ref());
        if let Some(why) = lead.closed {
            bail!("{} cannot be linked to {target}: {why}; see `wicker exports`", short(source));
        }
    }
    Ok(exports.lead(source.team(), target, None).target)
}

fn check_types(
    pattern: &InterfacePattern,
    (source, imports): (&ObjectId, Option<&World>),
    (target, exports): (&ObjectId, Option<&World>),
) -> anyhow::Result<()> {
    let (Some(imports), Some(exports)) = (imports, exports) else { return Ok(()) };
    let meant = imports.imports.iter().filter(|(name, _)| pattern.matches(name));
    let found: Vec<String> = meant
        .flat_map(|(name, functions)| mismatches(name, functions, exports))
        .map(|mismatch| mismatch.to_string())
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    bail!("{} cannot serve {}: it {}", short(target), short(source), found.join("; it "))
}

/// Makes the provider that a builtin's name means and waits until it is ready. `false`: there was nothing to make.
async fn start(
    session: &Session,
    args: &Args,
    target: &ObjectId,
    builtins: &Builtins,
    inventory: &Inventory,
) -> anyhow::Result<bool> {
    let is_there = inventory.objects().any(|id| id == target);
    let Some(mut provider) = shared_provider(target, builtins).filter(|_| !is_there) else {
        if args.on.is_some() {
            check_runs_on(inventory, args, target)?;
        }
        return Ok(false);
    };
    inventory::require_hosts(session, inventory)?;
    if let Some(name) = &args.on {
        let host = inventory::host(inventory, name)?;
        let labels = BTreeMap::from([("id".to_owned(), host.process.to_string())]);
        provider.spread = Spread { replicas: Some(1), labels, ..Spread::default() };
    }
    let sharing = if provider.sharing == Sharing::Exclusive {
        "on one host"
    } else {
        "on every host, later ones too"
    };
    out::note(&format!(
        "starting {} {}",
        short(target),
        if args.on.is_some() { "there" } else { sharing }
    ));
    let plan = plan_shared(&provider, inventory);
    apply(&session.store, &plan)
        .await
        .with_context(|| format!("cannot start {}", short(target)))?;
    wait(session, &plan.placed, inventory, Duration::from_secs(args.timeout))
        .await
        .with_context(|| format!("{} does not start; the link is as it was", short(target)))?;
    Ok(true)
}

fn check_runs_on(inventory: &Inventory, args: &Args, target: &ObjectId) -> anyhow::Result<()> {
    let wanted = args.on.as_deref().map(|name| inventory::host(inventory, name)).transpose()?;
    let hosts: Vec<ProcessId> =
        inventory.placements_of(target).map(|(_, stored)| stored.record.host).collect();
    if wanted.is_some_and(|host| !hosts.contains(&host.process)) {
        let names: Vec<String> =
            hosts.iter().map(|host| ps::shown_host(inventory, *host)).collect();
        bail!("{} runs on {} already: leave --on out", short(target), names.join(", "));
    }
    Ok(())
}

/// Writes one link over the revision that was read; whoever loses the race is told.
pub(super) async fn write(
    session: &Session,
    (inventory, builtins): (&Inventory, &Builtins),
    link: Link,
) -> anyhow::Result<Report> {
    let key = key::link(&link.source, &link.scope, &link.name);
    let before = inventory.links.get(&key);
    approve::record(session, &link.clone().into()).await?;
    let written = match before {
        Some(stored) => session.store.update(&link, stored.revision).await,
        None => session.store.create(&link).await,
    };
    let revision = match written {
        Ok(revision) => revision,
        Err(StoreError::Conflict { .. }) => {
            let now = session.store.get::<Link>(&link.key()).await?;
            let now = now.map_or_else(|| "nothing".to_owned(), |entry| short(&entry.record.target));
            bail!(
                "somebody else changed this link meanwhile; it leads to {now} now: run again to overrule"
            );
        }
        Err(error) => {
            return Err(error)
                .context("cannot write the link; it may or may not be set: see `wicker link ls`");
        }
    };
    let from = before.map(|stored| stored.record.target.clone());
    let (state, reason) = match ps::link_row(inventory, builtins, &link).state {
        // What failed before it was set tells nothing.
        "ready" | "failing" => trial::of(session, inventory, &link).await,
        state => (state, None),
    };
    let report = Report {
        source: link.source,
        interface: link.scope,
        name: link.name,
        from,
        target: link.target,
        split: link.split,
        revision,
        state,
        reason,
    };
    session.tell(EventKind::LinkSet, Some(&report.source), report.to_string()).await?;
    Ok(report)
}

/// Prints what was set. A failure, where calls would fail.
pub(super) fn print(session: &Session, reports: &[Report]) -> ExitCode {
    if session.is_json() {
        out::json(&reports);
    } else {
        reports.iter().for_each(|report| out::line(&report.to_string()));
    }
    let does_work = |report: &Report| report.reason.is_none();
    if reports.iter().all(does_work) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { source, interface, from, target, split, state, reason, .. } = self;
        write!(f, "{} {}: ", short(source), interface.as_str())?;
        let to = ps::targets(target, split);
        match from {
            Some(from) if from != target => write!(f, "{} → {to}", short(from))?,
            Some(_) | None => f.write_str(&to)?,
        }
        match (*state, reason) {
            ("ready", _) => f.write_str(" (ready)"),
            (_, Some(reason)) => write!(f, " ({state}: {reason})"),
            _ if split.is_empty() => {
                write!(f, " (pending: {to} is not running; calls wait for it)")
            }
            _ => f.write_str(" (pending: not all of them run; their calls wait)"),
        }
    }
}

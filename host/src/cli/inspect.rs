//! `wicker inspect WHAT`: one object, host or file, whole: what it needs and offers, where it runs, its links.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Serialize;
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::InterfaceName;
use wicker_lattice::store::record::{Component, ObjectKind, Provider, ProviderSource};
use wicker_lattice::store::{digest, key};
use wicker_lattice::types::{FunctionType, Functions, World};
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::known::is_host_served;

use crate::cli::ps::{self, LinkRow, ObjectRow};
use crate::cli::session::Session;
use crate::cli::{Global, Output, inventory, mask, out};
use crate::provider::registry;

/// What `wicker inspect` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component or provider (any ending of its id), a host (its name or any ending of its id), or a `.wasm` file.
    #[arg(value_name = "WHAT")]
    pub what: String,
    /// Show the imports that hosts serve by themselves (wasi:cli, wasi:io, ...) too.
    #[arg(long)]
    pub all: bool,
}

/// Which imports are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Those that a link can serve.
    Linkable,
    /// Those that every host serves by itself, too.
    Everything,
}

/// What is needed and offered.
#[derive(Debug, Clone, Serialize)]
struct Worlds {
    imports: Vec<Interface>,
    exports: Vec<Interface>,
}

#[derive(Debug, Clone, Serialize)]
struct Interface {
    interface: InterfaceName,
    functions: Vec<Function>,
}

#[derive(Debug, Clone, Serialize)]
struct Function {
    name: String,
    signature: String,
    type_hash: String,
}

/// A file, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct FileReport {
    file: String,
    digest: String,
    bytes: usize,
    world: Worlds,
}

/// An object, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct ObjectReport {
    object: ObjectId,
    kind: ObjectKind,
    component: Option<Component>,
    provider: Option<Provider>,
    /// `None` where nobody has told yet.
    world: Option<Worlds>,
    running: Vec<ObjectRow>,
    /// Those that it calls through.
    links: Vec<LinkRow>,
    /// Those by which others call it.
    linked_by: Vec<LinkRow>,
}

/// A host, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct HostReport {
    #[serde(flatten)]
    host: ps::HostRow,
    components: Vec<ObjectRow>,
    providers: Vec<ObjectRow>,
}

/// Runs the verb.
///
/// # Errors
/// Nothing is called so, the file cannot be read, or the lattice cannot be reached.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let path = Path::new(&args.what);
    let shown = if args.all { Shown::Everything } else { Shown::Linkable };
    if path.is_file() || path.extension().is_some_and(|extension| extension == "wasm") {
        print(global.output, &file(path, shown)?);
        return Ok(ExitCode::SUCCESS);
    }
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    match inventory::object(&inventory, &args.what) {
        Ok(id) => print(session.output, &object(&inventory, &id, shown)),
        Err(no_object) => match inventory::host(&inventory, &args.what) {
            Ok(found) => print(session.output, &host(&inventory, found.process)?),
            Err(ambiguous) if inventory::is_host(&inventory, &args.what) => bail!(ambiguous),
            Err(_) => bail!(no_object),
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn print<T: Serialize + fmt::Display>(output: Output, report: &T) {
    match output {
        Output::Json => out::json(report),
        Output::Text => out::line(report.to_string().trim_end()),
    }
}

fn file(path: &Path, shown: Shown) -> anyhow::Result<FileReport> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let world =
        wicker_engine::world_of(&bytes).with_context(|| format!("cannot inspect {name}"))?;
    Ok(FileReport {
        file: name,
        digest: digest(&bytes),
        bytes: bytes.len(),
        world: Worlds::new(&world, shown),
    })
}

pub(super) fn object(inventory: &Inventory, id: &ObjectId, shown: Shown) -> ObjectReport {
    let component =
        inventory.components.get(&key::component(id)).map(|stored| shown_component(&stored.record));
    let provider =
        inventory.providers.get(&key::provider(id)).map(|stored| shown_provider(&stored.record));
    let kind = if component.is_some() { ObjectKind::Component } else { ObjectKind::Provider };
    let ps = ps::Ps::new(inventory);
    let mut running = ps.components;
    running.extend(ps.providers);
    running.retain(|row| row.object == *id);
    let builtins = registry::facts();
    let (links, others): (Vec<LinkRow>, Vec<LinkRow>) =
        ps.links.into_iter().partition(|link| link.source == *id);
    ObjectReport {
        object: id.clone(),
        kind,
        component,
        provider,
        world: inventory.world(id, &builtins).map(|world| Worlds::new(world, shown)),
        running,
        links,
        linked_by: others.into_iter().filter(|link| link.leads_to(id)).collect(),
    }
}

/// Without the secrets that its config may hold.
fn shown_component(component: &Component) -> Component {
    let mut shown = component.clone();
    shown.config = mask::map(&shown.config);
    shown.grants.environment = mask::map(&shown.grants.environment);
    shown
}

/// Without the secrets that its config, and the words of its command, may hold.
fn shown_provider(provider: &Provider) -> Provider {
    let source = match &provider.source {
        ProviderSource::Command(words) => {
            ProviderSource::Command(words.iter().map(|word| mask::urls(word)).collect())
        }
        source => source.clone(),
    };
    Provider { source, config: mask::json(&provider.config), ..provider.clone() }
}

pub(super) fn host(
    inventory: &Inventory,
    process: wicker_lattice::id::ProcessId,
) -> anyhow::Result<HostReport> {
    let ps = ps::Ps::new(inventory);
    let host = ps.hosts.into_iter().find(|host| host.process == process);
    let here = |row: &ObjectRow| row.host_process == Some(process);
    Ok(HostReport {
        host: host.with_context(|| format!("host {process} has left"))?,
        components: ps.components.into_iter().filter(here).collect(),
        providers: ps.providers.into_iter().filter(here).collect(),
    })
}

impl Worlds {
    fn new(world: &World, shown: Shown) -> Self {
        let imports = world
            .imports
            .iter()
            .filter(|(name, _)| shown == Shown::Everything || !is_host_served(name));
        Self {
            imports: imports.map(Interface::new).collect(),
            exports: world.exports.iter().map(Interface::new).collect(),
        }
    }
}

impl Interface {
    fn new((name, functions): (&InterfaceName, &Functions)) -> Self {
        let function = |(name, ty): (&String, &FunctionType)| Function {
            name: name.clone(),
            signature: format!("{ty:#}"),
            type_hash: ty.hash().to_string(),
        };
        Self { interface: name.clone(), functions: functions.iter().map(function).collect() }
    }
}

impl fmt::Display for Worlds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, interfaces) in [("imports", &self.imports), ("exports", &self.exports)] {
            for Interface { interface, functions } in interfaces {
                writeln!(f, "{title} {interface}")?;
                for Function { name, signature, .. } in functions {
                    writeln!(f, "  {name}: {signature}")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, digest, bytes, world } = self;
        write!(f, "{file}: {bytes} bytes, {digest}\n\n{world}")
    }
}

impl fmt::Display for ObjectReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}\n", self.object);
        if let Some(component) = &self.component {
            writeln!(text, "component {}, generation {}", component.digest, component.generation)?;
        }
        if let Some(provider) = &self.provider {
            let sharing = match provider.sharing {
                wicker_lattice::store::record::Sharing::Exclusive => "exclusive",
                wicker_lattice::store::record::Sharing::Replicable => "replicable",
            };
            writeln!(
                text,
                "provider {}, {sharing}, generation {}",
                ps::implementation(provider),
                provider.generation
            )?;
        }
        let mut parts = vec![text, ps::objects_table(&self.running, self.kind).to_string()];
        parts.push(match &self.world {
            Some(world) => world.to_string(),
            None => "what it imports and exports is not known yet\n".to_owned(),
        });
        parts.push(ps::links_table(&self.links).to_string());
        parts.push(ps::links_table(&self.linked_by).to_string());
        parts.retain(|part| !part.is_empty());
        f.write_str(&parts.join("\n"))
    }
}

impl fmt::Display for HostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ps::HostRow { host, process, http, version, state, .. } = &self.host;
        let http = http.as_deref().unwrap_or("no listener");
        let mut parts = vec![format!("{host} {process}\nwicker {version}, {state}, HTTP {http}\n")];
        let labels: Vec<String> =
            self.host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        parts.push(format!("labels {}\n", labels.join(", ")));
        parts.push(ps::objects_table(&self.components, ObjectKind::Component).to_string());
        parts.push(ps::objects_table(&self.providers, ObjectKind::Provider).to_string());
        parts.retain(|part| !part.is_empty());
        f.write_str(&parts.join("\n"))
    }
}

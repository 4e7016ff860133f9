//! `wicker scale APP/COMPONENT N`: on how many hosts something runs, until the next deployment says otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::key;
use wicker_lattice::store::record::{
    Component, ObjectKind, Provider, ProviderSource, Sharing, Spread,
};
use wicker_reconciler::explain::explain;
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::plan::Placed;

use crate::cli::deploy::{ObjectReport, wait};
use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{Global, approve, inventory, out};

/// What `wicker scale` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component or provider: any ending of its id.
    #[arg(value_name = "OBJECT")]
    pub object: String,
    /// On how many hosts it should run: a number, or `every` (host that matches). The next deployment sets it back to what
    /// the manifest says.
    #[arg(value_name = "REPLICAS")]
    pub replicas: Replicas,
    /// How long to wait until it runs there, in seconds.
    #[arg(long, env = "WICKER_DEPLOY_TIMEOUT", default_value_t = 60, value_name = "SECONDS")]
    pub timeout: u64,
    /// Do not wait.
    #[arg(long)]
    pub detach: bool,
}

/// On how many hosts; `None`: on every one that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Replicas(Option<u32>);

impl FromStr for Replicas {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "every" => Ok(Self(None)),
            Ok(0) => Err("expected 1 or more; `wicker undeploy` removes an application"),
            Ok(number) => Ok(Self(Some(number))),
            Err(_) => Err("expected a whole number or `every`"),
        }
    }
}

impl fmt::Display for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(1) => f.write_str("1 host"),
            Some(number) => write!(f, "{number} hosts"),
            None => f.write_str("every host that matches"),
        }
    }
}

/// What was done, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    object: ObjectId,
    /// `null`: every host that matches.
    from: Replicas,
    replicas: Replicas,
    objects: Vec<ObjectReport>,
    /// Why there are fewer.
    shortage: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// Nothing is called so, it cannot be scaled, or it does not become ready.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let before = inventory::read(&session).await?;
    let id = inventory::object(&before, &args.object)?;
    check(&before, &id)?;
    approve::require(&session, id.team()).await?;
    let from = write(&session, &id, args.replicas).await?;
    let inventory = inventory::read(&session).await?;
    let explained = explain(&inventory, &id);
    let explained = explained.with_context(|| format!("{id} was removed meanwhile"))?;
    let mut objects = Vec::new();
    if !args.detach {
        let placed =
            BTreeMap::from([(id.clone(), placed(&inventory, &id, explained.choice.hosts))]);
        objects = wait(&session, &placed, &inventory, Duration::from_secs(args.timeout))
            .await
            .with_context(|| format!("{} is scaled but not ready", short(&id)))?;
    }
    let shortage = explained.choice.shortage;
    let report = Report { object: id, from, replicas: args.replicas, objects, shortage };
    if session.is_json() {
        out::json(&report);
    } else {
        out::line(&report.to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// Not everything can run on any number of hosts.
fn check(inventory: &Inventory, id: &ObjectId) -> anyhow::Result<()> {
    let provider = inventory.providers.get(&key::provider(id)).map(|stored| &stored.record);
    let component = inventory.components.get(&key::component(id)).map(|stored| &stored.record);
    let name = short(id);
    if component.is_some_and(|component| component.is_bare) {
        bail!("{name} runs where a host's command line names its file: deploy it with a manifest");
    }
    if provider.is_some_and(|provider| provider.source == ProviderSource::External) {
        bail!("{name} is started by somebody else: start more of its processes");
    }
    if provider.is_some_and(|provider| provider.sharing == Sharing::Exclusive) {
        bail!("{name} is exclusive: its state is in one process");
    }
    Ok(())
}

/// Writes the number; what it was.
async fn write(session: &Session, id: &ObjectId, to: Replicas) -> anyhow::Result<Replicas> {
    let mut from = to;
    let mut scaled = |spread: &Spread| {
        from = Replicas(spread.replicas);
        let is_news = from != to || spread.scaling.is_some();
        is_news.then(|| Spread { replicas: to.0, scaling: None, ..spread.clone() })
    };
    let key = key::component(id);
    let component = session.store.modify::<Component>(&key, |now| {
        let now = now?;
        Some(Component { spread: scaled(&now.spread)?, ..now.clone() })
    });
    if component.await?.is_none() {
        let key = key::provider(id);
        let provider = session.store.modify::<Provider>(&key, |now| {
            let now = now?;
            Some(Provider { spread: scaled(&now.spread)?, ..now.clone() })
        });
        provider.await?;
    }
    Ok(from)
}

fn placed(
    inventory: &Inventory,
    id: &ObjectId,
    hosts: Vec<wicker_lattice::id::ProcessId>,
) -> Placed {
    let component = inventory.components.get(&key::component(id));
    let provider = inventory.providers.get(&key::provider(id));
    let provider = provider.map(|stored| stored.record.generation).unwrap_or_default();
    let (kind, generation) = match component {
        Some(stored) => (ObjectKind::Component, stored.record.generation),
        None => (ObjectKind::Provider, provider),
    };
    Placed { kind, generation, hosts }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, from, replicas, .. } = self;
        match from == replicas {
            true => write!(f, "{} runs on {replicas} already", short(object))?,
            false => write!(f, "{}: {from} → {replicas}", short(object))?,
        }
        self.objects.iter().try_for_each(|object| write!(f, "\n  {object}"))?;
        self.shortage.iter().try_for_each(|shortage| write!(f, "\n  note: {shortage}"))
    }
}

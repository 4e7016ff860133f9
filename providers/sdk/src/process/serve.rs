//! One provider's life in a process of its own, from its launch to its drain.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{info, warn};
use wicker_lattice::call::{CallError, Invoke};
use wicker_lattice::export::Gate;
use wicker_lattice::fence::{Fenced, Sender};
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::nats::{ConnectError, Login, Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig, RpcError};
use wicker_lattice::secret::SecretSource;
use wicker_lattice::store::record::{self, ProviderSource, Sharing, Spread, Types};
use wicker_lattice::store::{OpenError, Store, StoreError, key};
use wicker_process::Tasks;
use wicker_process::signal::StopSignals;

use super::Launch;
use super::lent::Lent;
use super::links::{Follower, Guarded, StoreLinks};
use super::peers::Peers;
use super::register::{Registration, register};
use super::status::Status;
use crate::builtin::Builtin;
use crate::error::ProviderError;
use crate::instance::ProviderInstance;
use crate::link::query::{LINK, LinkQuery};
use crate::provider::{Environment, NatsAccess, ProviderStart};

/// How long calls under way may take when the provider is asked to end.
const DRAIN_GRACE: Duration = Duration::from_secs(30);

/// How long the links that are there at the start may take to be read.
const LINKS_TIMEOUT: Duration = Duration::from_secs(10);

/// A provider's process cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// NATS is not there.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The lattice's state cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The provider did not start.
    #[error("cannot start {id}")]
    Start {
        /// Which provider.
        id: ObjectId,
        /// Why.
        #[source]
        source: ProviderError,
    },
    /// Its directory cannot be made.
    #[error("cannot make the directory {path}")]
    Directory {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else has the data of this provider.
    #[error(
        "{id} is exclusive, and process {owner} owns it; start that one, or give this one another --id"
    )]
    Owned {
        /// Which provider.
        id: ObjectId,
        /// Who owns it.
        owner: ProcessId,
    },
    /// Calls cannot reach this process.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The host does not want it.
    #[error("cannot register with the host that launched this provider")]
    Register(#[source] CallError),
    /// The lattice's state could not be written.
    #[error("cannot announce {id}")]
    Announce {
        /// Which provider.
        id: ObjectId,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The system refuses to tell of signals.
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
}

/// Runs `builtin` as `launch` says, with `secrets`, until `end` resolves, a signal arrives or a task fails; then drains.
///
/// # Errors
/// It could not start; see [`ProcessError`].
pub async fn serve(
    builtin: &Builtin,
    (launch, secrets): (Launch, Arc<dyn SecretSource>),
    end: impl Future<Output = ()>,
) -> Result<(), ProcessError> {
    let mut signals = StopSignals::listen().map_err(ProcessError::Signals)?;
    let nats = Nats::connect(nats_config(builtin, &launch)).await?;
    let store = Store::open(&nats.jetstream(), &launch.lattice, 1).await?;
    if launch.host.is_none() {
        specify(&store, builtin, &launch).await?;
    }
    let tasks = Tasks::default();
    let peers = Arc::new(Peers::default());
    tasks.spawn("peers", Arc::clone(&peers).follow(store.clone(), tasks.clone()));
    let links = Arc::new(StoreLinks { store: store.clone(), secrets });
    let right = right(&launch, &nats, &tasks);
    let calls: Arc<dyn Invoke> = match &right {
        Some(right) => Arc::new(Sender::new(Arc::clone(&peers) as _, right.clone())),
        None => Arc::clone(&peers) as _,
    };
    let instance = start(builtin, &launch, links, (&tasks, calls)).await?;
    let gate = Arc::new(Gate::default());
    let guarded = Arc::new(Guarded { gate: Arc::clone(&gate), instance: Arc::clone(&instance) });
    let serving: Arc<dyn Invoke> = match right {
        Some(right) => Arc::new(Fenced::new(guarded, right)),
        None => guarded,
    };
    let rpc =
        Rpc::start(RpcConfig::new(launch.lattice.clone(), launch.process), &nats, serving).await?;
    peers.join(rpc.clone());
    answer_links(&rpc, &store, &instance);
    let follower = Follower::new((&launch.id, &store), &instance, &gate, &tasks);
    let status = join(builtin, &launch, (&nats, &store), (&instance, follower), &tasks).await?;
    info!(id = %launch.id, process = %launch.process, "provider is ready");
    told_to_end(end, &mut signals, &tasks).await;
    info!(id = %launch.id, "provider drains");
    Serving { rpc, instance, status, tasks }.drain(signals).await;
    Ok(())
}

/// By what a singleton runs; `None`: it is none.
fn right(launch: &Launch, nats: &Nats, tasks: &Tasks) -> Option<Lent> {
    let (token, host) = (launch.fence?, launch.host?);
    let lent = Lent::new(token);
    let from = (nats.clone(), launch.lattice.clone(), host);
    tasks.spawn("right", lent.clone().keep(from, launch.id.clone(), tasks.clone()));
    Some(lent)
}

/// Resolves when the provider is to end, for whatever reason.
async fn told_to_end(end: impl Future<Output = ()>, signals: &mut StopSignals, tasks: &Tasks) {
    tokio::select! {
        // Cancel-safe, all: nothing is lost that anybody needs.
        () = end => {}
        () = signals.recv() => {}
        () = tasks.stopping() => {}
    }
}

/// A provider that answers calls.
struct Serving {
    rpc: Rpc,
    instance: Arc<dyn ProviderInstance>,
    status: Status,
    tasks: Tasks,
}

impl Serving {
    /// Finishes what is under way, unless a signal says to stop at once.
    async fn drain(mut self, mut signals: StopSignals) {
        self.status.draining().await;
        tokio::select! {
            // Cancel-safe: what is dropped is what a second signal means.
            () = self.finish() => {}
            () = signals.recv() => warn!("provider stops at once"),
        }
        self.status.withdraw().await;
        if let Err(error) = self.tasks.drain(Duration::from_secs(1)).await {
            warn!(%error, "provider ends");
        }
    }

    async fn finish(&self) {
        // RPC turns new calls away at once; the instance then has only those under way.
        if let Err(error) = self.rpc.drain(DRAIN_GRACE).await {
            warn!(%error, "provider drains late");
        }
        self.instance.drain().await;
    }
}

/// Says of a link whether it works here.
fn answer_links(rpc: &Rpc, store: &Store, instance: &Arc<dyn ProviderInstance>) {
    let (store, instance) = (store.clone(), Arc::clone(instance));
    rpc.on_query(LINK, move |query: LinkQuery| {
        let (store, instance) = (store.clone(), Arc::clone(&instance));
        async move { query.answer(&store, instance.as_ref()).await }
    });
}

fn nats_config(builtin: &Builtin, launch: &Launch) -> NatsConfig {
    NatsConfig {
        urls: launch.nats.split(',').map(|url| url.trim().to_owned()).collect(),
        name: format!("wicker {}", builtin.name()),
        login: launch.credentials.clone().map_or(Login::Anonymous, Login::Credentials),
        ..NatsConfig::default()
    }
}

async fn start(
    builtin: &Builtin,
    launch: &Launch,
    links: Arc<StoreLinks>,
    (tasks, calls): (&Tasks, Arc<dyn Invoke>),
) -> Result<Arc<dyn ProviderInstance>, ProcessError> {
    let data_dir = launch.data_dir.clone();
    if builtin.sharing() == Sharing::Exclusive {
        let made = tokio::fs::create_dir_all(&data_dir).await;
        let path = data_dir.display().to_string();
        made.map_err(|source| ProcessError::Directory { path, source })?;
    }
    let access = NatsAccess { url: launch.nats.clone(), credentials: launch.credentials.clone() };
    let start = ProviderStart {
        environment: Environment {
            lattice: launch.lattice.clone(),
            id: launch.id.clone(),
            process: launch.process,
            data_dir,
            nats: Some(access),
            tasks: tasks.clone(),
        },
        config: launch.config.clone(),
        links,
        calls,
    };
    let started = builtin.start(start).await;
    started.map_err(|source| ProcessError::Start { id: launch.id.clone(), source })
}

/// Follows the links, registers with the host, and says to the lattice that this provider runs.
async fn join(
    builtin: &Builtin,
    launch: &Launch,
    (nats, store): (&Nats, &Store),
    (instance, follower): (&Arc<dyn ProviderInstance>, Follower),
    tasks: &Tasks,
) -> Result<Status, ProcessError> {
    let (current, told) = oneshot::channel();
    tasks.spawn("links", follower.run(current));
    if tokio::time::timeout(LINKS_TIMEOUT, told).await.is_err() {
        warn!("the lattice's links could not be read yet; calls will make them be read");
    }
    let incarnation = Incarnation::generate();
    if let Some(host) = launch.host {
        let registration = Registration {
            token: launch.token.clone(),
            process: launch.process,
            incarnation,
            object: launch.id.clone(),
            implementation: builtin.name().to_owned(),
            sharing: builtin.sharing(),
            world: instance.world().clone(),
            is_fenced: launch.fence.is_some(),
        };
        let registered = register(nats, (&launch.lattice, host), &registration).await;
        registered.map_err(ProcessError::Register)?;
    }
    let failed = |source| ProcessError::Announce { id: launch.id.clone(), source };
    let types = Types::of_provider(instance.world());
    match store.create(&types).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => {}
        Err(error) => return Err(failed(error)),
    }
    let mut status = Status::new(store.clone(), launch, incarnation, instance.as_ref());
    status.announce().await.map_err(failed)?;
    tasks.spawn("status", status.clone().keep(Arc::clone(instance), tasks.clone()));
    Ok(status)
}

/// A provider that nobody launched writes its own spec, if there is none, and claims what only one may have.
async fn specify(store: &Store, builtin: &Builtin, launch: &Launch) -> Result<(), ProcessError> {
    let is_exclusive = builtin.sharing() == Sharing::Exclusive;
    let claim = |found: Option<&record::Provider>| {
        let mut spec = found.cloned().unwrap_or_else(|| record::Provider {
            id: launch.id.clone(),
            source: ProviderSource::External,
            generation: 0,
            config: serde_json::Value::Null,
            sharing: builtin.sharing(),
            owner: None,
            is_singleton: false,
            spread: Spread::default(),
            rollout: Default::default(),
        });
        if is_exclusive && spec.owner.is_none() {
            spec.owner = Some(launch.process);
        }
        (found != Some(&spec)).then_some(spec)
    };
    let written = store.modify(&key::provider(&launch.id), claim).await;
    let written =
        written.map_err(|source| ProcessError::Announce { id: launch.id.clone(), source })?;
    let owner = written.and_then(|entry| entry.record.owner);
    match owner.filter(|owner| is_exclusive && *owner != launch.process) {
        Some(owner) => Err(ProcessError::Owned { id: launch.id.clone(), owner }),
        None => Ok(()),
    }
}

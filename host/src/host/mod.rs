//! One host, from start to stop: parts start in order and drain in reverse.
//!
//! In order: data directory, listener (so that a port in use is known before anything else), NATS, state, engine,
//! RPC, lease, control, ingress, and last what the command line asks for. Its lease names the listener once all of that
//! answers.

mod nats;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::future::join_all;
use http_server::{Config as ListenerConfig, Listener, Server};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use wicker_engine::{CompilerCommand, Engine, EngineConfig};
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Status};
use wicker_lattice::event::EventKind;
use wicker_lattice::id::{LISTENER, ObjectId};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::store::record::{Host as HostRecord, SecretNames};
use wicker_lattice::store::{StoreError, key};

use crate::bare::Bare;
use crate::config::{DEFAULT_HTTP, HostConfig, machine_name};
use crate::control::{
    Control, ControlHandle, Handle, Lease, Parts, Starter, Status as StatusWriter, StatusWrite,
};
use crate::data_dir::DataDir;
use crate::fence;
use crate::hand_over::hand_over;
use crate::ingress::Ingress;
use crate::link::Router;
use crate::logs::Logs;
use crate::member::Member;
use crate::nats_server::{JoinLine, Keeper};
use crate::provider::process::Launcher;
use crate::provider::registrations::Registrations;
use crate::schedule::Schedules;
use crate::table::Table;
use crate::{questions, reconcile, secrets};

use nats::Found;

/// Ports tried after the default one is found taken, before the system chooses.
const HTTP_PORTS: u16 = 100;

/// How long the last words of a stopping host may take to be written.
const GOODBYE: Duration = Duration::from_secs(2);

/// A host that runs.
#[derive(Debug)]
pub struct Host {
    /// Who it is, and its connections.
    pub member: Member,
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Its data directory.
    pub data: Arc<DataDir>,
    /// The bare files it runs.
    pub bare: Bare,
    /// The NATS server that it started, if it started one.
    pub nats_server: Option<Keeper>,
    /// What other machines are started with, where they can join.
    pub join_line: Option<JoinLine>,
    engine: Engine,
    control: ControlHandle,
    lease: Lease,
    status: StatusWriter,
    server: Server,
    rpc: Rpc,
}

impl Host {
    /// Starts a host; what the command line asks for comes after, see [`Host::announce`].
    ///
    /// # Errors
    /// Anything that keeps it from running; the message says what to do.
    pub async fn start(config: &HostConfig) -> anyhow::Result<Self> {
        let data = Arc::new(DataDir::open(config.data.as_deref())?);
        let listener = listen(config.http).await?;
        let http = listener.address();
        let Found { url, own } = nats::find(config, &data).await?;
        let member = nats::join(config, &data, &url, own.as_ref()).await?;
        let bare = Bare::read(member.clone(), &config.bare_files())?;
        let secrets = secrets::start(config, &data, &member).await?;
        let engine = engine(config, &data)?;
        let table = Arc::new(Table::default());
        let rpc = RpcConfig::new(&config.lattice, member.process);
        let rpc = Rpc::start(rpc, &member.nats, Served::of(&table)).await?;
        let logs = Logs::new(member.clone());
        questions::about_logs(&rpc, &logs);
        let registrations = Registrations::new(member.clone())?;
        registrations.answer_on(&rpc);
        let load = rpc.clone();
        let router = Arc::new(Router::new(
            Arc::clone(&table),
            Arc::new(move |process| load.load_of(process)),
        ));
        let lease = appear(&bare, &member, record(config, &member), &table).await?;
        questions::about_draining(&rpc, &lease);
        let (schedules, told_of) = watch::channel(Arc::default());
        reconcile::start(&member, Schedules::new(&member, Arc::clone(&router), told_of));
        let status = StatusWriter::start(member.store.clone(), &member.tasks);
        let (routes, told) = watch::channel(Arc::default());
        let starter = Starter {
            member: member.clone(),
            engine: engine.clone(),
            data: Arc::clone(&data),
            secrets: Arc::clone(&secrets),
            launcher: Launcher::new(&member, &data, &logs, (registrations, &secrets)),
            logs,
            router: Arc::clone(&router),
            lease: lease.own(),
        };
        let control = Control::start(Parts {
            member: member.clone(),
            table: Arc::clone(&table),
            rpc: rpc.clone(),
            router: Arc::clone(&router),
            starter,
            status: status.clone(),
            lease: lease.clone(),
            routes,
            schedules,
        });
        questions::about_links(&rpc, &member.store, &control);
        let ingress = Ingress::new(member.process, source()?, table, router);
        ingress.follow(told, &member.tasks);
        let server = listener.serve(ingress);
        member.tell(EventKind::HostStarted, None, format!("host {} joined", machine_name()));
        let (nats_server, join_line) = nats::keep(own, &member, &data);
        Ok(Self {
            member,
            http,
            data,
            bare,
            nats_server,
            join_line,
            engine,
            control,
            lease,
            status,
            server,
            rpc,
        })
    }

    /// Says in its lease where it answers: everything that was asked for runs.
    pub async fn announce(&self) {
        let http = self.http.to_string();
        self.lease.change(|host| host.http = Some(http)).await;
    }

    /// What the engine found out about this machine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Resolves when a part of the host has failed, so that the rest must not go on.
    pub async fn failed(&self) {
        self.member.tasks.stopping().await;
    }

    /// Stops in reverse order. No request that was taken is lost, unless `grace` is too short for it.
    pub async fn drain(self, grace: Duration) {
        let until = Instant::now() + grace;
        let left = || until.saturating_duration_since(Instant::now());
        let Self { member, bare, nats_server, control, lease, status, server, rpc, .. } = self;
        // Nobody hears a goodbye while NATS is away; the next start of this host says it.
        let goodbye = if member.nats.is_connected() { GOODBYE } else { GOODBYE / 10 };
        hand_over(&member, &lease, until).await;
        let running = control.drain().await;
        // Callers learn of it first, so that their next call goes elsewhere.
        lease.change(|host| host.is_draining = true).await;
        status.flush(goodbye).await;
        if let Err(error) = server.drain(left()).await {
            tracing::warn!("some requests were cut off: {error}");
        }
        if let Err(error) = rpc.drain(left()).await {
            tracing::warn!("some calls were cut off: {error}");
        }
        drain_all(&member, &running, until).await;
        for (id, handle) in running {
            status.write(StatusWrite::Delete(id, handle.process().unwrap_or(member.process)));
        }
        status.flush(goodbye).await;
        if !matches!(timeout(goodbye, bare.leave()).await, Ok(Ok(()))) {
            tracing::warn!(
                "the records of the files could not be removed; the next start of this host does it"
            );
        }
        let names = key::secret_names(member.process);
        // They count for nobody once the lease is gone.
        let _ = timeout(goodbye, member.store.delete::<SecretNames>(&names)).await;
        lease.give_up().await;
        member.tell(EventKind::HostStopped, None, format!("host {} left", machine_name()));
        if let Err(error) = member.tasks.drain(left().max(goodbye)).await {
            tracing::debug!("{error}");
        }
        drop((rpc, member, bare, lease, status));
        if let Some(nats_server) = nats_server {
            nats_server.stop().await;
        }
    }
}

/// Compiled components are kept where the config says, or with the host's other data.
fn engine(config: &HostConfig, data: &DataDir) -> anyhow::Result<Engine> {
    let cache = config.cache.clone().map_or_else(|| data.subdir("artifacts"), Ok)?;
    let (cache, compiler) = (Some(cache), Some(compiler()));
    Ok(Engine::new(EngineConfig { cache, compiler, ..EngineConfig::default() })?)
}

/// How this very program is started as a compiler (`cli/compile.rs`): also after its file was replaced by another version.
fn compiler() -> CompilerCommand {
    CompilerCommand { program: "/proc/self/exe".into(), arguments: vec!["compile".into()] }
}

/// Components first: while one finishes its calls it may call providers. Nothing is claimed any more after it.
async fn drain_all(member: &Member, running: &[(ObjectId, Handle)], until: Instant) {
    let (components, providers): (Vec<_>, Vec<_>) = running
        .iter()
        .map(|(_, handle)| handle)
        .partition(|handle| matches!(handle, Handle::Component(_)));
    for part in [components, providers] {
        let drained = timeout_at(until, join_all(part.iter().map(|handle| handle.drain()))).await;
        if drained.is_err() {
            tracing::warn!("some calls were cut off: the grace period is over");
        }
    }
    fence::release_all(member).await;
}

/// Binds the listener: the given address, or the first free port from the default one.
async fn listen(http: Option<SocketAddr>) -> anyhow::Result<Listener> {
    let bind = |listen| Listener::bind(ListenerConfig { listen, ..ListenerConfig::default() });
    if let Some(address) = http {
        return bind(address)
            .await
            .with_context(|| format!("--http {address} cannot be used: give another address"));
    }
    let default: SocketAddr = DEFAULT_HTTP.parse().context("the default address is one")?;
    for port in (default.port()..default.port().saturating_add(HTTP_PORTS)).chain([0]) {
        if let Ok(listener) = bind(SocketAddr::new(default.ip(), port)).await {
            return Ok(listener);
        }
    }
    bail!("no free port to answer HTTP on: give one with --http ADDR")
}

/// Clears up after an earlier life of this host, and takes its lease: others see it from then on.
async fn appear(
    bare: &Bare,
    member: &Member,
    said: HostRecord,
    table: &Arc<Table>,
) -> Result<Lease, StoreError> {
    nats::patiently(async || bare.clear_leftovers().await).await?;
    nats::patiently(async || Lease::take(member, said.clone(), table).await).await
}

/// The lease of a host that does not answer HTTP yet.
fn record(config: &HostConfig, member: &Member) -> HostRecord {
    let mut labels = config.labels.clone();
    labels.insert("id".to_owned(), member.process.to_string());
    HostRecord {
        process: member.process,
        incarnation: member.incarnation,
        name: machine_name(),
        labels,
        http: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: Some(std::process::id()),
        beat: 0,
        is_draining: false,
        degraded: None,
        lost_at: None,
        load: None,
        busy: Default::default(),
    }
}

/// In whose name the listener calls components.
fn source() -> anyhow::Result<ObjectId> {
    LISTENER.parse().context("the listener has a name")
}

/// What other processes may call here: what runs here, and nothing further.
struct Served {
    table: Arc<Table>,
}

impl Served {
    fn of(table: &Arc<Table>) -> Arc<Self> {
        Arc::new(Self { table: Arc::clone(table) })
    }
}

impl Invoke for Served {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            let local = self.table.locals().get(&call.target).cloned();
            match local {
                Some(local) => self.table.answer(&local, call).await,
                None => {
                    let message =
                        format!("{} does not run on the host that was asked", call.target);
                    Err(CallError::new(Status::Unavailable, message))
                }
            }
        })
    }

    fn is_brief(&self, target: &ObjectId) -> bool {
        self.table.locals().get(target).is_some_and(|local| local.as_invoke().is_brief(target))
    }
}

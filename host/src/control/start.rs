//! Carries out one start: fetch, compile and set up a component; claim and start a provider.
//!
//! Runs in a task of its own, as long as it takes; [`Control`](super::Control) hears of it when it is over.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use wicker_engine::{
    Actor, ActorConfig, Cause, DEFAULT_IDLE, Engine, GrantedSecrets, LoadError, Program,
};
use wicker_lattice::call::Invoke;
use wicker_lattice::fence::Right as _;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::link::Links;
use wicker_lattice::nats::Nats;
use wicker_lattice::secret::{SecretId, SecretSource};
use wicker_lattice::store::record::{Component, Provider, ProviderSource, Sharing, Types};
use wicker_lattice::store::{StoreError, key};
use wicker_lattice::types::World;
use wicker_provider::process::links::StoreLinks;
use wicker_provider::{
    Builtin, Environment, NatsAccess, ProviderError, ProviderInstance, ProviderStart,
};

use crate::data_dir::DataDir;
use crate::fence::{Guard, OwnLease, Sender, claim, release};
use crate::link::Router;
use crate::logs::Logs;
use crate::member::Member;
use crate::provider::process::{Launcher, Process};
use crate::provider::registry;
use crate::state::{Failure, Spec};

/// What takes longer than this is announced.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a start works with.
#[derive(Debug, Clone)]
pub struct Starter {
    /// This host.
    pub member: Member,
    /// Runs components.
    pub engine: Engine,
    /// Where they write.
    pub logs: Arc<Logs>,
    /// What must survive a restart.
    pub data: Arc<DataDir>,
    /// Where secrets are.
    pub secrets: Arc<dyn SecretSource>,
    /// Launches provider processes.
    pub launcher: Launcher,
    /// Carries the calls that providers here make.
    pub router: Arc<Router>,
    /// By which singletons are claimed.
    pub lease: OwnLease,
}

/// Something that has started.
#[derive(Debug, Clone)]
pub struct Started {
    /// It.
    pub handle: Handle,
    /// Of a singleton: the right to run it.
    pub guard: Option<Guard>,
}

/// Something that runs.
#[derive(Clone)]
pub enum Handle {
    /// A component.
    Component(Arc<Actor>),
    /// A provider inside this host.
    Provider(Arc<dyn ProviderInstance>),
    /// A provider in a process of its own.
    Process(Process),
}

impl Handle {
    /// Finishes what is under way and takes no more. Ends by itself: every call has its deadline.
    pub async fn drain(&self) {
        match self {
            Self::Component(actor) => actor.drain().await,
            Self::Provider(provider) => provider.drain().await,
            Self::Process(process) => process.end().await,
        }
    }

    /// Ends what may run elsewhere by now: nothing of it counts any more.
    pub async fn cut_off(&self) {
        match self {
            Self::Process(process) => process.kill().await,
            Self::Component(_) | Self::Provider(_) => self.drain().await,
        }
    }

    /// The process of its own that it runs in, if it does.
    #[must_use]
    pub fn process(&self) -> Option<ProcessId> {
        match self {
            Self::Process(process) => Some(process.id()),
            Self::Component(_) | Self::Provider(_) => None,
        }
    }

    /// What it needs and offers.
    #[must_use]
    pub fn world(&self) -> Option<&World> {
        match self {
            Self::Component(actor) => Some(actor.program().world()),
            Self::Provider(provider) => Some(provider.world()),
            Self::Process(process) => process.world(),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Component(_) => "Component",
            Self::Provider(_) => "Provider",
            Self::Process(_) => "Process",
        })
    }
}

impl Starter {
    /// Starts what `spec` says.
    ///
    /// # Errors
    /// Says why, for people, and whether trying again could help.
    pub async fn start(&self, spec: &Spec) -> Result<Started, Failure> {
        let guard = match spec.is_singleton() {
            true => Some(claim(&self.member, &self.lease, spec.id()).await?),
            false => None,
        };
        let handle = match spec {
            Spec::Component(component) => {
                self.component(component, guard.as_ref()).await.map(Handle::Component)
            }
            Spec::Provider(provider) => self.provider(provider, guard.as_ref()).await,
        };
        match (handle, guard) {
            (Ok(handle), guard) => Ok(Started { handle, guard }),
            (Err(failure), Some(guard)) => {
                release(&self.member, spec.id(), &guard).await;
                Err(failure)
            }
            (Err(failure), None) => Err(failure),
        }
    }

    async fn component(
        &self,
        component: &Component,
        guard: Option<&Guard>,
    ) -> Result<Arc<Actor>, Failure> {
        let program = self.program(component).await.map_err(|error| load_failure(&error))?;
        let (digest, world) = (component.digest.clone(), program.world().clone());
        self.remember_types(Types { digest, world }).await;
        let config = ActorConfig {
            limits: (&component.limits).into(),
            grants: component.grants.clone(),
            warm: usize::try_from(component.warm).unwrap_or(usize::MAX),
            idle: component.idle_ms.map_or(DEFAULT_IDLE, Duration::from_millis),
            config: component.config.clone(),
            secrets: self.granted(component),
            ready: component.ready.clone(),
            fence: guard.map(Guard::token),
            ..ActorConfig::new(component.id.clone(), self.logs.sink(&component.id))
        };
        Actor::new(&self.engine, program, config, Arc::new(Links::default()))
            .map_err(|error| Failure::lasting(&error))
    }

    /// The secrets of its team that its spec grants it.
    fn granted(&self, component: &Component) -> GrantedSecrets {
        let team = component.id.team();
        let id =
            |(own, name): (&String, &String)| Some((own.clone(), SecretId::new(team, name).ok()?));
        let names = component.secrets.iter().filter_map(id).collect();
        GrantedSecrets { names, source: Arc::clone(&self.secrets) }
    }

    /// What the component runs. Its bytes are fetched only where no code of them is kept.
    async fn program(&self, component: &Component) -> Result<Arc<Program>, LoadError> {
        let (store, digest) = (self.member.store.clone(), component.digest.clone());
        let fetch = || async move {
            let image = store.get_image(&digest).await;
            image.map_err(|error| Cause::from(&error as &(dyn Error + 'static)))
        };
        let mut loading = std::pin::pin!(self.engine.load_by(&component.digest, fetch));
        match timeout(PATIENCE, &mut loading).await {
            Ok(program) => program,
            Err(_) => {
                tracing::info!("fetching or compiling {}; this happens once", component.id);
                loading.await
            }
        }
    }

    async fn provider(
        &self,
        provider: &Provider,
        guard: Option<&Guard>,
    ) -> Result<Handle, Failure> {
        if provider.sharing == Sharing::Exclusive {
            self.claim(&provider.id).await?;
        }
        match &provider.source {
            ProviderSource::Builtin(name) => {
                self.builtin(name, provider, guard).await.map(Handle::Provider)
            }
            ProviderSource::BuiltinProcess(name) => {
                self.launcher.launch_builtin(name, provider, guard).await.map(Handle::Process)
            }
            ProviderSource::Command(command) => {
                self.launcher.launch(command, provider, guard).await.map(Handle::Process)
            }
            ProviderSource::External => {
                let reason =
                    format!("{} is started by somebody else: it has no placement", provider.id);
                Err(Failure { reason, is_final: true })
            }
        }
    }

    async fn builtin(
        &self,
        name: &str,
        provider: &Provider,
        guard: Option<&Guard>,
    ) -> Result<Arc<dyn ProviderInstance>, Failure> {
        let builtin = find(name)?;
        self.remember_types(Types::of_provider(&builtin.world())).await;
        let data_dir = self
            .data
            .provider_dir(&provider.id)
            .map_err(|error| Failure::lasting(error.as_ref()))?;
        let environment = Environment {
            lattice: self.member.lattice.clone(),
            id: provider.id.clone(),
            process: self.member.process,
            data_dir,
            nats: Some(access(&self.member.nats)),
            tasks: self.member.tasks.child(),
        };
        let links = Arc::new(StoreLinks {
            store: self.member.store.clone(),
            secrets: Arc::clone(&self.secrets),
        });
        let calls = Arc::clone(&self.router) as Arc<dyn Invoke>;
        let calls = match guard {
            Some(guard) => Arc::new(Sender::new(calls, guard.clone())),
            None => calls,
        };
        let start = ProviderStart { environment, config: provider.config.clone(), links, calls };
        builtin.start(start).await.map_err(|error| match &error {
            ProviderError::Config(_) => Failure::lasting(&error),
            ProviderError::Backend { .. } => Failure::passing(&error),
        })
    }

    /// Makes this host the owner of an exclusive provider, unless another one is.
    async fn claim(&self, id: &ObjectId) -> Result<(), Failure> {
        let own = self.member.process;
        let key = key::provider(id);
        let claimed = self.member.store.modify::<Provider>(&key, |current| match current {
            Some(provider) if provider.owner.is_none() => {
                Some(Provider { owner: Some(own), ..provider.clone() })
            }
            _ => None,
        });
        let owner = claimed
            .await
            .map_err(|error| Failure::passing(&error))?
            .and_then(|entry| entry.record.owner);
        match owner {
            Some(owner) if owner != own => {
                let reason = format!(
                    "{id} is exclusive and its data is on host {owner}; it is called there"
                );
                Err(Failure { reason, is_final: true })
            }
            _ => Ok(()),
        }
    }

    /// Writes the world where `wicker call` and `link set` read it, once; a failure costs only them.
    async fn remember_types(&self, types: Types) {
        match timeout(PATIENCE, self.member.store.create(&types)).await {
            Ok(Ok(_) | Err(StoreError::Conflict { .. })) => {}
            Ok(Err(error)) => tracing::warn!(error = &error as &dyn Error, "types not stored"),
            Err(_) => tracing::warn!("types not stored: no answer"),
        }
    }
}

/// How a provider that is itself NATS reaches it.
fn access(nats: &Nats) -> NatsAccess {
    NatsAccess { url: nats.url().to_owned(), credentials: None }
}

fn find(name: &str) -> Result<&'static Builtin, Failure> {
    registry::builtins().iter().find(|builtin| builtin.name() == name).ok_or_else(|| Failure {
        reason: format!("this wicker has no provider `{name}`"),
        is_final: true,
    })
}

fn load_failure(error: &LoadError) -> Failure {
    match error {
        LoadError::Compiler(_) | LoadError::Fetch(_) | LoadError::Stopped => {
            Failure::passing(error)
        }
        _ => Failure::lasting(error),
    }
}

//! A component under its name: admits calls, gives each an instance, and ends what breaks a limit.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::time::{Instant, timeout_at};
use wasmtime::Store;
use wasmtime::component::Instance;
use wicker_lattice::call::{CallError, Status, TraceContext};
use wicker_lattice::link::Links;
use wicker_lattice::weighted::Weighted;
use wicker_process::Tasks;

use crate::admission::{Admission, Permit};
use crate::config::ActorConfig;
use crate::deadline::Deadline;
use crate::engine::Engine;
use crate::failure;
use crate::instance::{CallScope, Guest, GuestStore, Live, Warm};
use crate::limits::Limiter;
use crate::log::{Level, LogLine, Origin};
use crate::program::Program;
use crate::tokens::Tokens;
use crate::wasi::{Stdio, Template, Wasi};

/// Bytes that one call of a host function may copy: the largest value, and what surrounds it.
const HOSTCALL_FUEL: usize = wicker_lattice::call::VALUE_BYTES_MAX + (64 << 10);

/// WIT handles of all kinds that one instance may hold.
const HANDLES_MAX: usize = 4096;

/// A component that can be called.
pub struct Actor {
    /// Its epoch thread is what ends a guest that spins.
    _engine: Engine,
    program: Arc<Program>,
    config: Arc<ActorConfig>,
    links: ArcSwap<Weighted<Arc<Links>>>,
    admission: Admission,
    template: Arc<Template>,
    warm: Arc<Warm>,
    calls: AtomicU64,
    failures: AtomicU64,
}

/// What an actor did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls under way.
    pub running: usize,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Instances kept for the next calls.
    pub warm: usize,
    /// Calls answered, well or badly.
    pub calls: u64,
    /// Of those, how many failed in the lattice's terms.
    pub failures: u64,
}

/// An actor cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up {id}")]
pub struct ActorError {
    /// Whose grants are at fault.
    pub id: wicker_lattice::id::ObjectId,
    /// Which grant, and why.
    #[source]
    pub source: anyhow::Error,
}

impl Actor {
    /// An actor that runs `program` and calls through `links`.
    ///
    /// # Errors
    /// A granted directory cannot be opened.
    pub fn new(
        engine: &Engine,
        program: Arc<Program>,
        config: ActorConfig,
        links: Arc<Links>,
    ) -> Result<Arc<Self>, ActorError> {
        let config = Arc::new(config);
        let template = Template::new(&config, Stdio::Log)
            .map_err(|source| ActorError { id: config.id.clone(), source })?;
        Ok(Arc::new(Self {
            _engine: engine.clone(),
            program,
            links: ArcSwap::from_pointee(links.into()),
            admission: Admission::new(&config.limits),
            template,
            warm: Warm::new(config.warm, config.idle, &config.tasks),
            config,
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }))
    }

    /// Uses `links` for the calls that arrive from now on, each one of the snapshots by its weight. Those under way keep
    /// the links they began with.
    pub fn set_links(&self, links: impl Into<Weighted<Arc<Links>>>) {
        self.links.store(Arc::new(links.into()));
    }

    /// What it runs.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &ActorConfig {
        &self.config
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            running: self.admission.running(),
            waiting: self.admission.waiting(),
            warm: self.warm.len(),
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }

    /// Takes no more calls, and waits until those that run or wait have ended, each by its own deadline.
    pub async fn drain(&self) {
        self.admission.drain().await;
        self.warm.clear();
    }

    /// Waits for the right to run one call, until `deadline` at most.
    pub(crate) async fn admit(&self, deadline: Instant) -> Result<Permit, CallError> {
        self.admission.admit(deadline).await
    }

    /// The nearer of the caller's deadline and the actor's own.
    pub(crate) fn deadline(&self, callers: Option<Instant>) -> Instant {
        let own = Instant::now() + self.config.limits.deadline;
        callers.map_or(own, |callers| callers.min(own))
    }

    /// What the calls of a guest inherit. Pins the links.
    pub(crate) fn scope(
        &self,
        deadline: impl Into<Deadline>,
        trace: Option<TraceContext>,
    ) -> CallScope {
        let template = Arc::clone(&self.template);
        let links = Arc::clone(self.links.load().pick());
        CallScope { deadline: deadline.into(), trace, links, template }
    }

    /// What it may touch besides its links.
    pub(crate) fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// Where work goes on that nobody waits for any more. Holds its permit, so that a drain waits for it.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.config.tasks
    }

    /// A store with limits in place.
    pub(crate) fn store(&self, call: CallScope) -> GuestStore {
        let guest = Guest {
            wasi: Wasi::new(),
            call,
            actor: Arc::clone(&self.config),
            limiter: Limiter::new(self.config.limits.memory_bytes),
            tokens: Tokens::default(),
            is_over: Arc::default(),
        };
        let mut store = GuestStore::new(self.program.wasmtime(), guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store.set_hostcall_fuel(HOSTCALL_FUEL);
        store.set_max_component_handles(HANDLES_MAX);
        store
    }

    /// A fresh instance. Run it inside [`Actor::within`], so that its start-up code cannot spin.
    pub(crate) async fn instantiate(
        &self,
        call: CallScope,
    ) -> Result<(GuestStore, Instance), CallError> {
        let mut store = self.store(call);
        match self.program.pre().instantiate_async(&mut store).await {
            Ok(instance) => Ok((store, instance)),
            Err(error) => Err(self.failed(&store, &error)),
        }
    }

    /// An instance to run one call in: a warm one if there is one, else a fresh one.
    pub(crate) async fn take(&self, call: CallScope) -> Result<Live, CallError> {
        match self.warm.take(call) {
            Ok(live) => Ok(live),
            Err(call) => {
                let (store, instance) = self.instantiate(call).await?;
                Ok(Live { store, instance })
            }
        }
    }

    /// Keeps an instance whose call ended well, if this actor keeps any.
    pub(crate) fn give_back(&self, live: Live) {
        self.warm.give_back(live);
    }

    /// Where it keeps instances.
    pub(crate) fn warm(&self) -> &Arc<Warm> {
        &self.warm
    }

    /// Its settings, for what outlives a call.
    pub(crate) fn shared_config(&self) -> Arc<ActorConfig> {
        Arc::clone(&self.config)
    }

    /// Runs `work` until `deadline`; dropping it then stops the guest wherever it is.
    pub(crate) async fn within<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        timeout_at(deadline, work).await.unwrap_or_else(|_elapsed| {
            let text = "a call was ended at its deadline (limits.deadline, or the caller's own)";
            self.config.log.write(LogLine { origin: Origin::Engine, level: Level::Warn, text });
            let message = format!("{} did not answer in time", self.config.id);
            Err(CallError::new(Status::Deadline, message))
        })
    }

    /// The answer to a call whose instance failed; its log learns the details.
    pub(crate) fn failed(&self, store: &Store<Guest>, error: &wasmtime::Error) -> CallError {
        failure::failed(&self.config, Some(&store.data().limiter), error)
    }

    /// Counts a call that has been answered.
    pub(crate) fn count<T>(&self, result: &Result<T, CallError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if result.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("config", &self.config).finish_non_exhaustive()
    }
}

//! A provider that runs: calls go in, and each is answered by the link that it came through.

mod renew;

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, warn};
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Reply, Status};
use wicker_lattice::id::ObjectId;
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::release;
use wicker_lattice::secret::SecretSource;
use wicker_lattice::store::Record as _;
use wicker_lattice::store::record::{Link, Scope as LinkScope};
use wicker_lattice::types::World;
use wicker_lattice::value::Handle;
use wicker_process::Tasks;

use crate::config;
use crate::error::{LinkFailure, ProviderError};
use crate::fence::Fences;
use crate::gate::Gate;
use crate::interface::{self, Incoming, Interfaces};
use crate::link::{Entry, Found, LinkName, LinkRecord, LinkSource, Table};
use crate::outlets::Outlets;
use crate::pinned::Pins;
use crate::provider::{Provider, ProviderStart};
use crate::scope::Scope;
use crate::secrets::{self, Used};

use self::renew::Recipe;

pub use crate::gate::Limits;

/// How long a provider may think about its health.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the lattice's state may take to answer when a call brings an unknown link. Calls behind it wait.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// The first pause before a link is read again that the store has not shown us yet; it doubles.
const REREAD_PAUSE: Duration = Duration::from_millis(5);

/// How often links that have retired, or could not be opened, are looked for.
const TEND_EVERY: Duration = Duration::from_secs(5);

/// How often what is kept for callers is searched for what has expired. It is refused from that very moment on.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A running provider, as a host or a process of its own handles it.
///
/// [`Invoke::invoke`] answers calls: at most [`Limits::concurrency`] at once, inside their deadlines, a panic counting
/// as [`Status::Trapped`].
pub trait ProviderInstance: Invoke {
    /// What it serves.
    fn world(&self) -> &World;

    /// Tells it of a link that leads to it, or used to (its target says which), or away from it, and opens it. Resolves
    /// when calls through it will work. May be told twice, and out of order: revisions decide.
    fn apply_link(&self, record: LinkRecord) -> BoxFuture<'_, Result<(), LinkFailure>>;

    /// Tells it that a link is gone which was last seen at `revision`. Callers that pinned it may go on for a while.
    fn remove_link(&self, source: &ObjectId, scope: &LinkScope, name: &str, revision: u64);

    /// How it is. Takes a second at most.
    fn health(&self) -> BoxFuture<'_, Health>;

    /// The links that it should serve and does not, by the keys of their records, and why.
    fn failing_links(&self) -> BTreeMap<String, String>;

    /// Takes no more calls, finishes those under way, closes its links. Wait as long as you like; dropping the future
    /// gives up the wait, not the draining.
    fn drain(&self) -> BoxFuture<'_, ()>;
}

/// How a provider is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Ready,
    /// It does not, or some of its links do not; why, for people.
    Degraded(String),
}

/// What `P` serves.
pub(crate) fn world_of<P: Provider>() -> World {
    P::interfaces().world()
}

/// Starts `P` in this process.
pub(crate) async fn start<P: Provider>(
    start: ProviderStart,
) -> Result<Arc<dyn ProviderInstance>, ProviderError> {
    let (limits, config) = start.split_config()?;
    let (id, tasks) = (start.environment.id.clone(), start.environment.tasks.child());
    let mut environment = start.environment;
    environment.tasks = tasks.clone();
    let secrets = start.links.secrets();
    let outlets = Outlets::new(id.clone(), start.calls, Arc::clone(&secrets), tasks.child());
    let pins = Pins::new(environment.process, limits.handles);
    let recipe = Recipe { config, environment };
    let running = recipe.start::<P>(secrets.as_ref(), 0).await?;
    let interfaces = P::interfaces();
    let instance = Arc::new(Instance {
        id,
        running: ArcSwap::new(running),
        recipe,
        secrets,
        stale: Mutex::new(None),
        renewing: Semaphore::new(1),
        world: interfaces.world(),
        interfaces,
        links: ArcSwap::default(),
        writing: Mutex::new(()),
        reading: Semaphore::new(1),
        source: start.links,
        outlets,
        gate: Gate::new(limits),
        fences: Fences::default(),
        pins: Arc::clone(&pins),
        tasks: tasks.clone(),
    });
    tasks.spawn("pins", sweep(pins, tasks.clone()));
    tasks.spawn("links", tend(Arc::downgrade(&instance), tasks.clone()));
    tasks.spawn("secrets", renew::follow(Arc::downgrade(&instance), tasks.clone()));
    Ok(instance)
}

/// A provider and what it needs to answer calls.
struct Instance<P: Provider> {
    id: ObjectId,
    running: ArcSwap<Running<P>>,
    recipe: Recipe,
    secrets: Arc<dyn SecretSource>,
    /// Why it goes on with what its secrets were.
    stale: Mutex<Option<String>>,
    renewing: Semaphore,
    world: World,
    interfaces: Interfaces<P::Link>,
    /// Read by every call, replaced by whoever learns of a change.
    links: ArcSwap<Table<Opened<P::Link>>>,
    writing: Mutex<()>,
    /// One call at a time reads links, so that a thousand calls through a new link make one read.
    reading: Semaphore,
    source: Arc<dyn LinkSource>,
    outlets: Outlets,
    gate: Gate,
    fences: Fences,
    pins: Arc<Pins>,
    tasks: Tasks,
}

/// The provider as it was started with what its secrets were then. Lives as long as a link that it opened.
struct Running<P> {
    provider: P,
    /// How many there were before it.
    number: u64,
    used: Used,
    tasks: Tasks,
}

impl<P> Drop for Running<P> {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// One revision of a link, opened once.
struct Opened<L> {
    link: OnceCell<Live<L>>,
    failure: Mutex<Option<String>>,
    /// The secrets that it was opened with.
    used: Mutex<Used>,
    /// Why it goes on with them although they have changed.
    stale: Mutex<Option<String>>,
}

/// A link that is open.
struct Live<L> {
    link: Arc<L>,
    /// Which start of the provider opened it.
    number: u64,
    /// What it may lean on.
    _provider: Arc<dyn Any + Send + Sync>,
}

impl<L> Default for Opened<L> {
    fn default() -> Self {
        Self {
            link: OnceCell::new(),
            failure: Mutex::new(None),
            used: Mutex::default(),
            stale: Mutex::new(None),
        }
    }
}

impl<L> Opened<L> {
    fn used(&self) -> Used {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stale(&self) -> Option<String> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_stale(&self, why: Option<String>) {
        *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Why the last attempt to open it failed.
    fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type OpenedEntry<P> = Arc<Entry<Opened<<P as Provider>::Link>>>;

impl<P: Provider> Instance<P> {
    async fn answer(&self, call: Call) -> Result<Reply, CallError> {
        if call.target != self.id {
            let message = format!("{} does not run here; this is {}", call.target, self.id);
            return Err(CallError::new(Status::NotFound, message));
        }
        if &*call.function == release::FUNCTION {
            return self.release(call);
        }
        self.fences.admit(&call)?;
        let function = self.interfaces.find(&call.interface, &call.function, call.type_hash)?;
        let deadline = call.deadline;
        timeout_at(deadline, self.serve(call, function)).await.unwrap_or_else(|_| {
            Err(CallError::new(Status::Deadline, format!("{} did not answer in time", self.id)))
        })
    }

    /// The caller has dropped handles. Never refused for want of room: it makes some.
    fn release(&self, call: Call) -> Result<Reply, CallError> {
        if call.type_hash != release::type_hash() {
            let message = format!("`{}` has another signature here", release::FUNCTION);
            return Err(CallError::new(Status::TypeMismatch, message));
        }
        let incoming = Incoming { params: call.params, streams: call.streams };
        let (handles,): (Vec<Handle>,) = incoming.decode()?;
        self.pins.release(&handles, &call.source);
        Ok(Reply::default())
    }

    async fn serve(
        &self,
        call: Call,
        function: interface::Entry<P::Link>,
    ) -> Result<Reply, CallError> {
        let scope = Scope::of(&call, &self.pins);
        let Call { interface, function: name, params, streams, .. } = call;
        let incoming = Incoming { params, streams };
        let turn = self.gate.enter().await?;
        let link = self.link_of(&scope, &interface).await?;
        let answer = AssertUnwindSafe(scope.run(async move { function(link, incoming).await }));
        match answer.catch_unwind().await {
            Ok(reply) => reply.map(|reply| turn.hold(reply)),
            Err(panic) => Err(self.panicked(&*panic, &name)),
        }
    }

    /// What the panic says goes to the log; the caller may be a stranger.
    fn panicked(&self, panic: &(dyn std::any::Any + Send), function: &str) -> CallError {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        error!(provider = %self.id, function, panic = text, "provider panicked");
        CallError::new(Status::Trapped, format!("{} panicked in `{function}`", self.id))
    }

    /// The open link that a call of `interface` came through.
    async fn link_of(
        &self,
        call: &Scope,
        interface: &InterfaceKey,
    ) -> Result<Arc<P::Link>, CallError> {
        let entry = match self.find(call, interface) {
            Found::Use(entry) => entry,
            Found::Unknown => self.read_link(call, interface).await?,
        };
        self.open(&entry).await.map_err(|failure| {
            let status = if failure.is_final { Status::Denied } else { Status::Unavailable };
            CallError::new(status, failure.to_string())
        })
    }

    fn find(&self, call: &Scope, interface: &InterfaceKey) -> Found<Opened<P::Link>> {
        self.links.load().find(&call.source, interface, &call.link)
    }

    /// Reads the link of a call that knows more than we do, until the store shows what the caller has seen.
    async fn read_link(
        &self,
        call: &Scope,
        interface: &InterfaceKey,
    ) -> Result<OpenedEntry<P>, CallError> {
        let Ok(_reading) = self.reading.acquire().await else {
            return Err(CallError::new(Status::Draining, "the provider is stopping"));
        };
        let mut pause = REREAD_PAUSE;
        loop {
            if let Found::Use(entry) = self.find(call, interface) {
                return Ok(entry);
            }
            let record = self.read_once(call, interface).await?;
            let record = record.or_else(|| self.of_a_route(call, interface));
            let seen = record.as_ref().map_or(u64::MAX, |record| record.revision);
            let entry = record.and_then(|record| self.note(record));
            match entry {
                Some(entry) if seen >= call.link.revision => return Ok(entry),
                _ if seen >= call.link.revision => return Err(self.denied(call, interface)),
                _ => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
    }

    /// What stands for the link of a caller that has none, where the provider answers routes.
    fn of_a_route(&self, call: &Scope, interface: &InterfaceKey) -> Option<LinkRecord> {
        let is_routed = P::ANSWERS_ROUTES
            && call.link.revision == 0
            && interface.as_str() == wicker_lattice::http::INTERFACE;
        let link = || Link {
            source: call.source.clone(),
            scope: LinkScope::Interface(interface.clone()),
            name: call.link.name.as_ref().to_owned(),
            target: self.id.clone(),
            split: Vec::new(),
            config: BTreeMap::new(),
            secrets: BTreeMap::new(),
            timeout_ms: None,
            idempotent: Vec::new(),
        };
        is_routed.then(|| LinkRecord { link: link(), revision: 0 })
    }

    async fn read_once(
        &self,
        call: &Scope,
        interface: &InterfaceKey,
    ) -> Result<Option<LinkRecord>, CallError> {
        let read = self.source.read(&call.source, interface, &call.link.name);
        let unavailable = |message| CallError::new(Status::Unavailable, message);
        match timeout(READ_TIMEOUT, read).await {
            Ok(read) => read.map_err(|error| unavailable(error.to_string())),
            Err(_) => {
                Err(unavailable(format!("cannot read the link of {}: no answer", call.source)))
            }
        }
    }

    fn denied(&self, call: &Scope, interface: &InterfaceKey) -> CallError {
        let (source, id, package) = (&call.source, &self.id, interface.package());
        let message = format!(
            "{source} has no link to {id}; make one: wicker link set {source} {package} {id}"
        );
        CallError::new(Status::Denied, message)
    }

    /// Notes what a link now says; the entry, if it leads here.
    fn note(&self, record: LinkRecord) -> Option<OpenedEntry<P>> {
        let now = Instant::now();
        self.change(|links| {
            if record.link.leads_to(&self.id) {
                return links.apply(record, now);
            }
            links.remove(LinkName::of(&record.link), record.revision, now);
            None
        })
    }

    /// Opens a link if nobody has; whoever comes meanwhile waits for the same attempt.
    async fn open(&self, entry: &Entry<Opened<P::Link>>) -> Result<Arc<P::Link>, LinkFailure> {
        let Entry { record, opened } = entry;
        let open = || async {
            let (config, used) = secrets::of_link(&record.link, self.secrets.as_ref())?;
            *opened.used.lock().unwrap_or_else(PoisonError::into_inner) = used;
            let config =
                config::read(&config).map_err(|error| ProviderError::config(error.to_string()))?;
            let running = self.running.load_full();
            let link = Arc::new(running.provider.link(&record.link, config).await?);
            Ok::<_, ProviderError>(Live { link, number: running.number, _provider: running })
        };
        let result = opened.link.get_or_try_init(open).await;
        let mut failure = opened.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(live) => {
                *failure = None;
                Ok(Arc::clone(&live.link))
            }
            Err(error) => {
                let cause = opened.used().redact(error.chain());
                *failure = Some(cause.clone());
                let (source_id, scope) = (record.link.source.clone(), record.link.scope.as_str());
                let is_final = matches!(error, ProviderError::Config(_));
                Err(LinkFailure { source_id, scope: scope.to_owned(), cause, is_final })
            }
        }
    }

    /// Opens a link that leads away from here.
    async fn feed(&self, record: LinkRecord) -> Result<(), LinkFailure> {
        let Some(opened) = self.outlets.note(record) else { return Ok(()) };
        let running = self.running.load_full();
        let opening = self.outlets.open((&running.provider, running.number), &opened);
        opening.await.inspect_err(|failure| {
            warn!(provider = %self.id, error = failure as &dyn Error, "link not opened");
        })
    }

    /// Lets one writer replace the table.
    fn change<T>(&self, change: impl FnOnce(&mut Table<Opened<P::Link>>) -> T) -> T {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut links = Table::clone(&self.links.load());
        let result = change(&mut links);
        self.links.store(Arc::new(links));
        result
    }

    fn current(&self) -> Vec<OpenedEntry<P>> {
        self.links.load().current().cloned().collect()
    }

    /// Links that should be open and are not.
    fn failing(&self) -> Vec<OpenedEntry<P>> {
        let links = self.links.load();
        links.current().filter(|entry| entry.opened.failure().is_some()).cloned().collect()
    }

    /// Tries again those that could not be opened. Health and the next call tell how it went.
    async fn open_failing(&self) {
        let links = self.failing();
        let links = links.iter().map(|entry| async move { drop(self.open(entry).await) });
        let outlets = self.outlets.failing();
        let running = self.running.load_full();
        let outlets = outlets.iter().map(|opened| {
            let opening = self.outlets.open((&running.provider, running.number), opened);
            async move { drop(opening.await) }
        });
        tokio::join!(join_all(links), join_all(outlets));
    }

    /// Why links that should be open are not, for people.
    fn trouble(&self) -> Option<String> {
        let outlets = self.outlets.failing();
        let failing = self.failing();
        let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let current = self.current();
        let old = current.iter().filter_map(|entry| {
            Some(format!("link of {}: {}", entry.record.link.source, entry.opened.stale()?))
        });
        let causes = failing.iter().filter_map(|entry| {
            Some(format!("link of {}: {}", entry.record.link.source, entry.opened.failure()?))
        });
        let causes = stale
            .into_iter()
            .chain(causes)
            .chain(old)
            .chain(outlets.iter().filter_map(|opened| opened.trouble()));
        let causes: Vec<String> = causes.collect();
        (!causes.is_empty()).then(|| causes.join("; "))
    }
}

impl<P: Provider> Invoke for Instance<P> {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(self.answer(call))
    }

    fn is_brief(&self, _target: &ObjectId) -> bool {
        P::IS_BRIEF
    }
}

impl<P: Provider> ProviderInstance for Instance<P> {
    fn world(&self) -> &World {
        &self.world
    }

    fn apply_link(&self, record: LinkRecord) -> BoxFuture<'_, Result<(), LinkFailure>> {
        Box::pin(async move {
            if self.outlets.owns(&record.link) {
                return self.feed(record).await;
            }
            match self.note(record) {
                Some(entry) => self.open(&entry).await.map(|_| ()).inspect_err(|failure| {
                    warn!(provider = %self.id, error = failure as &dyn Error, "link not opened");
                }),
                None => Ok(()),
            }
        })
    }

    fn remove_link(&self, source: &ObjectId, scope: &LinkScope, name: &str, revision: u64) {
        if *source == self.id {
            self.outlets.remove(scope, name, revision);
            return;
        }
        let name = LinkName { source, scope, name };
        self.change(|links| links.remove(name, revision, Instant::now()));
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async {
            let running = self.running.load_full();
            match timeout(HEALTH_TIMEOUT, running.provider.health()).await {
                Err(_) => Health::Degraded(format!("no sign of health in {HEALTH_TIMEOUT:?}")),
                Ok(Err(error)) => Health::Degraded(error.chain()),
                Ok(Ok(())) => self.trouble().map_or(Health::Ready, Health::Degraded),
            }
        })
    }

    fn failing_links(&self) -> BTreeMap<String, String> {
        let current = self.current();
        let failing = current.iter().filter_map(|entry| {
            let why = entry.opened.failure().or_else(|| entry.opened.stale())?;
            Some((entry.record.link.key(), why))
        });
        let outlets = self.outlets.failing();
        let outlets = outlets.iter().filter_map(|opened| opened.failing());
        failing.chain(outlets).collect()
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.outlets.drain().await;
            self.running.load_full().provider.drain().await;
            self.gate.drain().await;
            self.pins.clear();
            self.reading.close();
            self.renewing.close();
            self.change(|links| *links = Table::default());
            self.tasks.stop();
        })
    }
}

/// Lets go of what its callers have forgotten.
async fn sweep(pins: Arc<Pins>, tasks: Tasks) -> Result<(), std::convert::Infallible> {
    loop {
        tokio::select! {
            // Cancel-safe, both: neither has done anything before it resolves.
            () = tasks.stopping() => return Ok(()),
            () = tokio::time::sleep(SWEEP_EVERY) => pins.sweep(),
        }
    }
}

/// Drops links that have retired and tries again those that could not be opened, while the instance lives.
async fn tend<P: Provider>(
    instance: Weak<Instance<P>>,
    tasks: Tasks,
) -> Result<(), std::convert::Infallible> {
    loop {
        tokio::select! {
            // Cancel-safe, both: neither has done anything before it resolves.
            () = tasks.stopping() => return Ok(()),
            () = tokio::time::sleep(TEND_EVERY) => {}
        }
        let Some(instance) = instance.upgrade() else { return Ok(()) };
        let now = Instant::now();
        if instance.links.load().has_retired(now) {
            instance.change(|links| links.sweep(now));
        }
        tasks.spawn_work(async move {
            instance.open_failing().await;
            instance.renew().await;
        });
    }
}

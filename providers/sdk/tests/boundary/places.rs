//! Where the callee may be, and the provider that it is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use wicker_lattice::call::{Invoke, LinkRef, StreamError};
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::link::Binding;
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::store::record::{Link, Scope};
use wicker_lattice::testing::NatsServer;
use wicker_provider::link::NoLinkSource;
use wicker_provider::{
    Builtin, Client, Environment, Interfaces, LinkRecord, LinkSource, LinkSourceError, NoConfig,
    Own, Pinned, Provider, ProviderError, ProviderInstance, ProviderStart, Sharing, Stream,
};

use crate::trial;

/// What the tests wait for anything, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const CHUNK: usize = 64 << 10;

/// What a provider's calls have done; each provider has its own, by its id.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) held: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
    pub(crate) poured: AtomicUsize,
    pub(crate) pours_dropped: AtomicUsize,
    pub(crate) opened: AtomicUsize,
    pub(crate) closed: AtomicUsize,
    pub(crate) go: Notify,
}

static ALL: LazyLock<Mutex<BTreeMap<ObjectId, Arc<Seen>>>> = LazyLock::new(Mutex::default);

fn seen(id: &ObjectId) -> Arc<Seen> {
    Arc::clone(ALL.lock().unwrap().entry(id.clone()).or_default())
}

/// A callee somewhere, and how it is called.
pub(crate) struct Place {
    pub(crate) seen: Arc<Seen>,
    pub(crate) client: Client,
    /// How many handles come and go in the law that counts them: a call costs more the farther it goes.
    pub(crate) cycles: usize,
    invoke: Arc<dyn Invoke>,
    instance: Arc<dyn ProviderInstance>,
    lattice: Option<Lattice>,
}

/// Both ends of a lattice.
struct Lattice {
    callee: Rpc,
    _caller: Rpc,
    _server: NatsServer,
}

impl Place {
    /// A provider in this process, called as a host calls one.
    pub(crate) async fn in_process() -> Self {
        let id: ObjectId = "default/laws/here".parse().unwrap();
        let instance = start(&id).await;
        let invoke = Arc::clone(&instance) as Arc<dyn Invoke>;
        let client = client(&id, &source(), &invoke);
        Self { seen: seen(&id), client, cycles: 100_000, invoke, instance, lattice: None }
    }

    /// The same provider in another process, as far as NATS can tell.
    pub(crate) async fn behind_nats() -> Self {
        let id: ObjectId = "default/laws/there".parse().unwrap();
        let instance = start(&id).await;
        let server = NatsServer::start().await;
        let (here, there) = (ProcessId::generate(), ProcessId::generate());
        let rpc = async |process, serve| {
            let nats = Nats::connect(NatsConfig::at(server.url())).await.unwrap();
            Rpc::start(RpcConfig::new("laws", process), &nats, serve).await.unwrap()
        };
        let callee = rpc(there, Arc::clone(&instance) as Arc<dyn Invoke>).await;
        let caller = rpc(here, Arc::clone(&instance) as Arc<dyn Invoke>).await;
        let invoke = caller.remote(there);
        let client = client(&id, &source(), &invoke);
        let lattice = Lattice { callee, _caller: caller, _server: server };
        let (seen, lattice) = (seen(&id), Some(lattice));
        Self { seen, client, cycles: 2_000, invoke, instance, lattice }
    }

    pub(crate) fn trial(&self) -> trial::Client {
        trial::Client::new(self.client.clone())
    }

    /// The same, for somebody else.
    pub(crate) fn trial_of(&self, source: &str) -> trial::Client {
        let target: ObjectId = self.client.target().clone();
        trial::Client::new(client(&target, &source.parse().unwrap(), &self.invoke))
    }

    /// As a host ends a provider.
    pub(crate) async fn drain(&self) {
        if let Some(lattice) = &self.lattice {
            lattice.callee.drain(PATIENCE).await.unwrap();
        }
        self.instance.drain().await;
    }
}

async fn start(id: &ObjectId) -> Arc<dyn ProviderInstance> {
    let environment = Environment {
        lattice: "laws".to_owned(),
        id: id.clone(),
        process: wicker_provider::lattice::id::ProcessId::generate(),
        data_dir: std::path::PathBuf::new(),
        nats: None,
        tasks: wicker_process::Tasks::default(),
    };
    let config = serde_json::Value::Null;
    let (links, calls) = (Arc::new(OneLink(id.clone())), Arc::new(NoLinkSource));
    let start = ProviderStart { environment, config, links, calls };
    Builtin::of::<Trials>().start(start).await.unwrap()
}

fn source() -> ObjectId {
    "default/laws/caller".parse().unwrap()
}

fn client(id: &ObjectId, source: &ObjectId, invoke: &Arc<dyn Invoke>) -> Client {
    let link = LinkRef { name: "default".into(), revision: 1 };
    let (target, invoke) = (id.clone(), Arc::clone(invoke));
    Client::new(source.clone(), Binding { target, link, invoke })
}

/// The lattice's links: one, to the provider.
struct OneLink(ObjectId);

impl LinkSource for OneLink {
    fn read<'a>(
        &'a self,
        _source: &'a ObjectId,
        _interface: &'a InterfaceKey,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkRecord>, LinkSourceError>> {
        let scope: InterfaceKey = trial::name().key();
        let link = Link {
            source: source(),
            scope: Scope::Interface(scope),
            name: "default".to_owned(),
            target: self.0.clone(),
            secrets: Default::default(),
            config: BTreeMap::new(),
            timeout_ms: None,
            idempotent: Vec::new(),
            split: Vec::new(),
        };
        Box::pin(async move { Ok(Some(LinkRecord { link, revision: 1 })) })
    }
}

struct Trials(Arc<Seen>);

impl Provider for Trials {
    const IMPLEMENTATION: &'static str = "trials";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = NoConfig;
    type LinkConfig = NoConfig;
    type Link = Trial;

    fn interfaces() -> Interfaces<Trial> {
        Interfaces::new().with(trial::serve())
    }

    async fn start(_config: NoConfig, environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self(seen(&environment.id)))
    }

    async fn link(&self, _link: &Link, _config: NoConfig) -> Result<Trial, ProviderError> {
        Ok(Trial(Arc::clone(&self.0)))
    }
}

pub(crate) struct Trial(Arc<Seen>);

/// Counts when it is dropped.
struct Counted(Arc<Seen>, fn(&Seen) -> &AtomicUsize);

impl Drop for Counted {
    fn drop(&mut self) {
        (self.1)(&self.0).fetch_add(1, Ordering::SeqCst);
    }
}

/// What a locker handle stands for.
pub(crate) struct Locker {
    sum: AtomicU32,
    _counted: Counted,
}

impl trial::Trial for Trial {
    type Locker = Pinned<Locker>;

    async fn locker_put(&self, this: &Pinned<Locker>, n: u32) -> u32 {
        this.sum.fetch_add(n, Ordering::SeqCst) + n
    }

    async fn open(&self, lease: u32) -> Result<Own<Pinned<Locker>>, String> {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        let _counted = Counted(Arc::clone(&self.0), |seen| &seen.closed);
        let locker = Locker { sum: AtomicU32::new(0), _counted };
        let pinned = Pinned::new(locker, Duration::from_millis(lease.into()));
        pinned.map(Own).map_err(|error| error.to_string())
    }

    async fn close(&self, locker: Pinned<Locker>) -> u32 {
        locker.sum.load(Ordering::SeqCst)
    }

    async fn echo(&self, letter: trial::Letter) -> trial::Letter {
        letter
    }

    async fn refuse(&self, why: String) -> Result<u32, String> {
        Err(why)
    }

    async fn break_down(&self) {
        panic!("broken");
    }

    async fn hold(&self) {
        let _held = Counted(Arc::clone(&self.0), |seen| &seen.dropped);
        self.0.held.fetch_add(1, Ordering::SeqCst);
        self.0.go.notified().await;
    }

    async fn pipe(&self, r#in: Stream) -> Stream {
        Stream::new(r#in.into_chunks())
    }

    async fn pour(&self, chunks: u32) -> Stream {
        let seen = Arc::clone(&self.0);
        let counted = Counted(Arc::clone(&seen), |seen| &seen.pours_dropped);
        Stream::new(futures::stream::iter(0..chunks).map(move |_| {
            let _counted = &counted;
            seen.poured.fetch_add(1, Ordering::SeqCst);
            Ok(Bytes::from_static(&[7; CHUNK]))
        }))
    }

    async fn tear(&self) -> Stream {
        let torn = Err(StreamError::Aborted("torn".to_owned()));
        Stream::new(futures::stream::iter([Ok(Bytes::from_static(b"beginning")), torn]))
    }
}

/// Runs a test to its end, which must come.
pub(crate) async fn bounded(test: BoxFuture<'_, ()>) {
    tokio::time::timeout(PATIENCE, test).await.expect("the test hangs");
}

/// Waits until `holds`, which must become true.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
